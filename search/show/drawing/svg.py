"""A model drawn as SVG, from what it computes (`msarch.models.structure`).

Each layer is a bar, as long as the sequence of states that it runs on, and as thick as these are wide: so the area of a
run is what its states take.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msarch.config import ModelConfig
from msarch.models.structure import trace_structure
from search.show.drawing.layout import Box, Layout, Line, lay_out
from search.show.drawing.svg_marks import Point, bar, dot, line, svg_document, text, tip, title, width_of
from search.show.drawing.text import count_keys, options_of, plural, say_cover
from search.show.palette import look

MIN_WIDTH, MAX_WIDTH = 640.0, 860.0
"""Smallest and usual largest width of a drawing in pixels: that of a page of text."""
FINEST = (220.0, 190.0, 160.0, 130.0, 100.0, 80.0)
"""How wide a layer at every token may be; the first with which all fits in MAX_WIDTH is taken."""

PAD, HEADER = 22.0, 96.0
BEFORE, AFTER, TAIL = 16.0, 34.0, 64.0
"""Of a column, from its left edge to where streams turn, from there to its bars; and the width of the last one."""
BAR, TALLEST, THINNEST = 9.0, 132.0, 5.0
"""Height of a layer and of the highest run, width of the narrowest one."""
PALE = 0.45
"""Opacity of a layer without attention."""
ABOVE, INSIDE, BELOW = 26.0, 34.0, 16.0
"""Of a row: room for a label, least height of what stands in it, and the rest."""


def draw_svg(model: ModelConfig, *, styled: bool = True) -> str:
    """The model that `model` describes, as a picture; it stands alone where it is `styled`."""
    layout = lay_out(trace_structure(model))
    options = _lines(options_of(model), MIN_WIDTH - 2 * PAD)
    sketch = _Sketch(layout, look(model.variant).colour, top=PAD + 30 + 18 * len(options))
    marks = [title(PAD, PAD + 14, model.variant, model.layers), *sketch.marks()]
    marks += [text(PAD, PAD + 34 + 18 * row, words, "small") for row, words in enumerate(options)]
    bottom = sketch.bottom + 6
    for words in _captions(layout):
        bottom += 18
        marks.append(text(PAD, bottom, words, "small"))
    if layout.keys:
        marks += _cover(layout, sketch, bottom + 16)
        bottom += 50 + 20 * len(layout.keys)
    return svg_document(sketch.width, bottom + PAD - 4, f"{model.variant} {model.layers}", marks, styled=styled)


def _lines(words: Sequence[str], room: float) -> list[str]:
    """The words with commas between them, in as many lines as it takes to keep each within `room`."""
    lines: list[str] = []
    for word in words:
        joined = f"{lines[-1]}, {word}" if lines else word
        if lines and width_of(joined) <= room:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def _captions(layout: Layout) -> Iterator[str]:
    yield "Each bar is a layer, as wide as the sequence of states that it runs on."
    if layout.widths:
        yield "The wider the states are, the thicker is the bar."
    if any(box.ff_layers for box in layout.boxes):
        yield "Pale bars are layers without attention, feed-forward only."
    if len(layout.factors) > 1:
        yield "In order from left to right. Up: pooled. Down: completed blocks, read back. Dots: streams meet."


class _Sketch:
    """The places of rows and columns, and all that stands in them."""

    def __init__(self, layout: Layout, colour: str, top: float) -> None:
        self.layout, self.colour = layout, colour
        for self.finest in FINEST:
            self.lefts = self._columns()
            self.width = max(self.lefts[-1] + BEFORE + self._gap(len(layout.boxes) - 1) + TAIL, MIN_WIDTH)
            if self.width <= MAX_WIDTH:
                break
        self.pitch = min(BAR, TALLEST / max(box.layers for box in layout.boxes))
        self.tops = [top]
        for row in range(len(layout.factors)):
            self.tops.append(self.tops[-1] + self._height(row))

    @property
    def bottom(self) -> float:
        """Where the last row ends."""
        return self.tops[-1]

    def _columns(self) -> list[float]:
        lefts = [PAD + HEADER]
        for column, box in enumerate(self.layout.boxes[:-1]):
            lefts.append(lefts[-1] + BEFORE + self._gap(column) + self._room(box))
        return lefts

    def _gap(self, column: int) -> float:
        """From where streams turn to the bars: room for what is said of the streams."""
        box = self.layout.boxes[column]
        return max(AFTER, width_of(max(box.meeting, box.pooling, key=len)) + 18)

    def _room(self, box: Box) -> float:
        return max(self._width(box), width_of(_count(box)) + 4) if box.layers else 0.0

    def _width(self, box: Box) -> float:
        return max(THINNEST, self.finest * box.states / self.layout.tokens)

    def _inside(self, row: int) -> float:
        return max([INSIDE, *(self._tall(box) for box in self.layout.boxes if box.row == row)])

    def _tall(self, box: Box) -> float:
        return box.layers * self.pitch * box.thickness

    def _height(self, row: int) -> float:
        passing = any(line.below and line.from_row == row for line in self.layout.lines)
        return ABOVE + self._inside(row) + BELOW + 16 * passing

    def _middle(self, row: int) -> float:
        return self.tops[row] + ABOVE + self._inside(row) / 2

    def _turn(self, column: int) -> float:
        return self.lefts[column] + BEFORE

    def _bars(self, column: int) -> float:
        """Left edge of a column's bars, in the middle of their room."""
        box = self.layout.boxes[column]
        spare = self._room(box) - self._width(box) if box.layers else 0.0
        return self._turn(column) + self._gap(column) + spare / 2

    def _exit(self, column: int) -> Point:
        if column < 0:
            return PAD + HEADER - 8, self._middle(self.layout.boxes[-1].row)
        box = self.layout.boxes[column]
        x = self._bars(column) + self._width(box) if box.layers else self._turn(column)
        return x, self._middle(box.row)

    def marks(self) -> Iterator[str]:
        """Rows, then streams, then boxes over them."""
        for row, (factor, states) in enumerate(zip(self.layout.factors, self.layout.states, strict=True)):
            top, middle = self.tops[row], self._middle(row)
            yield bar(8, top + 2, self.width - 16, self._height(row) - 4, kind="band", round_=6)
            yield text(PAD, middle - 3, f"@{factor}", "strong")
            yield text(PAD, middle + 12, f"{states} {'tokens' if factor == 1 else plural(states, 'state')}", "small")
            if self.layout.widths:
                yield text(PAD, middle + 26, f"{self.layout.widths[row]} wide", "small")
        for each in self.layout.lines:
            yield line(self._path(each))
        for column, box in enumerate(self.layout.boxes):
            yield from self._box(column, box)

    def _path(self, each: Line) -> list[Point]:
        """From its exit, along its row, up or down where it turns, and into its column or the meeting before it."""
        (x, level), turn, goal = self._exit(each.start), self._turn(each.stop), self._middle(each.to_row)
        points = [(x, level)]
        if each.below:
            out, lane = self._turn(each.start + 1), self.tops[each.from_row + 1] - 12
            points += [(out, level), (out, lane), (turn, lane), (turn, goal)]
        elif level != goal:
            points += [(turn, level), (turn, goal)]
        if not self.layout.boxes[each.stop].joins:
            return [*points, (self._entrance(each.stop) - 6, goal)]
        return points if points[-1] == (turn, goal) else [*points, (turn, goal)]

    def _entrance(self, column: int) -> float:
        return self._bars(column) - 3

    def _box(self, column: int, box: Box) -> Iterator[str]:
        turn, middle, entrance = self._turn(column), self._middle(box.row), self._entrance(column)
        last = column + 1 == len(self.layout.boxes)
        if box.layers or last:
            if box.joins:
                yield line([(turn, middle), (entrance - 6, middle)])
            yield tip(entrance, middle)
        if box.joins:
            yield dot(turn, middle)
        for words, y in ((box.meeting, middle - 9), (box.pooling, middle + 18)):
            if words:
                yield text(turn + 9, y, words, "small")
        if last:
            yield text(entrance + 6, middle + 4, "logits")
        elif box.layers:
            yield from self._run(column, box)

    def _run(self, column: int, box: Box) -> Iterator[str]:
        x, width = self._bars(column), self._width(box)
        top, pitch = self._middle(box.row) - self._tall(box) / 2, self.pitch * box.thickness
        yield text(x + width / 2, top - 7, _count(box), anchor="middle")
        gap = min(1.5, pitch / 4)
        for layer in range(box.layers):
            opacity = 1.0 if layer < box.layers - box.ff_layers else PALE
            yield bar(x, top + layer * pitch + gap / 2, width, pitch - gap, self.colour, opacity=opacity)


def _count(box: Box) -> str:
    return f"{box.count} {plural(box.layers, 'layer')}"


def _cover(layout: Layout, sketch: _Sketch, top: float) -> Iterator[str]:
    """What the last token reads: the blocks of each scale, where they lie in the past."""
    left, right = PAD + HEADER - 8, sketch.width - PAD - 96
    pixels = (right - left) / layout.tokens
    yield text(PAD, top + 18, say_cover(layout.tokens), "small")
    for row, scale in enumerate(layout.keys):
        y = top + 32 + 20 * row
        yield text(PAD, y + 10, f"@{scale.factor}", "strong")
        width = scale.factor * pixels
        if width < 2.5 and scale.blocks:  # too fine to be told apart: one bar for all of them
            yield bar(left + scale.blocks[0] * width, y, width * len(scale.blocks), 12, sketch.colour)
        else:
            yield from (bar(left + block * width, y, width - 1, 12, sketch.colour) for block in scale.blocks)
        yield text(right + 10, y + 10, count_keys(scale), "small")
