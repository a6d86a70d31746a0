"""The perplexity of a loss, at the ends of the range too."""

from __future__ import annotations

import math

import pytest

from msarch.perplexity import format_perplexity, perplexity
from msarch.training.evaluation import Evaluation


@pytest.mark.parametrize(
    ("loss", "expected"), [(0.0, 1.0), (1.0, math.e), (705.0, math.exp(705)), (710.0, math.inf), (math.inf, math.inf)]
)
def test_it_is_the_exponential_and_infinite_beyond_floats(loss: float, expected: float) -> None:
    assert perplexity(loss) == expected
    assert Evaluation(loss=loss, bits_per_byte=1.0, targets=1).perplexity == expected


def test_a_loss_that_is_no_number_has_no_perplexity() -> None:
    assert math.isnan(perplexity(math.nan))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.000"),
        (8.84959, "8.850"),
        (8.7804, "8.780"),
        (34.8412, "34.84"),
        (99.996, "100.0"),
        (412.345, "412.3"),
        (999.97, "1000"),
        (12_345.6, "12346"),
        (math.inf, "inf"),
    ],
)
def test_it_is_written_so_that_small_ones_can_be_told_apart(value: float, text: str) -> None:
    assert format_perplexity(value) == text
