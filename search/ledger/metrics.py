"""The metrics of a trial, by column of trials.csv: the figures that fronts, tables and plots compare."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msarch.perplexity import perplexity
from msarch.training.validation import Validation
from search.ledger.records import TrialRecord
from search.space.objectives import OBJECTIVES, judged_in_bits


def metric(record: TrialRecord, column: str) -> float | None:
    """The figure in `column` of trials.csv, or None if the trial has none."""
    match column:
        case "perplexity":
            return None if record.loss is None else perplexity(record.loss)
        case "loss" | "bits_per_byte" | "memory_measured_bytes":
            value: float | None = getattr(record, column)
            return value
        case "step_seconds":
            return record.profile.get("step_seconds", _step_seconds(record))
    return record.profile.get(column)


def objective_values(record: TrialRecord, objectives: tuple[str, ...]) -> tuple[float, ...] | None:
    """The trial's figures for these objectives, all minimised; None where one is absent or not finite."""
    values = [metric(record, OBJECTIVES[name].key) for name in objectives]
    known = tuple(float(value) for value in values if value is not None and math.isfinite(value))
    return known if len(known) == len(values) else None


def latest_quality(record: TrialRecord, quality: str) -> float | None:
    """The figure for an objective of quality: the final one, or that of the last validation."""
    final = metric(record, OBJECTIVES[quality].key)
    if final is not None or not record.curve:
        return final
    last = record.curve[-1]
    return perplexity(last.loss) if quality == "perplexity" else last.bits_per_byte


def quality_of(point: Validation, objectives: Sequence[str]) -> float:
    """What trials are judged by at a rung: bits per byte, or nats per token where perplexity is an objective."""
    return point.bits_per_byte if judged_in_bits(objectives) else point.loss


def final_quality(record: TrialRecord, objectives: Sequence[str]) -> float | None:
    """The same at the end of a training; None where the trial is not complete."""
    return record.bits_per_byte if judged_in_bits(objectives) else record.loss


def _step_seconds(record: TrialRecord) -> float | None:
    """Mean seconds of a training step, from the first rung on where there are two: the first holds the warm-up."""
    points = record.curve
    start_seconds, start_tokens = (points[0].seconds, points[0].tokens) if len(points) > 1 else (0.0, 0)
    if not points or points[-1].tokens == start_tokens:
        return None
    tokens_of_a_step = record.candidate.training.batch_size * record.candidate.model.context
    return (points[-1].seconds - start_seconds) * tokens_of_a_step / (points[-1].tokens - start_tokens)
