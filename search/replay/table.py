"""A table of trained models: the complete trials of a results folder, each with its parameters and all its rungs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msarch.errors import UserError
from msarch.perplexity import perplexity
from search.ledger.folder import JOURNAL
from search.ledger.identity import IDENTITY
from search.ledger.reading import LedgerContents, read_ledger
from search.ledger.records import TrialRecord
from search.propose.false_prunes import false_prunes
from search.results.front import hypervolume
from search.results.results import results_path
from search.space.builder import build_space
from search.space.schema.space import validate
from search.space.space import Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

FEWEST = 3
"""Models without which there is nothing to choose between."""


@dataclass(frozen=True, eq=False)
class TableModel:
    """A trained model.

    Attributes:
        record: its figures: memory, loss and seconds at each rung.
        params: Optuna's parameters that lead to it: those that its space varies.
        distributions: what each of them was drawn from.
    """

    record: TrialRecord
    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]


@dataclass(frozen=True, eq=False)
class Table:
    """Trained models of one space.

    Attributes:
        space: that its search drew from.
        objectives: what its search minimised.
        models: in the order of their trials.
        notes: what should be known of it, a line each.
        folder: that it was read from.
    """

    space: Space
    objectives: tuple[str, ...]
    models: tuple[TableModel, ...]
    notes: tuple[str, ...] = ()
    folder: Path | None = None

    @cached_property
    def tokens(self) -> int:
        """Tokens of one whole training; the most where they vary."""
        return max(model.record.curve[-1].tokens for model in self.models)

    def volume(self, records: Iterable[TrialRecord]) -> float:
        """Hypervolume of trained models over (log memory, loss); the reference point is the table's largest of each.

        Where tokenizers differ, and so what a token is, bits per byte replace the loss.
        """
        return hypervolume(records, self._plane, reference=self._reference)

    @cached_property
    def whole_volume(self) -> float:
        """The hypervolume of all its models."""
        return self.volume(model.record for model in self.models)

    def front_among(self, numbers: Iterable[int]) -> int:
        """How many of these trials stand on the table's true front: none that costs no more ended as low."""
        stopped = set(numbers)
        records = (model.record for model in self.models)
        # each as a control, which a pruner would have stopped and which was trained to its end all the same
        ended = [_as_control(record, record.number in stopped) for record in records]
        return false_prunes(ended, self.objectives)[0]

    @cached_property
    def _plane(self) -> tuple[str, str]:
        sizes = {model.record.candidate.model.vocab_size for model in self.models}
        return ("perplexity" if len(sizes) == 1 else "bits_per_byte"), "memory"

    @cached_property
    def _reference(self) -> dict[str, float]:
        quality, cost = self._plane
        worst = max(
            perplexity(record.curve[-1].loss) if quality == "perplexity" else record.curve[-1].bits_per_byte
            for record in (model.record for model in self.models)
        )
        return {quality: worst, cost: max(model.record.profile["memory_bytes"] for model in self.models)}


def _as_control(record: TrialRecord, stopped: bool) -> TrialRecord:
    return replace(record, control_rung=0 if stopped else None)


def read_table(folder: str | Path) -> Table:
    """The table that a results folder holds.

    Raises:
        UserError: the folder holds no search, is damaged, or its trials make no table.
    """
    path = results_path(folder)
    contents = read_ledger(path)
    try:
        return replace(table_of(contents), folder=path)
    except UserError as error:
        raise error.at(str(path)) from None


def _recorded_space(contents: LedgerContents) -> Space:
    """The space of a search, as its journal has it; the tokenizer's file need not be there."""
    recorded = dict(contents.study_attributes.get(IDENTITY, {}))
    if not recorded:
        raise UserError("has no record of the space that was searched; restore its journal from a copy")
    plain = {key: value for key, value in recorded.items() if key not in ("search", "points")}
    corpus = dict(plain.get("corpus", {}))
    if isinstance(corpus.get("tokenizer"), dict) and "file" in corpus["tokenizer"]:
        corpus["tokenizer"] = "bytes"
    try:
        return build_space(validate({**plain, "corpus": corpus}), JOURNAL)
    except UserError as error:
        raise error.under("the recorded space") from None


def table_of(contents: LedgerContents) -> Table:
    """The table that a ledger holds. Raises UserError where its trials make none."""
    complete = [record for record in contents.records if record.state == "complete"]
    if len(complete) < FEWEST:
        raise UserError(
            f"holds {len(complete)} trials that were trained to their end, and a table needs at least {FEWEST}; "
            "search it with search.pruner=none, and with more trials"
        )
    space = _recorded_space(contents)
    models = tuple(_model(record, space, contents.params[record.number]) for record in complete)
    _check_distinct(models)
    table = Table(space, contents.objectives, models, (*contents.notes, *_left_out(contents.records)))
    if not table.whole_volume:
        raise UserError(
            "has no model that is better than the worst in both memory and loss, so that its hypervolume is 0; "
            "a table needs more models"
        )
    return table


def _model(record: TrialRecord, space: Space, params: Mapping[str, Any]) -> TableModel:
    import optuna

    rungs = record.candidate.training.rungs
    if len(record.curve) != len(rungs):
        raise UserError(
            f"trial {record.number} is complete with {len(record.curve)} of its {len(rungs)} rungs; "
            "a table needs all of them, so train it again in another folder"
        )
    if "memory_bytes" not in record.profile:
        raise UserError(f"trial {record.number} has no recorded memory; a table needs it of every model")
    drawn = optuna.trial.FixedTrial(dict(params))
    try:
        space.suggest(drawn)
    except ValueError as error:
        text = " ".join(str(error).split())
        raise UserError(f"trial {record.number} is not of the space that its search recorded: {text}") from None
    return TableModel(record, drawn.params, drawn.distributions)


def _check_distinct(models: Iterable[TableModel]) -> None:
    first: dict[tuple[Any, ...], int] = {}
    for model in models:
        number = first.setdefault(tuple(sorted(model.params.items())), model.record.number)
        if number != model.record.number:
            raise UserError(
                f"trials {number} and {model.record.number} have the same parameters; a table holds a model once"
            )


def _left_out(records: Iterable[TrialRecord]) -> Iterator[str]:
    """Notes on trials that began to train and are not in the table."""
    states = Counter(record.shown_state for record in records)
    parts = [f"{states[state]} {state}" for state in ("paused", "pruned", "failed", "running") if states[state]]
    if parts:
        yield f"the table holds complete trials alone; left out: {', '.join(parts)}"
    if states["paused"]:
        yield (
            "the strategy front chose what the table holds, which flatters strategies: train it with "
            "search.sampler=random and search.pruner=none"
        )
    elif states["pruned"]:
        yield "a pruner chose what the table holds, which flatters strategies: train it with search.pruner=none"
