"""The keys of ``search.resources``: cores and GPUs that a trial takes, in fractions too."""

from __future__ import annotations

from typing import Annotated

from pydantic import PlainValidator

from msarch.errors import UserError, quoted
from search.space.schema.fields import Spec, constant, key
from search.space.values.value_types import NUMBER

FINEST, MOST = 0.01, 10_000
"""Smallest share of a core or of a GPU, and most of them, that a trial may take."""


def parse_cores(raw: object) -> float:
    """A number of cores. Raises UserError."""
    cores = NUMBER.parse(constant(raw))
    if not FINEST <= cores <= MOST:
        raise UserError(f"must be a number of cores from {FINEST} to {MOST:,}, such as 2 or 0.5, got {quoted(raw)}")
    return plain_number(cores)


def parse_gpus(raw: object) -> float:
    """A share of a GPU, a number of GPUs, or 0. Raises UserError."""
    gpus = NUMBER.parse(constant(raw))
    if gpus != 0 and not FINEST <= gpus <= MOST:
        expected = f"a share of a GPU from {FINEST} to 1, a whole number of GPUs, or 0 to train on CPUs"
        raise UserError(f"must be {expected}, got {quoted(raw)}")
    if gpus > 1 and not gpus.is_integer():
        raise UserError(f"above 1 must be a whole number, since only one GPU can be shared, got {quoted(raw)}")
    return plain_number(gpus)


def plain_number(value: float) -> float:
    """The same number, as an int where it is whole: so it is written down as people write it."""
    return int(value) if value.is_integer() else value


class ResourcesSpec(Spec):
    """What Ray sets aside for a trial. It decides where trials run, and how many at a time; never what they compute."""

    cpu: Annotated[float | None, PlainValidator(parse_cores)] = key(
        "Cores of a trial. On a CPU a trial computes on one thread, however many it takes.",
        value="number",
        example="cpu: 2",
        default=None,
        default_text="1",
    )
    gpu: Annotated[float | None, PlainValidator(parse_gpus)] = key(
        "GPUs of a trial: with 0.25 four trials share one, and each may allocate a quarter of its memory. A number "
        "above 1 must be whole, though a trial computes on one GPU only. 0 trains on CPUs.",
        value="number",
        example="gpu: 0.25",
        default=None,
        default_text="1 where there are GPUs, less where `concurrent` is more than there are",
    )
