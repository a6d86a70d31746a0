"""The choice of the next piece of training, over designs whose losses are made up."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from itertools import product

import pytest

from msarch import Candidate, CorpusConfig, ModelConfig, TokenizerConfig, TrainingConfig
from msarch.training.validation import Validation
from search.ledger.records import TrialRecord, TrialState
from search.propose.front.strategy import STARTUP, Design, FrontStrategy, Piece, Resume, Start, may_pause

TOKENS = 320_000
SHARES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
STRATEGY = FrontStrategy(("perplexity", "memory"), seed=0)


@cache
def designs() -> list[Design]:
    """Width, depth and learning rate, 60 in all."""
    return [design(width, depth, rate) for width, depth, rate in product((32, 64, 96, 128), (1, 2, 3, 4, 6), RATES)]


RATES = (1e-3, 4e-3, 1.6e-2)


def design(width: int, depth: int, rate: float) -> Design:
    model = ModelConfig(
        variant="vanilla", layers=f"{depth}@1", d_model=width, n_heads=width // 16, vocab_size=256, context=64
    )
    candidate = Candidate(
        model=model,
        training=TrainingConfig(batch_size=8, tokens=TOKENS, learning_rate=rate, rungs=SHARES),
        corpus=CorpusConfig(source="python-docs", tokenizer=TokenizerConfig(kind="bytes")),
        seed=0,
    )
    size = 12 * width**2 * depth
    profile = {"memory_bytes": 4 * size + 3000 * width * depth, "parameters": size, "flops_per_token": 6 * size}
    return Design({"width": width, "depth": depth, "rate": rate}, candidate, profile)


def loss(of: Design, share: float) -> float:
    """Larger ends better and starts slower; 4e-3 is the best learning rate."""
    size, rate = math.log(of.profile["parameters"]), math.log(of.candidate.training.learning_rate / 4e-3)
    return float(4.0 - 0.15 * size + 0.04 * rate**2 + (0.05 + 0.02 * size) * (share**-0.4 - 1))


def tokens_at(share: float) -> int:
    """A rung is at a whole step, so its tokens are not quite the share that it is named by."""
    return -(-int(share * TOKENS) // 3000) * 3000


def record(number: int, of: Design, rungs: int, state: TrialState = "pruned") -> TrialRecord:
    curve = tuple(
        Validation(
            rung=rung,
            step=rung,
            tokens=-(-int(share * TOKENS) // 3000) * 3000,
            loss=loss(of, share),
            bits_per_byte=1,
            seconds=1,
        )
        for rung, share in enumerate(SHARES[:rungs])
    )
    return TrialRecord(
        number=number,
        state=state,
        candidate=of.candidate,
        profile=dict(of.profile),
        curve=curve,
        paused=state == "pruned",
    )


def play(budget: float, strategy: FrontStrategy = STRATEGY) -> tuple[list[TrialRecord], list[Piece]]:
    """One worker follows the strategy until a budget, in whole trainings, is spent."""
    records: list[TrialRecord] = []
    pieces: list[Piece] = []
    chosen: list[Design] = []
    while True:
        left = budget * TOKENS - sum(one.curve[-1].tokens for one in records)
        pool = [one for one in designs() if one not in chosen]
        piece = strategy.next_piece(records, pool, int(left))
        if piece is None:
            return records, pieces
        pieces.append(piece)
        if isinstance(piece, Start):
            chosen.append(piece.design)
            records.append(record(len(records), piece.design, 3))
        else:
            done = len(records[piece.number].curve) + 1
            state: TrialState = "complete" if done == len(SHARES) else "pruned"
            records[piece.number] = record(piece.number, chosen[piece.number], done, state)


def test_the_first_designs_are_spread_over_the_costs() -> None:
    _, pieces = play(3)
    costs = sorted(one.profile["memory_bytes"] for one in designs())
    quarters = [costs.index(piece.design.profile["memory_bytes"]) * STARTUP // len(costs) for piece in pieces[:STARTUP]]  # type: ignore[union-attr]  # these are starts
    assert sorted(quarters) == list(range(STARTUP))


def test_the_budget_is_kept_and_spent_on_what_can_end() -> None:
    records, _ = play(6)
    spent = sum(one.curve[-1].tokens for one in records)
    assert 5 * TOKENS < spent <= 6 * TOKENS
    assert any(one.state == "complete" for one in records)


def test_many_designs_start_and_the_good_ones_are_trained_to_their_end() -> None:
    records, _ = play(8)
    complete = [one for one in records if one.state == "complete"]
    assert len(records) > 8
    best_rate = [one for one in complete if one.candidate.training.learning_rate == 4e-3]
    assert len(best_rate) >= 0.7 * len(complete)


def test_slow_starters_that_win_are_not_left_behind() -> None:
    """The largest model is last at an eighth of the training, and best at its end."""
    largest = max(designs(), key=lambda one: -loss(one, 1.0))
    records, _ = play(10)
    best = min((one for one in records if one.state == "complete"), key=lambda one: one.curve[-1].loss)
    assert best.curve[-1].loss < loss(largest, 1.0) + 0.1


def test_the_same_state_gives_the_same_choice() -> None:
    records, pieces = play(4)
    again, same = play(4, FrontStrategy(("perplexity", "memory"), seed=0))
    assert pieces == same
    assert records == again


def test_what_runs_counts_as_if_it_had_ended() -> None:
    """Two twins wait; while one of them runs, the other has nothing to add."""
    records = [record(number, one, 3) for number, one in enumerate([design(64, 2, 4e-3)] * 2 + [design(32, 1, 1e-3)])]
    running = [replace(records[0], state="running", paused=False), *records[1:]]
    before, after = ({piece: gain for gain, piece in STRATEGY.worth(each, (), TOKENS)} for each in (records, running))
    assert Resume(0) not in after
    assert after[Resume(1)] < 0.5 * before[Resume(1)]


def test_what_has_just_begun_counts_as_well() -> None:
    """Its twin has nothing to add, though it has not reached a rung."""
    records, twin = play(4)[0], design(96, 2, 4e-3)
    begun = record(len(records), design(96, 2, 4.1e-3), 0, "running")
    (alone, _), (beside, _) = (STRATEGY.worth(each, [twin], TOKENS)[-1] for each in (records, [*records, begun]))
    assert 0 < beside < 0.5 * alone


@pytest.mark.parametrize("rungs", [0, 4])
def test_designs_like_those_that_diverged_are_worth_less(rungs: int) -> None:
    """However well they had begun."""
    records, twin = play(4)[0], design(96, 2, 4e-3)
    (before, _) = STRATEGY.worth(records, [twin], TOKENS)[-1]
    lost = [
        replace(record(len(records) + index, design(96, 2, rate), rungs, "failed"), error=error)
        for index, (rate, error) in enumerate([(4.1e-3, DIVERGED), (3.9e-3, DIVERGED)])
    ]
    assert STRATEGY.worth([*records, *lost], [twin], TOKENS)[-1][0] < 0.5 * before
    broken = [replace(one, error="OSError: the disk is full") for one in lost]
    assert STRATEGY.worth([*records, *broken], [twin], TOKENS)[-1][0] > 0.5 * before


def test_half_of_the_spread_counts_as_a_chance_of_improvement() -> None:
    records, twin = play(4)[0], design(96, 2, 4e-3)
    known = STRATEGY.known(records)
    (ends, _), (mean, spread) = STRATEGY.foreseen(known, [twin])
    levels, costs = STRATEGY._levels(known, ends, [twin]), STRATEGY._cost_matrix([twin])
    half, whole = (levels.expected_gain(costs, mean, share * spread) / TOKENS for share in (0.5, 1.0))
    (worth, _) = STRATEGY.worth(records, [twin], TOKENS)[-1]
    assert worth == pytest.approx(half) and worth != pytest.approx(whole)


DIVERGED = "training loss is not finite at step 812"


def test_nothing_is_chosen_where_nothing_can_end_within_the_budget() -> None:
    assert STRATEGY.next_piece([record(0, designs()[0], 3), record(1, designs()[9], 3)], designs(), TOKENS // 2) is None
    assert STRATEGY.next_piece([], [], 10 * TOKENS) is None
    assert STRATEGY.next_piece([], designs(), TOKENS - 1) is None


def test_the_least_promising_paused_trial_is_known() -> None:
    rates = [design(64, 2, rate) for rate in (4e-3, 1e-3, 1.6e-2)] + [design(32, 1, 4e-3), design(128, 6, 4e-3)]
    records = [record(0, rates[0], 6, "complete"), *(record(n, one, 3) for n, one in enumerate(rates[1:], start=1))]
    assert set(STRATEGY.ranking(records)) == {1, 2, 3, 4}
    order = STRATEGY.ranking(records)
    assert max(order.index(1), order.index(2)) < order.index(3)  # wrong rates promise less than a cheaper model


@pytest.mark.parametrize(("share", "may"), [(1 / 32, False), (1 / 8, True), (0.5, True), (1.0, False)])
def test_a_trial_pauses_after_an_eighth_and_before_its_end(share: float, may: bool) -> None:
    assert may_pause(TrainingConfig(batch_size=8), share) is may


@pytest.mark.parametrize(("share", "may"), [(1 / 8, False), (1 / 4, False), (1 / 2, True), (1.0, False)])
def test_a_long_warmup_is_not_judged(share: float, may: bool) -> None:
    assert may_pause(TrainingConfig(batch_size=8, warmup=0.2), share) is may


def test_a_loss_that_is_not_finite_is_left_out() -> None:
    records, _ = play(3)
    broken = replace(records[0].curve[-1], loss=math.inf)
    records[0] = replace(records[0], state="failed", paused=False, curve=(*records[0].curve[:-1], broken))
    assert STRATEGY.next_piece(records, designs()[:5], 10 * TOKENS) is not None
