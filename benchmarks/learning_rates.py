"""Is one learning rate fair to every width? Final loss by learning rate, at widths of 64 to 256, standard and muP.

    python -m benchmarks.learning_rates --svg docs/learning-rates.svg

Widths and learning rates rise in powers of 2; heads are 32 wide; muP's base width is the smallest. The text is the
embedded one, so that anyone can run it. Finished runs are kept in `--runs` and not repeated. About half an hour on
one core, most of it at width 256.
"""

from __future__ import annotations

import argparse
import itertools
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from rich.console import Console
from rich.table import Table

from msarch import Candidate, CorpusConfig, ModelConfig, TrainingConfig
from msarch.data.token_set import TokenSet, prepare_tokens
from msarch.training.trainer import NonFiniteLossError, Trainer

WIDTHS = (64, 128, 256)
RATES = tuple(0.001 * 2**power for power in range(6))
KINDS = ("standard", "mup")
TARGETS = 20_000
COLUMNS = ["parametrization", "d_model", "learning_rate", "loss"]


@dataclass(frozen=True)
class Model:
    """An architecture to be swept over widths."""

    variant: str
    layers: str


def main() -> None:
    """Train what is missing, print a table, draw a picture."""
    parser = argparse.ArgumentParser(description="Loss by learning rate and width, standard parametrization and muP.")
    parser.add_argument("--variant", default="top_down")
    parser.add_argument("--layers", default="2@4 2@1")
    parser.add_argument("--tokens", type=int, default=400_000, help="training tokens of each run (default 400,000)")
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS)
    parser.add_argument("--runs", type=Path, default=Path("results/learning-rates.csv"), help="CSV of finished runs")
    parser.add_argument("--svg", type=Path, help="draw the picture there")
    arguments = parser.parse_args()
    tokens = prepare_tokens(CorpusConfig())
    runs = pd.read_csv(arguments.runs) if arguments.runs.exists() else pd.DataFrame(columns=COLUMNS)
    model = Model(arguments.variant, arguments.layers)
    arguments.runs.parent.mkdir(parents=True, exist_ok=True)
    for kind, width, rate in itertools.product(KINDS, arguments.widths, RATES):
        done = (runs.parametrization == kind) & (runs.d_model == width) & (runs.learning_rate == rate)
        if not done.any():
            loss = train(candidate(model, kind, width, rate, arguments.tokens, min(arguments.widths), tokens), tokens)
            runs.loc[len(runs)] = [kind, width, rate, loss]
            runs.to_csv(arguments.runs, index=False)
    console = Console(width=110)
    console.print(table(runs))
    console.print(
        f"{model.variant} {model.layers}, context 128, batch 16, {arguments.tokens:,} tokens of the embedded text; "
        f"loss in nats on {TARGETS:,} validation tokens; {platform.machine()}, one thread, torch {torch.__version__}"
    )
    if arguments.svg:
        draw(runs, arguments.svg)


def candidate(model: Model, kind: str, width: int, rate: float, budget: int, base: int, tokens: TokenSet) -> Candidate:
    """The configuration of one run."""
    mup: dict[str, Any] = {"parametrization": "mup", "base_width": base} if kind == "mup" else {}
    return Candidate(
        model=ModelConfig(
            variant=model.variant,
            layers=model.layers,
            d_model=width,
            n_heads=width // 32,
            vocab_size=tokens.vocab_size,
            context=128,
            **mup,
        ),
        training=TrainingConfig(batch_size=16, tokens=budget, learning_rate=rate, rungs=(1.0,)),
    )


def train(one: Candidate, tokens: TokenSet) -> float:
    """The final validation loss in nats; infinite where training diverged."""
    trainer = Trainer(one, tokens)
    try:
        trainer.advance()
    except NonFiniteLossError:
        return float("inf")
    return trainer.evaluate("validation", TARGETS).loss


def table(runs: pd.DataFrame) -> Table:
    """A line a parametrization and width, a column a learning rate; the best of each line marked."""
    out = Table("parametrization", "d_model", *(f"{rate:g}" for rate in RATES), "best")
    for (kind, width), line in runs.groupby(["parametrization", "d_model"], sort=False):
        losses = dict(zip(line.learning_rate, line.loss, strict=True))
        best = min(losses, key=lambda rate: losses[rate])
        cells = [f"[bold]{losses[rate]:.3f}[/]" if rate == best else f"{losses[rate]:.3f}" for rate in RATES]
        out.add_row(str(kind), str(width), *cells, f"{best:g}")
    return out


def draw(runs: pd.DataFrame, path: Path) -> None:
    """Two panels side by side, standard and muP: loss by learning rate, a line a width, its best marked."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "msarch"
    from matplotlib import pyplot
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    shades = ("#9ecae1", "#4292c6", "#08519c", "#08306b")
    figure, panels = pyplot.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    for axes, kind, title in zip(panels, KINDS, ("standard", "muP"), strict=True):
        for shade, (width, line) in zip(shades, runs[runs.parametrization == kind].groupby("d_model"), strict=False):
            axes.plot(line.learning_rate, line.loss, "-o", color=shade, markersize=4, label=f"d_model {width}")
            loss, rate = min(zip(line.loss, line.learning_rate, strict=True))
            axes.plot(rate, loss, "o", color=shade, markersize=10)
        axes.set(xscale="log", xlabel="learning rate", title=title)
        axes.xaxis.set_major_locator(FixedLocator(RATES))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    panels[0].set_ylabel("validation loss (nats per token)")
    panels[1].legend(frameon=False)
    finite = runs[runs.loss < runs.loss.min() + 1.0].loss
    panels[0].set_ylim(finite.min() - 0.03, finite.max() + 0.05)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=150)


if __name__ == "__main__":
    main()
