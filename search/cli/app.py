"""The command line: its commands, their arguments, and how errors are reported.

Only what a command needs is imported by it: `--help`, validation and `pareto` never load torch or Ray. A mistake
of the user's is one line on standard error and exit status 2, without a traceback.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException

from msarch import __version__
from msarch.errors import UserError, shorten_words
from msarch.units import parse_bytes, parse_count, parse_seconds
from search.cli.options import (
    MemoryOption,
    ResultsArgument,
    SetOption,
    SkipOption,
    SpaceArgument,
    TrialOption,
    above_zero,
    complete_cost,
    complete_model,
    complete_pruner,
    complete_results,
    complete_sampler,
    complete_space,
    keys_as_options,
    parse_option,
    with_conditions,
    words,
)
from search.cli.text_warnings import text_warnings_to
from search.results.conditions import Conditions
from search.show.terminal.console import print_line

app = typer.Typer(
    name="msarch",
    help="Search multi-scale transformer language models: a Pareto front of perplexity against memory.",
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Search multi-scale transformer language models: a Pareto front of perplexity against memory."""
    if version:
        print_line(f"msarch {__version__}")
    elif context.invoked_subcommand is None:
        print_line(context.get_help())


@app.command()
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
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write event files for TensorBoard, into DIR/tensorboard.")
    ] = False,
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


@app.command()
@with_conditions
def pareto(
    results: ResultsArgument,
    conditions: Conditions,
    max_memory: MemoryOption = None,
    fmt: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="table|csv|json",
            help="How to print the front.",
            autocompletion=words("table", "csv", "json"),
        ),
    ] = "table",
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the report there.")] = None,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Also draw the front there.")] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Also draw the front there.")] = None,
    open_report: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    skip_damaged: SkipOption = False,
) -> None:
    """Show the Pareto front of a search; "what if" options profile its trials again, perplexity stays as trained."""
    from search.cli.results import show_front

    limit = parse_option("--max-memory", parse_bytes, max_memory)
    pictures = (png, svg)
    show_front(
        results,
        conditions,
        max_memory=limit,
        fmt=fmt,
        html=html,
        pictures=pictures,
        open_report=open_report,
        skip_damaged=skip_damaged,
    )


@app.command()
@with_conditions
def profile(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="CONFIG.yaml of one model, RESULTS or RESULTS:TRIAL.", autocompletion=complete_model
        ),
    ],
    conditions: Conditions,
    trial: Annotated[
        str | None,
        typer.Option(metavar="best|knee|N", help="Which trial of RESULTS.", autocompletion=words("best", "knee")),
    ] = None,
    fit: Annotated[str | None, typer.Option(metavar="SIZE", help="Largest batch and context that fit: 24GiB.")] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Set another model beside it.", autocompletion=complete_model),
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a page with the timeline.")] = None,
    fmt: Annotated[
        str,
        typer.Option(
            "--format", metavar="table|json", help="How to print the figures.", autocompletion=words("table", "json")
        ),
    ] = "table",
) -> None:
    """Explain the memory of one model: by kind, scale and layer, and what fits."""
    from search.cli.profile import show_profile

    limit = parse_option("--fit", parse_bytes, fit)
    show_profile(model, trial, conditions, fit=limit, against=against, html=html, fmt=fmt)


@app.command()
def report(
    results: ResultsArgument,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Where; RESULTS/report.html by default.")] = None,
    plotly: Annotated[
        str,
        typer.Option(
            metavar="inside|beside",
            help="Where Plotly's 4.8 MB stand: in the page, or in a file that pages share.",
            autocompletion=words("inside", "beside"),
        ),
    ] = "inside",
    skip_damaged: SkipOption = False,
) -> None:
    """Write the report of a search again: one page, readable without a network."""
    from search.cli.results import write_report

    write_report(results, html, plotly=plotly, skip_damaged=skip_damaged)


@app.command()
def reproduce(
    results: ResultsArgument,
    trial: TrialOption = "best",
    max_memory: MemoryOption = None,
    overrides: SetOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be trained, and stop.")] = False,
    skip_damaged: SkipOption = False,
) -> None:
    """Train a trial again and set its figures beside the recorded ones; exit status 1 where they disagree."""
    from search.cli.results import reproduce_trial

    limit = parse_option("--max-memory", parse_bytes, max_memory)
    status = reproduce_trial(results, trial, limit, overrides or [], dry_run=dry_run, skip_damaged=skip_damaged)
    raise typer.Exit(status)


@app.command()
def confirm(
    results: ResultsArgument,
    seeds: Annotated[int, typer.Option(parser=above_zero, metavar="N", help="Further seeds of each model.")] = 5,
    overrides: SetOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show how much would be trained, and stop.")] = False,
    fmt: Annotated[
        str,
        typer.Option(
            "--format", metavar="table|json", help="How to print the figures.", autocompletion=words("table", "json")
        ),
    ] = "table",
) -> None:
    """Train the front, and the vanilla models beside it, with further seeds: is it sure? Run it again to resume."""
    from search.cli.confirm import confirm_front

    confirm_front(results, seeds, overrides or [], fmt=fmt, dry_run=dry_run)


