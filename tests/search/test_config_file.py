"""One model in a YAML file, whole or in part, and one line for every mistake in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from msarch import Candidate, ModelConfig, TrainingConfig, UserError
from search.config_file import read_config

MODEL = "variant: top_down\nlayers: 2@4 1@1\nd_model: 16\nn_heads: 2\nvocab_size: 61\ncontext: 48\n"
CONFIG = ModelConfig(variant="top_down", layers="2@4 1@1", d_model=16, n_heads=2, vocab_size=61, context=48)


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_a_model_alone_gets_a_batch_of_8(tmp_path: Path) -> None:
    assert read_config(written(tmp_path, MODEL)) == Candidate(model=CONFIG, training=TrainingConfig(batch_size=8))


def test_a_model_with_some_of_its_training(tmp_path: Path) -> None:
    text = yaml.safe_dump({"model": yaml.safe_load(MODEL), "training": {"attention": "unfused"}})
    found = read_config(written(tmp_path, text))
    assert found == Candidate(model=CONFIG, training=TrainingConfig(batch_size=8, attention="unfused"))


def test_a_trials_own_configuration_comes_back_whole(tmp_path: Path) -> None:
    whole = Candidate(model=CONFIG, training=TrainingConfig(batch_size=3, learning_rate=1e-3), seed=7)
    assert read_config(written(tmp_path, yaml.safe_dump(whole.to_dict()))) == whole


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "config.yaml: must hold a model"),
        ("- 1\n", "config.yaml: must hold a model"),
        (MODEL.replace("top_down", "topdown"), "config.yaml:1: variant: unknown variant 'topdown', did you mean"),
        (MODEL.replace("n_heads: 2", "n_heads: 5"), "config.yaml:4: n_heads: 5 heads do not divide"),
        (MODEL.replace("2@4 1@1", "1@1 2@4"), "config.yaml:2: layers:"),
        (MODEL.replace("layers: 2@4 1@1", "layers: 3"), "config.yaml:2: layers: 3 is no layer allocation"),
        (MODEL + "depth: 3\n", "config.yaml:7: depth: unknown key 'depth'"),
        (MODEL.replace("d_model: 16\n", ""), "config.yaml:1: d_model missing"),
        (f"training: {{batch_size: 0}}\nmodel: {{{MODEL.strip().replace(chr(10), ', ')}}}", ":1: training.batch_size"),
        ("model: {variant: {vanilla: {layers: 1@1}}}\n", "config.yaml:1: model.variant: "),
        ("model: 3\n", "config.yaml:1: model: must be a mapping"),
        ("model: [\n", "config.yaml:2:"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as found:
        read_config(written(tmp_path, text))
    assert expected in str(found.value) and len(str(found.value).splitlines()) == 1


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.yaml", tmp_path):
        with pytest.raises(UserError, match="cannot be read"):
            read_config(path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="UTF-8"):
        read_config(tmp_path / "binary.yaml")
