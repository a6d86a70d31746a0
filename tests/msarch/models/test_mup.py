"""Maximal update parametrization: what moves by how much does not depend on the width."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
import torch
from support.small_models import small
from torch import Tensor

from msarch import ModelConfig, TrainingConfig, UserError, build_model
from msarch.layers.transformer_layer import TransformerLayer
from msarch.models.language_model import LanguageModel
from msarch.training.step import make_optimizer, set_learning_rate, training_step

WIDTHS = (64, 128, 256)
MODELS = {
    "vanilla": "2@1",
    "top_down": "1@4 1@1",
    "bottom_up": "1@1 1@4 1@1",
    "hourglass": "1@1 1@4 1@1",
    "retina": "2@1",
}


def wide(variant: str, width: int, parametrization: str, **options: object) -> ModelConfig:
    retina = {"retina_factors": (1, 4), "retina_windows": (8,)} if variant == "retina" else {}
    mup = {"parametrization": "mup", "base_width": 64} if parametrization == "mup" else {}
    return small(variant, MODELS[variant], context=24, d_model=width, n_heads=width // 32, **retina, **mup, **options)


def coordinates(config: ModelConfig, steps: int = 4) -> dict[str, float]:
    """Mean size of a coordinate of each layer's output and of the logits after some steps at a large rate."""
    torch.manual_seed(0)
    training = TrainingConfig(batch_size=8, learning_rate=2e-2, weight_decay=0.0)
    model = build_model(config)
    optimizer = make_optimizer(model, training)
    tokens = torch.randint(config.vocab_size, (8, config.context + 1))
    for _ in range(steps):
        training_step(model, optimizer, tokens[:, :-1], tokens[:, 1:], training)
    sizes: dict[str, float] = {}
    handles = [module.register_forward_hook(noting(sizes, name)) for name, module in layers(model)]
    with torch.no_grad():
        sizes["logits"] = model(tokens[:, :-1]).abs().mean().item()
    for handle in handles:
        handle.remove()
    return sizes


def layers(model: LanguageModel) -> Iterator[tuple[str, torch.nn.Module]]:
    return ((name, module) for name, module in model.named_modules() if isinstance(module, TransformerLayer))


def noting(sizes: dict[str, float], name: str) -> Callable[[torch.nn.Module, object, Tensor], None]:
    def note(module: torch.nn.Module, args: object, output: Tensor) -> None:
        sizes[name] = output.abs().mean().item()

    return note


def growth(variant: str, parametrization: str, **options: object) -> dict[str, float]:
    """The power of the width with which each size grows."""
    return slopes_of([coordinates(wide(variant, width, parametrization, **options)) for width in WIDTHS])


def slopes_of(found: Sequence[dict[str, float]]) -> dict[str, float]:
    """The slope of a line through the logarithms of each size over those of WIDTHS."""
    logs = torch.tensor([math.log(width) for width in WIDTHS])
    slopes = {}
    for name in found[0]:
        sizes = torch.tensor([math.log(each[name]) for each in found])
        slopes[name] = float(((logs - logs.mean()) * (sizes - sizes.mean())).sum() / (logs - logs.mean()).pow(2).sum())
    return slopes


@pytest.mark.parametrize("variant", MODELS)
def test_no_coordinate_grows_with_the_width(variant: str) -> None:
    """The coordinate check. The standard parametrization fails it, so it can tell."""
    slopes = growth(variant, "mup")
    assert max(slopes.values()) < 0.15, slopes
    assert max(growth(variant, "standard").values()) > 0.4


COARSE = {"top_down": "1@4:{} 1@1", "bottom_up": "1@1 1@4:{} 1@1", "hourglass": "1@1 1@4:{} 1@1"}


@pytest.mark.parametrize("variant", COARSE)
def test_none_grows_with_the_width_of_a_coarse_scale_alone(variant: str) -> None:
    """A matrix learns at the rate of its own fan-in. At that of d_model, which is the base here, sizes grow 1.6 to 1.9.

    Less exact than above: what leads back from a wide scale to d_model states starts as large as all matrices.
    """

    def sizes(parametrization: str) -> dict[str, float]:
        config = wide(variant, 64, parametrization)
        return slopes_of([coordinates(replace(config, layers=COARSE[variant].format(width))) for width in WIDTHS])

    slopes = sizes("mup")
    assert max(slopes.values()) < 0.35, slopes
    assert max(sizes("standard").values()) > 1


def test_none_grows_either_where_embeddings_start_at_the_base_width() -> None:
    slopes = growth("vanilla", "mup", embedding_init="fan_in")
    assert max(slopes.values()) < 0.15, slopes


def test_at_its_base_width_it_is_the_standard_one_bit_for_bit() -> None:
    finals = []
    for config in (wide("top_down", 64, "standard"), wide("top_down", 64, "mup")):
        torch.manual_seed(0)
        training = TrainingConfig(batch_size=2)
        model = build_model(config)
        optimizer = make_optimizer(model, training)
        tokens = torch.randint(config.vocab_size, (2, 25))
        for _ in range(3):
            training_step(model, optimizer, tokens[:, :-1], tokens[:, 1:], training)
        finals.append(torch.nn.utils.parameters_to_vector(model.parameters()))
    assert torch.equal(*finals)


def test_matrices_learn_slower_and_decay_as_much() -> None:
    model = build_model(wide("vanilla", 256, "mup"))
    optimizer = make_optimizer(model, TrainingConfig(batch_size=1, learning_rate=1e-2, weight_decay=0.1))
    set_learning_rate(optimizer, 4e-3)
    rates = {id(p): (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        rate, decay = rates[id(parameter)]
        between = parameter.ndim == 2 and "embedding" not in name and "positions" not in name
        assert rate == pytest.approx(4e-3 / 4 if between else 4e-3), name
        assert rate * decay == pytest.approx(4e-4 if parameter.ndim == 2 else 0.0), name


def test_a_matrix_learns_by_the_width_of_the_states_that_it_reads() -> None:
    config = replace(wide("top_down", 128, "mup"), layers="1@4:256 1@1", pool="conv", upsampling="attention")
    model = build_model(config)
    groups = make_optimizer(model, TrainingConfig(batch_size=1, learning_rate=1.0)).param_groups
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    found = {name: rates[id(p)] for name, p in model.named_parameters() if name.endswith("weight") and p.ndim == 2}
    assert found["pools.4.project.weight"] == found["stacks.1.blocks.0.feed_forward.out.weight"] == 1 / 2
    assert (
        found["stacks.4.blocks.0.feed_forward.out.weight"] == found["stacks.4.blocks.0.attention.qkv.weight"] == 1 / 4
    )
    assert found["conditions.1.coarse.weight"] == found["conditions.1.reading.attention.kv.weight"] == 1 / 4
    assert found["conditions.1.fine.weight"] == found["conditions.1.reading.attention.q.weight"] == 1 / 2
    assert found["embedding.weight"] == 1


def test_every_parameter_learns() -> None:
    for variant in MODELS:
        model = build_model(wide(variant, 64, "mup"))
        groups = make_optimizer(model, TrainingConfig(batch_size=1)).param_groups
        assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


def test_a_base_width_without_mup_is_refused() -> None:
    with pytest.raises(UserError, match="base_width has no effect"):
        replace(wide("vanilla", 64, "standard"), base_width=32)
