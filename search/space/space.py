"""A search space, validated: what may vary, and how Optuna is asked for a candidate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from msarch.config import DEFAULT_RUNGS, ModelConfig, TrainingConfig
from msarch.config.candidate import Candidate, completed
from msarch.config.corpus import CorpusConfig
from msarch.errors import UserError, quoted, unknown
from search.space.schema.search import SearchSettings
from search.space.schema.space import SpaceSpec
from search.space.schema.yaml_reader import Document
from search.space.values.branches import Branch, Parameter
from search.space.values.constraints import Constraint
from search.space.values.ranges import Suggests


@dataclass(frozen=True, kw_only=True)
class Space:
    """What may be tried.

    Attributes:
        name: of the file, without its ending; of the folder, for the ``space.yaml`` that a search records.
        file: where it was read from, as errors show it.
        spec: the validated file, from which `search.space.writer` writes the space down again.
        corpus: the text and tokenizer; a varying vocabulary at its smallest.
        vocabulary: the size of the vocabulary, which may vary.
        branches: by variant.
        training: parameters of training, by key.
        validation_tokens: target tokens on which every candidate is judged; where the vocabulary varies, those of the
            smallest, and the others are judged on the same stretch of text (`search.run.vocabularies`).
        limits: largest figure allowed, by name of the limit: bytes, counts.
        objectives: names out of OBJECTIVES.
        search: sampler, pruner, trials, seed and so on.
        constraints: comparisons that every feasible candidate meets.
        points: known designs that are tried first, as written.
        overrides: those that `load_space` applied to the file.
        defaults: fields of ModelConfig that the search had at other values when it began, and the file leaves open.
        text_names: the corpus's files or splits, as the search recorded them when it began; none in a new search.
        document: the file as it was written, which knows the line of each key; None where no file was read.
    """

    name: str
    file: str
    spec: SpaceSpec
    corpus: CorpusConfig
    vocabulary: Parameter
    branches: dict[str, Branch]
    training: dict[str, Parameter]
    validation_tokens: int
    limits: dict[str, int]
    objectives: tuple[str, ...]
    search: SearchSettings
    constraints: tuple[Constraint, ...] = ()
    points: tuple[dict[str, Any], ...] = ()
    overrides: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    text_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    document: Document | None = field(default=None, compare=False, repr=False)

    @contextmanager
    def placing_errors(self) -> Iterator[None]:
        """An error that names a key of this space gets the file and line of that key, or the ``--set`` that wrote it.

        For what shows only when the space is used: a limit that nothing meets, a text that is not there.
        """
        try:
            yield
        except UserError as error:
            if self.document is None or error.file or not self.document.holds(error.key):
                raise
            raise self.document.place(error) from None

    def suggest(self, trial: Suggests) -> Candidate:
        """A candidate, drawn through Optuna's suggest API."""
        names = tuple(self.branches)
        name = trial.suggest_categorical("variant", names) if len(names) > 1 else names[0]
        vocab_size = self.vocabulary.suggest(trial)
        model = ModelConfig(vocab_size=vocab_size, **completed(self.branches[name].suggest(trial), self.defaults))
        training = {key: parameter.suggest(trial) for key, parameter in self.training.items()}
        training["batch_size"] = training["batch_size"] * self.largest_context // model.context
        training["validation_tokens"] = self.validation_tokens
        corpus = self.named_corpus
        if corpus.tokenizer.kind == "bpe":
            corpus = replace(corpus, tokenizer=replace(corpus.tokenizer, vocab_size=vocab_size))
        return Candidate(model=model, training=TrainingConfig(**training), corpus=corpus, seed=self.search.seed)

    @property
    def largest_context(self) -> int:
        """The context in which `batch_size` is counted."""
        contexts = [branch.parameters["context"].domain for branch in self.branches.values()]
        return max(int(context.largest) for context in contexts)

    @property
    def rungs(self) -> tuple[float, ...]:
        """Shares of the budget at which every candidate is judged."""
        rungs: tuple[float, ...] = self.training["rungs"].domain.smallest if "rungs" in self.training else DEFAULT_RUNGS
        return rungs

    @property
    def tokens_per_trial(self) -> int:
        """Training tokens of one whole trial; the most where they vary."""
        return (
            int(self.training["tokens"].domain.largest)
            if "tokens" in self.training
            else TrainingConfig(batch_size=1).tokens
        )

    @property
    def fewest_tokens_per_trial(self) -> int:
        """Training tokens of one whole trial; the fewest where they vary."""
        return int(self.training["tokens"].domain.smallest) if "tokens" in self.training else self.tokens_per_trial

    def parameters(self) -> list[Parameter]:
        """Every parameter once, varying or not, but for the layers."""
        model = {
            parameter.name: parameter for branch in self.branches.values() for parameter in branch.parameters.values()
        }
        return [*model.values(), *self.training.values(), self.vocabulary]

    def combinations(self) -> int | None:
        """How many candidates the space holds, or None where a parameter is continuous."""
        branches = [branch.combinations() for branch in self.branches.values()]
        shared = [parameter.domain.combinations for parameter in (*self.training.values(), self.vocabulary)]
        if any(count is None for count in (*branches, *shared)):
            return None
        return sum(filter(None, branches)) * math.prod(filter(None, shared))

    def constraint_violations(self, candidate: Candidate) -> dict[str, float]:
        """By how much `candidate` breaks each constraint, by its text; 0 or less where it does not."""
        return {constraint.text: constraint.violation(candidate) for constraint in self.constraints}

    def fixed_params(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Optuna's parameters that lead to a known design, to be enqueued. Raises UserError with the key in it."""
        given = dict(point)
        name = self._variant_of(given.pop("variant", None))
        params = {"variant": name} if len(self.branches) > 1 else {}
        if "tokenizer" in given:
            params |= self._accept_tokenizer(given.pop("tokenizer"))
        known = {*self.branches[name].parameters, *self.training, "layers"}
        for key in given:
            if key not in known:
                raise UserError(unknown("key", key, (*known, "variant", "tokenizer")), key=key)
        for key in [key for key in given if key in self.training]:
            params |= self.training[key].accept(given.pop(key))
        return {**params, **self.branches[name].accept(given)}

    def _variant_of(self, name: object) -> str:
        if name is None and len(self.branches) == 1:
            return next(iter(self.branches))
        if name is None:
            raise UserError(f"'variant' is missing; one of {', '.join(self.branches)}")
        if not isinstance(name, str) or name not in self.branches:
            raise UserError(
                unknown("variant", name if isinstance(name, str) else quoted(name), self.branches), key="variant"
            )
        return name

    def _accept_tokenizer(self, raw: object) -> dict[str, Any]:
        if self.corpus.tokenizer.kind != "bpe" or not isinstance(raw, dict) or list(raw) != ["bpe"]:
            raise UserError("must be {bpe: SIZE}, in a space whose tokenizer is a bpe", key="tokenizer")
        try:
            return self.vocabulary.accept(raw["bpe"])
        except UserError as error:
            raise error.under("tokenizer") from None

    @property
    def named_corpus(self) -> CorpusConfig:
        """The corpus as its search records it: with the names by which the text was first known."""
        names: dict[str, Any] = {**self.text_names}
        return replace(self.corpus, **names)

    def with_content(self, content: str) -> Space:
        """The same space, bound to the text whose hash is `content`."""
        spec = self.spec.model_copy(update={"corpus": self.spec.corpus.model_copy(update={"content": content})})
        return replace(self, spec=spec, corpus=replace(self.corpus, content=content))
