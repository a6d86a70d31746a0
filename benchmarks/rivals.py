"""What a multi-scale model has to beat, as configurations that benchmarks train beside it.

fine alone     its own layers at every token, as a vanilla model: do the coarse layers help at all?
equal memory   vanilla with as many layers as need about the same memory in training (fused attention)
fewer heads    its own fine layers with half of the heads, each twice as wide: scores, which unfused attention keeps,
               are half as many
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from msarch import ModelConfig, TrainingConfig, profile_training_step
from msarch.config.allocation import Stage
from msarch.config.variants import VARIANTS


def vanilla(config: ModelConfig, layers: int, ff_layers: int = 0) -> ModelConfig:
    """A vanilla model that is like `config` in all that both know; its last `ff_layers` layers have no attention."""
    options = {name for known in VARIANTS.values() for name in known.options}
    defaults: dict[str, Any] = {each.name: each.default for each in fields(ModelConfig) if each.name in options}
    return replace(config, variant="vanilla", layers=str(Stage(layers, factor=1, ff_layers=ff_layers)), **defaults)


def fine_alone(config: ModelConfig) -> ModelConfig:
    """The layers of `config` at scale 1, without the others."""
    fine = [stage for stage in config.stages if stage.factor == 1]
    return vanilla(config, sum(stage.layers for stage in fine), sum(stage.ff_layers for stage in fine))


def equal_memory(config: ModelConfig, training: TrainingConfig) -> ModelConfig:
    """The vanilla model whose predicted memory is nearest to that of `config`."""
    wanted = memory(config, training)
    models = [vanilla(config, 1)]
    while memory(models[-1], training) < wanted:
        models.append(vanilla(config, len(models) + 1))
    return min(models, key=lambda model: abs(memory(model, training) - wanted))


def fewer_heads(config: ModelConfig) -> ModelConfig:
    """Its fine layers alone, with half of the heads."""
    return replace(fine_alone(config), n_heads=max(1, config.n_heads // 2))


def memory(config: ModelConfig, training: TrainingConfig) -> int:
    """Predicted peak bytes of a training step."""
    return profile_training_step(config, training).peak_bytes
