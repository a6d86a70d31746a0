"""Trials of chosen variants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from search.ledger.records import TrialRecord

Maker = Callable[..., TrialRecord]


@pytest.fixture
def make(make_record: Maker) -> Maker:
    """`make(number, variant, perplexity, memory_mib)`."""

    def made(number: int, variant: str, perplexity: float, memory_mib: float) -> TrialRecord:
        record = make_record(number, perplexity, memory_mib)
        layers = "2@4 1@1" if variant == "top_down" else "2@1"
        scales = ((1, 4, 16), (64, 16)) if variant == "retina" else ((), ())
        retina = {"retina_factors": scales[0], "retina_windows": scales[1]}
        options: dict[str, Any] = {"variant": variant, "layers": layers} | retina
        model = replace(record.candidate.model, **options)
        return replace(record, candidate=replace(record.candidate, model=model))

    return made
