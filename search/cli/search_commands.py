"""The commands that begin with a space or a table of trained models: `search`, `spaces`, `replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from msarch.errors import UserError
from msarch.units import parse_count, parse_seconds
from search.cli.options import (
    FiguresOption,
    SetOption,
    SpaceArgument,
    TensorboardOption,
    above_zero,
    complete_model,
    complete_pruner,
    complete_results,
    complete_sampler,
    complete_space,
    keys_as_options,
    parse_option,
    words,
)


def search(
    space: SpaceArgument,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Results folder; results/NAME by default.")] = None,
    trials: Annotated[
        int | None, typer.Option(parser=above_zero, metavar="N", help="Trained trials in all; a larger number extends.")
    ] = None,
    tokens: Annotated[str | None, typer.Option(metavar="60M", help="Training tokens in all, not trials.")] = None,
    concurrent: Annotated[
        int | None, typer.Option(parser=above_zero, metavar="N", help="Trials at a time; one a core or GPU.")
    ] = None,
    time_budget: Annotated[str | None, typer.Option(metavar="10m", help="Of training; resumable.")] = None,
    overrides: SetOption = None,
    ray_address: Annotated[str | None, typer.Option(metavar="A", help="A Ray cluster: auto, or HOST:PORT.")] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            metavar="front|all|none",
            help="Which finished trials keep the checkpoint to train on from; only in schedule wsd.",
            autocompletion=words("front", "all", "none"),
        ),
    ] = None,
    tensorboard: TensorboardOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Estimate what the search would cost, and stop.")] = False,
) -> None:
    """Search a space; run the same command again to resume."""
    from search.cli.search import dry_run_search, launch_search
    from search.run.request import check_keep, check_number, check_one_budget

    settings = overrides or []
    seconds = parse_option("--time-budget", parse_seconds, time_budget)
    check_number("time_budget", seconds, key="--time-budget")
    budget = parse_option("--tokens", parse_count, tokens)
    check_number("tokens", budget, key="--tokens")
    with keys_as_options("ray_address", "tokens", "keep"):
        check_one_budget(trials, budget)
        if dry_run:
            dry_run_search(space, settings, trials=trials, tokens=budget, concurrent=concurrent)
        else:
            launch_search(
                space,
                settings,
                out=out,
                trials=trials,
                tokens=budget,
                concurrent=concurrent,
                time_budget=seconds,
                ray_address=ray_address,
                keep=check_keep(keep),
                tensorboard=tensorboard,
            )


def spaces(
    space: Annotated[
        str | None,
        typer.Argument(metavar="[SPACE]", help="A space's file or name.", autocompletion=complete_space),
    ] = None,
    sample: Annotated[
        int, typer.Option(parser=above_zero, metavar="N", help="Candidates drawn to see what the limits admit.")
    ] = 200,
    overrides: SetOption = None,
    draw: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Draw one: CONFIG.yaml, RESULTS:TRIAL.", autocompletion=complete_model),
    ] = None,
) -> None:
    """List the spaces that ship, describe one, or draw a model.

    A description has parameters, size, an example, and what the limits admit.
    """
    from search.cli.spaces import draw_model, list_spaces, show_space

    if draw is not None:
        if space is not None or overrides:
            raise UserError("draws one model; leave out SPACE and --set", key="--draw")
        draw_model(draw)
    elif space is None:
        if overrides:
            raise UserError("changes one space; name it, or leave out --set", key="--set")
        list_spaces()
    else:
        show_space(space, overrides or [], sample)


def replay(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            help="A results folder whose trials were trained to their end.",
            autocompletion=complete_results,
        ),
    ],
    strategy: Annotated[
        str | None,
        typer.Option(
            metavar="front|prune",
            help="How training is shared out; msarch's default without it.",
            autocompletion=words("front", "prune"),
        ),
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(metavar="S", help="Who proposes; msarch's default without it.", autocompletion=complete_sampler),
    ] = None,
    pruner: Annotated[
        str | None,
        typer.Option(metavar="P", help="Who stops; msarch's default without it.", autocompletion=complete_pruner),
    ] = None,
    seeds: Annotated[int, typer.Option(parser=above_zero, metavar="N", help="Replays.")] = 20,
    trainings: Annotated[
        int | None,
        typer.Option(parser=above_zero, metavar="N", help="Stop each after so many trainings; by default at the end."),
    ] = None,
    concurrent: Annotated[int, typer.Option(parser=above_zero, metavar="N", help="Trials at a time.")] = 1,
    fmt: FiguresOption = "table",
) -> None:
    """Try a search strategy on models that are already trained.

    Shows how much of the front it finds, and how soon.
    """
    from search.cli.replay import show_replay

    show_replay(
        table,
        strategy=strategy,
        sampler=sampler,
        pruner=pruner,
        seeds=seeds,
        trainings=trainings,
        concurrent=concurrent,
        fmt=fmt,
    )
