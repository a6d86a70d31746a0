"""What depends on a candidate's vocabulary, known once the text is encoded: its size, and how far it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig
from search.space.space import Space

if TYPE_CHECKING:
    from msarch.data.token_set import TokenSet

Prepare = Callable[[CorpusConfig], "TokenSet"]
"""Gives the tokens of a corpus: `search.run.text.token_preparer` makes one."""


class Vocabularies:
    """Gives the candidates of a search the size of their vocabulary and their target tokens of validation.

    Args:
        space: bound to its text's content.
        prepare: gives the tokens of a corpus; called once for each tokenizer.
        one_stretch: whether all vocabularies are judged on the same stretch of text, and not on as many tokens.
    """

    def __init__(self, space: Space, prepare: Prepare, *, one_stretch: bool) -> None:
        self._space, self._prepare, self._one_stretch = space, prepare, one_stretch
        self._known: dict[CorpusConfig, tuple[int, int]] = {}

    def bind(self, candidate: Candidate) -> Candidate:
        """The candidate with what its vocabulary decides."""
        if candidate.corpus not in self._known:
            self._known[candidate.corpus] = self._of(candidate.corpus)
        vocab_size, targets = self._known[candidate.corpus]
        return replace(
            candidate,
            model=replace(candidate.model, vocab_size=vocab_size),
            training=replace(candidate.training, validation_tokens=targets),
        )

    def _of(self, corpus: CorpusConfig) -> tuple[int, int]:
        """Size and target tokens of a corpus's vocabulary."""
        tokens, targets = self._prepare(corpus), self._space.validation_tokens
        if self._one_stretch:
            from msarch.data.stretch import matching_targets

            targets = matching_targets(tokens, self._prepare(self._space.corpus), targets)
        return tokens.vocab_size, targets
