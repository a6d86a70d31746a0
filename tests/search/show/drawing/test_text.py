"""Models in characters: the picture itself, that it fits, and that it shows what is there."""

from __future__ import annotations

from textwrap import dedent

from support.small_models import covering_configs, small

from msarch import ModelConfig
from msarch.config.allocation import Stage
from msarch.models.structure import trace_structure
from search.show.drawing.text import draw_text


def drawn(model: ModelConfig, width: int = 100) -> str:
    return "\n" + draw_text(model, width) + "\n"


def test_scales_of_their_own_widths_say_them() -> None:
    lines = draw_text(small("top_down", "1@16:48 1@4 1@1")).splitlines()
    assert [line.split()[0] for line in lines if " wide" in line] == ["48", "16", "16"]
    assert " wide" not in draw_text(small("top_down", "1@16 1@4 1@1"))


def test_layers_without_attention_are_written_as_in_an_allocation() -> None:
    drawing = draw_text(small("top_down", "2ff@16 1+2ff@4 1@1"))
    assert all(words in drawing for words in ("2ff layers", "1+2ff layers", "1 layer ", "ff: layers without attention"))
    assert "ff: " not in draw_text(small("top_down", "1@4 1@1"))


def test_a_top_down_model() -> None:
    model = ModelConfig(variant="top_down", layers="4@16 4@4 2@1", d_model=96, n_heads=3, vocab_size=2048, context=256)
    assert drawn(model) == dedent("""
        top_down  4@16 4@4 2@1   d_model 96, 3 heads, context 256, vocabulary 2048
          pool average, combine concat, upsampling repeat

        @16               ┌──────────┐
          16 states    ┌─►│ 4 layers ├─┐
                       │  └──────────┘ │
                       │ 16:1 average  │ concat
        @4             │               │  ┌──────────┐
          64 states    │               ●─►│ 4 layers ├─┐
                       │               │  └──────────┘ │
                       │               │ 4:1 average   │ concat
        @1             │               │               │  ┌────────────────────────────┐
          256 tokens ──┴───────────────┴───────────────●─►│          2 layers          ├───► logits
                                                          └────────────────────────────┘

        In order from left to right. Up: pooled. Down: completed blocks, read back. ●: streams meet.
    """)


def test_an_hourglass_whose_streams_meet_where_no_layer_runs() -> None:
    model = small("hourglass", "2@1 1@4 0@1", shortening="attention", dropout=0.1)
    assert drawn(model, 80) == dedent("""
        hourglass  2@1 1@4 0@1   d_model 16, 2 heads, context 48, vocabulary 61
          dropout 0.1, shortening attention, upsampling repeat

        @4                                            ┌──────────┐
          12 states                                ┌─►│ 1 layer  ├─┐
                                                   │  └──────────┘ │
                                                   │ 4:1 attention │ add
        @1                ┌──────────────────────┐ │               │
          48 tokens ─────►│       2 layers       ├─┴───────────────●───────► logits
                          └──────────────────────┘

        In order from left to right. Up: pooled. Down: completed blocks, read back. ●:
        streams meet.
    """)


def test_a_retina_shows_the_cover_of_its_last_token_coarse_and_far_to_near_and_fine() -> None:
    model = small("retina", "2@1", context=128, retina_factors=(1, 4, 16), retina_windows=(16, 4))
    far, middle, near = draw_text(model).splitlines()[-3:]
    assert [line.split()[0] for line in (far, middle, near)] == ["@16", "@4", "@1"]
    assert far.endswith("6 means of 16") and middle.endswith("4 means of 4") and near.endswith("16 tokens")
    cells = [{at for at, letter in enumerate(line) if letter in "█▉"} for line in (far, middle, near)]
    assert sorted(set.union(*cells)) == list(range(14, 78)) and sum(map(len, cells)) == 64
    assert max(cells[0]) < min(cells[1]) and max(cells[1]) < min(cells[2])


@covering_configs
def test_a_drawing_fits_a_page_and_shows_each_run(config: ModelConfig) -> None:
    lines = draw_text(config).splitlines()
    assert max(map(len, lines)) <= 100 and not any(line != line.rstrip() for line in lines)
    boxes = [line for line in lines if "├" in line]
    for run in trace_structure(config).runs:
        if run.layers:
            count = str(Stage(run.layers, 1, ff_layers=run.ff_layers)).removesuffix("@1")
            assert any(f"{count} layer" in line or f"│{count}├" in line for line in boxes)


def test_what_is_too_long_for_words_is_drawn_without_them() -> None:
    model = small("hourglass", "1@1 1@2 1@4 1@8 3@16 1@8 1@4 1@2 1@1")
    text = draw_text(model, 90)
    assert "layer" not in text and text.count("│1├") == 8 and text.count("│3├") == 1
    assert max(map(len, text.splitlines())) <= 90


def test_a_stream_passes_below_a_box_that_stands_in_its_way() -> None:
    """The residual of the outer level passes the layers of the middle one that are shortened from it."""
    lines = draw_text(small("hourglass", "1@1 0@2 1@4 1@2 1@1")).splitlines()
    fine = next(line for line in lines if "48 tokens" in line)
    assert "┴" in fine and fine.count("●") == 1
