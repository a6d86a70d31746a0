"""The commands about one model: `profile`, `train`, `export`, `generate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from msarch.units import parse_bytes
from search.cli.options import (
    FiguresOption,
    TensorboardOption,
    TrainedArgument,
    TrialOfOption,
    above_zero,
    complete_model,
    keys_as_options,
    parse_option,
    with_conditions,
)
from search.results.conditions import Conditions


@with_conditions
def profile(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="CONFIG.yaml of one model, its folder, RESULTS or RESULTS:TRIAL.",
            autocompletion=complete_model,
        ),
    ],
    conditions: Conditions,
    trial: TrialOfOption = None,
    fit: Annotated[str | None, typer.Option(metavar="SIZE", help="Largest batch and context that fit: 24GiB.")] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Set another model beside it.", autocompletion=complete_model),
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a page with the timeline.")] = None,
    fmt: FiguresOption = "table",
) -> None:
    """Explain the memory of one model: by kind, scale and layer."""
    from search.cli.profile import show_profile

    limit = parse_option("--fit", parse_bytes, fit)
    show_profile(model, trial, conditions, fit=limit, against=against, html=html, fmt=fmt)


def train(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="CONFIG.yaml of one model, RESULTS or RESULTS:TRIAL, or the folder of an earlier training.",
            autocompletion=complete_model,
        ),
    ],
    trial: TrialOfOption = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a setting, such as training.tokens=1B; repeatable."),
    ] = None,
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="The model's folder; models/NAME by default.")] = None,
    threads: Annotated[
        int | None, typer.Option(parser=above_zero, metavar="N", help="CPU threads; one a core by default.")
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the layers with torch.compile: for a GPU.")
    ] = False,
    tensorboard: TensorboardOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be trained, and stop.")] = False,
) -> None:
    """Train one model, such as a trial on more tokens.

    Run the same command again to resume.
    """
    from search.cli.train import train as train_one

    train_one(
        model,
        trial,
        overrides or [],
        to=to,
        threads=threads,
        compiled=compiled,
        tensorboard=tensorboard,
        dry_run=dry_run,
    )


def export(
    model: TrainedArgument,
    to: Annotated[Path, typer.Option(metavar="DIR", help="The new folder.")],
    trial: TrialOfOption = None,
    code: Annotated[
        bool, typer.Option("--code/--no-code", help="With the model's code, for machines without msarch.")
    ] = True,
) -> None:
    """Write a model for other programs, such as transformers.

    The new folder holds safetensors, tokenizer, a model card, and what transformers needs to load it.
    """
    from search.cli.export import export as export_one

    export_one(model, trial, to, code=code)


def generate(
    model: TrainedArgument,
    prompt: Annotated[
        str, typer.Option(metavar="TEXT", help="What the text begins with; - reads it from standard input.")
    ] = "",
    trial: TrialOfOption = None,
    tokens: Annotated[
        int, typer.Option(parser=above_zero, metavar="N", help="Tokens after the prompt, at most.")
    ] = 200,
    temperature: Annotated[
        float, typer.Option(metavar="X", help="Below 1, likely tokens become likelier; 0 takes the likeliest.")
    ] = 1.0,
    top_k: Annotated[int | None, typer.Option(metavar="K", help="Draw from the K likeliest tokens.")] = None,
    top_p: Annotated[
        float | None, typer.Option(metavar="P", help="Draw from the likeliest tokens that together have this share.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed gives the same text.")] = 0,
    device: Annotated[
        str | None, typer.Option(metavar="cpu|cuda", help="A GPU by default, where there is one.")
    ] = None,
) -> None:
    """Write text with a trained model, piece by piece as it comes."""
    from msarch.generation.sampling import Sampling
    from search.cli.generate import write_text

    with keys_as_options("temperature", "top_k", "top_p", "seed"):
        sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p)
        write_text(model, trial, prompt, tokens, sampling, seed=seed, device=device)
