"""Trains a trial again from its recorded configuration, and compares recorded and reproduced figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig
from msarch.errors import UserError, quoted, unknown
from msarch.perplexity import perplexity
from msarch.units import format_bytes
from search.ledger.records import TrialRecord

if TYPE_CHECKING:
    from msarch.data.token_set import TokenSet
    from msarch.training.trainer import Trainer

TOLERANCE = 0.01
"""Relative difference of a loss that other hardware or other versions may explain."""


@dataclass(frozen=True)
class Figure:
    """One figure, as recorded and as reproduced; `shown` formats both."""

    name: str
    recorded: float
    reproduced: float
    shown: Callable[[float], str]

    @property
    def identical(self) -> bool:
        """Equal to the last bit."""
        return self.recorded == self.reproduced

    @property
    def difference(self) -> float:
        """Relative to what was recorded."""
        return abs(self.reproduced - self.recorded) / max(abs(self.recorded), 1e-12)


@dataclass(frozen=True)
class Reproduction:
    """What came of training a trial again.

    Attributes:
        figures: memory, then the loss at each rung, then the final figures.
        weights_identical: None where the trial kept no weights.
        test: loss in nats and bits per byte on the test split, None where the corpus has none.
    """

    figures: list[Figure]
    weights_identical: bool | None
    test: tuple[float, float] | None

    @property
    def identical(self) -> bool:
        """Every figure, and the weights where they were kept."""
        return all(figure.identical for figure in self.figures) and self.weights_identical is not False

    @property
    def within_tolerance(self) -> bool:
        """No figure differs by more than TOLERANCE."""
        return all(figure.difference <= TOLERANCE for figure in self.figures)


def with_corpus(candidate: Candidate, overrides: Sequence[str]) -> Candidate:
    """The candidate with its corpus elsewhere: ``corpus.train=...`` and so on, as ``search --set`` reads them.

    Raises UserError on another key, and where the text is not the recorded one: it is read and checked, since
    cached tokens alone would not reveal a different text.
    """
    if not overrides:
        return candidate
    from msarch.data.corpus import read_corpus

    changes: dict[str, Any] = dict(map(_parse_override, overrides))
    try:
        corpus = replace(candidate.corpus, **changes)
    except UserError as error:
        raise error.under("corpus") from None
    read_corpus(corpus)
    return replace(candidate, corpus=corpus)


def _parse_override(override: str) -> tuple[str, tuple[str, ...]]:
    """A split and its patterns, none where the value is empty."""
    from search.space.schema.corpus import parse_patterns
    from search.space.schema.yaml_reader import read_yaml

    key, separator, value = override.partition("=")
    if not separator:
        raise UserError(f"must be KEY=PATTERN, such as corpus.train=books/*.txt, got {quoted(override)}", key="--set")
    if key not in _MOVABLE:
        raise UserError(unknown("key", key, _MOVABLE) + ", each as KEY=PATTERN", key="--set")
    try:
        return _MOVABLE[key], parse_patterns(read_yaml(value, "").data) if value.strip() else ()
    except UserError as error:
        raise UserError(error.message, key=f"--set {key}") from None


_MOVABLE = {f"corpus.{split}": split for split in ("train", "validation", "test")}


def open_corpus(corpus: CorpusConfig) -> TokenSet:
    """The tokens that the trial was trained on. Raises UserError if they are not cached and the text cannot be read."""
    from msarch.data.token_set import prepare_tokens

    return prepare_tokens(corpus)


def train_again(
    candidate: Candidate, tokens: TokenSet, device: str, *, checkpoint: Path | None = None
) -> Iterator[Trainer]:
    """Train from the beginning; the trainer is handed out after every rung.

    With a folder for its `checkpoint` it saves there at every rung, and continues from what is there of this candidate.
    """
    from msarch.training.trainer import Trainer

    trainer = Trainer(candidate, tokens, device=device)
    if checkpoint is not None and trainer.restore(checkpoint) and trainer.finished:
        yield trainer
    while not trainer.finished:
        trainer.advance()
        if checkpoint is not None:
            trainer.save(checkpoint)
        yield trainer


def compare(record: TrialRecord, trainer: Trainer, weights: Path) -> Reproduction:
    """Set a finished training beside its record."""
    from msarch.memory.candidate_profile import CandidateProfile

    again = trainer.curve[-1]
    assert record.loss is not None and record.bits_per_byte is not None
    memory = CandidateProfile(record.candidate)["memory_bytes"]
    figures = [Figure("memory", record.profile["memory_bytes"], memory, format_bytes)]
    for point, validation in zip(record.curve, trainer.curve, strict=False):
        name = f"loss at {validation.tokens:,} tokens"
        figures.append(Figure(name, point.loss, validation.loss, lambda value: f"{value:.6f}"))
    perplexities = perplexity(record.loss), perplexity(again.loss)
    figures.append(Figure("perplexity", *perplexities, lambda value: f"{value:.4f}"))
    figures.append(Figure("bits per byte", record.bits_per_byte, again.bits_per_byte, lambda value: f"{value:.6f}"))
    return Reproduction(figures, _same_weights(trainer, weights), test_figures(trainer))


def _same_weights(trainer: Trainer, weights: Path) -> bool | None:
    if not weights.is_file():
        return None
    import torch

    from msarch.training.checkpoint import read_tensors

    recorded, _ = read_tensors(weights)
    state = trainer.model.state_dict()
    return recorded.keys() == state.keys() and all(torch.equal(recorded[name], state[name].cpu()) for name in state)


def test_figures(trainer: Trainer) -> tuple[float, float] | None:
    """Loss in nats and bits per byte on the whole test split; None where the corpus has none."""
    if trainer.tokens.test is None:
        return None
    found = trainer.evaluate("test", len(trainer.tokens.test))
    return found.loss, found.bits_per_byte


def differences(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two environments, one line each, the likely causes of other figures first."""
    flat, other = dict(_flat(recorded)), dict(_flat(now))
    irrelevant = {"later", "git_changed"}
    return [
        f"{key}: {flat[key]} when recorded, {other[key]} now"
        for key in flat
        if key in other and flat[key] != other[key] and key.split(".")[0] not in irrelevant
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
