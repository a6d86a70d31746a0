"""Follows docs/add-a-variant.md to the letter, and holds the variant that comes of it to the conformance suite."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from support.small_models import small
from torch import Tensor

from msarch import ModelConfig, build_model, models
from msarch.config import variants
from msarch.generation import Decoder
from msarch.layers.resampling import CausalUpsample
from msarch.models.causality import CausalityError, check_causality, randomised_copy
from search.show.drawing.files import drawings
from search.show.drawing.text import draw_text
from search.show.palette import look
from search.space.values.allocations import parse_allocation, with_ranges

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "add-a-variant.md").read_text(encoding="utf-8")
STEPS = re.findall(r"^## \d\. [^\n]*\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
FILE, ENTRY, MODELS, LINE = (re.findall(r"```\w+\n(.*?)```", step, re.DOTALL)[0] for step in STEPS)
NAME = "side_by_side"


@pytest.fixture(autouse=True)
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The file of the page among the models of msarch, and its entry in the registry."""
    (tmp_path / f"{NAME}.py").write_text(FILE, encoding="utf-8")
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    (entry,) = eval("{" + ENTRY + "}", vars(variants)).items()
    monkeypatch.setitem(variants.VARIANTS, *entry)
    yield
    sys.modules.pop(f"msarch.models.{NAME}", None)


def configs() -> list[ModelConfig]:
    made: list[ModelConfig] = []
    exec(MODELS, {"small": small, "CONFIGS": made})
    assert len(made) == 3
    return made


def conformance() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "conformance", ROOT / "tests" / "msarch" / "models" / "test_conformance.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_conforms(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = conformance()
    for config in configs():
        assert config.variant == NAME
        suite.test_shapes_of_any_length(config)
        suite.test_a_sequence_beyond_the_context_is_refused(config)
        suite.test_no_output_sees_ahead_and_every_token_reaches_its_own_output(config)
        suite.test_every_later_output_depends_on_every_token(config)
        suite.test_the_quick_check_at_the_start_of_training_agrees(config)
        suite.test_loss_of_random_tokens_is_that_of_a_uniform_guess(config)
        suite.test_checkpointing_changes_no_bit_of_the_training(config)
        for attention in ("fused", "unfused"):
            suite.test_memory_without_hardware_equals_memory_on_real_tensors(
                config, attention, "chunked", "float32", "none"
            )
        with monkeypatch.context() as patched:
            suite.test_attended_pairs_are_those_that_attention_really_computes(config, patched)


def test_one_scale_is_the_vanilla_model() -> None:
    model, vanilla = randomised_copy(build_model(configs()[0])), build_model(small("vanilla", "3@1")).double()
    vanilla.load_state_dict(model.state_dict())
    tokens = torch.randint(61, (2, 31))
    assert torch.equal(model(tokens), vanilla(tokens))


def test_it_generates() -> None:
    for config in configs():
        model, tokens = randomised_copy(build_model(config)), torch.randint(61, (2, config.context))
        decoder = Decoder(model, batch_size=2)
        found = torch.cat(
            [decoder.extend(part) for part in tokens.split([7, *[1] * (config.context - 7)], dim=1)], dim=1
        )
        with torch.no_grad():
            assert (found - model(tokens)).abs().max() < 1e-10
        assert decoder.cache_bytes == 2 * 8 * model.cached_numbers(config.context)


def test_its_leak_is_caught() -> None:
    class NaiveRepeat(CausalUpsample):
        def forward(self, null_and_coarse: Tensor, length: int, passed: int = 0) -> Tensor:
            padded = torch.cat([null_and_coarse, null_and_coarse[:, -1:]], dim=1)
            return padded[:, 1:].repeat_interleave(self.factor, dim=1)[:, :length]

    model = build_model(configs()[1])
    for module in model.modules():
        if isinstance(module, CausalUpsample):
            module.__class__ = NaiveRepeat
    with pytest.raises(CausalityError, match="sees ahead"):
        check_causality(model)


def test_search_knows_it() -> None:
    assert parse_allocation(with_ranges(variants.VARIANTS[NAME]), NAME).combinations == 4
    assert look(NAME) not in [look(name) for name in variants.VARIANTS if name != NAME]


def test_it_is_drawn() -> None:
    """Its scales run side by side and meet before the logits: nobody had to say so."""
    tail = draw_text(configs()[1]).rpartition("@1 ")[2].replace(" ", "")
    assert "─►│1layer├─●─►logits" in tail
    assert "2layers" in drawings()[f"{NAME}.svg"].replace(" ", "")


def test_its_line_fits_the_table() -> None:
    table = (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in table for name in variants.VARIANTS if name != NAME)
    assert LINE.count("|") == 4 and LINE.startswith(f"| `{NAME}` |")
