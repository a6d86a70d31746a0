"""The next token, drawn from a model's logits.

Shapes: B batch, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from msarch.errors import UserError

_COLDEST = 1e-30
"""The least temperature that float32 can divide by; the likeliest token is all that is left long before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How a token is chosen. Raises UserError for a value out of its range.

    Attributes:
        temperature: logits are divided by it; below 1 likely tokens become likelier. With 0 the likeliest is taken.
        top_k: only so many of the likeliest tokens can be drawn.
        top_p: only the likeliest tokens that together have this probability can be drawn (nucleus sampling, Holtzman et
            al. 2020, arXiv 1904.09751); the likeliest always can.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise UserError(f"a number of at least 0, got {self.temperature}", key="temperature")
        if self.top_k is not None and self.top_k < 1:
            raise UserError(f"at least 1 token, got {self.top_k}", key="top_k")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UserError(f"a probability above 0 and at most 1, got {self.top_p}", key="top_p")


def next_tokens(logits_BV: Tensor, sampling: Sampling, generator: torch.Generator | None = None) -> Tensor:
    """One token for each sequence: (B, V) -> (B,) int64."""
    if sampling.temperature == 0:
        return logits_BV.argmax(dim=-1)
    likely_BV, tokens_BV = logits_BV.to(torch.float32).sort(dim=-1, descending=True)
    # Below the likeliest, so that a temperature near 0 gives minus infinity and never infinity minus infinity.
    likely_BV = (likely_BV - likely_BV[:, :1]) / max(sampling.temperature, _COLDEST)
    if sampling.top_k is not None:
        likely_BV = likely_BV[:, : sampling.top_k]
    shares_BV = likely_BV.softmax(dim=-1)
    if sampling.top_p is not None:
        # A token is left out where those before it have that probability already.
        before_BV = shares_BV.cumsum(dim=-1) - shares_BV
        shares_BV = shares_BV.masked_fill(before_BV >= sampling.top_p, 0.0)
    drawn_B1 = torch.multinomial(shares_BV, 1, generator=generator)
    return tokens_BV.gather(1, drawn_B1)[:, 0]
