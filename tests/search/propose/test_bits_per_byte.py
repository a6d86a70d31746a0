"""Where tokenizers vary, a loss in nats per token says nothing: what judges trials goes by bits per byte."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from support.made_up_search import open_in, reports_of, space_in

from msarch.config.candidate import Candidate
from search.ledger.metrics import final_quality, quality_of
from search.ledger.records import TrialRecord
from search.propose.false_prunes import false_prunes
from search.propose.mirror import MIRROR, Mirror
from search.propose.pareto_pruner import ParetoPruner
from search.propose.pareto_rule import Finished, ParetoRule
from search.propose.pruners import rule_for
from search.run.coordinator import Coordinator
from search.run.trials import Job

NATS, BITS = ("perplexity", "memory"), ("bits_per_byte", "memory")
LARGE = 4096
Maker = Callable[..., TrialRecord]


def is_large(candidate: Candidate) -> bool:
    return candidate.corpus.tokenizer.vocab_size == LARGE


def reports_by_vocabulary(job: Job) -> list[dict[str, Any]]:
    """The larger vocabulary is better by 0.1 nats per byte at every rung; its tokens are longer, so that each is worse.

    On one text, so bits per byte are the loss by the bytes of a token.
    """
    bytes_of_a_token = 3.4 if is_large(job.candidate) else 2.2
    reports = list(reports_of(job))
    for report in reports:
        for point in report["curve"]:
            nats_per_byte = point["loss"] / 2 - 0.1 * is_large(job.candidate)
            point |= {"loss": nats_per_byte * bytes_of_a_token, "bits_per_byte": nats_per_byte / math.log(2)}
    return reports


def search_in(folder: Path) -> Coordinator:
    varying = ("corpus.tokenizer={bpe: {values: [512, 4096]}}", "objectives=[bits_per_byte, memory]")
    space = space_in(folder, *varying, "search.sampler=random", "search.trials=32")
    coordinator = open_in(space, folder / "out")
    while (job := coordinator.next_job(patience=60)) is not None:
        for report in reports_by_vocabulary(job):
            if not coordinator.report(job.number, report):
                break
    return coordinator


def test_the_vocabulary_that_is_better_in_bits_is_stopped_least(tmp_path: Path) -> None:
    trained = [one for one in search_in(tmp_path).records() if one.state in ("complete", "pruned")]
    stopped = [
        sum(one.state == "pruned" for one in group) / len(group)
        for group in ([one for one in trained if is_large(one.candidate) == large] for large in (True, False))
    ]
    assert stopped[0] < stopped[1]


def test_a_control_is_judged_in_bits(make_record: Maker) -> None:
    rival = make_record(0, 20.0, 10)
    assert rival.bits_per_byte is not None
    # longer tokens: a larger perplexity, and fewer bits
    control = replace(make_record(1, 40.0, 10), bits_per_byte=rival.bits_per_byte - 0.1, control_rung=0)
    assert false_prunes([rival, control], BITS) == (1, 1)
    assert false_prunes([rival, control], NATS) == (0, 1)


@pytest.mark.parametrize(("objectives", "key"), [(NATS, "loss"), (BITS, "bits_per_byte"), ((*BITS, NATS[0]), "loss")])
def test_bits_count_only_where_perplexity_is_no_objective(
    objectives: tuple[str, ...], key: str, make_record: Maker
) -> None:
    record = make_record(0, 20.0, 10)
    assert quality_of(record.curve[0], objectives) == getattr(record.curve[0], key)
    assert final_quality(record, objectives) == getattr(record, key)


def test_a_mirror_of_losses_is_rebuilt_in_bits(make_records: Callable[..., list[TrialRecord]]) -> None:
    """Earlier versions wrote losses whatever the objectives were."""
    records, storage = make_records(30), optuna.storages.InMemoryStorage()
    assert Mirror(storage, ParetoPruner(), NATS).match(records)
    assert Mirror(storage, ParetoPruner(), BITS).match(records)
    assert not Mirror(storage, ParetoPruner(), BITS).match(records)
    for trial in optuna.load_study(study_name=MIRROR, storage=storage).trials:
        record = records[trial.user_attrs["number"]]
        assert list(trial.intermediate_values.values()) == [point.bits_per_byte for point in record.curve]
        assert trial.state != optuna.trial.TrialState.COMPLETE or trial.values == [record.bits_per_byte]


def test_on_bytes_the_rule_decides_in_bits_as_in_nats() -> None:
    nats, bits = rule_for(NATS, 3), rule_for(BITS, 3)
    assert nats == ParetoRule(seed=3)
    ended = [Finished((float(cost % 5),), 3.0 + cost % 3 / 10, 2.0 + cost % 7 / 50) for cost in range(20)]
    of_nats, of_bits = nats.history(), bits.history()
    for one in ended:
        of_nats.add(one)
        of_bits.add(replace(one, loss=one.loss / math.log(2), final=one.final / math.log(2)))
    assert bits.margin(of_bits) == pytest.approx(nats.margin(of_nats) / math.log(2))
