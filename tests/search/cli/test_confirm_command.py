"""`msarch confirm` on a small search: it trains what is missing and resumes to the bit; `pareto` and report show it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from support.command_line import msarch
from support.commands import Here

from msarch.errors import UserError
from msarch.training.file_names import FILE
from msarch.training.trainer import Trainer
from search.results.confirm.plan import trials_to_confirm
from search.results.confirm.runs import confirm_folder, read_runs, run_files
from search.results.confirm.train import Task, tasks, train_runs
from search.results.results import load_results


@pytest.fixture(scope="module", autouse=True)
def _confirmed(place: Path) -> None:
    """The front is confirmed with two seeds; `fresh` is as the search left it."""
    shutil.copytree(place / "results" / "space", place / "fresh")
    done = msarch("confirm", "results/space", "--seeds", 2, cwd=place)
    assert done.returncode == 0, done.stderr
    (place / "confirm.out").write_text(done.stdout)
    (place / "confirm.err").write_text(done.stderr)
    shutil.copy(place / "results/space/report.html", place / "after.html")


def planned(folder: Path, seeds: int) -> list[Task]:
    results = load_results(folder)
    return tasks(folder, trials_to_confirm(results.records, results.objectives), seeds)


def test_it_trains_every_model_with_every_seed(place: Path) -> None:
    folder = place / "results" / "space"
    assert len(read_runs(folder)) == len(planned(place / "fresh", 2)) and planned(folder, 2) == []
    assert not (confirm_folder(folder) / "checkpoint").exists()
    assert "How sure the front is" in (place / "confirm.out").read_text()


def test_the_report_of_the_search_shows_it_from_then_on(here: Here, place: Path) -> None:
    assert "How sure the front is" in (place / "after.html").read_text()
    assert "How sure the front is" not in (place / "fresh" / "report.html").read_text()
    assert (place / "confirm.err").read_text().splitlines()[-1] == "wrote results/space/report.html"
    outdated = shutil.copytree(place / "results" / "space", place / "outdated")
    shutil.copy(place / "fresh" / "report.html", outdated)
    os.utime(outdated / "report.html", (0, 0))
    assert here("confirm", "outdated", "--seeds", 2).stderr == "wrote outdated/report.html\n", (
        "as after an interruption"
    )
    assert "How sure the front is" in (outdated / "report.html").read_text()
    (outdated / "report.html").unlink()
    assert here("confirm", "outdated", "--seeds", 2).stderr == "" and not (outdated / "report.html").exists()
    shutil.rmtree(outdated)


def test_the_same_command_again_trains_nothing_and_json_holds_the_same(here: Here) -> None:
    done = here("confirm", "results/space", "--seeds", 2, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["split"] == "test" and all(len(model["levels"]) == 2 for model in found["models"])
    more = here("confirm", "results/space", "--seeds", 3, "--dry-run")
    assert more.stdout.startswith(f"{len(found['models'])} trainings of {len(found['models'])} models")


def test_pareto_and_report_show_it_where_it_is(here: Here, place: Path) -> None:
    shown, fresh = (here("pareto", folder).stdout for folder in ("results/space", "fresh"))
    assert "How sure the front is" in shown and "How sure" not in fresh
    here("report", "results/space")
    here("report", "fresh")
    pages = [(place / folder / "report.html").read_text() for folder in ("results/space", "fresh")]
    assert ["How sure the front is" in page for page in pages] == [True, False]
    assert ["Each model was trained once" in page for page in pages] == [False, True]


def never(index: int, error: UserError) -> None:
    raise error


def test_an_interrupted_training_continues_to_the_bit(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("MSARCH_CACHE", str(place / ".cache"))
    folder = place / "fresh"
    steps: list[int] = []

    def stop(_: int, trainer: Trainer) -> None:
        steps.append(trainer.step)
        if len(steps) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(train_runs(folder, planned(folder, 1), "cpu", lambda candidate: candidate, stop, never))
    assert read_runs(folder) == []
    [run] = train_runs(
        folder,
        planned(folder, 1)[:1],
        "cpu",
        lambda candidate: candidate,
        lambda _, each: steps.append(each.step),
        never,
    )
    assert steps == sorted(set(steps)), "no rung was trained twice"
    assert run in read_runs(place / "results" / "space")
    shutil.rmtree(confirm_folder(folder))


def test_a_damaged_checkpoint_is_told(here: Here, place: Path) -> None:
    folder = shutil.copytree(place / "results" / "space", place / "damaged")
    left = confirm_folder(folder) / "checkpoint"
    left.mkdir()
    (left / FILE).write_bytes(b"cut off")
    newest = max(run_files(folder))
    newest.unlink()
    done = here("confirm", "damaged", "--seeds", 2)
    assert done.returncode == 0 and newest.exists()
    assert done.stderr.startswith(f"{Path('damaged') / 'confirm' / 'checkpoint' / FILE} is damaged; trial ")
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nowhere"], "error: there is no results folder nowhere"),
        (["results/space", "--seeds", "0"], "error: Invalid value for '--seeds': must be a whole number above 0"),
        (["results/space", "--format", "csv"], "error: --format: unknown format 'csv'. Legal: json, table"),
        (["results/space", "--seeds", "9", "--set", "model.layers=1@1"], "error: --set: unknown key 'model.layers'"),
    ],
)
def test_a_mistake_is_one_line(here: Here, arguments: list[str], line: str) -> None:
    done = here("confirm", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(line) and done.stderr.count("\n") == 1, done.stderr
