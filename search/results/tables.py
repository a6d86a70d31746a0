"""trials.csv, curves.csv and pareto.csv: every figure of a search, typed, an absent one empty and never 0.

`COLUMNS` says what each column holds. Rows are plain dicts; pandas is imported only where a frame is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msarch.atomic_files import atomic_write
from msarch.config.variants import VARIANTS
from msarch.perplexity import perplexity
from search.ledger.records import CurvePoint, TrialRecord
from search.results.front import pareto_front
from search.results.measures import measure
from search.space.objectives import DEFAULT_OBJECTIVES

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds: its nullable pandas dtype, its unit and its meaning."""

    dtype: str
    unit: str
    meaning: str


COLUMNS: dict[str, Column] = {
    "trial": Column("Int64", "", "number of the trial, counted from 0"),
    "state": Column(
        "string", "", "complete, pruned, infeasible (never trained, or out of memory), duplicate, failed or running"
    ),
    "variant": Column("string", "", "architecture"),
    "layers": Column("string", "", "layer allocation, LAYERS@FACTOR in the order of computation"),
    "d_model": Column("Int64", "", "width of every state"),
    "n_heads": Column("Int64", "", "attention heads"),
    "context": Column("Int64", "tokens", "longest sequence"),
    "batch_size": Column("Int64", "sequences", "sequences in a training step"),
    "learning_rate": Column("Float64", "", "peak learning rate"),
    "perplexity": Column("Float64", "", "exp of the final validation loss; only where complete or duplicate"),
    "bits_per_byte": Column("Float64", "bits/byte", "the final validation loss per byte of text"),
    "loss": Column("Float64", "nats/token", "final mean validation loss"),
    "memory_bytes": Column("Int64", "bytes", "predicted peak of one training step of exactly what is trained"),
    "memory_unfused_bytes": Column("Int64", "bytes", "the same with attention that keeps its scores"),
    "memory_measured_bytes": Column(
        "Int64", "bytes", "the same as a GPU measured it; where it ran out, what was needed at least"
    ),
    "cache_bytes": Column("Int64", "bytes", "state kept for generating one sequence of full context"),
    "parameters": Column("Int64", "", "trained parameters"),
    "parameters_embedding": Column("Int64", "", "of these, in embeddings"),
    "flops_per_token": Column("Float64", "FLOP/token", "operations of a training step, forward and backward"),
    "flops_per_token_forward": Column("Float64", "FLOP/token", "operations of its forward pass alone"),
    "step_seconds": Column("Float64", "s", "mean time of a training step"),
    "seconds": Column("Float64", "s", "training time; 0 where nothing was trained"),
    "seed": Column("Int64", "", "seed of the weights and of the data order"),
    "violation": Column("string", "", "the limit that an infeasible candidate exceeds"),
    "twin": Column("Int64", "", "of a duplicate, the trial with the same candidate"),
    "error": Column("string", "", "why a trial failed"),
    "retina_factors": Column("string", "", "shortening factors of a retina's keys, finest first"),
    "retina_windows": Column("string", "units", "units of each scale, perhaps but the coarsest, that a token keeps"),
    "shortening": Column("string", "", "how an hourglass makes coarse states"),
    "upsampling": Column("string", "", "how top_down and hourglass bring them back"),
}
"""The columns of trials.csv and pareto.csv, in their order."""

CURVE_COLUMNS: dict[str, Column] = {
    "trial": COLUMNS["trial"],
    "rung": Column("Int64", "", "index of the validation among the rungs"),
    "tokens": Column("Int64", "tokens", "training tokens seen so far"),
    "loss": Column("Float64", "nats/token", "mean validation loss"),
    "perplexity": Column("Float64", "", "exp of that loss"),
    "bits_per_byte": Column("Float64", "bits/byte", "that loss per byte of text"),
    "seconds": Column("Float64", "s", "training time so far"),
}
"""The columns of curves.csv, in their order."""


