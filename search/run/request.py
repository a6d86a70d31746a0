"""What a user asked for: a space, its results folder, numbers of trials; and the command to repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

from msarch.errors import UserError, quoted, shortened, unknown
from msarch.paths import is_file
from search.space.load import load_space
from search.space.schema.search import KEEPS, Keep
from search.space.space import Space


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchRequest:
    """One call of `run_search`, checked.

    Attributes:
        space: with all overrides applied.
        source: how to name the space on the command line: a file, or the name of one that ships.
        folder: of the results.
        trials: trained trials in all, where asked for; else the space's budget.
        tokens: training tokens in all, where asked for.
        concurrent: trials at a time; None for one a GPU, or one a core.
        time_budget: seconds from the first training step to the stop; None for no limit.
        ray_address: of a Ray cluster; None for this machine alone.
        keep: which finished trials keep the checkpoint from before their decay, where asked for.
        tensorboard: whether event files for TensorBoard are written.
        options: what was asked for beside the space, by option of the command line.
    """

    space: Space
    source: str
    folder: Path
    trials: int | None
    tokens: int | None
    concurrent: int | None
    time_budget: int | None
    ray_address: str | None
    keep: Keep | None
    tensorboard: bool
    options: tuple[tuple[str, str], ...]

    @classmethod
    def of(
        cls,
        space: Space | str | Path,
        out: Path | str | None = None,
        overrides: Sequence[str] = (),
        *,
        trials: int | None = None,
        tokens: int | None = None,
        concurrent: int | None = None,
        time_budget: int | None = None,
        ray_address: str | None = None,
        keep: Keep | None = None,
        tensorboard: bool = False,
    ) -> SearchRequest:
        """Load the space and check the numbers. Raises UserError."""
        numbers = {"trials": trials, "tokens": tokens, "concurrent": concurrent, "time_budget": time_budget}
        for name, value in numbers.items():
            check_number(name, value)
        check_one_budget(trials, tokens)
        loaded = load(space, overrides)
        with loaded.placing_errors():
            for name in numbers:
                check_number(name, getattr(loaded.search, name), key=f"search.{name}")
        check_pays(loaded, trials, tokens)
        asked = {**numbers, "ray_address": ray_address, "keep": keep}
        return cls(
            space=loaded,
            source=_source_of(loaded) if isinstance(space, Space) else str(space),
            folder=Path(out) if out is not None else Path("results") / loaded.name,
            trials=trials,
            tokens=tokens,
            concurrent=concurrent or loaded.search.concurrent,
            time_budget=time_budget or loaded.search.time_budget,
            ray_address=ray_address,
            keep=check_keep(keep),
            tensorboard=tensorboard,
            options=tuple((_option(name), str(value)) for name, value in asked.items() if value is not None),
        )

    def command(self) -> str:
        """What a user types to continue the search."""
        words = ["msarch", "search", self.source, "--out", str(self.folder)]
        for name, value in (*self.options, *(("--set", override) for override in self.space.overrides)):
            words += [name, value]
        words += ["--tensorboard"] if self.tensorboard else []
        return shlex.join(words)


def check_number(name: str, value: object, *, key: str = "") -> None:
    """Raises UserError unless `value` is None, for the default, or a number of trials or seconds above 0."""
    if value is None:
        return
    seconds = name == "time_budget"
    kind, expected = (Real, "a number of seconds") if seconds else (Integral, f"a whole number of {_COUNTED[name]}")
    number = value if isinstance(value, int) and not isinstance(value, bool) else _as_float(value, kind)
    if not number > 0:
        said = shortened(repr(value))
        raise UserError(f"must be {expected} above 0, got {said}; leave it out for the default", key=key or name)
    if number > LARGEST:
        raise UserError(f"must be at most {LARGEST:,}, got {quoted(value)}", key=key or name)


def _as_float(value: object, kind: type) -> float:
    """A number of another type than int; 0 for what is none, or is not of its `kind`."""
    number = isinstance(value, Real) and isinstance(value, kind) and not isinstance(value, bool)
    return float(value) if number else 0.0  # type: ignore[arg-type]  # mypy does not follow `number`


def check_keep(keep: str | None) -> Keep | None:
    """Raises UserError unless `keep` is None, for the default, or a legal word."""
    if keep is None:
        return None
    try:
        return next(legal for legal in KEEPS if legal == keep)
    except StopIteration:
        raise UserError(unknown("choice", keep, KEEPS), key="keep") from None


LARGEST = 10**15
"""Tokens, more than any text has; for trials and seconds it is beyond all doubt."""
_COUNTED = {"trials": "trials", "tokens": "tokens", "concurrent": "trials at a time"}


def check_pays(space: Space, trials: int | None, tokens: int | None) -> None:
    """Raises UserError where the tokens of the whole search do not pay for a single training.

    Where trainings differ in length, the strategy "front" starts those that its budget pays for, and "prune", which
    takes what its sampler proposes, only where it pays for the longest.
    """
    key = "tokens" if tokens is not None else "search.tokens"
    budget = tokens if tokens is not None or trials is not None else space.search.tokens
    fewest = space.fewest_tokens_per_trial if space.search.strategy == "front" else space.tokens_per_trial
    if budget is not None and budget < fewest:
        remedy = "give at least as many, or lower training.tokens"
        with space.placing_errors():
            raise UserError(f"{budget:,} tokens pay for no training: one takes {fewest:,}; {remedy}", key=key)


def check_one_budget(trials: int | None, tokens: int | None) -> None:
    """Raises UserError where a search is given both a number of trials and a number of tokens."""
    if trials is not None and tokens is not None:
        raise UserError("takes the place of trials: give one of the two", key="tokens")


def load(space: Space | str | Path, overrides: Sequence[str]) -> Space:
    """The space, loaded where only its file or name is given. Raises UserError."""
    if not isinstance(space, Space):
        return load_space(space, overrides)
    if overrides:
        raise UserError(
            f"{space.file} is already loaded; pass them to load_space instead",
            key="overrides",
        )
    return space


def _source_of(space: Space) -> str:
    return space.file if is_file(space.file) else space.name


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
