"""Results in a notebook: figures of Plotly, one line, and a table with a picture."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from msarch import UserError
from search.ledger.records import TrialRecord
from search.results.results import Results

OBJECTIVES = ("perplexity", "memory")
Maker = Callable[..., list[TrialRecord]]


@pytest.fixture
def results(make_records: Maker, tmp_path: Path) -> Results:
    return Results(tmp_path / "a <b>search", make_records(60, seed=4), OBJECTIVES)


def numbers(figure: Any) -> set[int]:
    return {number for trace in figure.data if trace.customdata is not None for number in trace.customdata}


def test_the_repr_is_one_line(results: Results) -> None:
    text = repr(results)
    assert "\n" not in text and len(text) < 250
    assert "37 complete" in text and f"{len(results.front)} on the front" in text


def test_it_shows_itself_as_a_table_and_a_picture(results: Results) -> None:
    html = results._repr_html_()
    assert html.count("<tr>") == 1 + len(results.front)
    [picture] = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    assert base64.b64decode(picture).startswith(b"\x89PNG") and len(html) < 200_000
    assert "<script" not in html and "<b>search" not in html
    assert "no trial yet" in Results(Path("nowhere"), [], OBJECTIVES)._repr_html_()


def test_its_figures_hold_its_trials(results: Results) -> None:
    trained = {record.number for record in results.records if record.state in ("complete", "pruned", "infeasible")}
    assert numbers(results.plot_pareto()) == trained
    assert results.plot_pareto("flops_per_token").layout.xaxis.title.text == "FLOPs per token"
    assert numbers(results.plot_curves()) == {record.number for record in results.records if record.curve}
    assert len(results.plot_hypervolume().data) == 1
    with pytest.raises(UserError, match="did you mean 'memory'"):
        results.plot_pareto("memry")


def test_any_trial_can_be_drawn(results: Results) -> None:
    infeasible = next(record for record in results.records if record.state == "infeasible")
    for which in ("best", "knee", infeasible.number):
        [image] = results.plot_architecture(which).layout.images
        drawing = base64.b64decode(image.source.partition("base64,")[2]).decode()
        assert drawing.startswith("<svg")
    assert infeasible.candidate.model.layers in drawing
    with pytest.raises(UserError, match="there is no trial 999"):
        results.plot_architecture(999)
