"""What of a table is luck: expected losses, what strategies find by them, and how sure `front` is of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.made_up_table import made_up_table

from benchmarks.search_efficiency import calibration
from benchmarks.search_efficiency.by_expectation import measured
from benchmarks.search_efficiency.contenders import BASELINE, CONTENDERS
from benchmarks.search_efficiency.expected import ExpectedLosses, end_of, expected_losses, without_luck
from benchmarks.search_efficiency.runs import Runs
from benchmarks.seed_noise import COLUMNS, FILE
from search.replay.table import Table, TableModel, read_table

NOISE = 0.05


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_table(tmp_path_factory.mktemp("luck"))


@pytest.fixture(scope="module")
def table(folder: Path) -> Table:
    return read_table(folder)


def losses(table: Table) -> np.ndarray:
    return np.array([end_of(model).loss for model in table.models])


def ending(model: TableModel, loss: float) -> TableModel:
    curve = (*model.record.curve[:-1], replace(end_of(model), loss=loss))
    return replace(model, record=replace(model.record, curve=curve))


@pytest.fixture(scope="module")
def lucky(table: Table) -> Table:
    """The same models, as if each had had its luck."""
    luck = np.random.default_rng(0).normal(0, NOISE, len(table.models))
    return replace(table, models=tuple(map(ending, table.models, (losses(table) + luck).tolist())))


def test_expected_losses_are_nearer_the_truth_than_those_of_one_seed(table: Table, lucky: Table) -> None:
    expected = ExpectedLosses(lucky, NOISE)
    truth, ended = losses(table), losses(lucky)
    others, spread = expected.from_others()
    assert np.abs(expected.mean - truth).mean() < 0.7 * np.abs(ended - truth).mean()
    assert np.abs(others - ended).mean() < 2 * NOISE and 0.4 < np.std((others - ended) / spread) < 1.6
    draws = np.array([expected.draw(seed) for seed in range(20)])
    assert np.array_equal(draws[0], expected.draw(0)) and np.abs(draws.mean(axis=0) - expected.mean).mean() < NOISE / 2
    assert losses(without_luck(expected)) == pytest.approx(expected.mean)


def test_further_seeds_move_what_is_expected(folder: Path, table: Table, tmp_path: Path) -> None:
    number, end = table.models[5].record.number, end_of(table.models[5])
    lines = [[number, seed, end.rung, end.tokens, end.loss + 1, end.bits_per_byte] for seed in (1, 2)]
    pd.DataFrame(lines, columns=COLUMNS).to_csv(tmp_path / FILE, index=False)
    before, after = (expected_losses(replace(table, folder=where)).mean[5] for where in (folder, tmp_path))
    assert after > before + 0.05


def test_a_run_that_is_measured_by_its_own_losses_stays_what_it_was(table: Table, tmp_path: Path) -> None:
    runs = Runs(tmp_path / "runs.csv", "table", table)
    runs.add(BASELINE, 0, CONTENDERS[BASELINE].run(table, 0, 40, 0.98), 1.0)
    (run,) = Runs(tmp_path / "runs.csv", "table", table).of(BASELINE, 1)
    again = measured(run, table)
    assert again.trainings_to == pytest.approx(run.trainings_to, abs=1e-3)
    assert again.hypervolume_at == pytest.approx(run.hypervolume_at)
    other = measured(run, without_luck(ExpectedLosses(table, NOISE)))
    assert other.hypervolume_at != again.hypervolume_at and list(other.hypervolume_at) == sorted(other.hypervolume_at)


def test_knowing_what_is_expected_is_nearly_as_good_as_knowing_all(table: Table) -> None:
    all_known = CONTENDERS["greedy foresight"].run(table, 0, 40, 0.98).trainings_to(0.98)
    for name in ("expected losses known", "foretold by all others"):
        needed = CONTENDERS[name].run(table, 0, 40, 0.98).trainings_to(0.98)
        assert all_known <= needed <= CONTENDERS[BASELINE].run(table, 0, 40, 0.98).trainings_to(0.98)


def test_what_front_foresees_is_set_beside_known_ends(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "AFTER", (2, 4))
    foreseen = calibration.replayed(table, 0)
    assert set(foreseen.time) == {0, 2} and {0.0, 0.125} <= set(foreseen.share) <= {0.0, 0.125, 0.25, 0.5}
    assert (foreseen.spread > 0).all() and set(foreseen.end) <= set(losses(table))


def test_honest_spreads_are_reported_as_such() -> None:
    generator = np.random.default_rng(0)
    count = 4000
    foreseen = pd.DataFrame({
        "variant": "vanilla", "layers": 2, "share": 0.0, "seed": 0, "time": 0,
        "mean": 2.0, "spread": 0.1, "end": 2.0 + generator.normal(-0.05, 0.1, count),
    })  # fmt: skip  # a table reads better
    shown = calibration.report(foreseen, "")
    cells = {str(column.header): next(iter(column.cells)) for column in shown.columns}
    assert cells["models"] == "not begun" and cells["number"] == "4,000"
    assert 0.04 < float(str(cells["better by"])) < 0.06
    assert 40 < int(str(cells["within 50 %"]).rstrip("%")) < 50 and 80 < int(str(cells["within 90 %"]).rstrip("%")) < 90
