"""trials.csv, curves.csv and pareto.csv: every figure of a search, typed, an absent one empty and never 0.

`search.results.columns` says what each column holds. Rows are plain dicts; pandas is imported only where a frame is
asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msarch.config import ModelConfig, TrainingConfig
from msarch.config.variants import options_without_effect
from msarch.perplexity import perplexity
from msarch.training.validation import Validation
from search.ledger.metrics import metric
from search.ledger.records import TrialRecord
from search.results.columns import COLUMNS, CURVE_COLUMNS, Column, column_name
from search.results.front import pareto_front
from search.space.objectives import DEFAULT_OBJECTIVES

if TYPE_CHECKING:
    import pandas as pd


def trial_row(record: TrialRecord) -> dict[str, Any]:
    """One row of trials.csv; an absent figure, and an option that the variant does not read, is None."""
    outcome = {
        "trial": record.number,
        "state": record.state,
        "seconds": record.seconds,
        "seed": record.candidate.seed,
        "violation": record.violation or None,
        "twin": record.twin,
        "error": record.error or None,
        "paused": record.paused,
    }
    given = outcome | option_values(record.candidate.model) | option_values(record.candidate.training)
    return {name: given[name] if name in given else _typed(metric(record, name), name) for name in COLUMNS}


def option_values(config: ModelConfig | TrainingConfig) -> dict[str, Any]:
    """What a configuration says under each of its columns; None where its variant does not read the option."""
    unread = options_without_effect(config.variant) if isinstance(config, ModelConfig) else frozenset()
    return {
        column_name(type(config), item.name): None if item.name in unread else _cell(getattr(config, item.name))
        for item in fields(config)
    }


def varying_options(records: Iterable[TrialRecord]) -> list[str]:
    """The columns of options in which these trials differ, in the order of the table.

    An option that only some variants read varies where those differ among themselves. The tokens of a validation are
    no option: they follow from the vocabulary.
    """
    seen: dict[str, set[Any]] = {}
    for record in records:
        for config in (record.candidate.model, record.candidate.training):
            for name, value in option_values(config).items():
                seen.setdefault(name, set()).update([] if value is None else [value])
    return [name for name in COLUMNS if len(seen.get(name, ())) > 1 and name != "validation_tokens"]


def independent_options(records: Sequence[TrialRecord]) -> list[str]:
    """`varying_options` without heads that follow from the width, as they do where all heads are equally wide."""
    heads_follow = len({record.candidate.model.d_head for record in records}) < 2
    return [name for name in varying_options(records) if name != "n_heads" or not heads_follow]


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


def read_trials(path: Path) -> pd.DataFrame:
    """trials.csv or pareto.csv as `trials_frame` made it, to the bit.

    A column that an earlier version did not write is empty.
    """
    return _read(path, COLUMNS)


def read_curves(path: Path) -> pd.DataFrame:
    """curves.csv as `curves_frame` made it, to the bit."""
    return _read(path, CURVE_COLUMNS)


def _typed(value: float | None, column: str) -> float | None:
    if value is None:
        return None
    return int(value) if COLUMNS[column].dtype == "Int64" else float(value)


def _curve_row(record: TrialRecord, point: Validation) -> dict[str, Any]:
    given = {"trial": record.number, "perplexity": perplexity(point.loss)}
    return {name: given[name] if name in given else getattr(point, name) for name in CURVE_COLUMNS}


def _frame(rows: list[dict[str, Any]], columns: dict[str, Column]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {name: pd.Series([row[name] for row in rows], dtype=column.dtype) for name, column in columns.items()}
    )


def _cell(value: Any) -> Any:
    """A tuple as text, its items separated by blanks; an empty one is absent."""
    return " ".join(map(str, value)) or None if isinstance(value, tuple) else value


def _read(path: Path, columns: dict[str, Column]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.read_csv(
        path,
        dtype={name: column.dtype for name, column in columns.items()},
        keep_default_na=False,  # an error that reads "None" is text
        na_values=[""],
    )
    # A table of an earlier version lacks the later columns, and one of a later version has more of them.
    absent = {name: pd.Series(pd.NA, frame.index, dtype=columns[name].dtype) for name in columns if name not in frame}
    return frame.assign(**absent)[[*columns, *(name for name in frame if name not in columns)]]
