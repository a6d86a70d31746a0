"""`msarch pareto`, `report` and `reproduce`: what the command line does with a results folder."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import yaml
from rich.console import Console
from rich.text import Text

from msarch.errors import UserError, quoted, unknown
from search.cli.device import explanations, training_environment
from search.cli.notes import print_notes
from search.cli.output_files import check_folder, writing
from search.ledger.records import TrialRecord
from search.results.conditions import Conditions
from search.results.front import check_any_within
from search.results.reproduce import Reproduction, compare, open_corpus, train_again, with_corpus
from search.results.results import BUNDLES, Bundle, Results, load_results
from search.results.training_errors import loss_in_one_line, memory_in_one_line
from search.show.terminal.console import make_console, print_with_colours
from search.show.terminal.fitted_table import FittedColumn, FittedTable, output_width
from search.show.terminal.front_plot import BLANK, front_plot
from search.show.terminal.front_table import FORMATS, print_front, wants_colour


def show_front(
    folder: Path,
    conditions: Conditions,
    *,
    max_memory: int | None,
    fmt: str,
    html: Path | None,
    pictures: Sequence[Path | None],
    open_report: bool,
    skip_damaged: bool = False,
) -> None:
    """Write the report and pictures where asked, then print the front, as trained or under other conditions."""
    if fmt not in FORMATS:
        raise UserError(unknown("format", fmt, FORMATS), key="--format")
    for path in (html, *pictures):
        check_folder(path)
    results = _load(folder, skip_damaged)
    if conditions:
        results = _under(results, conditions)
    try:
        check_any_within(results.records, max_memory)
    except UserError as error:
        raise error.under("--max-memory") from None
    kept = results.within(max_memory)
    confirmed = kept.confirmation if fmt == "table" else None
    for path in (html, *pictures):
        if path is not None:
            _write(kept, path)
    if results.conditions:
        console = make_console(stderr=fmt != "table", soft_wrap=True)
        console.print(Text(f"memory with {results.conditions}; perplexity as trained\n"))
    if fmt == "table":
        _draw(kept.records, kept.objectives)
    print_front(kept.records, kept.objectives, fmt)
    if confirmed is not None:
        from search.cli.confirm import print_confirmation

        print_confirmation(confirmed)
    if open_report:
        page = (html or folder / "report.html").resolve()
        if not page.is_file():
            raise UserError(f"there is no {page.name} in {folder}; write it with: msarch report {folder}")
        webbrowser.open(page.as_uri())


def _draw(records: Sequence[TrialRecord], objectives: Sequence[str]) -> None:
    """The front in characters, where standard output has the characters for it."""
    try:
        BLANK.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return
    drawn = front_plot(records, objectives, colour=wants_colour(), width=output_width())
    if drawn:
        print_with_colours(drawn)


def _load(folder: Path, skip_damaged: bool) -> Results:
    """The results; notes on how far to trust them go to standard error, a line each."""
    results = load_results(folder, skip_damaged=skip_damaged)
    print_notes(results.notes)
    return results


def _under(results: Results, conditions: Conditions) -> Results:
    """The complete trials under other conditions; progress goes to standard error where that is a terminal."""
    from rich.progress import track

    from search.results.what_if import records_under

    console = make_console(stderr=True, soft_wrap=True)

    def progress(records: Sequence[TrialRecord]) -> Iterable[TrialRecord]:
        return track(records, "profiling", console=console, transient=True, disable=not console.is_terminal)

    records, refused = records_under(results.records, conditions, progress)
    if refused and not records:
        raise UserError(f"no complete trial can run with {conditions.describe()}: {refused[0]}")
    for line in refused:
        console.print(Text(line))
    return replace(results, records=records, conditions=conditions.describe())


def _write(results: Results, path: Path, bundle: Bundle = "inside") -> None:
    with writing(path):
        if path.suffix == ".html":
            results.write_report(path, bundle)
        else:
            results.write_plot(path)


def write_report(folder: Path, html: Path | None, *, plotly: str = "inside", skip_damaged: bool = False) -> None:
    """Write the report again, into the folder or elsewhere; Plotly's code in it or beside it."""
    bundle = next((each for each in BUNDLES if each == plotly), None)
    if bundle is None:
        raise UserError(unknown("place", plotly, BUNDLES), key="--plotly")
    target = html or folder / "report.html"
    if target.suffix != ".html":
        raise UserError(f"{quoted(target.name)} must end in .html: a report is a web page", key="--html")
    _write(_load(folder, skip_damaged), target, bundle)


def reproduce_trial(
    folder: Path,
    which: str,
    max_memory: int | None,
    overrides: Sequence[str],
    *,
    dry_run: bool,
    skip_damaged: bool = False,
) -> int:
    """Train a trial again and compare; the exit status: 0 where it agrees, 1 where it does not."""
    results = _load(folder, skip_damaged)
    record = results.trial(which, max_memory)
    candidate = with_corpus(record.candidate, overrides)
    console = make_console()
    console.print(Text(f"trial {record.number} of {folder}: {_headline(record)}"))
    if dry_run:
        console.print(Text(yaml.safe_dump(candidate.to_dict(), sort_keys=False).rstrip()))
        return 0
    device, changed = training_environment(results)
    tokens = open_corpus(candidate.corpus)
    trainer = None
    with console.status("training") as status, _in_one_line(record):
        for trainer in train_again(candidate, tokens, device):
            point = trainer.curve[-1]
            status.update(f"step {point.step:,} of {trainer.steps:,}, validation loss {point.loss:.4f}")
    assert trainer is not None
    found = compare(record, trainer, results.folder_of(record) / "model.safetensors")
    _show(console, found, explanations(device, changed))
    return 0 if found.within_tolerance else 1


@contextmanager
def _in_one_line(record: TrialRecord) -> Iterator[None]:
    """What may go wrong although the recorded training ended."""
    other = "the recorded training ended, so other versions or another device make the difference"
    more = "close other programs that use it, or take a machine with more"
    with loss_in_one_line(other), memory_in_one_line(record.profile["memory_bytes"], more):
        yield


def _headline(record: TrialRecord) -> str:
    model = record.candidate.model
    return f"{model.variant} {model.layers}, d_model {model.d_model}, {record.candidate.training.tokens:,} tokens"


def _show(console: Console, found: Reproduction, reasons: list[str]) -> None:
    console.print(_comparison(found))
    if found.test is not None:
        loss, bits = found.test
        console.print(Text(f"test split, never seen by the search: loss {loss:.4f} nats, {bits:.4f} bits per byte"))
    if found.identical:
        console.print(Text("identical", style="bold green"))
        return
    verdict = "within tolerance, not identical" if found.within_tolerance else "outside tolerance"
    console.print(Text(verdict, style="bold yellow" if found.within_tolerance else "bold red"))
    for line in reasons:
        console.print(Text(f"  {line}"))


def _comparison(found: Reproduction) -> FittedTable:
    """Each figure as recorded and as reproduced, and whether they agree."""
    rows = [
        (
            figure.name,
            figure.shown(figure.recorded),
            figure.shown(figure.reproduced),
            "identical" if figure.identical else f"differs by {figure.difference:.2e}",
        )
        for figure in found.figures
    ]
    if found.weights_identical is not None:
        rows.append(("weights", "", "", "identical" if found.weights_identical else "differ"))
    names, recorded, reproduced, verdicts = zip(*rows, strict=True)
    return FittedTable(
        [
            FittedColumn("", names, text=True),
            FittedColumn("recorded", recorded),
            FittedColumn("reproduced", reproduced),
            FittedColumn("", verdicts, text=True),
        ]
    )