@app.command()
def train(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="CONFIG.yaml of one model, RESULTS or RESULTS:TRIAL, or the folder of an earlier training.",
            autocompletion=complete_model,
        ),
    ],
    trial: Annotated[
        str | None,
        typer.Option(metavar="best|knee|N", help="Which trial of RESULTS.", autocompletion=words("best", "knee")),
    ] = None,
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
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write event files for TensorBoard, into DIR/tensorboard.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be trained, and stop.")] = False,
) -> None:
    """Train one model, such as a trial on more tokens; run the same command again to resume."""
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


@app.command()
def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="RESULTS or RESULTS:TRIAL, or the folder of msarch train.",
            autocompletion=complete_results,
        ),
    ],
    to: Annotated[Path, typer.Option(metavar="DIR", help="The new folder.")],
    trial: Annotated[
        str | None,
        typer.Option(metavar="best|knee|N", help="Which trial of RESULTS.", autocompletion=words("best", "knee")),
    ] = None,
    code: Annotated[
        bool, typer.Option("--code/--no-code", help="With the model's code, for machines without msarch.")
    ] = True,
) -> None:
    """Write a model for other programs: safetensors, tokenizer, a card, and what transformers needs to load it."""
    from search.cli.export import export as export_one

    export_one(model, trial, to, code=code)


@app.command()
def generate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="RESULTS or RESULTS:TRIAL, or the folder of msarch train.",
            autocompletion=complete_results,
        ),
    ],
    prompt: Annotated[
        str, typer.Option(metavar="TEXT", help="What the text begins with; - reads it from standard input.")
    ] = "",
    trial: Annotated[
        str | None,
        typer.Option(metavar="best|knee|N", help="Which trial of RESULTS.", autocompletion=words("best", "knee")),
    ] = None,
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


@app.command()
def compare(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULTS...",
            help="Two or more results folders.",
            autocompletion=complete_results,
            show_default=False,
        ),
    ],
    by: Annotated[
        str,
        typer.Option(
            metavar="perplexity|bits_per_byte",
            help="The quality; what the first search minimised without it.",
            autocompletion=words("perplexity", "bits_per_byte"),
        ),
    ] = "",
    cost: Annotated[
        str, typer.Option(metavar="COST", help="What a model costs.", autocompletion=complete_cost)
    ] = "memory",
    fmt: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="table|csv|json",
            help="How to print who leads where.",
            autocompletion=words("table", "csv", "json"),
        ),
    ] = "table",
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a page with the fronts.")] = None,
    skip_damaged: SkipOption = False,
) -> None:
    """Set searches side by side: their fronts, their hypervolumes, and which is better at which memory."""
    from search.cli.compare import show_comparison

    show_comparison(results, by=by, cost=cost, fmt=fmt, html=html, skip_damaged=skip_damaged)


@app.command()
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
    fmt: Annotated[
        str,
        typer.Option(
            "--format", metavar="table|json", help="How to print the figures.", autocompletion=words("table", "json")
        ),
    ] = "table",
) -> None:
    """Try a search strategy on models that are already trained: how much of the front it finds, how soon."""
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


@app.command()
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
        Path | None, typer.Option(metavar="CONFIG", help="Draw one model: a trial's config.yaml, or a model in YAML.")
    ] = None,
) -> None:
    """List the spaces that ship, or describe one: parameters, size, an example, what its limits admit."""
    from search.cli.spaces import draw_model, list_spaces, show_space

    if draw is not None:
        if space is not None or overrides:
            raise UserError("draws one model, of its own file; leave out SPACE and --set", key="--draw")
        draw_model(draw)
    elif space is None:
        if overrides:
            raise UserError("changes one space; name it, or leave out --set", key="--set")
        list_spaces()
    else:
        show_space(space, overrides or [], sample)


def main() -> None:
    """The entry point. Exit status 0, 1 (a reproduction that disagrees), 2 (a mistake) or 130 (Ctrl-C)."""
    try:
        with text_warnings_to(partial(print_line, error=True)):
            status = app(prog_name="msarch", standalone_mode=False)
    except UserError as error:
        sys.exit(_report_error(str(error)))
    except TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        known = sys.argv[1:2] if sys.argv[1:2] and sys.argv[1] in _commands() else []
        sys.exit(_report_error(f"{message.rstrip('.?')}; see {' '.join(['msarch', *known, '--help'])}"))
    except (KeyboardInterrupt, Abort):
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has closed it, as `head` does
        sys.exit(0)
    except OSError as error:
        if error.filename is None:
            raise
        sys.exit(_report_error(f"{shorten_words(os.fsdecode(error.filename))}: {error.strerror or error}"))
    sys.exit(status or 0)


def _commands() -> set[str]:
    return {command.callback.__name__ for command in app.registered_commands if command.callback}


def _report_error(text: str) -> int:
    print_line(f"error: {' '.join(text.split())}", error=True)
    return 2


if __name__ == "__main__":
    main()
