"""The keys of ``limits:``, one for each entry of `LIMITS`."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from pydantic import PlainValidator, create_model

from msarch.errors import UserError, quoted
from search.space.objectives import LIMITS, Limit
from search.space.schema.fields import Spec, constant, key


class LimitsSpec(Spec):
    """What no candidate may exceed. A candidate above a limit is infeasible: it costs no training, and teaches the
    sampler.
    """

    def given(self) -> dict[str, int]:
        """The bounds that were written down, by name of the limit."""
        bounds = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: bound for name, bound in bounds.items() if bound is not None}


def parse_bound(raw: object, limit: Limit) -> int:
    """A bound in bytes or as a count. Raises UserError."""
    bound = limit.parse(constant(raw))
    if not 0 < bound < 2**60:
        raise UserError(f"must be above 0 and below 2**60, got {quoted(raw)}")
    return bound


_LIMITS: dict[str, Any] = {
    name: (
        Annotated[int | None, PlainValidator(partial(parse_bound, limit=limit))],
        key(
            f"{limit.meaning.capitalize()}.",
            value=limit.quantity,
            example=f"{name}: {limit.example}",
            default=None,
            default_text="none",
        ),
    )
    for name, limit in LIMITS.items()
}

LIMITS_SCHEMA = create_model("LimitsSchema", __base__=LimitsSpec, __doc__=LimitsSpec.__doc__, **_LIMITS)
