"""The perplexity of a loss, at the ends of the range too."""

from __future__ import annotations

import math

import pytest

from msarch.perplexity import perplexity
from msarch.training.evaluation import Evaluation


@pytest.mark.parametrize(
    ("loss", "expected"), [(0.0, 1.0), (1.0, math.e), (705.0, math.exp(705)), (710.0, math.inf), (math.inf, math.inf)]
)
def test_it_is_the_exponential_and_infinite_beyond_floats(loss: float, expected: float) -> None:
    assert perplexity(loss) == expected
    assert Evaluation(loss=loss, bits_per_byte=1.0, targets=1).perplexity == expected


def test_a_loss_that_is_no_number_has_no_perplexity() -> None:
    assert math.isnan(perplexity(math.nan))
