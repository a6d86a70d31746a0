"""No table cuts a number, however narrow the terminal: text wraps, columns are left out and named, rows are stacked."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest
from rich.console import Console, RenderableType

from msarch import Candidate, ModelConfig, TrainingConfig
from msarch.memory.fit import Fit
from search.cli.profile import explain
from search.cli.search import plan_table
from search.ledger.records import TrialRecord
from search.run.estimate import Estimate
from search.run.plan import Plan
from search.show.profile.comparison import compared, comparison_view, fit_view
from search.show.profile.tables import profile_view
from search.show.terminal.fitted_table import IF_UNWRAPPED, FittedColumn, FittedTable, fit_columns
from search.show.terminal.front_table import format_front, front_table
from search.show.terminal.space_description import describe_space
from search.space.load import load_space

WIDTHS = (24, 40, 60, 80, 120)
Maker = Callable[..., list[TrialRecord]]


def rendered(view: RenderableType, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def numbers(text: str) -> Counter[str]:
    """Every word with a figure in it and how often it stands there; drawings are no words."""
    return Counter(re.findall(r"[^\s()│┃┌┐└┘─█►,]*\d[^\s()│┃┌┐└┘─█►]*", text))


def check_whole(view: RenderableType, width: int) -> None:
    """All numbers of a wide terminal stand in a narrow one, but for those of columns that it says it leaves out."""
    wide, narrow = rendered(view, 400), rendered(view, width)
    assert max(map(len, narrow.splitlines())) <= width
    assert "…" not in narrow
    assert set(numbers(narrow)) <= set(numbers(wide))
    if "no room for" not in narrow:
        assert numbers(narrow) >= numbers(wide)  # stacked rows repeat the headings


def check_table(table: FittedTable, width: int) -> None:
    """Every cell of every column that is not named as left out is there whole."""
    text = rendered(table, width)
    left_out = re.split(r",\s*", text.partition("no room for: ")[2].strip())
    shown = [column for column in table.columns if column.heading not in left_out]
    assert len(shown) >= min(4, len(table.columns))
    assert numbers(text) == numbers(" ".join(cell for column in shown for cell in column.cells)), text


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("objectives", [("perplexity", "memory"), ("bits_per_byte", "memory_unfused", "step_time")])
def test_the_front_is_whole(make_records: Maker, objectives: tuple[str, ...], width: int) -> None:
    table = front_table(make_records(60, seed=4), objectives)
    check_whole(table, width)
    check_table(table, width)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_front_without_colours_is_whole(make_records: Maker, width: int) -> None:
    records = make_records(60, seed=4)
    text = format_front(records, colour=False, width=width)
    everything = numbers(format_front(records, colour=False, width=400))
    assert max(map(len, text.splitlines())) <= width and set(numbers(text)) <= set(everything)
    assert "no room for" in text or numbers(text) == everything


def candidate(layers: str, batch_size: int = 3) -> Candidate:
    variant = "top_down" if "4" in layers else "vanilla"
    model = ModelConfig(variant=variant, layers=layers, d_model=48, n_heads=3, vocab_size=1024, context=128)
    return Candidate(model=model, training=TrainingConfig(batch_size=batch_size))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_profile_is_whole(width: int) -> None:
    check_whole(profile_view("results/quickstart trial 12", *explain(candidate("5@4 3@1"))), width)


@pytest.mark.parametrize("width", WIDTHS)
def test_two_profiles_side_by_side_are_whole(width: int) -> None:
    figures = compared(explain(candidate("5@4 3@1")), explain(candidate("2@1")))
    check_whole(comparison_view(("results/quickstart trial 12", "a.yaml"), figures), width)


@pytest.mark.parametrize("width", WIDTHS)
def test_what_fits_is_whole(width: int) -> None:
    shared: dict[str, Any] = {"memory_bytes": 8_765_432, "step": 4, "capped": False}
    fits = [
        Fit(dimension="batch_size", checkpointing="none", size=1_234, **{**shared, "step": 1}),
        Fit(dimension="batch_size", checkpointing="block", size=12_345, **{**shared, "capped": True}),
        Fit(dimension="context", checkpointing="none", size=0, **shared),
        Fit(dimension="context", checkpointing="block", size=4_096, **shared),
    ]
    check_whole(fit_view(fits, 9_876_543, candidate("5@4 3@1")), width)


@cache
def wide_description(name: str) -> str:
    everything = rendered(describe_space(load_space(name), sample=0), 400)
    return everything.partition("An example candidate")[0]


@pytest.mark.parametrize("width", WIDTHS[1:])
@pytest.mark.parametrize("name", ["quickstart", "gpu-24gb", "paper-bookcorpus"])
def test_a_space_is_whole(name: str, width: int) -> None:
    text = rendered(describe_space(load_space(name), sample=0), width)
    listed = text.partition("An example candidate")[0]
    assert "…" not in text and numbers(listed) == numbers(wide_description(name))
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("prunes", [True, False])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_plan_is_whole(width: int, prunes: bool) -> None:
    plan = Plan(
        sampled=60,
        admitted=47,
        excluded={"memory": 13},
        memory=(8_765_432, 54_321_098, 1_234_567_890),
        trials=1_234,
        wanted=5_678,
        tokens=12_345_678_901,
        concurrent=16,
        slots=32,
        timed=8,
        speed=(1_234.5, 98_765.4),
        measured_on="NVIDIA H100 80GB HBM3",
        time=Estimate(seconds=(12_345, 98_765), startup=(12, 34), trial=(123, 4_567), prunes=prunes),
    )
    view = plan_table(load_space("quickstart"), plan)
    check_whole(view, width)
    assert ("pruning" in rendered(view, width)) == prunes


def column(heading: str, cells: Sequence[str], importance: int = 1000, *, text: bool = False) -> FittedColumn:
    return FittedColumn(heading, cells, importance, text)


def headings(columns: Sequence[FittedColumn], room: int, *, wrap: bool = True) -> list[str]:
    found = fit_columns(columns, room, wrap=wrap)
    return [each.heading for each in found.columns] if found.widths else ["stacked"]


def test_what_is_least_important_goes_first_and_what_is_optional_before_any_text_wraps() -> None:
    columns = [
        column("name", ["many small words"], text=True),
        column("a", ["11111"], 10),
        column("b", ["22222"], 20),
        column("extra", ["3"], IF_UNWRAPPED),
        column("peak", ["4.5 MiB"]),
    ]
    assert headings(columns, 46) == ["name", "a", "b", "extra", "peak"]
    assert headings(columns, 45) == ["name", "a", "b", "peak"]
    assert headings(columns, 28) == ["name", "a", "b", "peak"]
    assert headings(columns, 27) == ["name", "b", "peak"]
    assert headings(columns, 20) == headings(columns, 14) == ["name", "peak"]
    assert headings(columns, 13) == ["stacked"]
    assert headings(columns, 30, wrap=False) == ["name", "peak"]
    assert rendered(FittedTable(columns), 13).splitlines()[-2:] == ["extra 3", "peak 4.5 MiB"]


def test_what_is_left_out_is_named(make_records: Maker) -> None:
    text = rendered(front_table(make_records(60, seed=4)), 40)
    assert "no room for: " in text and "params" in text and "bits/B" in text
    assert "no room for" not in rendered(front_table(make_records(60, seed=4)), 120)
