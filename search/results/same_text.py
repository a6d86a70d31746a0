"""Whether the quality of several searches compares: perplexity needs one validation text and one tokenizer.

Bits per byte need neither: they count the bytes of the text, whatever the tokens are. On different texts they still
depend on how hard each text is, which is then noted.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

from msarch.errors import UserError
from msarch.units import format_count
from search.ledger.records import TrialRecord
from search.results.results import Results


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
    for identity, what in ((_corpus, "corpora"), (_tokenizer, "tokenizers"), (_validated, "validation texts")):
        found = {
            name: {identity(results, record) for record in results.records if record.state == "complete"}
            for name, results in searches.items()
        }
        if clash := _clash(found, what):
            yield clash


def _clash(found: Mapping[str, set[Hashable]], what: str) -> str:
    several = next((name for name, each in found.items() if len(each) > 1), None)
    if several is not None:
        return f"the trials of {several} have different {what}"
    known = [(name, each) for name, each in found.items() if each]
    other = next((name for name, each in known if each != known[0][1]), None)
    return "" if other is None else f"{known[0][0]} and {other} have different {what}"


def _corpus(results: Results, record: TrialRecord) -> Hashable:
    corpus = record.candidate.corpus
    described = (corpus.source, corpus.name, corpus.config, corpus.train, corpus.validation, corpus.test, corpus.column)
    return corpus.content or results.environment.get("corpus") or described


def _tokenizer(results: Results, record: TrialRecord) -> Hashable:
    tokenizer = record.candidate.corpus.tokenizer
    # two files may share a name; the hash of the tokenizer is recorded beside the search
    return tokenizer if tokenizer.kind != "file" else results.environment.get("tokenizer") or tokenizer


def _validated(results: Results, record: TrialRecord) -> Hashable:
    """How much of the validation split is read: always its beginning."""
    return record.candidate.training.targets()


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
