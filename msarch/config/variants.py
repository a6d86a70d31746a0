"""The registry of architectures: what each variant is called, its legal order of layers, its options.

It imports no torch, so that a configuration is checked in milliseconds. A new variant is one file beside
this one and one entry here; the conformance suite, the search space and the report then know it.
"""

from __future__ import annotations

from dataclasses import dataclass

from msarch.config.orders import (
    Order,
    coarse_to_fine,
    fine_coarse_fine,
    fine_to_coarse_and_back,
    one_stack,
    there_and_back,
)
from msarch.errors import UserError, unknown


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One architecture.

    Attributes:
        order: the order of computation in which its layer allocation is written.
        model: where its module stands, ``package.file:Class``.
        options: fields of `ModelConfig` that only some variants read; all others must keep their default.
        example: a small legal allocation, for help texts and tests.
        summary: one line for people.
        reads_bytes: whether its tokens must be bytes, because it looks at what they say.
    """

    order: Order
    model: str
    example: str
    summary: str
    options: frozenset[str] = frozenset()
    reads_bytes: bool = False


VARIANTS: dict[str, Variant] = {
    "vanilla": Variant(
        order=one_stack,
        model="msarch.models.vanilla:Vanilla",
        example="4@1",
        summary="a causal pre-norm transformer, every layer at every token",
    ),
    "top_down": Variant(
        order=coarse_to_fine,
        model="msarch.models.top_down:TopDown",
        example="2@4 2@1",
        summary="coarse scales first; each finer one is conditioned on the last completed coarse state",
        options=frozenset({"pool", "combine", "upsampling"}),
    ),
    "bottom_up": Variant(
        order=fine_to_coarse_and_back,
        model="msarch.models.bottom_up:BottomUp",
        example="1@1 2@4 1@1",
        summary="fine layers, pooled upward, then one attention over all completed coarse states",
        options=frozenset({"pool", "aggregation"}),
    ),
    "retina": Variant(
        order=one_stack,
        model="msarch.models.retina:Retina",
        example="4@1",
        summary="one stack whose keys are fine for the near past and pooled for the far past",
        options=frozenset({"retina_factors", "retina_windows"}),
    ),
    "hourglass": Variant(
        order=there_and_back,
        model="msarch.models.hourglass:Hourglass",
        example="1@1 2@4 1@1",
        summary="fine layers, shortened to coarser scales and back, each added to the finer stream it came from",
        options=frozenset({"shortening", "upsampling"}),
    ),
    "spacebyte": Variant(
        order=fine_coarse_fine,
        model="msarch.models.spacebyte:SpaceByte",
        example="1@1 2@5 1@1",
        summary="reads bytes; its coarse layers run only where a word ends, fine layers before and after them",
        reads_bytes=True,
    ),
}


def variant_named(name: object) -> Variant:
    """The registered variant of that name. Raises UserError naming the nearest one."""
    if not isinstance(name, str) or name not in VARIANTS:
        raise UserError(unknown("variant", name, VARIANTS), key="variant")
    return VARIANTS[name]


def options_without_effect(variant: str) -> frozenset[str]:
    """The fields of `ModelConfig` that other variants read and this one does not."""
    every = frozenset[str]().union(*(known.options for known in VARIANTS.values()))
    return every - VARIANTS[variant].options
