"""`msarch confirm`: the front trained again with further seeds."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig
from msarch.errors import UserError, unknown
from msarch.paths import is_file
from search.cli.device import training_environment
from search.cli.notes import print_notes
from search.cli.output_files import writing
from search.cli.text_tables import print_text_table
from search.ledger.folder import locked, refuse_links
from search.results.confirm.confirmation import Confirmation
from search.results.confirm.plan import trials_to_confirm
from search.results.confirm.runs import confirm_folder, run_files
from search.results.confirm.train import Task, tasks, train_runs
from search.results.reproduce import with_corpus
from search.results.results import Results, load_results
from search.show.confirmed import confirmed_sections
from search.show.terminal.console import make_console, print_line

if TYPE_CHECKING:
    from msarch.training.trainer import Trainer

FORMATS = ("table", "json")


def confirm_front(folder: Path, seeds: int, overrides: Sequence[str], *, fmt: str, dry_run: bool) -> None:
    """Train what is missing, write the report again, and print what all seeds say; progress goes to standard error.

    Raises UserError, at the end where memory did not suffice for some models.
    """
    if fmt not in FORMATS:
        raise UserError(unknown("format", fmt, FORMATS), key="--format")
    results = load_results(folder)
    print_notes(results.notes)
    trials = trials_to_confirm(results.records, results.objectives)
    if not trials:
        raise UserError(f"{folder} has no complete trial: there is no front to confirm")
    if dry_run:
        chosen = tasks(folder, trials, seeds)
        tokens = sum(candidate.training.tokens for _, candidate in chosen)
        print_line(f"{len(chosen)} trainings of {len(trials)} models, {tokens:,} tokens in all")
        return
    left_out: list[int] = []
    if tasks(folder, trials, seeds):
        refuse_links(folder)
        with locked(confirm_folder(folder), busy="another msarch confirm is at work in {}; wait for it to end"):
            left_out = _train(results, tasks(folder, trials, seeds), overrides)
    results = load_results(folder)
    _update_report(results)
    _print(results.confirmation, fmt)
    if left_out:
        raise UserError(
            f"memory ran out for trial {', '.join(map(str, left_out))}; close other programs that use it, or take a "
            "machine with more: the same command trains what is missing"
        )


def _train(results: Results, chosen: Sequence[Task], overrides: Sequence[str]) -> list[int]:
    """Train what is missing; the trials that memory did not suffice for."""
    device, changed = training_environment(results)
    print_notes(changed)
    console = make_console(stderr=True, soft_wrap=True)
    left_out: list[int] = []
    with console.status("opening the text") as status:

        def watch(index: int, trainer: Trainer) -> None:
            record, candidate = chosen[index]
            if trainer.passed_over and len(trainer.curve) == 1:
                begins = f"trial {record.number}, seed {candidate.seed}, begins at the beginning"
                console.print(Text(f"{trainer.passed_over}; {begins}"))
            where = f"training {index + 1} of {len(chosen)}: trial {record.number}, seed {candidate.seed}"
            status.update(f"{where}, step {trainer.step:,} of {trainer.steps:,}")

        def short(index: int, error: UserError) -> None:
            record, candidate = chosen[index]
            left_out.append(record.number)
            console.print(Text(f"trial {record.number}, seed {candidate.seed}: {error}"))

        for run in train_runs(results.folder, chosen, device, _placer(overrides), watch, short):
            found = f"loss {run.loss:.4f}" if run.loss is not None else f"failed: {run.error}"
            console.print(Text(f"trial {run.trial}, seed {run.seed}: {run.split} {found}"))
    return left_out


def _update_report(results: Results) -> None:
    """Write the search's report again where there is one, older than the newest of these trainings."""
    report = results.folder / "report.html"
    newest = max((path.stat().st_mtime_ns for path in run_files(results.folder)), default=0)
    if is_file(report) and report.stat().st_mtime_ns < newest:
        with writing(report):
            results.write_report(report)


def _placer(overrides: Sequence[str]) -> Callable[[Candidate], Candidate]:
    """A candidate with its corpus where it is now; each corpus is read and checked once."""
    known: dict[CorpusConfig, CorpusConfig] = {}

    def placed(candidate: Candidate) -> Candidate:
        if candidate.corpus not in known:
            known[candidate.corpus] = with_corpus(candidate, overrides).corpus
        return replace(candidate, corpus=known[candidate.corpus])

    return placed


def _print(confirmed: Confirmation | None, fmt: str) -> None:
    if fmt == "json":
        print_line(json.dumps(_as_dict(confirmed) if confirmed else None, indent=2))
    elif confirmed:
        print_confirmation(confirmed)
    else:
        print_line("no training with a further seed ended")


def print_confirmation(confirmed: Confirmation) -> None:
    """The tables, each under its title."""
    print_line("")
    for title, _, table in confirmed_sections(confirmed):
        print_line(title)
        print_text_table(table)
    if confirmed.missing:
        print_line(f"not trained again: {', '.join(map(str, confirmed.missing))}")


def _as_dict(confirmed: Confirmation) -> dict[str, Any]:
    return {
        "quality": confirmed.quality,
        "split": confirmed.split,
        "models": [
            {
                "trial": each.record.number,
                "levels": {str(seed): value for seed, value in each.levels.items()},
                "mean": each.mean,
                "spread": each.spread,
                "failed": each.failed,
                "on_front": each.on_front,
            }
            for each in confirmed.models
        ],
        "claims": [
            {
                "trial": each.point,
                "vanilla": each.rival,
                "seeds": each.seeds,
                "failed": each.failed,
                "gain": each.gain,
                "low": each.low,
                "high": each.high,
                "verdict": each.verdict,
            }
            for each in confirmed.claims
        ],
        "missing": confirmed.missing,
    }
