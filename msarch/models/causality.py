"""Does any output depend on a later token, or miss an earlier one? Checked on the model that is about to train.

The check runs on a float64 copy with all parameters drawn at random, because a good initialisation (zeros, identities)
hides leaks. Changing token u must leave every output before u the same, bit for bit, and must change the output at u.

Shapes: R rows, each with one changed token, T tokens, V vocabulary.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from msarch.config import ModelConfig
from msarch.models.language_model import LanguageModel


class CausalityError(AssertionError):
    """A model lets an output depend on a later token, or cuts it off from an earlier one."""


def randomised_copy(model: LanguageModel, seed: int = 0) -> LanguageModel:
    """The same architecture in float64 with every parameter drawn at random, so that every path carries signal."""
    twin = copy.deepcopy(model).to(torch.float64).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in twin.parameters():
            # Signals keep their size through any depth, so that an influence does not vanish in rounding.
            scale = 1 / math.sqrt(parameter.shape[-1]) if parameter.ndim > 1 else 1.0
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(scale * noise)
        # The last axis of the embedding is its output, not its fan-in: back to unit size.
        twin.embedding.weight.mul_(math.sqrt(model.config.d_model))
    return twin


@torch.no_grad()
def influence(model: LanguageModel, length: int, changed: Sequence[int], seed: int = 0) -> Tensor:
    """(R, T), true where the output at t differs in any bit after token `changed[r]` was replaced."""
    generator = torch.Generator().manual_seed(seed)
    vocabulary = model.config.vocab_size
    tokens = torch.randint(vocabulary, (length,), generator=generator)
    rows = tokens.repeat(len(changed) + 1, 1)
    for row, position in enumerate(changed):
        # Half the vocabulary away: another token whatever was drawn.
        rows[row + 1, position] = (rows[row + 1, position] + vocabulary // 2) % vocabulary
    # One row at a time: a kernel may round differently at another position in a batch.
    device = model.embedding.weight.device
    outputs = (model.features(row[None].to(device))[0] for row in rows)
    plain = next(outputs)
    return torch.stack([(other != plain).any(dim=-1).cpu() for other in outputs])


def check_causality(model: LanguageModel, seed: int = 0) -> None:
    """Raises CausalityError unless outputs depend on all earlier tokens and on no later one.

    It changes a few tokens around block edges, in a sequence of about two blocks of the coarsest scale, behind all windows
    of a retina. That takes a fraction of a second for models that train on a laptop.
    """
    length, changed = _length_and_changes(model.config)
    differs = influence(randomised_copy(model, seed), length, changed, seed)
    for row, u in enumerate(changed):
        seen = differs[row].nonzero().flatten().tolist()
        if seen and seen[0] < u:
            raise CausalityError(f"changing token {u} changes the output at position {seen[0]}: the model sees ahead")
        if u not in seen:
            raise CausalityError(f"changing token {u} does not reach the output at position {u}")


def _length_and_changes(config: ModelConfig) -> tuple[int, list[int]]:
    """How many tokens the check needs, and which of them it changes."""
    block = max(config.scales)
    # A retina reads pooled keys only behind its windows: its last token must see two blocks of the coarsest scale.
    windows = zip(config.retina_factors, config.retina_windows, strict=False)
    reaches = list(accumulate(factor * window for factor, window in windows))
    length = min(config.context, 2 * block + 3 + sum(reaches[-1:]))
    edges = {0, 1, block - 2, block - 1, block, block + 1, 2 * block - 1, 2 * block, length - 1}
    for reach in reaches:  # the edge of blocks, of every scale, at which the last token's window ends
        start = max(0, length - reach) // block * block
        edges |= {start - 1, start}
    return length, sorted(u for u in edges if 0 <= u < length)
