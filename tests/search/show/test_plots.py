"""The still picture of the front: files, labels and degenerate searches."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation, Text

from msarch import load_results
from msarch.errors import UserError
from search.ledger.records import TrialRecord
from search.results.front import pareto_front
from search.show.plots import front_figure, write_plot

REFERENCE = Path(__file__).parents[3] / "results" / "reference"
MIB = 2**20
OBJECTIVES = ("perplexity", "memory")
Maker = Callable[..., list[TrialRecord]]


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_pictures_are_written_whole(make_records: Maker, tmp_path: Path, suffix: str, start: bytes) -> None:
    path = tmp_path / "new" / f"front{suffix}"
    write_plot(path, make_records(30), OBJECTIVES, {"memory": 90 * MIB}, "a search & <more>")
    assert path.read_bytes().startswith(start)
    assert len(list(path.parent.iterdir())) == 1


def test_the_same_search_gives_the_same_svg(make_records: Maker, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        write_plot(tmp_path / name, make_records(20), OBJECTIVES)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_another_suffix_is_refused_before_anything_is_drawn(make_records: Maker, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot draw 'front.gif'"):
        write_plot(tmp_path / "front.gif", make_records(3), OBJECTIVES)
    assert not list(tmp_path.iterdir())


def test_labels_on_the_front_do_not_overlap(make_records: Maker) -> None:
    records = make_records(80, seed=4)
    figure = front_figure(records, OBJECTIVES, {"memory": 90 * MIB})
    renderer = FigureCanvasAgg(figure).get_renderer()
    labels = [child for child in figure.axes[0].get_children() if isinstance(child, Annotation)]
    boxes = [Text.get_window_extent(label, renderer) for label in labels]
    assert len(pareto_front(records)) >= len(labels) >= 4
    assert {label.get_text() for label in labels} <= {r.candidate.model.layers for r in pareto_front(records)}
    assert not any(box.count_overlaps(boxes[:index]) for index, box in enumerate(boxes))


def legend_of(records: list[TrialRecord]) -> set[str]:
    legend = front_figure(records, OBJECTIVES).axes[0].get_legend()
    return {text.get_text() for text in legend.get_texts()} if legend else set()


def test_variants_and_the_limit_are_named(make_records: Maker) -> None:
    records = make_records(60, seed=4)
    assert "pruned" not in legend_of(records)  # all of them lie above the axis
    pruned = replace(make_records(1, state="pruned")[0], number=60)
    near = replace(pruned, curve=(replace(pruned.curve[-1], loss=math.log(70)),))
    assert legend_of([*records, near]) == {"vanilla", "top_down", "bottom_up", "retina", "front", "pruned"}
    assert legend_of([*records, replace(near, paused=True)]) - legend_of(records) == {"paused"}
    axes = front_figure(records, OBJECTIVES, {"memory": 90 * MIB}, "quickstart").axes[0]
    assert "limit 90 MiB" in [text.get_text().strip() for text in axes.texts]
    assert axes.get_title(loc="left") == "quickstart"


def test_the_legend_of_every_variant_leaves_the_title_its_place() -> None:
    figure = front_figure(load_results(REFERENCE).records, OBJECTIVES, title="reference")
    renderer, [axes] = FigureCanvasAgg(figure).get_renderer(), figure.axes
    legend = axes.get_legend()
    assert legend is not None and len(legend.get_texts()) == 7
    title = next(child for child in axes.get_children() if isinstance(child, Text) and child.get_text() == "reference")
    assert title.get_window_extent(renderer).y0 >= legend.get_window_extent(renderer).y1
    assert title.get_window_extent(renderer).y1 <= figure.bbox.y1


@pytest.mark.parametrize(
    "objectives", [OBJECTIVES, ("bits_per_byte", "parameters", "memory"), ("memory", "perplexity")]
)
@pytest.mark.parametrize("case", ["none", "one", "pruned", "infeasible"])
def test_pictures_survive_any_search(
    make_records: Maker, tmp_path: Path, objectives: tuple[str, ...], case: str
) -> None:
    states = {name: make_records(2, state=name) for name in ("pruned", "infeasible")}
    records = ({"none": [], "one": make_records(1, state="complete")} | states)[case]
    write_plot(tmp_path / "front.png", records, objectives, {"memory": 90 * MIB})
    assert (tmp_path / "front.png").stat().st_size > 5000
