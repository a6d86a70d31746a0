"""What is trained, and from where: the beginning, or a checkpoint from before the decay of a finished training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig, TokenizerConfig
from msarch.errors import UserError
from msarch.paths import is_file, is_folder
from msarch.training.file_names import BEFORE_DECAY
from msarch.training.schedule import with_budget
from search.ledger.folder import CONFIG, trial_folder
from search.results.named_candidate import NamedCandidate, find_candidate
from search.results.reproduce import with_corpus
from search.space.config_file import read_config, with_overrides
from search.train.record import TOKENIZER, is_model_folder

BYTES = 256
"""A vocabulary of this size is taken to be the bytes, in a file that names no corpus."""

FEW = 4
"""Validation tokens are few where there are at most so many times fewer than a budget has by default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """A finished training.

    Attributes:
        name: as people call it.
        candidate: what was trained.
        folder: where its checkpoint from before the decay is, if it was kept.
    """

    name: str
    candidate: Candidate
    folder: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """What is to be trained.

    Attributes:
        name: for the folder's name and for messages.
        candidate: what is trained from the beginning.
        corpus: where its text is now.
        continued: what is trained on from `origin`; the same candidate with as many steps of warm-up as the origin had.
            None where the origin cannot be trained on to it.
        origin: a finished training of the same model; None for a model's file.
        obstacle: why it begins at the beginning though there is an origin.
        notes: how far the results that it is from can be relied on.
    """

    name: str
    candidate: Candidate
    corpus: CorpusConfig
    continued: Candidate | None = None
    origin: Origin | None = None
    obstacle: str = ""
    notes: tuple[str, ...] = ()

    def naming(self, corpus: CorpusConfig) -> Start:
        """The same start, of candidates that name this corpus."""
        continued = self.continued and replace(self.continued, corpus=corpus)
        return replace(self, candidate=replace(self.candidate, corpus=corpus), continued=continued)

    @property
    def validation_note(self) -> str:
        """What to know where a long training keeps the few validation tokens of a short one; else empty."""
        if self.origin is None:
            return ""
        training, before = self.candidate.training, self.origin.candidate.training
        usual = replace(training, validation_tokens=0).targets()
        if training.validation_tokens != before.validation_tokens or FEW * training.targets() > usual:
            return ""
        return (
            f"each validation takes {training.targets():,} tokens, as in {self.origin.name}; "
            f"--set training.validation_tokens=0 takes 0.8 % of the budget, {usual:,}"
        )


def check_origin(start: Start) -> None:
    """Raises UserError where what is to be continued is damaged."""
    from safetensors import SafetensorError, safe_open

    if start.continued is None or start.origin is None or start.obstacle:
        return
    path = start.origin.folder / BEFORE_DECAY
    try:
        with safe_open(path, framework="np"):
            pass  # a header that does not fit the file's length is an error by now
    except (SafetensorError, ValueError):
        raise UserError(f"is damaged; {REMOVE_IT}", file=str(path)) from None


REMOVE_IT = "to train from the beginning, remove it"


def find_start(source: str, trial: str | None, overrides: Sequence[str]) -> Start:
    """What CONFIG.yaml, RESULTS with a trial, or the folder of an earlier training says, after overrides.

    Raises UserError.
    """
    path = Path(source)
    if is_folder(path) and is_model_folder(path):
        if trial is not None:
            raise UserError(f"{path} is one model, not a results folder; leave out --trial", key="--trial")
        origin = Origin(name=str(path), candidate=read_config(path / CONFIG), folder=path)
        return _from_origin(path.resolve().name, origin, path / TOKENIZER, overrides)
    named = find_candidate(source, trial, overrides)
    if named.record is None or named.results is None:
        candidate = with_fitting_tokenizer(named.candidate)
        return Start(name=_name_of_file(path), candidate=candidate, corpus=candidate.corpus)
    return _from_trial(named, named.results, overrides)


def _from_trial(named: NamedCandidate, results: Path, overrides: Sequence[str]) -> Start:
    assert named.record is not None
    number = named.record.number if named.record.twin is None else named.record.twin
    origin = Origin(name=named.name, candidate=named.candidate, folder=trial_folder(results, number))
    name = f"{results.resolve().name}-{named.record.number:04d}"
    return replace(_from_origin(name, origin, results / TOKENIZER, overrides), notes=named.notes)


def _from_origin(name: str, origin: Origin, tokenizer: Path, overrides: Sequence[str]) -> Start:
    moved = [override for override in overrides if override.startswith("corpus.")]
    settings = [override for override in overrides if override not in moved]
    recorded = origin.candidate
    corpus = with_corpus(recorded, moved).corpus
    if corpus.tokenizer.kind == "file" and is_file(tokenizer):
        # The original file may be gone; the record keeps a copy.
        corpus = replace(corpus, tokenizer=replace(corpus.tokenizer, file=str(tokenizer.resolve())))
    candidate = with_overrides(recorded, settings) if settings else recorded
    obstacle = _obstacle(origin, candidate)
    continued = None if obstacle else _continued(recorded, candidate)
    if continued is not None and not (origin.folder / BEFORE_DECAY).is_file():
        obstacle = f"{origin.name} kept no checkpoint from before its decay (see msarch search --keep)"
    return Start(name=name, candidate=candidate, corpus=corpus, continued=continued, origin=origin, obstacle=obstacle)


def _continued(recorded: Candidate, wanted: Candidate) -> Candidate:
    training = with_budget(recorded.training, recorded.model.context, wanted.training)
    return replace(wanted, training=training)


def _obstacle(origin: Origin, wanted: Candidate) -> str:
    """Why a training cannot go on from what was recorded, whether or not its checkpoint is there."""
    recorded = origin.candidate
    if recorded.training.schedule != "wsd":
        return f"{origin.name} was trained with the schedule {recorded.training.schedule}; only wsd can be continued"
    budget = {name: getattr(wanted.training, name) for name in ("tokens", "rungs", "validation_tokens")}
    if replace(recorded, training=replace(recorded.training, **budget)) != wanted:
        return "more than the budget was changed"
    if wanted.training.tokens < recorded.training.tokens:
        return f"{origin.name} was trained on more tokens"
    return ""


def with_fitting_tokenizer(candidate: Candidate) -> Candidate:
    """A model in a file that names no tokenizer gets one that has as many tokens as its vocabulary."""
    size = candidate.model.vocab_size
    if candidate.corpus.tokenizer != TokenizerConfig() or size == TokenizerConfig().vocab_size:
        return candidate
    try:
        tokenizer = TokenizerConfig(kind="bytes" if size == BYTES else "bpe", vocab_size=size)
    except UserError as error:
        raise error.under("model") from None
    return replace(candidate, corpus=replace(candidate.corpus, tokenizer=tokenizer))


def _name_of_file(path: Path) -> str:
    if is_folder(path):
        return path.resolve().name
    return path.resolve().parent.name if path.name == CONFIG else path.stem