def trial_row(record: TrialRecord) -> dict[str, Any]:
    """One row of trials.csv; an absent figure is None."""
    model, training = record.candidate.model, record.candidate.training
    read = VARIANTS[model.variant].options
    given = {
        "trial": record.number,
        "state": record.state,
        "batch_size": training.batch_size,
        "learning_rate": training.learning_rate,
        "seconds": record.seconds,
        "seed": record.candidate.seed,
        "violation": record.violation or None,
        "twin": record.twin,
        "error": record.error or None,
        "retina_factors": " ".join(map(str, model.retina_factors)) or None,
        "retina_windows": " ".join(map(str, model.retina_windows)) or None,
        **{name: getattr(model, name) if name in read else None for name in ("shortening", "upsampling")},
        **{name: getattr(model, name) for name in ("variant", "layers", "d_model", "n_heads", "context")},
    }
    return {name: given[name] if name in given else _typed(measure(record, name), name) for name in COLUMNS}


def trials_frame(records: Iterable[TrialRecord]) -> pd.DataFrame:
    """One row a trial, in the order of their numbers, with the columns of `COLUMNS`."""
    return _frame([trial_row(record) for record in sorted(records, key=lambda record: record.number)], COLUMNS)


def pareto_frame(records: Iterable[TrialRecord], objectives: Sequence[str] = DEFAULT_OBJECTIVES) -> pd.DataFrame:
    """One row a trial of the front, the cheapest first, with the columns of `COLUMNS`."""
    return _frame([trial_row(record) for record in pareto_front(records, objectives)], COLUMNS)


def curves_frame(records: Iterable[TrialRecord]) -> pd.DataFrame:
    """One row a validation, with the columns of `CURVE_COLUMNS`."""
    ordered = sorted(records, key=lambda record: record.number)
    return _frame([_curve_row(record, point) for record in ordered for point in record.curve], CURVE_COLUMNS)


def write_tables(folder: Path, records: Sequence[TrialRecord], objectives: Sequence[str] = DEFAULT_OBJECTIVES) -> None:
    """Writes trials.csv, curves.csv and pareto.csv into `folder`, each whole or not at all."""
    frames = {
        "trials.csv": trials_frame(records),
        "curves.csv": curves_frame(records),
        "pareto.csv": pareto_frame(records, objectives),
    }
    for name, frame in frames.items():
        with atomic_write(Path(folder) / name) as temporary:
            frame.to_csv(temporary, index=False, lineterminator="\n")


def read_trials(path: Path) -> pd.DataFrame:
    """trials.csv or pareto.csv as `trials_frame` made it, to the bit."""
    return _read(path, COLUMNS)


def read_curves(path: Path) -> pd.DataFrame:
    """curves.csv as `curves_frame` made it, to the bit."""
    return _read(path, CURVE_COLUMNS)


def describe_columns(columns: dict[str, Column] = COLUMNS) -> str:
    """The columns as a Markdown table."""
    rows = [f"| `{name}` | {column.dtype} | {column.unit} | {column.meaning} |" for name, column in columns.items()]
    return "\n".join(["| column | type | unit | meaning |", "| --- | --- | --- | --- |", *rows])


def _typed(value: float | None, column: str) -> float | None:
    if value is None:
        return None
    return int(value) if COLUMNS[column].dtype == "Int64" else float(value)


def _curve_row(record: TrialRecord, point: CurvePoint) -> dict[str, Any]:
    given = {"trial": record.number, "perplexity": perplexity(point.loss)}
    return {name: given[name] if name in given else getattr(point, name) for name in CURVE_COLUMNS}


def _frame(rows: list[dict[str, Any]], columns: dict[str, Column]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {name: pd.Series([row[name] for row in rows], dtype=column.dtype) for name, column in columns.items()}
    )


def _read(path: Path, columns: dict[str, Column]) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(
        path,
        dtype={name: column.dtype for name, column in columns.items()},
        keep_default_na=False,  # an error that reads "None" is text
        na_values=[""],
    )
