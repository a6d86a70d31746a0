"""What was known at a share of a budget, and how orders are compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.made_up_search import drive, open_in, space_in

from benchmarks import foretold_order
from benchmarks.foretold_order import groups_of, kendall, quarter
from msarch import Candidate, ModelConfig, TrainingConfig
from msarch.training.schedule import learning_rate

BUDGETS = (1_000_000, 2_000_000, 4_000_000, 8_000_000)


def lineage(model: str, level: float, seed: int = 0) -> list[dict[str, object]]:
    """A run with a decay to each budget; a decay takes 0.1 off."""
    return [
        {
            "model": model,
            "tokenizer": "bytes",
            "seed": seed,
            "budget": budget,
            "tokens": share * budget,
            "loss": level + (share * budget / 1e6) ** -0.5 - 0.1 * (share == 1),
        }
        for budget in BUDGETS
        for share in (0.6, 0.8, 1.0)
    ]


def test_a_quarter_of_a_run_with_decays_ends_in_a_decay() -> None:
    lines = pd.DataFrame([*lineage("small", 1.5), *lineage("large", 1.2)])
    found = {group.budget: group for group in groups_of(lines, "made up", 0.25) if group.models}
    assert list(found) == [8_000_000]  # at a quarter of the others there are fewer than three rungs
    [large, _] = found[8_000_000].models
    assert large.curve.constant[0].tolist() == [6e5, 8e5, 12e5, 16e5]
    assert large.curve.tokens[large.curve.decayed].tolist() == [1e6, 2e6]
    assert large.last == pytest.approx(1.2 + 2**-0.5 - 0.1) and large.end == pytest.approx(1.2 + 8**-0.5 - 0.1)


def test_a_run_that_diverged_or_is_not_finished_is_left_out() -> None:
    lost, short = pd.DataFrame(lineage("lost", 1.5)), pd.DataFrame(lineage("short", 1.4))
    lost.loc[lost.index[-1], "loss"] = np.inf
    [group] = [g for g in groups_of(pd.concat([lost, short[short.budget < 8e6]]), "", 0.25) if g.budget == 8_000_000]
    assert group.models == []


def test_tau_counts_pairs_and_a_model_drawn_twice_counts_twice() -> None:
    truth = np.array([1.0, 2.0, 3.0, 4.0])
    assert kendall(truth, truth) == 1 and kendall(-truth, truth) == -1
    assert kendall(np.array([1.0, 2.0, 4.0, 3.0]), truth) == pytest.approx(4 / 6)
    # of the models 0, 2, 2 and 3: pairs with the same model on both sides do not count
    assert kendall(np.array([1.0, 2.0, 4.0, 3.0]), truth, np.array([1, 0, 2, 1])) == pytest.approx((3 - 2) / 5)


def test_a_quarter_is_trained_at_the_rates_of_the_whole() -> None:
    model = ModelConfig(variant="vanilla", layers="1@1", d_model=16, n_heads=1, vocab_size=256, context=32)
    training = TrainingConfig(batch_size=8, tokens=80 * 256, schedule="wsd")
    short = quarter(Candidate(model=model, training=training)).training
    rates = [learning_rate(each, step, each.steps(32)) for each in (training, short) for step in range(16)]
    assert rates[:16] == rates[16:] and short.targets() == training.targets()


def test_the_table_has_a_line_for_each_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    levels = {"a": 1.5, "b": 1.4, "c": 1.2, "d": 1.0}
    pd.DataFrame([row for name, level in levels.items() for row in lineage(name, level)]).to_csv(tmp_path / "runs.csv")
    foretold_order.main([str(tmp_path / "runs.csv")])
    lines = [line for line in capsys.readouterr().out.splitlines() if "runs, bytes" in line]
    assert len(lines) == 1 and lines[0].count("1.00") == 3


def test_quarters_are_trained_once_and_end_in_a_decay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = space_in(tmp_path, "training.schedule=wsd", "search.trials=4", "search.pruner=none")
    drive(open_in(space, tmp_path / "out"))
    file = tmp_path / "quarters.csv"
    command = [str(tmp_path / "out"), "--quarters", str(file)]
    foretold_order.main(command)
    lines = [line for line in capsys.readouterr().out.splitlines() if "decayed" in line]
    assert len(lines) == 1 and "20k" in lines[0]
    trained = pd.read_csv(file)
    assert trained.model.nunique() == 4 and set(trained.budget) == {5_000}
    foretold_order.main(command)
    assert pd.read_csv(file).equals(trained)
