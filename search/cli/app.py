"""The command line: its commands, and how errors are reported.

Only what a command needs is imported by it: `--help`, validation and `pareto` never load torch or Ray. A mistake
of the user's is one line on standard error and exit status 2, without a traceback.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException

from msarch import __version__
from msarch.errors import UserError, shorten_words
from search.cli.model_commands import export, generate, profile, train
from search.cli.results_commands import compare, confirm, pareto, report, reproduce
from search.cli.search_commands import replay, search, spaces
from search.cli.text_warnings import text_warnings_to
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


COMMANDS = (
    search,
    pareto,
    profile,
    report,
    reproduce,
    confirm,
    train,
    export,
    generate,
    compare,
    replay,
    spaces,
)
"""In the order in which the help lists them."""

for _command in COMMANDS:
    app.command()(_command)


def main() -> None:
    """The entry point. Exit status 0, 1 (a reproduction that disagrees), 2 (a mistake) or 130 (Ctrl-C)."""
    try:
        with text_warnings_to(partial(print_line, error=True)):
            status = app(prog_name="msarch", standalone_mode=False)
        sys.stdout.flush()
    except UserError as error:
        sys.exit(_report_error(str(error)))
    except TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        known = sys.argv[1:2] if sys.argv[1:2] and sys.argv[1] in {each.__name__ for each in COMMANDS} else []
        sys.exit(_report_error(f"{message.rstrip('.?')}; see {' '.join(['msarch', *known, '--help'])}"))
    except (KeyboardInterrupt, Abort):
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has closed it, as `head` does
        sys.exit(0)
    except OSError as error:
        _drop_lost_output()
        sys.exit(_report_error(_describe(error)))
    sys.exit(status or 0)


def _describe(error: OSError) -> str:
    """What could not be read or written, where the error names it, and why."""
    where = "reading or writing failed" if error.filename is None else shorten_words(os.fsdecode(error.filename))
    return f"{where}: {error.strerror or ': '.join(filter(None, (type(error).__name__, str(error))))}"


def _drop_lost_output() -> None:
    """Where standard output takes nothing more, as on a full disk, Python must not fail to flush it at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _report_error(text: str) -> int:
    print_line(f"error: {' '.join(text.split())}", error=True)
    return 2


if __name__ == "__main__":
    main()
