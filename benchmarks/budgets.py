"""From which budget on does a multi-scale model pay? Its loss and that of its rivals at 1, 2, 4, 8, 16 M tokens.

    python -m benchmarks.budgets NOVELS --comparison hourglass
    python -m benchmarks.budgets NOVELS --comparison retina --tokenizer bpe --context 1024 --largest 8000000
    python -m benchmarks.budgets NOVELS --comparison retina --context 1024 --largest 8000000 --costs 25

A model and seed is trained once, at a constant learning rate (schedule wsd), and from that run a decay branches off to
each budget. One cell is one model, seed and budget; small budgets come first for all models, and finished cells are
kept in `--runs`, checkpoints in `--scratch`, so that the command goes on where it was stopped.

hourglass   `2@1 4@4 2@1` against its fine layers alone, vanilla of equal memory, its fine layers with fewer heads
retina      `4@1` over windows of 16 and 4 units against vanilla `4@1`, wider windows, and its window of 16 tokens alone
top_down    `4@16 4@4 2@1` against its fine layers alone, vanilla of equal memory
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, quantiles
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.novels import Ledger, Novels, Run, Tokenizer, novels_argument, vocabulary
from benchmarks.options import seed_noise
from benchmarks.power_law import crossings
from benchmarks.rivals import equal_memory, fewer_heads, fine_alone, memory
from benchmarks.steps_in_turn import in_turn, ratios, step_of
from msarch import ModelConfig, TrainingConfig
from msarch.training.trainer import Trainer
from msarch.units import format_bytes, format_count

SMALLEST = 1_000_000
TOKENS_PER_STEP = 2_048
COMPARISONS = ("hourglass", "retina", "top_down")
MOST_EXTRAPOLATED, MOST_EPOCHS = 8, 4
"""A crossing is sought up to so many times the largest budget trained, and never past so many epochs."""


def main(command: Sequence[str] | None = None) -> None:
    """Train what is missing, print the losses, the differences and where the order turns."""
    parser = argparse.ArgumentParser(description="From which budget on does a multi-scale model pay?")
    novels_argument(parser)
    parser.add_argument("--comparison", choices=COMPARISONS, default="hourglass")
    parser.add_argument("--tokenizer", choices=("bytes", "bpe"), default="bytes")
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--largest", type=int, default=16_000_000, help="the largest budget in tokens (default 16 M)")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("results/budgets.csv"), help="CSV of finished cells")
    parser.add_argument("--costs", type=int, default=0, metavar="ROUNDS", help="also time so many steps of each model")
    parser.add_argument("--scratch", type=Path, default=Path("results/budgets"), help="folder for checkpoints")
    arguments = parser.parse_args(command)
    console = Console(width=120)
    ledger = Ledger(arguments.runs)
    models = compared(arguments.comparison, arguments.tokenizer, arguments.context)
    sizes = budgets(arguments.largest)
    for budget, seed, (name, model) in itertools.product(sizes, range(arguments.seeds), models.items()):
        cell = run(name, model, arguments.tokenizer, seed, budget)
        if cell not in ledger:
            console.print(f"training {name}, {arguments.tokenizer}, seed {seed}, {format_count(budget)}")
            smallest = run(name, model, arguments.tokenizer, seed, SMALLEST)
            train(cell, smallest, arguments.novels, ledger, arguments.scratch)
    losses = final_losses(ledger, models, arguments.tokenizer, sizes, arguments.seeds)
    console.print(loss_table(losses))
    console.print(crossing_table(losses, arguments.novels, arguments.tokenizer))
    if arguments.costs:
        console.print(cost_table(models, arguments.costs))
    each = ", ".join(f"{arguments.novels.epochs(arguments.tokenizer, size):.2f}" for size in sizes)
    console.print(f"{arguments.tokenizer}, context {arguments.context}; epochs of each budget: {each}")


def budgets(largest: int) -> list[int]:
    """1 M tokens and its doubles up to `largest`."""
    sizes = [SMALLEST]
    while sizes[-1] * 2 <= largest:
        sizes.append(sizes[-1] * 2)
    return sizes


def compared(comparison: str, tokenizer: Tokenizer, context: int) -> dict[str, ModelConfig]:
    """The multi-scale model first, then its rivals, by what tables call them."""
    common: dict[str, Any] = {
        "d_model": 64,
        "n_heads": 2,
        "positions": "rotary",
        "vocab_size": vocabulary(tokenizer),
        "context": context,
    }
    training = training_of(SMALLEST, context)
    if comparison == "retina":
        common |= {"variant": "retina", "layers": "4@1"}
        narrow, wide = (
            ModelConfig(retina_factors=(1, 4, 16), retina_windows=windows, **common) for windows in ((16, 4), (64, 16))
        )
        window = ModelConfig(retina_factors=(1,), retina_windows=(16,), **common)
        return {
            "retina 4@1 over 16 4": narrow,
            "vanilla 4@1": fine_alone(narrow),
            "retina 4@1 over 64 16": wide,
            "a sliding window of 16": window,
        }
    layers = {"hourglass": "2@1 4@4 2@1", "top_down": "4@16 4@4 2@1"}[comparison]
    model = ModelConfig(variant=comparison, layers=layers, **common)
    rivals = {"fine layers alone": fine_alone(model), "equal memory": equal_memory(model, training)}
    if comparison == "hourglass":
        rivals["fewer heads"] = fewer_heads(model)
    named = {f"vanilla {rival.layers}, {name}": rival for name, rival in rivals.items()}
    return {f"{comparison} {layers}": model, **named}


def training_of(budget: int, context: int) -> TrainingConfig:
    """Constant after a warm-up that the smallest budget sets for all, the last fifth a decay; judged at both ends."""
    return TrainingConfig(
        batch_size=TOKENS_PER_STEP // context,
        tokens=budget,
        learning_rate=4e-3,
        schedule="wsd",
        warmup=0.1,
        rungs=(0.6, 0.8, 1.0),
        validation_tokens=100_000,
    )


def run(name: str, model: ModelConfig, tokenizer: Tokenizer, seed: int, budget: int) -> Run:
    """One cell."""
    training = training_of(budget, model.context)
    return Run(name=f"{name}, T={model.context}", tokenizer=tokenizer, model=model, training=training, seed=seed)


def train(cell: Run, smallest: Run, novels: Novels, ledger: Ledger, scratch: Path) -> None:
    """One cell, from the last checkpoint before a decay; it leaves its own before it decays.

    Checkpoints are those of all budgets of one model and seed; `smallest`, its smallest cell, names their folder. Where
    the folder holds none that comes early enough, as after a larger budget, the run begins again as the smallest one
    does: a cell trained from the beginning would have a warm-up of its own, and another loss.
    """
    folder = scratch / smallest.candidate().digest()
    trainer = Trainer(cell.candidate(), novels.tokens(cell.tokenizer))
    began = time.perf_counter()
    if not trainer.restore(folder, any_warmup=True) and cell.training.tokens > smallest.training.tokens:
        begin(smallest, novels, folder)
        trainer.restore(folder, any_warmup=True)
    while not trainer.finished:
        trainer.advance()
        if not trainer.finished:
            trainer.save(folder)
    ledger.add(cell, trainer.curve, time.perf_counter() - began)


def begin(smallest: Run, novels: Novels, folder: Path) -> None:
    """The smallest cell up to its decay."""
    trainer = Trainer(smallest.candidate(), novels.tokens(smallest.tokenizer))
    for _ in smallest.training.rungs[:-1]:
        trainer.advance()
    trainer.save(folder)


Losses = dict[str, dict[int, list[float]]]
"""By model and budget: the loss at the end of the decay, one for each finished seed."""


def final_losses(
    ledger: Ledger, models: dict[str, ModelConfig], tokenizer: Tokenizer, sizes: list[int], seeds: int
) -> Losses:
    """Of every finished cell."""
    losses: Losses = {}
    for (name, model), size, seed in itertools.product(models.items(), sizes, range(seeds)):
        lines = ledger.of(run(name, model, tokenizer, seed, size))
        if len(lines):
            losses.setdefault(name, {}).setdefault(size, []).append(float(lines.loss.iloc[-1]))
    return losses


def means(losses: Losses) -> dict[str, dict[int, float]]:
    """The same, as means over seeds."""
    return {name: {size: fmean(each) for size, each in line.items()} for name, line in losses.items()}


def loss_table(losses: Losses) -> Table:
    """A line a model, a column a budget: the mean loss over seeds, and how far the first model is from it."""
    sizes = sorted({size for line in losses.values() for size in line})
    out = Table("nats per token", *(format_count(size) for size in sizes))
    first, *_ = means(losses).values()
    for name, line in means(losses).items():
        cells = []
        for size in sizes:
            difference = f" ({first[size] - line[size]:+.4f})" if size in line and size in first else ""
            cells.append(f"{line[size]:.4f}{difference if line is not first else ''}" if size in line else "")
        out.add_row(name, *cells)
    out.caption = "in brackets: the loss of the first model less this one; below 0 the first is better"
    return out


def crossing_table(losses: Losses, novels: Novels, tokenizer: Tokenizer) -> Table:
    """A line a rival: from which budget on the first model is better, by power laws fitted to both."""
    noise, freedom = seed_noise([each for line in losses.values() for each in line.values()])
    largest = max(size for line in losses.values() for size in line)
    most = min(MOST_EXTRAPOLATED * largest, MOST_EPOCHS / novels.epochs(tokenizer, 1))
    out = Table("rival", "better from", "5 % to 95 %", title=f"sought up to {format_count(most)} tokens")
    if not freedom:
        out.caption = "no cell has two seeds yet, so the noise is not known"
        return out
    out.caption = f"a seed's standard deviation is {noise:.4f} nats, with {freedom} degrees of freedom"
    (first, own), *rivals = means(losses).items()
    for name, line in rivals:
        sizes = sorted(set(own) & set(line))
        if len(sizes) < 3:
            out.add_row(name, "fewer than three budgets yet", "")
            continue
        seeds = min(len(losses[each][size]) for each in (first, name) for size in sizes)
        pairs = [own[size] for size in sizes], [line[size] for size in sizes]
        found = crossings(sizes, *pairs, noise / math.sqrt(seeds), most)
        low, middle, high = (float(found[int(share * (len(found) - 1))]) for share in (0.05, 0.5, 0.95))
        out.add_row(name, _budget(middle), f"{_budget(low)} to {_budget(high)}")
    return out


def cost_table(models: dict[str, ModelConfig], rounds: int) -> Table:
    """A line a model: predicted memory of a step, and the processor time of steps taken in turn, over the first's."""
    torch.set_num_threads(1)
    training = [training_of(SMALLEST, model.context) for model in models.values()]
    seconds = in_turn([step_of(*each) for each in zip(models.values(), training, strict=True)], rounds)
    out = Table("cost of a step", "memory", "unfused", "time, over the first's", "quartiles")
    for (name, model), each, taken in zip(models.items(), training, seconds, strict=True):
        held = [memory(model, replace(each, attention=kernel)) for kernel in ("fused", "unfused")]
        low, middle, high = quantiles(ratios(taken, seconds[0]), n=4)
        out.add_row(name, *map(format_bytes, held), f"{middle:.2f}", f"{low:.2f} to {high:.2f}")
    out.caption = f"processor time of one thread, {rounds} steps of each in turn"
    return out


def _budget(tokens: float) -> str:
    return "never" if math.isinf(tokens) else format_count(tokens)


if __name__ == "__main__":
    main()
