"""A candidate is written down and read again; what a record should not hold is told in one line."""

from __future__ import annotations

from typing import Any

import pytest

from msarch import Candidate, CorpusConfig, ModelConfig, TokenizerConfig, TrainingConfig, UserError

CANDIDATE = Candidate(
    model=ModelConfig(variant="vanilla", layers="2@1", d_model=32, n_heads=2, vocab_size=300, context=64),
    training=TrainingConfig(batch_size=2),
    corpus=CorpusConfig(train=("books/*.txt",), tokenizer=TokenizerConfig(vocab_size=300)),
    seed=3,
)


def changed(path: str, value: object) -> dict[str, Any]:
    record = CANDIDATE.to_dict()
    *above, last = path.split(".")
    mapping = record
    for part in above:
        mapping = mapping[part]
    mapping[last] = value
    return record


def test_what_is_written_is_read_again() -> None:
    assert Candidate.from_dict(CANDIDATE.to_dict()) == CANDIDATE


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sed", 1, "sed: unknown key 'sed', did you mean 'seed'?"),
        ("model.d_modle", 1, "model.d_modle: unknown key 'd_modle', did you mean 'd_model'?"),
        ("training.batch", 1, "training.batch: unknown key 'batch', did you mean 'batch_size'?"),
        ("corpus.tran", [], "corpus.tran: unknown key 'tran', did you mean 'train'?"),
        ("corpus.tokenizer.size", 1, "corpus.tokenizer.size: unknown key 'size'"),
        ("corpus.tokenizer", "bpe", "corpus.tokenizer: must be a mapping with file, kind, vocab_size, got 'bpe'"),
        ("corpus.tokenizer.vocab_size", "1k", "corpus.tokenizer.vocab_size: must be a whole number, got '1k'"),
        ("corpus", None, "corpus: must be a mapping with"),
        ("corpus.source", "python-docs", "corpus.train: has no effect on the embedded text"),
        ("training.betas", "0.9 0.98", "training.betas: must be a list of 2 numbers, got '0.9 0.98'"),
        ("training", {"tokens": 1000}, "training: batch_size missing"),
        ("model", {"d_model": 3}, "model: variant, layers, n_heads, vocab_size, context missing"),
        ("model.variant", 3, "model.variant: must be a string, got 3"),
    ],
)
def test_a_record_that_says_something_else_is_refused(path: str, value: object, message: str) -> None:
    with pytest.raises(UserError) as raised:
        Candidate.from_dict(changed(path, value))
    assert str(raised.value).startswith(message) and "\n" not in str(raised.value)
