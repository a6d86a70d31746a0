"""What a layer allocation decides, option by option, so that its effect can be judged and shown."""

from __future__ import annotations

from msarch.config.model import ModelConfig


def layer_options(model: ModelConfig) -> dict[str, float]:
    """Numbers of layers, and how wide the widest scale is in units of d_model."""
    return {
        "layers in all": model.n_layers,
        "layers without attention": sum(stage.ff_layers for stage in model.stages),
        "widest scale / d_model": max(model.width_at(factor) for factor in model.scales) / model.d_model,
    }
