"""The report as text, and in a real browser with the network switched off."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from search.ledger.records import TrialRecord
from search.results.front import pareto_front
from search.show.palette import log_ticks
from search.show.report.curves import curves_figure
from search.show.report.figures import trade_off_figure
from search.show.report.layout import hover_texts
from search.show.report.report import write_report

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
    assert page.count('<tr class="') == 60
    assert page.count('<tr class="front">') == len(pareto_front(records))
    assert 'lang="en"' in page and 'scope="col"' in page and 'scope="row"' in page


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
    costs = len(objectives) - 1
    assert len(re.findall(r'id="front-\d"', page)) == costs
    assert ("No front yet" in page) == (case not in ("one", "many"))


def test_options_in_which_trials_differ_have_columns(make_records: Maker, write: Write, tmp_path: Path) -> None:
    records = make_records(6, state="complete")
    assert ">positions</button>" not in write(tmp_path / "report.html", records)
    searched = []
    schemes: tuple[Literal["none", "rotary"], ...] = ("none", "rotary") * 3
    ways: tuple[Literal["none", "block"], ...] = ("block", "none", "none") * 2
    for record, positions, checkpointing in zip(records, schemes, ways, strict=True):
        model = replace(record.candidate.model, positions=positions)
        training = replace(record.candidate.training, checkpointing=checkpointing)
        searched.append(replace(record, candidate=replace(record.candidate, model=model, training=training)))
    page = write(tmp_path / "report.html", searched)
    assert 'title="how order enters attention: ' in page
    assert ">checkpointing</button>" in page and ">schedule</button>" not in page
    assert page.count('data-sort="rotary">rotary</td>') == 3 and page.count('data-sort="block">block</td>') == 2


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
    return [trace for figure in figures for trace in traces(figure).values() if trace.get("hovertext")]


def traces(figure: Any) -> dict[str, Any]:
    return {trace["name"]: trace for trace in json.loads(figure.to_json())["data"] if trace["x"] != [None]}


def test_every_trial_stands_in_the_trade_off_once(make_records: Maker) -> None:
    records = make_records(60, seed=4)
    drawn = traces(trade_off_figure(records, "perplexity", "memory", OBJECTIVES, LIMITS))

    def points(*names: str) -> int:
        return sum(len(drawn[name]["x"]) for name in names if name in drawn)

    count = {state: sum(record.state == state for record in records) for state in ("complete", "pruned", "infeasible")}
    assert points("vanilla", "top_down", "bottom_up", "retina") == count["complete"]
    assert points("pruned, at its last validation", "pruned, above the axis") == count["pruned"]
    assert points("infeasible, never trained") == count["infeasible"]
    assert points("front") == len(pareto_front(records))
    assert drawn["front"]["line"]["shape"] == "hv"


def test_limit_is_drawn_and_labelled(make_records: Maker) -> None:
    records = make_records(20)
    layout = trade_off_figure(records, "perplexity", "memory", OBJECTIVES, LIMITS).layout
    assert [shape.x0 for shape in layout.shapes] == [90 * MIB]
    assert "limit 90 MiB" in [note.text for note in layout.annotations]
    assert not trade_off_figure(records, "perplexity", "memory", OBJECTIVES, {}).layout.shapes


def test_curves_keep_every_validation_and_dash_the_pruned(make_records: Maker) -> None:
    records = make_records(60, seed=4)
    drawn = traces(curves_figure(records, OBJECTIVES))
    shown = sum(sum(value is not None for value in trace["x"]) for trace in drawn.values())
    assert shown == sum(len(record.curve) for record in records)
    assert drawn["pruned"]["line"]["dash"] == "dash"
    assert any(name.startswith("front: ") for name in drawn)


@pytest.mark.parametrize(("low", "high"), [(10, 900), (61, 118), (90, 91), (5, 5e6), (7, 7)])
@pytest.mark.parametrize("objective", ["perplexity", "memory", "parameters"])
def test_ticks_lie_inside_and_can_be_told_apart(low: float, high: float, objective: str) -> None:
    scale = MIB if objective == "memory" else 1
    values, labels = log_ticks(low * scale, high * scale, objective)
    assert all(low * scale <= value <= high * scale for value in values)
    assert len(values) <= 12
    assert high / low < 1.1 or (len(values) >= 3 and len(set(labels)) == len(labels))
