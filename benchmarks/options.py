"""The options of each variant against each other, one at a time from the default, and against vanilla rivals.

    python -m benchmarks.options NOVELS
    python -m benchmarks.options NOVELS --seeds 3

All models have d=64, 2 heads, rotary positions and context 256 and are trained on the same bytes with batch 8 and a
learning rate of 4e-3. Every option is trained once; with more seeds, those within 0.02 nats of the best of their
variant again. A run takes about a minute on one core; finished ones are kept in `--runs` and not made again.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student

from benchmarks.novels import Ledger, Run, Tokenizer, novels_argument, train_missing, vocabulary
from benchmarks.rivals import equal_memory, fewer_heads, fine_alone, memory, vanilla
from msarch import ModelConfig, TrainingConfig
from msarch.units import format_bytes

WINDOWS: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((1, 4, 16), (64, 16)),
    ((1, 4, 16), (32, 8)),
    ((1, 4, 16), (16, 4)),
    ((1, 4, 16), (8, 4)),
    ((1, 4, 16), (8, 2)),
    ((1, 2, 4, 8, 16), (16, 4, 4, 4)),
    ((1, 4), (64,)),
    ((1, 4), (16,)),
    ((1, 16), (64,)),
    ((1, 16), (16,)),
    ((1,), (128,)),
    ((1,), (64,)),
    ((1,), (16,)),
)
"""Factors and windows of a retina; a window for each factor, as in the last three, makes a sliding window."""


@dataclass(frozen=True)
class Choice:
    """One line of the table: the group it is compared in, what it chooses, and the model."""

    group: str
    name: str
    model: ModelConfig


def main() -> None:
    """Train what is missing and print one table."""
    parser = argparse.ArgumentParser(description="The options of each variant against each other.")
    novels_argument(parser)
    parser.add_argument("--tokens", type=int, default=1_000_000, help="training tokens of each run (default 1 million)")
    parser.add_argument("--seeds", type=int, default=1, help="the most seeds that an option gets (default 1)")
    parser.add_argument(
        "--within", type=float, default=0.02, help="nats from the best of its variant for further seeds (default 0.02)"
    )
    parser.add_argument("--tokenizer", choices=("bytes", "bpe"), default="bytes")
    parser.add_argument("--group", nargs="+", help="only these: vanilla, top_down, bottom_up, hourglass, retina")
    parser.add_argument("--runs", type=Path, default=Path("results/options.csv"), help="CSV of finished runs")
    arguments = parser.parse_args()
    console = Console(width=120)
    ledger = Ledger(arguments.runs)
    training = TrainingConfig(
        batch_size=8, tokens=arguments.tokens, learning_rate=4e-3, rungs=(0.25, 0.5, 1.0), validation_tokens=100_000
    )
    every = [one for one in choices(arguments.tokenizer, training) if one.group in (arguments.group or [one.group])]

    def run(choice: Choice, seed: int) -> Run:
        name = f"{choice.model.variant} {choice.model.layers}, {choice.name}"
        return Run(name=name, tokenizer=arguments.tokenizer, model=choice.model, training=training, seed=seed)

    for seed in range(arguments.seeds):
        again = every if seed == 0 else [one for one in every if is_close(ledger, run, one, every, arguments.within)]
        train_missing([run(one, seed) for one in again], arguments.novels, ledger, console)
    losses = {one: [final(ledger, run(one, seed)) for seed in range(arguments.seeds)] for one in every}
    console.print(table({one: [x for x in found if x is not None] for one, found in losses.items()}, training))
    console.print(
        f"{arguments.tokens:,} tokens of {arguments.tokenizer} "
        f"({arguments.novels.epochs(arguments.tokenizer, arguments.tokens):.2f} epochs), one thread"
    )


def _changed(model: ModelConfig, options: dict[str, Any]) -> ModelConfig:
    return replace(model, **options)


def choices(tokenizer: Tokenizer, training: TrainingConfig) -> list[Choice]:
    """Each variant at its defaults, and with each option changed alone; the first of a group is its default."""
    common: dict[str, Any] = {
        "d_model": 64,
        "n_heads": 2,
        "positions": "rotary",
        "vocab_size": vocabulary(tokenizer),
        "context": 256,
    }
    hourglass = ModelConfig(variant="hourglass", layers="2@1 4@4 2@1", **common)
    top_down = ModelConfig(variant="top_down", layers="4@16 4@4 2@1", **common)
    bottom_up = ModelConfig(variant="bottom_up", layers="2@1 4@4 2@1", **common)
    changed: list[tuple[ModelConfig, dict[str, tuple[str, ...]]]] = [
        (
            hourglass,
            {
                "shortening": ("linear", "attention"),
                "upsampling": ("linear", "attention"),
                "layers": ("2@1 4@4:96 2@1", "2@1 4@4:128 2@1", "2@1 2+2ff@4 2@1"),
            },
        ),
        (
            top_down,
            {
                "pool": ("conv", "attention", "query_only"),
                "combine": ("add",),
                "upsampling": ("linear", "attention"),
                "layers": ("4@16 4@4:128 2@1", "4@16:128 4@4:128 2@1", "2+2ff@16 2+2ff@4 2@1"),
            },
        ),
        (
            bottom_up,
            {
                "pool": ("conv", "attention", "query_only"),
                "aggregation": ("aligned",),
                "layers": ("2@1 4@4:128 2@1", "2@1 2+2ff@4 2@1"),
            },
        ),
    ]
    rivals: dict[ModelConfig, list[str]] = {}  # one model may be the rival of several
    for name, rival in (
        ("the fine layers of hourglass, bottom_up and retina", fine_alone(hourglass)),
        ("the fine layers of top_down", fine_alone(top_down)),
        ("half of the heads", fewer_heads(hourglass)),
        ("in the memory of hourglass", equal_memory(hourglass, training)),
        ("in the memory of top_down", equal_memory(top_down, training)),
        ("in the memory of bottom_up", equal_memory(bottom_up, training)),
        ("two layers without attention more than the fine ones of top_down", vanilla(top_down, 4, ff_layers=2)),
    ):
        rivals.setdefault(rival, []).append(name)
    out = [Choice("vanilla", "; ".join(names), rival) for rival, names in rivals.items()]
    for default, options in changed:
        out.append(Choice(default.variant, "default", default))
        for option, values in options.items():
            out += [
                Choice(default.variant, f"{option} {value}", _changed(default, {option: value})) for value in values
            ]
    for factors, windows in WINDOWS:
        model = ModelConfig(variant="retina", layers="4@1", retina_factors=factors, retina_windows=windows, **common)
        alone = ", a sliding window" if len(windows) == len(factors) else ""
        out.append(Choice("retina", f"{' '.join(map(str, factors))} over {' '.join(map(str, windows))}{alone}", model))
    return out


def final(ledger: Ledger, run: Run) -> float | None:
    """The last loss of a run in nats, None where it is not finished."""
    lines = ledger.of(run)
    return float(lines.loss.iloc[-1]) if len(lines) else None


def is_close(ledger: Ledger, run: Any, choice: Choice, every: list[Choice], within: float) -> bool:
    """Whether an option is a default, or was near the best of its group with the first seed."""
    group = [one for one in every if one.group == choice.group]
    losses = {one: final(ledger, run(one, 0)) for one in group}
    best = min(loss for loss in losses.values() if loss is not None)
    own = losses[choice]
    return choice == group[0] or (own is not None and own < best + within)


def table(losses: dict[Choice, list[float]], training: TrainingConfig) -> Table:
    """A line an option: mean loss, what it is less than its group's first, with a 95 % interval, and memory."""
    out = Table("model", "option", "seeds", "loss", "less the first", "95 %", "memory", title="nats per token")
    noise, freedom = seed_noise(list(losses.values()))
    for choice, found in losses.items():
        if not found:
            continue
        first = next(one for one in losses if one.group == choice.group)
        against = losses[first]
        difference = mean(found) - mean(against)
        half = quantile(freedom) * noise * math.sqrt(1 / len(found) + 1 / len(against)) if freedom else None
        out.add_row(
            f"{choice.model.variant} {choice.model.layers}",
            choice.name,
            str(len(found)),
            f"{mean(found):.4f}",
            "" if choice == first else f"{difference:+.4f}",
            "" if choice == first else "?" if half is None else f"± {half:.4f}",
            format_bytes(memory(choice.model, training)),
            end_section=choice == [one for one in losses if one.group == choice.group][-1],
        )
    return out


def seed_noise(groups: list[list[float]]) -> tuple[float, int]:
    """The standard deviation between seeds, pooled over all models with two or more, and its degrees of freedom."""
    several = [pd.Series(group) for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in several)
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in several)
    return (math.sqrt(squares / freedom), freedom) if freedom else (math.nan, 0)


def quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t."""
    return float(student.ppf(0.975, freedom))


def mean(values: list[float]) -> float:
    """Their mean."""
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
