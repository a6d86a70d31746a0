"""Models as SVG: sound XML, a bar for each layer as wide as its states, and nothing outside the paper."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from support.small_models import covering_configs, small

from msarch import ModelConfig
from search.show.drawing.svg import draw_svg
from search.show.drawing.svg_marks import line, width_of
from search.show.palette import look

SVG = "{http://www.w3.org/2000/svg}"


def bars(model: ModelConfig) -> list[ET.Element]:
    colour = look(model.variant).colour
    return [mark for mark in ET.fromstring(draw_svg(model)).iter(f"{SVG}rect") if mark.get("fill") == colour]


def test_a_bar_for_each_layer_as_wide_as_its_states() -> None:
    widths = [float(bar.get("width", 0)) for bar in bars(small("top_down", "3@12 2@4 1@1"))]
    assert len(widths) == 6
    assert widths[5] / widths[3] == pytest.approx(4, rel=0.01) and widths[5] / widths[0] == pytest.approx(12, rel=0.01)


def test_bars_of_wide_states_are_thick() -> None:
    heights = [float(bar.get("height", 0)) for bar in bars(small("top_down", "2@16:48 1@4:32 1@1"))]
    assert heights[0] == heights[1] > heights[2] > heights[3]
    pitch = [height + min(1.5, (height + 1.5) / 4) for height in heights]
    assert pitch[3] / pitch[0] == pytest.approx(1 / 3, rel=0.2)
    assert ">48 wide<" in draw_svg(small("top_down", "2@16:48 1@4:32 1@1"))


def test_bars_of_layers_without_attention_are_pale() -> None:
    drawing = draw_svg(small("vanilla", "1+2ff@1"))
    assert [bar.get("fill-opacity", "1") for bar in bars(small("vanilla", "1+2ff@1"))] == ["1", "0.45", "0.45"]
    assert ">1+2ff layers<" in drawing and "without attention" in drawing


def test_later_runs_stand_further_to_the_right_and_finer_ones_lower() -> None:
    places = [(float(bar.get("x", 0)), float(bar.get("y", 0))) for bar in bars(small("top_down", "1@16 1@4 1@1"))]
    assert places == sorted(places) and [y for _, y in places] == sorted(y for _, y in places)


def test_a_retina_shows_a_mark_for_each_mean_that_the_last_token_reads() -> None:
    model = small("retina", "2@1", context=128, retina_factors=(1, 4, 16), retina_windows=(16, 4))
    assert len(bars(model)) == 2 + 6 + 4 + 16


@covering_configs
def test_nothing_leaves_the_paper(config: ModelConfig) -> None:
    drawing = ET.fromstring(draw_svg(config))
    width, height = float(drawing.get("width", 0)), float(drawing.get("height", 0))
    for mark in drawing.iter(f"{SVG}rect"):
        assert float(mark.get("x", -1)) >= 0 and float(mark.get("x", 0)) + float(mark.get("width", 0)) <= width
        assert float(mark.get("y", -1)) >= 0 and float(mark.get("y", 0)) + float(mark.get("height", 0)) <= height
    for words in drawing.iter(f"{SVG}text"):
        shift = 0.5 if words.get("text-anchor") == "middle" else 1.0
        assert float(words.get("x", 0)) + shift * width_of("".join(words.itertext())) <= width
        assert 0 < float(words.get("y", 0)) < height


def test_what_options_change_shows_in_words() -> None:
    text = draw_svg(small("hourglass", "1@1 2@4 1@1", shortening="attention", upsampling="attention"))
    assert ">4:1 attention<" in text and ">add, attend<" in text and "shortening attention" in text


def test_light_and_dark_are_told_apart_by_the_reader_s_system() -> None:
    assert "prefers-color-scheme: dark" in draw_svg(small("vanilla", "1@1"))


def test_corners_are_round_but_never_longer_than_the_line() -> None:
    assert line([(0, 0), (100, 0), (100, 4)]) == '<path class="line" d="M0 0 L92 0 Q100 0 100 2 L100 4"/>'
