"""One model in a file: the forms that are read, and what is said of a mistake."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from msarch import Candidate, CorpusConfig, ModelConfig, TrainingConfig, UserError
from msarch.config.corpus import TokenizerConfig
from search.space.config_file import read_config, with_overrides

BARE = "{variant: top_down, layers: 4@4 2@1, d_model: 96, n_heads: 3, vocab_size: 2k, context: 256}"
MODEL = ModelConfig(variant="top_down", layers="4@4 2@1", d_model=96, n_heads=3, vocab_size=2000, context=256)


def read(folder: Path, text: str) -> Candidate:
    (folder / "c.yaml").write_text(text)
    return read_config(folder / "c.yaml")


def test_a_recorded_candidate_is_read_as_it_was(tmp_path: Path) -> None:
    model = ModelConfig(
        variant="retina",
        layers="2@1",
        d_model=32,
        n_heads=2,
        vocab_size=99,
        context=64,
        dropout=0.1,
        retina_factors=(1, 4),
        retina_windows=(8,),
    )
    training = TrainingConfig(batch_size=3, learning_rate=1e-3, rungs=(0.5, 1.0), dtype="bfloat16")
    for each in (model, MODEL):
        candidate = Candidate(model=each, training=training, corpus=CorpusConfig(), seed=7)
        assert read(tmp_path, yaml.safe_dump(candidate.to_dict())) == candidate


def test_a_model_alone_gets_the_usual_training(tmp_path: Path) -> None:
    expected = Candidate(model=MODEL, training=TrainingConfig(batch_size=8))
    assert read(tmp_path, BARE) == read(tmp_path, f"model: {BARE}") == expected


def test_a_model_that_somebody_writes_has_todays_defaults_and_a_record_those_of_its_time(tmp_path: Path) -> None:
    rotary = BARE.replace("context", "positions: rotary, context")
    default = ModelConfig.__dataclass_fields__["rotary_pairs"].default
    assert read(tmp_path, rotary).model.rotary_pairs == default == "adjacent"
    assert read(tmp_path, f"model: {rotary}\nseed: 0").model.rotary_pairs == "halves"


def test_training_may_leave_the_batch_size_out(tmp_path: Path) -> None:
    training = read(tmp_path, f"model: {BARE}\ntraining: {{attention: unfused, tokens: 2M}}").training
    assert training == TrainingConfig(batch_size=8, attention="unfused", tokens=2_000_000)


def test_a_corpus_is_read_as_in_a_space_and_as_in_a_record(tmp_path: Path) -> None:
    written = read(tmp_path, f"model: {BARE}\ncorpus: {{train: a/*.txt, tokenizer: {{bpe: 2k}}}}").corpus
    assert written == CorpusConfig(train=("a/*.txt",), tokenizer=TokenizerConfig(vocab_size=2000))
    recorded = Candidate(model=MODEL, training=TrainingConfig(batch_size=8), corpus=written)
    assert read(tmp_path, yaml.safe_dump(recorded.to_dict())) == recorded
    assert read(tmp_path, f"model: {BARE}\ncorpus: {{tokenizer: bytes}}").corpus.tokenizer.kind == "bytes"


def test_overrides_change_any_form(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    for text in (BARE, f"model: {BARE}\ntraining: {{tokens: 1M}}"):
        path.write_text(text)
        found = read_config(path, ["training.tokens=3M", "model.dropout=0.1", "corpus.train=a.txt"])
        assert (found.training.tokens, found.model.dropout, found.corpus.train) == (3_000_000, 0.1, ("a.txt",))
        with pytest.raises(UserError, match=r"^--set model.context: .-1. is not a count"):
            read_config(path, ["model.context=-1"])
        with pytest.raises(UserError, match=r"^--set training.token: unknown key 'token', did you mean 'tokens'\?"):
            read_config(path, ["training.token=1M"])
    recorded = read_config(path, ["training.betas=[0.8, 0.9]"])
    assert with_overrides(recorded, ["training.tokens=5k"]).training == replace(recorded.training, tokens=5000)
    with pytest.raises(UserError, match=r"^--set training.clip: must be a number"):
        with_overrides(recorded, ["training.clip=hard"])
    for rate, why in {"1e20": "1e.20 is too large; the largest is 1e15", "-1e999": "-inf is too small"}.items():
        with pytest.raises(UserError, match=rf"^--set training.learning_rate: {why}"):
            with_overrides(recorded, [f"training.learning_rate={rate}"])


def test_lists_are_read_as_in_a_space(tmp_path: Path) -> None:
    text = "{variant: retina, layers: 2@1, d_model: 96, n_heads: 3, vocab_size: 9, context: 64, %s}"
    first = read(tmp_path, text % "retina_factors: 1 4 16, retina_windows: 8 2")
    assert first == read(tmp_path, text % "retina_factors: [1, 4, 16], retina_windows: [8, 2]")


TYPO = "{d_model: 96,\n variant: topdown, layers: 1@1, n_heads: 3, vocab_size: 9, context: 64}"
MISTAKES = [
    ("", "c.yaml: must describe a model"),
    ("- 1", "c.yaml: must describe a model"),
    ("a: [", "c.yaml:1: is not YAML"),
    ("variant: top_down\nlayers: 2@1 4@4\nd_model: 96\nn_heads: 3\nvocab_size: 9\ncontext: 64", "c.yaml:2: layers: "),
    ("variant: top_down\nlayers: 4@4 2@1\nd_model: 96\nn_heads: 5\nvocab_size: 9\ncontext: 64", "c.yaml:4: n_heads: "),
    ("variant: top_down\nd_model: 96", "layers, n_heads, vocab_size, context missing"),
    ("variant: top_down\nlayer: 4@4", "did you mean 'layers'"),
    (
        TYPO,
        "c.yaml:2: variant: unknown variant 'topdown', did you mean 'top_down'",
    ),
    ("vocab_size: many", "c.yaml:1: vocab_size: 'many'"),
    ("model: 3", "c.yaml:1: model: must be a mapping"),
    ("model:\n  variant: {top_down: {layers: 1@1}}", "c.yaml:2: model.variant: belongs to a search space"),
    (f"model: {BARE}\ntraining:\n  clip: hard", "c.yaml:3: training.clip: must be a number"),
    (f"model: {BARE}\ntraining: null", "c.yaml:2: training: must be a mapping"),
    (f"model: {BARE}\nseed: abc", "c.yaml:2: seed: must be a whole number, got 'abc'"),
    (f"model: {BARE}\ntraining: {{betas: 0.9}}", "c.yaml:2: training.betas: must be a list of 2 numbers, got 0.9"),
    (f"model: {BARE}\ncorpus: {{train: 3}}", "c.yaml:2: corpus.train: must be a file pattern or a list of them"),
    (f"model: {BARE}\ncorpus: {{trian: a.txt}}", "c.yaml:2: corpus.trian: unknown key 'trian', did you mean 'train'?"),
    (f"model: {BARE}\ncorpus: {{source: files, train: a}}", "c.yaml:2: corpus.train: must be a list of strings"),
    (f"model: {BARE}\nlimits: {{memory: 3}}", "unknown key 'limits'"),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES)
def test_a_mistake_is_told_with_file_line_and_key(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        read(tmp_path, text)
    assert expected in str(raised.value) and str(tmp_path) in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.yaml: cannot be read"):
        read_config(tmp_path / "gone.yaml")
