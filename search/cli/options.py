"""Arguments and options that several commands share, each declared once, and what a shell completes for them."""

from __future__ import annotations

import functools
import glob
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer

from msarch.config import TrainingConfig
from msarch.config.attribute_docs import attribute_docs
from msarch.errors import UserError, quoted
from search.results.conditions import Conditions


def complete_space(incomplete: str) -> Iterator[tuple[str, str]]:
    """The spaces that ship, with what each is for, then YAML files and folders."""
    from search.space.files import shipped_spaces, space_summary

    for name, text in shipped_spaces().items():
        if name.startswith(incomplete):
            yield name, space_summary(text)
    yield from complete_yaml(incomplete)


def complete_yaml(incomplete: str) -> Iterator[tuple[str, str]]:
    """YAML files, and the folders in which there may be some."""
    for ending in ("*.yaml", "*.yml", "*/"):
        yield from ((path, "") for path in _paths(incomplete, ending))


def complete_results(incomplete: str) -> Iterator[tuple[str, str]]:
    """Results folders: those that hold the journal of a search."""
    from search.ledger.folder import JOURNAL

    for below in ("*", "*/*"):
        yield from ((path.removesuffix(f"/{JOURNAL}"), "") for path in _paths(incomplete, f"{below}/{JOURNAL}"))


def _paths(incomplete: str, pattern: str) -> list[str]:
    # A shell takes only what begins with the very letters that were typed, as in ./results/q.
    return sorted(glob.glob(glob.escape(incomplete) + pattern))  # noqa: PTH207  # Path drops the ./


def complete_model(incomplete: str) -> Iterator[tuple[str, str]]:
    """What holds a model: a results folder, or a YAML file."""
    yield from complete_results(incomplete)
    yield from complete_yaml(incomplete)


def words(*legal: str) -> Callable[[str], list[str]]:
    """Completes one of these words."""
    return lambda incomplete: [word for word in legal if word.startswith(incomplete)]


def complete_sampler(incomplete: str) -> list[str]:
    """The samplers' names."""
    from search.space.schema.search import SAMPLERS

    return words(*SAMPLERS)(incomplete)


def complete_pruner(incomplete: str) -> list[str]:
    """The pruners' names."""
    from search.space.schema.search import PRUNERS

    return words(*PRUNERS)(incomplete)


def complete_cost(incomplete: str) -> list[str]:
    """The objectives that say what a model costs."""
    from search.space.objectives import OBJECTIVES

    return words(*(name for name, objective in OBJECTIVES.items() if not objective.quality))(incomplete)


SpaceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SPACE", help="A space's file, or the name of one that ships.", autocompletion=complete_space
    ),
]
ResultsArgument = Annotated[
    Path, typer.Argument(metavar="RESULTS", help="A results folder, results/NAME.", autocompletion=complete_results)
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the space; repeatable.")
]
MemoryOption = Annotated[
    str | None, typer.Option("--max-memory", metavar="SIZE", help="Only trials that need at most this: 200MiB.")
]
SkipOption = Annotated[
    bool, typer.Option("--skip-damaged", help="Leave damaged trials out, and say so, instead of refusing RESULTS.")
]
TrialOption = Annotated[
    str, typer.Option(metavar="best|knee|N", help="Which trial.", autocompletion=words("best", "knee"))
]
TrialOfOption = Annotated[
    str | None,
    typer.Option(metavar="best|knee|N", help="Which trial of RESULTS.", autocompletion=words("best", "knee")),
]
TrainedArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="RESULTS or RESULTS:TRIAL, or the folder of msarch train.",
        autocompletion=complete_results,
    ),
]
RowsOption = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="table|csv|json",
        help="How to print the rows.",
        autocompletion=words("table", "csv", "json"),
    ),
]
FiguresOption = Annotated[
    str,
    typer.Option(
        "--format", metavar="table|json", help="How to print the figures.", autocompletion=words("table", "json")
    ),
]
TensorboardOption = Annotated[
    bool, typer.Option("--tensorboard", help="Also write event files for TensorBoard, into DIR/tensorboard.")
]


def parse_option(name: str, parse: Callable[[object], int], text: str | None) -> int | None:
    """What an option's text says, None where it was not given. Raises UserError under the option's name."""
    if text is None:
        return None
    try:
        return parse(text)
    except UserError as error:
        raise error.under(name) from None


@contextmanager
def keys_as_options(*names: str) -> Iterator[None]:
    """An error that names one of these arguments names its option instead."""
    try:
        yield
    except UserError as error:
        if error.key not in names:
            raise
        raise UserError(error.message, key=f"--{error.key.replace('_', '-')}") from None


LARGEST_NUMBER = 10**9


def above_zero(text: str) -> int:
    """The whole number above 0 that an option's text says. Raises `typer.BadParameter`, which names the option."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number > LARGEST_NUMBER:
        raise typer.BadParameter(f"must be at most {LARGEST_NUMBER:,}, got {quoted(number)}")
    if number < 1:
        raise typer.BadParameter(f"must be a whole number above 0, got {quoted(text)}")
    return number


def with_conditions(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the "what if" options; it receives them together, as its argument `conditions`.

    There is one option for each field of `Conditions`, with the help of its docstring and the words of
    `TrainingConfig`.
    """
    options = _condition_options()

    @functools.wraps(command)
    def run(**given: Any) -> None:
        conditions = Conditions(**{option.name: given.pop(option.name) for option in options})
        with keys_as_options(*(option.name for option in options)):
            command(conditions=conditions, **given)

    own = [each for each in inspect.signature(command, eval_str=True).parameters.values() if each.name != "conditions"]
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *options)]
    # typer reads a command's parameters from its signature and its annotations
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # unknown to mypy, not to Python
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _condition_options() -> list[inspect.Parameter]:
    hints, legal, meanings = get_type_hints(Conditions), get_type_hints(TrainingConfig), attribute_docs(Conditions)
    options = []
    for item in fields(Conditions):
        choices = get_args(legal.get(item.name)) if get_origin(legal.get(item.name)) is Literal else ()
        option = typer.Option(
            None,
            parser=None if choices else above_zero,
            metavar="|".join(choices) or "N",
            help=f"What if: {meanings[item.name]}",
            autocompletion=words(*choices) if choices else None,
        )
        keyword = inspect.Parameter.KEYWORD_ONLY
        options.append(inspect.Parameter(item.name, keyword, default=option, annotation=hints[item.name]))
    return options
