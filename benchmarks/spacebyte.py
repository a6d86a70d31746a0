"""SpaceByte on bytes against BPE: bits per byte at equal memory, and at equal training FLOPs, on the same text.

    python -m benchmarks.spacebyte NOVELS
    python -m benchmarks.spacebyte NOVELS --largest 16000000 --seeds 3

`2@1 4@5 2@1` of d=64 at a context of 320 bytes, and its rivals:

bytes, equal memory    vanilla on bytes with as many layers as need about the same memory in training
BPE, equal memory      vanilla on BPE tokens whose training step peaks at the same bytes
BPE, equal FLOPs       vanilla on BPE tokens that spends as many FLOPs on a byte of text in training

All read the same text as often: a context, a step and a budget hold as many bytes of text for everyone, and so fewer
tokens of BPE. FLOPs are made equal by the size of the model, not by the number of its tokens. With more tokens a BPE
model would see the text more often, and a difference could come from that alone. A target is met by few wide layers
or by many narrow ones. Two shapes are trained for each, the narrowest with no more layers than SpaceByte, and the
better one is the rival; deeper and narrower models have hardly started at such budgets. The learning rate is 4e-3 at
d=64 and falls as 1 / d_model, where the standard parametrization has its best rate.

A model and seed is trained once, at a constant learning rate, and from that run a decay branches off to each budget
(see `benchmarks.budgets`). Finished cells are kept in `--runs`, checkpoints in `--scratch`: the same command goes on
where it was stopped. All models to 8 M bytes with two seeds take about two and a half hours on one idle core.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from benchmarks.budgets import SMALLEST, budgets, train
from benchmarks.novels import TARGETS, Ledger, Novels, Run, Tokenizer, novels_argument, vocabulary
from benchmarks.options import seed_noise
from benchmarks.rivals import equal_memory, vanilla
from msarch import ModelConfig, TrainingConfig, profile_training_step
from msarch.memory.memory_profile import MemoryProfile
from msarch.units import format_bytes, format_count

BATCH = 8
HEAD = 32
WIDTHS = (64, 96, 128, 160, 192)
SHAPES = 2
"""Rivals of different width that are trained for each target."""


@dataclass(frozen=True)
class Rival:
    """A line of the table: what is compared, and in which tokens.

    Attributes:
        bytes_per_token: of the training text.
    """

    kind: str
    model: ModelConfig
    tokenizer: Tokenizer
    bytes_per_token: float

    @property
    def name(self) -> str:
        """For tables and runs."""
        return f"{self.model.variant} {self.model.layers} d={self.model.d_model}, {self.kind}"

    def training(self, text_bytes: int) -> TrainingConfig:
        """As many bytes of text for every rival; the last fifth is a decay."""
        return TrainingConfig(
            batch_size=BATCH,
            tokens=round(text_bytes / self.bytes_per_token),
            learning_rate=4e-3 * 64 / self.model.d_model,
            schedule="wsd",
            warmup=0.1,
            rungs=(0.6, 0.8, 1.0),
            validation_tokens=round(TARGETS / self.bytes_per_token),
        )

    def run(self, seed: int, text_bytes: int) -> Run:
        """One cell."""
        return Run(
            name=self.name, tokenizer=self.tokenizer, model=self.model, training=self.training(text_bytes), seed=seed
        )

    @cached_property
    def step(self) -> MemoryProfile:
        """Its training step, profiled."""
        return profile_training_step(self.model, self.training(SMALLEST))

    @property
    def memory(self) -> int:
        """Predicted peak bytes of a training step."""
        return self.step.peak_bytes

    @property
    def flops_per_byte(self) -> float:
        """Training FLOPs, forward and backward, for each byte of text."""
        return self.step.flops / (BATCH * self.model.context * self.bytes_per_token)


def main() -> None:
    """Train what is missing, print bits per byte at each budget."""
    parser = argparse.ArgumentParser(description="SpaceByte on bytes against BPE, in bits per byte.")
    novels_argument(parser)
    parser.add_argument("--layers", default="2@1 4@5 2@1", help="of SpaceByte (default 2@1 4@5 2@1)")
    parser.add_argument("--context", type=int, default=320, help="bytes in a context (default 320)")
    parser.add_argument("--largest", type=int, default=8_000_000, help="the largest budget in bytes (default 8 M)")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("results/spacebyte.csv"), help="CSV of finished cells")
    parser.add_argument("--scratch", type=Path, default=Path("results/spacebyte"), help="folder for checkpoints")
    arguments = parser.parse_args()
    console = Console(width=120)
    ledger = Ledger(arguments.runs)
    models = compared(arguments.novels, arguments.layers, arguments.context)
    sizes = budgets(arguments.largest)
    for size, seed, model in itertools.product(sizes, range(arguments.seeds), models):
        cell = model.run(seed, size)
        if cell not in ledger:
            console.print(f"training {model.name}, seed {seed}, {format_count(size)} bytes", highlight=False)
            train(cell, model.run(seed, SMALLEST), arguments.novels, ledger, arguments.scratch)
    console.print(table(ledger, models, sizes, arguments.seeds))
    each = ", ".join(f"{arguments.novels.epochs('bytes', size):.2f}" for size in sizes)
    console.print(f"epochs of each budget: {each}")


def compared(novels: Novels, layers: str, context: int) -> list[Rival]:
    """SpaceByte first, then its rivals."""
    own = ModelConfig(
        variant="spacebyte",
        layers=layers,
        d_model=64,
        n_heads=64 // HEAD,
        positions="rotary",
        vocab_size=vocabulary("bytes"),
        context=context,
    )
    spacebyte = Rival("bytes", own, "bytes", 1.0)
    alike = replace(spacebyte, kind="bytes, equal memory", model=equal_memory(own, spacebyte.training(SMALLEST)))
    tokens = novels.tokens("bpe")
    per_token = tokens.text_bytes["train"] / len(tokens.train)
    bpe = replace(vanilla(own, 1), vocab_size=vocabulary("bpe"), context=round(context / per_token / 8) * 8)
    targets: list[tuple[str, Callable[[Rival], float]]] = [
        ("BPE, equal memory", lambda rival: rival.memory),
        ("BPE, equal FLOPs", lambda rival: rival.flops_per_byte),
    ]
    found = [
        rival
        for kind, measure in targets
        for rival in nearest(Rival(kind, bpe, "bpe", per_token), measure, measure(spacebyte), own.n_layers)
    ]
    return [spacebyte, alike, *found]


def nearest(like: Rival, measure: Callable[[Rival], float], target: float, deepest: int) -> list[Rival]:
    """Vanilla models that meet the target, one a width: the `SHAPES` narrowest with at most `deepest` layers."""
    found = (_of_width(like, width, measure, target, deepest) for width in WIDTHS)
    return list(itertools.islice((rival for rival in found if rival is not None), SHAPES))


def _of_width(like: Rival, width: int, measure: Callable[[Rival], float], target: float, deepest: int) -> Rival | None:
    """The model of this width whose measure, which grows with its layers, is nearest to the target; None if deeper."""
    base = replace(like.model, d_model=width, n_heads=width // HEAD)
    before: Rival | None = None
    for layers in range(1, deepest + 2):
        rival = replace(like, model=vanilla(base, layers))
        if measure(rival) >= target:
            best = min(filter(None, (before, rival)), key=lambda each: abs(measure(each) - target))
            return best if best.model.n_layers <= deepest else None
        before = rival
    return None


def table(ledger: Ledger, models: list[Rival], sizes: list[int], seeds: int) -> Table:
    """A line a model: memory, FLOPs, and the mean bits per byte over seeds at each budget."""
    out = Table("model", "memory", "FLOPs a byte", *(format_count(size) for size in sizes), title="bits per byte")
    bits = {model: {size: final(ledger, model, size, seeds) for size in sizes} for model in models}
    first = bits[models[0]]
    for model, line in bits.items():
        cells = []
        for size in sizes:
            known = line[size] and first[size]
            less = f" ({fmean(first[size]) - fmean(line[size]):+.4f})" if known and line is not first else ""
            cells.append(f"{fmean(line[size]):.4f}{less}" if line[size] else "")
        out.add_row(model.name, format_bytes(model.memory), format_count(model.flops_per_byte), *cells)
    noise, freedom = seed_noise([found for line in bits.values() for found in line.values()])
    told = f"a seed's standard deviation is {noise:.4f}, with {freedom} degrees of freedom" if freedom else "one seed"
    out.caption = f"columns are bytes of text; in brackets what SpaceByte has more (+) or less (-); {told}"
    return out


def final(ledger: Ledger, model: Rival, size: int, seeds: int) -> list[float]:
    """Bits per byte at the end of the decay, of each seed that is finished."""
    lines = [ledger.of(model.run(seed, size)) for seed in range(seeds)]
    return [float(each.bits_per_byte.iloc[-1]) for each in lines if len(each)]


if __name__ == "__main__":
    main()
