"""The page on the space language is current, and its examples are what they say."""

from __future__ import annotations

import re
from pathlib import Path

from search.space.load import load_space
from search.space.schema.docs import _SECTIONS, main, space_docs
from search.space.schema.fields import Spec
from search.space.schema.model import TRAINING_SCHEMA
from search.space.schema.yaml_reader import read_yaml

PAGE = Path(__file__).parents[4] / "docs" / "space.md"


def test_the_page_is_current() -> None:
    assert main(["--check", str(PAGE)]) == 0, "run: python -m search.space.schema.docs > docs/space.md"


def test_a_stale_page_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "space.md").write_text(space_docs() + "x")
    assert main(["--check", str(tmp_path / "space.md")]) == 1


def test_the_space_on_the_page_is_sound(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", space_docs(), re.DOTALL)
    assert blocks
    for block in blocks:
        (tmp_path / "space.yaml").write_text(block)
        assert load_space(tmp_path / "space.yaml").branches


def test_every_key_is_explained() -> None:
    for _, spec in _SECTIONS:
        for key, info in spec.model_fields.items():
            assert info.description, key
            assert key in read_yaml(example(spec, key), "").data, key


def test_every_example_of_training_is_legal() -> None:
    from search.space.schema.space import validate

    for key in TRAINING_SCHEMA.model_fields:
        value = read_yaml(example(TRAINING_SCHEMA, key), "").data[key]
        model = {"context": 8, "d_model": 8, "n_heads": 1, "variant": {"vanilla": {"layers": "1@1"}}}
        spec = validate({"model": model, "training": {"batch_size": 1, key: value}})
        assert key in spec.training.given()


def example(spec: type[Spec], key: str) -> str:
    extra = spec.model_fields[key].json_schema_extra
    assert isinstance(extra, dict)
    return str(extra["example"])
