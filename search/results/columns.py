"""What each column of trials.csv, pareto.csv and curves.csv holds: its type, its unit and its meaning.

The columns of a trial's options follow the fields of `ModelConfig` and `TrainingConfig`, their meaning the docstrings
there: a new option has a column in every table without a change here.
"""

from __future__ import annotations

import types
from dataclasses import dataclass, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from msarch.config import ModelConfig, TrainingConfig
from msarch.config.attribute_docs import attribute_docs


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds: its nullable pandas dtype, its unit and its meaning."""

    dtype: str
    unit: str
    meaning: str


OUTCOMES: dict[str, Column] = {
    "trial": Column("Int64", "", "number of the trial, counted from 0"),
    "state": Column(
        "string",
        "",
        "complete, pruned (stopped early), infeasible (never trained, or out of memory), duplicate, failed or running",
    ),
    "perplexity": Column("Float64", "", "exp of the final validation loss; only where complete or duplicate"),
    "bits_per_byte": Column("Float64", "bits/byte", "the final validation loss per byte of text"),
    "loss": Column("Float64", "nats/token", "final mean validation loss"),
    "memory_bytes": Column("Int64", "bytes", "predicted peak of one training step of exactly what is trained"),
    "memory_unfused_bytes": Column("Int64", "bytes", "the same with attention that keeps its scores"),
    "memory_checkpointed_bytes": Column("Int64", "bytes", "the same with each block recomputed in the backward pass"),
    "memory_measured_bytes": Column(
        "Int64", "bytes", "the same as a GPU measured it; where it ran out, what was needed at least"
    ),
    "cache_bytes": Column(
        "Int64", "bytes", "state kept for generating one sequence of full context, in training.dtype"
    ),
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
    "paused": Column("boolean", "", "whether a pruned trial is only paused: a larger budget may resume it"),
}
"""What became of a trial, and what was predicted of it."""

_UNITS = {
    "context": "tokens",
    "batch_size": "sequences",
    "tokens": "tokens",
    "validation_tokens": "tokens",
    "retina_windows": "units",
}


def column_name(config: type, option: str) -> str:
    """The column of an option: its name, or ``training.loss`` where an outcome has that name already."""
    part = "model" if issubclass(config, ModelConfig) else "training"
    return f"{part}.{option}" if option in OUTCOMES else option


def option_columns(config: type) -> dict[str, Column]:
    """One column for each field of a configuration, in their order."""
    hints, meanings = get_type_hints(config), attribute_docs(config)
    return {
        column_name(config, item.name): Column(
            _dtype(hints[item.name]), _UNITS.get(item.name, ""), _meaning(meanings.get(item.name, ""), hints[item.name])
        )
        for item in fields(config)
    }


def _dtype(hint: Any) -> str:
    """Of a field's annotation; a tuple is written as text, its items separated by blanks."""
    kinds = [kind for kind in get_args(hint) if kind is not types.NoneType]
    if get_origin(hint) in (types.UnionType, Union) and len(kinds) == 1:
        return _dtype(kinds[0])
    if get_origin(hint) is Literal:
        return _dtype(type(kinds[0]))
    return {bool: "boolean", int: "Int64", float: "Float64"}.get(hint, "string")


def _meaning(text: str, hint: Any) -> str:
    """The first clause of what a docstring says, and the words that may stand there."""
    clause = text.partition(". ")[0].partition(": ")[0].replace("``", "").removesuffix(".")
    choices = [str(choice) for choice in get_args(hint)] if get_origin(hint) is Literal else []
    if all(f'"{choice}"' in clause for choice in choices):
        return clause
    return f"{clause}: {' or '.join(filter(None, (', '.join(choices[:-1]), choices[-1])))}"


OPTIONS: dict[str, Column] = option_columns(ModelConfig) | option_columns(TrainingConfig)
"""What a candidate is made of."""

# People's scripts know the columns of msarch 0.1 in this order; whatever came later stands after them.
_ORDER_OF_0_1 = (
    *("trial", "state", "variant", "layers", "d_model", "n_heads", "context", "batch_size", "learning_rate"),
    *("perplexity", "bits_per_byte", "loss", "memory_bytes", "memory_unfused_bytes", "memory_measured_bytes"),
    *("cache_bytes", "parameters", "parameters_embedding", "flops_per_token", "step_seconds", "seconds", "seed"),
    *("violation", "twin", "error", "retina_factors", "retina_windows", "shortening", "upsampling"),
)
_ALL = OUTCOMES | OPTIONS

COLUMNS: dict[str, Column] = {name: _ALL[name] for name in _ORDER_OF_0_1} | _ALL
"""The columns of trials.csv and pareto.csv, in their order."""

CURVE_COLUMNS: dict[str, Column] = {
    "trial": OUTCOMES["trial"],
    "rung": Column("Int64", "", "index of the validation among the rungs"),
    "tokens": Column("Int64", "tokens", "training tokens seen so far"),
    "loss": Column("Float64", "nats/token", "mean validation loss"),
    "perplexity": Column("Float64", "", "exp of that loss"),
    "bits_per_byte": Column("Float64", "bits/byte", "that loss per byte of text"),
    "seconds": Column("Float64", "s", "training time so far"),
}
"""The columns of curves.csv, in their order."""


def describe_columns(columns: dict[str, Column] = COLUMNS) -> str:
    """The columns as a Markdown table."""
    rows = [f"| `{name}` | {column.dtype} | {column.unit} | {column.meaning} |" for name, column in columns.items()]
    return "\n".join(["| column | type | unit | meaning |", "| --- | --- | --- | --- |", *rows])
