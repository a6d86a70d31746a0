"""The report as text: what it says, what it holds, what its figures draw."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from msarch.units import format_bytes
from search.ledger.records import TrialRecord
from search.results.front import pareto_front
from search.show.drawing.svg import draw_svg
from search.show.palette import log_ticks
from search.show.report.curves import curves_figure
from search.show.report.data import packed_trials
from search.show.report.figures import trade_off_figure
from search.show.report.layout import hover_texts
from search.show.report.parallel_axes import parallel_axes
from search.space.objectives import OBJECTIVES as KNOWN

MIB = 2**20
LIMITS = {"memory": 90 * MIB}
OBJECTIVES = ("perplexity", "memory")
Maker = Callable[..., list[TrialRecord]]
Write = Callable[..., str]


def without_scripts(page: str) -> str:
    return re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_report_names_what_was_searched(make_records: Maker, write: Write, tmp_path: Path) -> None:
    records = make_records(60, seed=4)
    page = without_scripts(write(tmp_path / "report.html", records))
    for text in ("60 trials", "37 complete", "14 pruned", "6 infeasible", "memory at most 90 MiB", "Hypervolume"):
        assert text in page
    assert "reference point validation perplexity 1024, training memory 90 MiB" in page
    assert page.count("msarch reproduce results/quickstart --trial ") == 2
    assert "packages.torch" in page and "order of trials in a parallel search" in page
    assert 'lang="en"' in page and 'scope="col"' in page and 'scope="row"' in page


def data_of(page: str, name: str) -> Any:
    [found] = re.findall(rf'<script type="application/json" id="{name}">(.*?)</script>', page, flags=re.DOTALL)
    return json.loads(found)


def column(page: str, name: str) -> list[tuple[str, Any]]:
    """What the cells of a column read, and what they are sorted by."""
    [packed] = [each for each in data_of(page, "trials-data")["columns"] if each["name"] == name]
    pairs = list(zip(packed["cells"], packed.get("keys", packed["cells"]), strict=True))
    return [pairs[place] for place in packed["at"]] if "at" in packed else pairs


def paused_records(make_records: Maker) -> list[TrialRecord]:
    return [replace(each, paused=each.state == "pruned", control_rung=None) for each in make_records(60, seed=4)]


def test_paused_trials_are_no_pruners_work(make_records: Maker, write: Write, tmp_path: Path) -> None:
    page = without_scripts(write(tmp_path / "report.html", paused_records(make_records)))
    assert "How the front grew" not in page, "trials took turns, and when is not recorded"
    assert "14 paused" in page and "with more tokens resumes" in page and "14 of them are paused" in page
    assert "prune" not in page.partition("<body>")[2].lower()


def test_paused_trials_are_called_so_wherever_they_are_shown(make_records: Maker) -> None:
    records = paused_records(make_records)
    assert "paused, at its last validation" in traces(trade_off_figure(records, *OBJECTIVES, OBJECTIVES, {}))
    curves = traces(curves_figure(records, OBJECTIVES))
    assert curves["paused"][0]["line"]["dash"] == "dash" and "pruned" not in curves
    state = next(column for column in packed_trials(records, set())["columns"] if column["name"] == "state")
    assert "paused" in state["cells"] and "pruned" not in state["cells"]
    assert all("pruned" not in text for text in hover_texts(records).values())
    mixed = [*records, replace(next(each for each in records if each.paused), number=99, paused=False)]
    assert "paused or pruned, at its last validation" in traces(trade_off_figure(mixed, *OBJECTIVES, OBJECTIVES, {}))


def test_the_table_holds_every_trial(make_records: Maker, write: Write, tmp_path: Path) -> None:
    records = make_records(60, seed=4)
    page = write(tmp_path / "report.html", records)
    assert [key for _, key in column(page, "trial")] == [record.number for record in records]
    assert [cell for cell, _ in column(page, "state")] == [record.state for record in records]
    memories = [record.profile["memory_bytes"] for record in records]
    assert column(page, "memory_bytes") == [(format_bytes(size), size) for size in memories]
    losses = [record.loss for record in records]
    for (_, key), loss in zip(column(page, "perplexity"), losses, strict=True):
        assert (key is None) == (loss is None) and (loss is None or key == pytest.approx(math.exp(loss), rel=1e-6))
    assert data_of(page, "trials-data")["front"] == sorted(record.number for record in pareto_front(records))


def test_each_model_of_a_front_is_drawn(make_records: Maker, write: Write, tmp_path: Path) -> None:
    records = make_records(60, seed=4)
    drawings = data_of(write(tmp_path / "report.html", records), "drawings")
    for objectives in (OBJECTIVES, ("perplexity", "memory_unfused"), ("perplexity", "cache")):
        for record in pareto_front(records, objectives):
            drawing = drawings["models"][drawings["of"][str(record.number)]]
            assert drawing == draw_svg(record.candidate.model, styled=False) and "<style>" not in drawing


def test_2000_trials_take_less_than_a_megabyte(make_records: Maker, write: Write, tmp_path: Path) -> None:
    page = write(tmp_path / "report.html", make_records(2000, seed=4), bundle="beside")
    [bundle] = tmp_path.glob("plotly-*.min.js")
    assert bundle.stat().st_size > 4_000_000 and f'<script src="{bundle.name}"></script>' in page
    assert len(page.encode()) < 1_000_000


def test_report_holds_everything_and_fetches_nothing(make_records: Maker, write: Write, tmp_path: Path) -> None:
    page = write(tmp_path / "report.html", make_records(5))
    assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=\"(?!data:)", page)
    assert "default-src 'none'" in page
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_text_of_users_is_escaped(make_record: Callable[..., TrialRecord], write: Write, tmp_path: Path) -> None:
    evil = '</script><script>alert("x")</script>'
    records = [make_record(0, 80, 40), make_record(1, 80, 400, state="infeasible", violation=evil, curve=())]
    page = write(tmp_path / "report.html", records, title=evil, results=f"results/{evil}", environment={evil: evil})
    assert "<script>alert" not in page
    assert "alert" not in re.sub(r"&lt;/script&gt;&lt;script&gt;alert", "", without_scripts(page))
    assert "<script>" not in hover_texts(records)[1]


@pytest.mark.parametrize(
    ("objectives", "limits"),
    [
        (OBJECTIVES, {}),
        (("bits_per_byte", "memory", "parameters"), {**LIMITS, "parameters": 100_000}),
        (("cache", "perplexity"), LIMITS),
    ],
)
@pytest.mark.parametrize("case", ["none", "one", "pruned", "infeasible", "running", "failed", "many"])
def test_report_survives_any_search(
    make_records: Maker, write: Write, tmp_path: Path, objectives: tuple[str, ...], limits: dict[str, int], case: str
) -> None:
    records: dict[str, list[TrialRecord]] = {
        "none": [],
        "one": make_records(1, state="complete"),
        "many": make_records(30, seed=2),
    }
    states = {name: make_records(2, state=name) for name in ("pruned", "infeasible", "running", "failed")}
    page = write(tmp_path / "report.html", (records | states)[case], objectives=objectives, limits=limits)
    sought = {name for name in objectives if not KNOWN[name].quality}
    if case == "none":
        assert 'id="front"' not in page
    else:
        assert sought <= set(data_of(page, "figures")["front"])
    assert ("No front yet" in page) == (case not in ("one", "many"))


def test_options_in_which_trials_differ_have_columns(make_records: Maker, write: Write, tmp_path: Path) -> None:
    records = make_records(6, state="complete")
    before = data_of(write(tmp_path / "report.html", records), "trials-data")["columns"]
    assert "positions" not in [each["name"] for each in before]
    searched = []
    schemes: tuple[Literal["none", "rotary"], ...] = ("none", "rotary") * 3
    ways: tuple[Literal["none", "block"], ...] = ("block", "none", "none") * 2
    for record, positions, checkpointing in zip(records, schemes, ways, strict=True):
        model = replace(record.candidate.model, positions=positions)
        training = replace(record.candidate.training, checkpointing=checkpointing)
        searched.append(replace(record, candidate=replace(record.candidate, model=model, training=training)))
    page = write(tmp_path / "report.html", searched)
    after = {each["name"]: each for each in data_of(page, "trials-data")["columns"]}
    assert after["positions"]["meaning"].startswith("how order enters attention: ") and "schedule" not in after
    assert [cell for cell, _ in column(page, "positions")] == [*schemes]
    assert [cell for cell, _ in column(page, "checkpointing")] == [*ways]


def test_the_pointer_shows_every_option_in_which_trials_differ(make_records: Maker) -> None:
    records = make_records(8, seed=1, state="complete")
    searched = []
    schedules: tuple[Literal["cosine", "wsd"], ...] = ("cosine", "wsd") * 4
    for record, schedule in zip(records, schedules, strict=True):
        training = replace(record.candidate.training, schedule=schedule)
        searched.append(replace(record, candidate=replace(record.candidate, training=training)))
    texts = hover_texts(searched)
    assert all(f"schedule {each.candidate.training.schedule}" in texts[each.number] for each in searched)
    assert all(f"d_model {each.candidate.model.d_model}" in texts[each.number] for each in searched)
    assert all("schedule" not in text and "-" not in text.split("<br>")[2] for text in hover_texts(records).values())
    shown = "".join(text for trace in _hovering(searched) for text in trace["hovertext"])
    assert all(text in shown for text in texts.values())


def _hovering(records: list[TrialRecord]) -> list[dict[str, Any]]:
    figures = (trade_off_figure(records, *OBJECTIVES, OBJECTIVES, {}), curves_figure(records, OBJECTIVES))
    return [each for figure in figures for found in traces(figure).values() for each in found if each.get("hovertext")]


def traces(figure: Any) -> dict[str, list[Any]]:
    """The traces of a figure by name, but for those that only stand in its legend."""
    found: dict[str, list[Any]] = {}
    for trace in json.loads(figure.to_json())["data"]:
        if trace["x"] != [None]:
            found.setdefault(trace["name"], []).append(trace)
    return found


def test_every_trial_stands_in_the_trade_off_once(make_records: Maker) -> None:
    records = make_records(60, seed=4)
    drawn = traces(trade_off_figure(records, "perplexity", "memory", OBJECTIVES, LIMITS))

    def points(*names: str) -> int:
        return sum(len(trace["x"]) for name in names for trace in drawn.get(name, []))

    count = {state: sum(record.state == state for record in records) for state in ("complete", "pruned", "infeasible")}
    assert points("vanilla", "top_down", "bottom_up", "retina") == count["complete"]
    assert points("pruned, at its last validation") == count["pruned"]
    assert points("infeasible, never trained") == count["infeasible"]
    assert points("front") == len(pareto_front(records))
    assert drawn["front"][0]["line"]["shape"] == "hv"
    large = {
        number
        for found in drawn.values()
        for trace in found
        if trace.get("meta", {}).get("front")
        for number in trace["customdata"]
    }
    assert large == {record.number for record in pareto_front(records)}


def test_one_outlier_does_not_squash_the_front(make_record: Callable[..., TrialRecord]) -> None:
    front = [make_record(number, 80 - 4 * number, 20 + 10 * number) for number in range(5)]
    bad = [make_record(5, 900, 40), make_record(6, 300, 45, state="pruned")]
    figure = trade_off_figure([*front, *bad], "perplexity", "memory", OBJECTIVES, {})
    low, high = figure.layout.yaxis.range
    assert low < math.log10(64) and math.log10(80) < high
    assert math.log10(80 / 64) > 0.5 * (high - low), "the front takes more than half of the height"
    drawn = traces(figure)
    assert sum(len(trace["x"]) for found in drawn.values() for trace in found if "customdata" in trace) == 7


def test_best_and_knee_are_named_once(make_record: Callable[..., TrialRecord]) -> None:
    def labels(records: list[TrialRecord]) -> list[str]:
        return [note.text for note in trade_off_figure(records, *OBJECTIVES, OBJECTIVES, {}).layout.annotations]

    one, two, three = make_record(0, 80, 20), make_record(1, 70, 40), make_record(2, 69, 200)
    assert [text for text in labels([one]) if "best" in text or "knee" in text] == ["best"]
    assert [text for text in labels([one, two]) if "best" in text or "knee" in text] == ["best"]
    assert {text for text in labels([one, two, three]) if "best" in text or "knee" in text} == {"best", "knee"}


def test_limit_is_drawn_and_labelled(make_records: Maker) -> None:
    records = make_records(20)
    layout = trade_off_figure(records, "perplexity", "memory", OBJECTIVES, LIMITS).layout
    assert [shape.x0 for shape in layout.shapes] == [90 * MIB]
    assert "limit 90 MiB" in [note.text for note in layout.annotations]
    assert not trade_off_figure(records, "perplexity", "memory", OBJECTIVES, {}).layout.shapes


def test_curves_keep_every_validation_and_dash_the_pruned(make_records: Maker) -> None:
    records = make_records(60, seed=4)
    drawn = traces(curves_figure(records, OBJECTIVES))
    shown = sum(value is not None for found in drawn.values() for trace in found for value in trace["x"])
    assert shown == sum(len(record.curve) for record in records)
    assert drawn["pruned"][0]["line"]["dash"] == "dash"
    assert any(name.startswith("front: ") for name in drawn)


@pytest.mark.parametrize(("low", "high"), [(10, 900), (61, 118), (90, 91), (5, 5e6), (7, 7)])
@pytest.mark.parametrize("objective", ["perplexity", "memory", "parameters"])
def test_ticks_lie_inside_and_can_be_told_apart(low: float, high: float, objective: str) -> None:
    scale = MIB if objective == "memory" else 1
    values, labels = log_ticks(low * scale, high * scale, objective)
    assert all(low * scale <= value <= high * scale for value in values)
    assert len(values) <= 12
    assert high / low < 1.1 or (len(values) >= 3 and len(set(labels)) == len(labels))


def test_heads_have_an_axis_where_they_do_not_follow_from_the_width(make_records: Maker) -> None:
    records = make_records(20, seed=4, state="complete")
    assert "n_heads" not in [axis.label for axis in parallel_axes(records, OBJECTIVES)], "all are 16 wide"
    candidate = records[0].candidate
    other = replace(candidate, model=replace(candidate.model, n_heads=candidate.model.n_heads * 2))
    mixed = [replace(records[0], candidate=other), *records[1:]]
    assert "n_heads" in [axis.label for axis in parallel_axes(mixed, OBJECTIVES)]


@pytest.mark.parametrize(
    ("cost", "line"),
    [
        ("cache", "inference cache 96 KiB"),
        ("step_time", "time per step 13.2 ms"),
        ("memory", ""),
        ("memory_unfused", ""),
        ("parameters", ""),
    ],
)
def test_the_pointer_shows_the_cost_of_the_axis_once(
    make_record: Callable[..., TrialRecord], cost: str, line: str
) -> None:
    record = make_record(3, 80, 40)
    profile = record.profile | {"cache_bytes": 96 * 2**10, "step_seconds": 0.0132}
    records = [replace(record, profile=profile)]
    plain = hover_texts(records)[3].split("<br>")
    assert hover_texts(records, cost)[3].split("<br>") == [*plain, *([line] if line else [])]
    drawn = [each.hovertext for each in trade_off_figure(records, "perplexity", cost, OBJECTIVES, {}).data]
    assert [hover_texts(records, cost)[3]] in [list(texts or ()) for texts in drawn]


def timed(records: list[TrialRecord], variants: Sequence[str]) -> list[TrialRecord]:
    """The same, but all other variants were trained too quickly for the clock to see."""
    times = [0.01 if record.candidate.model.variant in variants else 0.0 for record in records]
    profiles = [record.profile | {"step_seconds": time} for record, time in zip(records, times, strict=True)]
    return [replace(record, profile=profile) for record, profile in zip(records, profiles, strict=True)]


@pytest.mark.parametrize("objectives", [("perplexity", "memory", "step_time"), ("perplexity", "step_time", "memory")])
@pytest.mark.parametrize("variants", [(), ("vanilla",)])
def test_a_cost_in_which_no_two_variants_compare_has_no_table(
    make_records: Maker, write: Write, tmp_path: Path, objectives: tuple[str, ...], variants: Sequence[str]
) -> None:
    records = timed(make_records(20, seed=4, state="complete"), variants)
    page = write(tmp_path / "report.html", records, objectives=objectives)
    assert 'aria-label="Variants by memory as trained"' in page and 'aria-label="Variants by step time' not in page
    assert "step_time" not in data_of(page, "figures")["variants"]
    [shown] = re.findall(r'<p class="caption" data-cost="step_time"( hidden)?>Fewer than two variants have', page)
    [plot] = re.findall(r'<div class="plot" id="variants"( hidden)?', page)
    first = objectives[1] == "step_time"
    assert (bool(shown), bool(plot)) == (not first, first)
