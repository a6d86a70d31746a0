"""Where the parts of a drawn model stand: time goes from left to right, scales lie over each other, the finest below.

Each run of layers has a column of its own, in the order of computation; the tokens stand before the first one and
the logits in a column after the last one. A stream leaves along the row of its scale, turns just before the column
that reads it, and goes up (pooled) or down (read back). Both drawings, in characters and as SVG, are made from this.
"""

from __future__ import annotations

from dataclasses import dataclass

from msarch.config.allocation import Stage
from msarch.models.structure import TOKENS, Keys, StreamInput, Structure


@dataclass(frozen=True, slots=True)
class Line:
    """A stream from one column, TOKENS first, to another.

    Attributes:
        start: the column that it leaves.
        stop: the column that it enters, after turning.
        from_row: the row that it leaves along; 0 is the coarsest scale.
        to_row: the row that it enters.
        below: it passes below the boxes of its row, since one of them stands in its way.
    """

    start: int
    stop: int
    from_row: int
    to_row: int
    below: bool


@dataclass(frozen=True, slots=True)
class Box:
    """A run of layers, or the logits, or, without layers, a point where streams meet.

    Attributes:
        row: 0 is the coarsest scale.
        layers: how many; 0 where streams only meet, and for the logits.
        ff_layers: how many of them, the last ones, have no attention.
        states: how many each layer runs on.
        thickness: how wide these states are, as a share of the widest ones.
        joins: whether several streams meet before it.
        meeting: what is done to them, or empty.
        pooling: how the finer ones are shortened, such as ``4:1 average``, or empty.
    """

    row: int
    layers: int
    ff_layers: int
    states: int
    thickness: float
    joins: bool
    meeting: str
    pooling: str

    @property
    def count(self) -> str:
        """How many layers, as in an allocation: ``6``, ``2+4ff``, ``4ff``."""
        return str(Stage(self.layers, 1, ff_layers=self.ff_layers)).removesuffix("@1")


@dataclass(frozen=True, slots=True)
class Layout:
    """A model, laid out.

    Attributes:
        factors: the scale of each row, the coarsest first.
        states: how many states each row has.
        widths: how wide the states of each row are; empty where they are alike in all rows.
        boxes: one for each column; the last one is the logits.
        lines: the streams between them.
        keys: what the last token reads in every layer, where it is not all of the past.
        tokens: the length of a sequence.
    """

    factors: tuple[int, ...]
    states: tuple[int, ...]
    widths: tuple[int, ...]
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    keys: tuple[Keys, ...]
    tokens: int


def lay_out(structure: Structure) -> Layout:
    """Give every part of `structure` its column and its row."""
    factors = structure.factors
    states = tuple(structure.context // factor for factor in factors)
    scales = [run.factor for run in structure.runs] + [1]
    layers = [(run.layers, run.ff_layers) for run in structure.runs] + [(0, 0)]
    inputs = [run.inputs for run in structure.runs] + [structure.readout]
    width_at = {1: structure.width} | {run.factor: run.width for run in structure.runs}
    widths = tuple(width_at[factor] for factor in factors)
    boxes = tuple(
        Box(
            row=factors.index(scale),
            layers=count,
            ff_layers=without,
            states=structure.context // scale,
            thickness=width_at[scale] / max(widths),
            joins=len(read) > 1,
            meeting=_meeting(read),
            pooling=_pooling(read, scale, scales),
        )
        for scale, (count, without), read in zip(scales, layers, inputs, strict=True)
    )
    lines = tuple(_line(each.source, column, boxes) for column, read in enumerate(inputs) for each in read)
    keys = next((run.keys for run in structure.runs if run.keys), ())
    differ = len({*widths}) > 1
    return Layout(factors, states, widths if differ else (), boxes, lines, keys, structure.context)


def _line(source: int, column: int, boxes: tuple[Box, ...]) -> Line:
    row = _row(source, boxes)
    between = boxes[source + 1 : column]
    return Line(source, column, row, boxes[column].row, below=any(box.row == row for box in between))


def _row(source: int, boxes: tuple[Box, ...]) -> int:
    return boxes[-1 if source == TOKENS else source].row  # tokens and logits stand in the same row


def _meeting(inputs: tuple[StreamInput, ...]) -> str:
    """What several streams have passed together."""
    said = [label for read in inputs for label in read.labels]
    return ", ".join(label for label in dict.fromkeys(said) if said.count(label) > 1)


def _pooling(inputs: tuple[StreamInput, ...], scale: int, scales: list[int]) -> str:
    """By how much each finer stream is shortened, and what it has passed alone."""
    together = _meeting(inputs).split(", ")
    written: dict[str, None] = {}
    for read in inputs:
        ratio = scale // (1 if read.source == TOKENS else scales[read.source])
        if ratio > 1:
            alone = " ".join(label for label in read.labels if label not in together)
            written[f"{ratio}:1 {alone}".strip()] = None
    return ", ".join(written)
