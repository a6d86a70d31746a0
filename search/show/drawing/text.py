"""A model drawn in characters, from what it computes (`msarch.models.structure`)."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields

from msarch.config import ModelConfig
from msarch.config.variants import VARIANTS
from msarch.models.structure import Keys, trace_structure
from search.show.drawing.layout import Box, Layout, Line, lay_out

WIDTH = 100
"""Characters that a drawing is wide at most, where it can."""
HEADER, GUTTER, ROW = 14, 4, 4
"""Columns for the names of scales and before each box, and lines of a row: one for labels, three for a box."""
SIZES = ((30, " {} "), (24, " {} "), (18, " {} "), (12, " {} "), (0, " {} "), (0, "{}"), (0, ""))
"""How wide the box of the finest scale may be and how its words stand in it: the first with which all fits.

In the last one there are no words, only the number of layers.
"""

LOGITS = " logits"

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
_JOINTS = " │││─┘┐┤─└┌├─┴┬┼"
"""The character for each sum of directions; where a line ends it looks as if it continued."""


def draw_text(model: ModelConfig, width: int = WIDTH) -> str:
    """The model that `model` describes, at most `width` characters wide where that is possible::

    top_down  3@16 2@1   d_model 64, 4 heads, context 128, vocabulary 1024

    @16               ┌──────────┐
      8 states     ┌─►│ 3 layers ├─┐
                   │  └──────────┘ │
                   │ 16:1          │ concat
    @1             │               │  ┌────────────────────────────┐
      128 tokens ──┴───────────────●─►│          2 layers          ├───► logits
                                      └────────────────────────────┘
    """
    layout = lay_out(trace_structure(model))
    parts = [*_title(model, width), "", *_Sketch(layout, width).lines()]
    if len(layout.factors) > 1:
        legend = "In order from left to right. Up: pooled. Down: completed blocks, read back. ●: streams meet."
        parts += ["", *textwrap.wrap(legend, width)]
    if any(box.ff_layers for box in layout.boxes):
        parts += [*([] if len(layout.factors) > 1 else [""]), "ff: layers without attention, feed-forward only."]
    if layout.keys:
        parts += ["", *textwrap.wrap(say_cover(layout.tokens), width), "", *_cover(layout.keys, layout.tokens, width)]
    return "\n".join(parts)


def _title(model: ModelConfig, width: int) -> list[str]:
    heads = f"{model.n_heads} {plural(model.n_heads, 'head')}"
    size = f"d_model {model.d_model}, {heads}, context {model.context}, vocabulary {model.vocab_size}"
    options = textwrap.wrap(", ".join(options_of(model)), width - 2, break_on_hyphens=False)
    head = textwrap.wrap(f"{model.variant}  {model.layers}   {size}", width, subsequent_indent="  ")
    return [*head, *(f"  {line}" for line in options)]


def options_of(model: ModelConfig) -> list[str]:
    """The options of its variant, and all others that differ from the default, as ``name value``."""
    own = VARIANTS[model.variant].options
    optional = [(item.name, item.default) for item in fields(model) if item.name not in _SAID]
    chosen = {name: getattr(model, name) for name, usual in optional if name in own or getattr(model, name) != usual}
    return [f"{name} {_written(value)}" for name, value in chosen.items()]


_SAID = ("variant", "layers", "d_model", "n_heads", "context", "vocab_size")


def _written(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


class _Sketch:
    """Boxes and lines on a grid of characters."""

    def __init__(self, layout: Layout, width: int) -> None:
        self.layout = layout
        self.cells: dict[tuple[int, int], str] = {}
        self.strokes: dict[tuple[int, int], int] = defaultdict(int)
        # A row whose boxes a line must pass below is one line taller.
        self.tops = [0]
        for row in range(len(layout.factors)):
            self.tops.append(self.tops[-1] + ROW + any(line.below and line.from_row == row for line in layout.lines))
        for self.widest, self.words in SIZES:
            self.widths = [self._width(box) for box in layout.boxes]
            if HEADER + sum(self.widths) + GUTTER * len(self.widths) <= width:
                break

    def _width(self, box: Box) -> int:
        if box is self.layout.boxes[-1]:
            return len(LOGITS)
        labels = max(len(box.meeting), len(self._pooling(box))) - 1  # they may reach into the gutter
        if not box.layers:
            return labels
        return max(len(self._inside(box)) + 2, labels, round(self.widest * box.states / self.layout.tokens))

    def _inside(self, box: Box) -> str:
        return self.words.format(f"{box.count} {plural(box.layers, 'layer')}") or box.count

    def _pooling(self, box: Box) -> str:
        return box.pooling if self.words else box.pooling.partition(" ")[0]

    def lines(self) -> list[str]:
        """The drawing, line by line, without blanks at the ends of lines."""
        self._names()
        for line in self.layout.lines:
            self._stream(line)
        for column, box in enumerate(self.layout.boxes):
            self._box(column, box)
        cells = {place: _JOINTS[strokes] for place, strokes in self.strokes.items()} | self.cells
        height, width = (1 + max(place[axis] for place in cells) for axis in (1, 0))
        drawn = ["".join(cells.get((x, y), " ") for x in range(width)).rstrip() for y in range(height)]
        return drawn if drawn[0] else drawn[1:]

    def _left(self, column: int) -> int:
        return HEADER + sum(self.widths[:column]) + GUTTER * column

    def _turn(self, column: int) -> int:
        """Where streams turn, on their way into a column."""
        return self._left(column) + GUTTER - 3

    def _middle(self, row: int) -> int:
        return self.tops[row] + 2

    def _names(self) -> None:
        for row, (factor, states) in enumerate(zip(self.layout.factors, self.layout.states, strict=True)):
            self._write(0, self._middle(row) - 1, f"@{factor}")
            self._write(2, self._middle(row), f"{states} {'tokens' if factor == 1 else plural(states, 'state')}")
        for row, width in enumerate(self.layout.widths):
            self._write(2, self._middle(row) + 1, f"{width} wide")

    def _stream(self, line: Line) -> None:
        turn, level, goal = self._turn(line.stop), self._middle(line.from_row), self._middle(line.to_row)
        if line.below:
            out = self._turn(line.start + 1)
            self._horizontal(self._exit(line.start), out, level)
            self._vertical(out, level, level + 2)
            self._horizontal(out, turn, level + 2)
            self._vertical(turn, level + 2, goal)
        else:
            self._horizontal(self._exit(line.start), turn, level)
            self._vertical(turn, level, goal)
        self._horizontal(turn, self._left(line.stop) + GUTTER, goal)

    def _exit(self, column: int) -> int:
        """Where the stream of a column, or of the tokens, begins."""
        if column < 0:
            return len(f"  {self.layout.tokens} tokens ")
        right = self._left(column) + GUTTER + self.widths[column] - 1
        return right if self.layout.boxes[column].layers else self._turn(column)

    def _box(self, column: int, box: Box) -> None:
        left, middle = self._left(column) + GUTTER, self._middle(box.row)
        inside = self.widths[column] - 2
        if box.joins:
            self._write(self._turn(column), middle, "●")
            self._write(self._turn(column) + 2, middle - 2, box.meeting)
        self._write(self._turn(column) + 2, middle + 2, self._pooling(box))
        if box is self.layout.boxes[-1]:
            self._write(left - 1, middle, f"►{LOGITS}")
        elif box.layers:
            self._write(left, middle - 1, f"┌{'─' * inside}┐")
            self._write(left - 1, middle, f"►│{self._inside(box):^{inside}}├")
            self._write(left, middle + 1, f"└{'─' * inside}┘")

    def _write(self, x: int, y: int, text: str) -> None:
        self.cells.update({(x + offset, y): letter for offset, letter in enumerate(text)})

    def _horizontal(self, x: int, end: int, y: int) -> None:
        for at in range(x, end):
            self.strokes[at, y] |= RIGHT
            self.strokes[at + 1, y] |= LEFT

    def _vertical(self, x: int, y: int, end: int) -> None:
        for at in range(min(y, end), max(y, end)):
            self.strokes[x, at] |= DOWN
            self.strokes[x, at + 1] |= UP


def plural(count: int, word: str) -> str:
    """The word, with an s where there are several."""
    return word if count == 1 else f"{word}s"


def _cover(keys: tuple[Keys, ...], tokens: int, width: int) -> Iterator[str]:
    """A line for each scale: the blocks that the last token reads, where they lie in the past."""
    width -= HEADER + 22
    for scale in keys:
        cells = [" "] * width
        for block in scale.blocks:
            start, stop = (round(end * scale.factor * width / tokens) for end in (block, block + 1))
            cells[start:stop] = ("█" * (stop - start))[1:] + "▉" * (stop > start)
        yield f"{f'@{scale.factor}':<{HEADER}}{''.join(cells)}  {count_keys(scale)}"


def say_cover(tokens: int) -> str:
    """What a picture of a cover shows."""
    return f"What the last of {tokens} tokens reads in every layer, from the first one on the left to itself:"


def count_keys(keys: Keys) -> str:
    """``16 means of 4``, or ``64 tokens``."""
    count = len(keys.blocks)
    if keys.factor == 1:
        return f"{count} {plural(count, 'token')}"
    return f"{count} {plural(count, 'mean')} of {keys.factor}"
