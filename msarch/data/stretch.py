"""The same stretch of the validation text for every vocabulary, as near as whole tokens allow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from msarch.data.token_set import TokenSet


def matching_targets(tokens: TokenSet, smallest: TokenSet, targets: int) -> int:
    """How many target tokens end nearest to where `targets` of them end in the tokens of the smallest vocabulary.

    Both count from the beginning of the same validation text, and both know the bytes of each token.
    """
    end = _ends(smallest, targets)[-1]
    # No vocabulary needs more tokens than the smallest: its merges are the first ones of every larger one.
    return max(1, int(np.abs(_ends(tokens, targets) - end).argmin()))


def _ends(tokens: TokenSet, targets: int) -> NDArray[Any]:
    """Where token 0 and each of the targets end, in bytes from the beginning; a separator counts as one of them."""
    assert tokens.token_bytes is not None
    return np.cumsum(np.maximum(tokens.token_bytes, 1)[tokens.validation[: targets + 1]])
