"""Whether the quality of several searches compares: perplexity needs one validation text and one tokenizer.

Bits per byte need neither: they count the bytes of the text, whatever the tokens are. On different texts they still
depend on how hard each text is, which is then noted. As many tokens of another vocabulary are another text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import eq
from typing import Any

from msarch.errors import UserError
from msarch.units import format_count
from search.ledger.records import TrialRecord
from search.results.results import Results

_ALIKE, _FEW = 0.01, 64.0
"""Stretches of text are the same where their bytes differ by no more than this share, or by these few: whole tokens of
two vocabularies seldom end at the same byte, and some tokenizers do not tell the bytes of each token."""


def check_comparable(searches: Mapping[str, Results], quality: str) -> tuple[str, ...]:
    """Notes on what differs between searches all the same, a line each.

    Raises:
        UserError: these searches do not compare by perplexity.
    """
    clashes = list(text_clashes(searches))
    if clashes and quality == "perplexity":
        raise UserError(f"{clashes[0]}, so their perplexities do not compare; use --by bits_per_byte")
    return (*(f"{each}; a difference in bits per byte may come from that" for each in clashes), *_budgets(searches))


def text_clashes(searches: Mapping[str, Results]) -> Iterator[str]:
    """What keeps the perplexities of these searches apart, a clause each; nothing where they compare."""
    for identity, same, what in (
        (_corpus, eq, "corpora"),
        (_tokenizer, eq, "tokenizers"),
        (_stretch, _same_stretch, "validation texts"),
    ):
        found = {
            name: [identity(results, record) for record in results.records if record.state == "complete"]
            for name, results in searches.items()
        }
        if clash := _clash(found, same, what):
            yield clash


def _clash(found: Mapping[str, Sequence[Any]], same: Callable[[Any, Any], bool], what: str) -> str:
    several = next((name for name, each in found.items() if not all(same(each[0], one) for one in each)), None)
    if several is not None:
        return f"the trials of {several} have different {what}"
    known = [(name, each[0]) for name, each in found.items() if each]
    other = next((name for name, first in known if not same(known[0][1], first)), None)
    return "" if other is None else f"{known[0][0]} and {other} have different {what}"


def _corpus(results: Results, record: TrialRecord) -> Hashable:
    corpus = record.candidate.corpus
    described = (corpus.source, corpus.name, corpus.config, corpus.train, corpus.validation, corpus.test, corpus.column)
    return corpus.content or results.environment.get("corpus") or described


def _tokenizer(results: Results, record: TrialRecord) -> Hashable:
    tokenizer = record.candidate.corpus.tokenizer
    # two files may share a name; the hash of the tokenizer is recorded beside the search
    return tokenizer if tokenizer.kind != "file" else results.environment.get("tokenizer") or tokenizer


@dataclass(frozen=True, slots=True)
class _Stretch:
    """How much of the validation split is read, always from its beginning: tokens of a tokenizer, and bytes."""

    tokenizer: Hashable
    targets: int
    length: float


def _stretch(results: Results, record: TrialRecord) -> _Stretch:
    targets, loss, bits = record.candidate.training.targets(), record.loss, record.bits_per_byte
    assert loss is not None and bits is not None
    # All that was lost, in bits, divided by the bits for each byte.
    length = targets * loss / math.log(2) / bits if bits else math.inf
    return _Stretch(_tokenizer(results, record), targets, length)


def _same_stretch(one: _Stretch, other: _Stretch) -> bool:
    if one.tokenizer == other.tokenizer:
        return one.targets == other.targets
    return math.isclose(one.length, other.length, rel_tol=_ALIKE, abs_tol=_FEW)


def _budgets(searches: Mapping[str, Results]) -> Iterator[str]:
    """A line on the training tokens of a trial, where the searches differ in them."""
    found = {}
    for name, results in searches.items():
        tokens = [record.candidate.training.tokens for record in results.records if record.state == "complete"]
        if tokens:
            found[name] = " to ".join(map(format_count, sorted({min(tokens), max(tokens)})))
    if len(set(found.values())) > 1:
        listed = ", ".join(f"{tokens} in {name}" for name, tokens in found.items())
        yield f"models are trained on different numbers of tokens: {listed}"
