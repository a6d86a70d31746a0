"""AdamW as torch has it, without asking torch's compiler to stay out.

torch wraps the methods of its optimizers so that `torch.compile` leaves them alone, and imports the whole compiler for
that when the first optimizer is made: a second in each process that trains. No optimizer is compiled here, so these are
torch's own methods without the wrapping. They give the same bits.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch

_step: Any = inspect.unwrap(torch.optim.AdamW.step)


class AdamW(torch.optim.AdamW):
    """`torch.optim.AdamW`, whose step takes no closure."""

    add_param_group = inspect.unwrap(torch.optim.AdamW.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.AdamW.zero_grad)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # torch's takes a closure
        """Update all parameters once."""
        _step(self)
