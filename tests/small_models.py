"""Small configurations of every variant, for the conformance suite and for whoever needs a model at once."""

from __future__ import annotations

from msarch import ModelConfig


def small(variant: str, layers: str, *, context: int = 48, **options: object) -> ModelConfig:
    values = {"d_model": 16, "n_heads": 2, "vocab_size": 61, "context": context, **options}
    return ModelConfig(variant=variant, layers=layers, **values)  # type: ignore[arg-type]


def windows(*sizes: int) -> dict[str, object]:
    return {"retina_factors": (1, 4, 16)[: len(sizes) + 1], "retina_windows": sizes}


CONFIGS = [
    small("vanilla", "3@1"),
    small("top_down", "3@1"),
    small("top_down", "2@4 1@1"),
    small("top_down", "1@16 2@4 1@1"),
    small("top_down", "1@12 1@6 1@3 1@1"),
    small("top_down", "1@7 1@1"),
    small("bottom_up", "3@1"),
    small("bottom_up", "1@1 2@4 1@1"),
    small("bottom_up", "0@1 2@4 1@1"),
    small("bottom_up", "1@1 2@5 0@1"),
    small("bottom_up", "1@1 1@4 2@16 1@1"),
    small("bottom_up", "1@1 1@2 1@6 1@12 1@1"),
    small("retina", "2@1", **windows(8, 2)),
    small("retina", "3@1", **windows(3, 1)),
    small("retina", "2@1", **windows(5)),
    small("retina", "2@1", retina_factors=(1, 3, 6, 12), retina_windows=(4, 2, 1)),
    small("hourglass", "3@1"),
    small("hourglass", "1@1 2@3 1@1"),
    small("hourglass", "0@1 2@4 1@1"),
    small("hourglass", "2@1 1@5 0@1"),
    small("hourglass", "1@1 1@2 2@4 1@2 1@1"),
    small("hourglass", "1@1 1@4 1@1", shortening="linear", upsampling="linear"),
    small("hourglass", "1@1 1@2 1@6 0@2 1@1", shortening="attention", upsampling="attention"),
    small("hourglass", "1@1 0@3 1@6 1@12 0@6 1@3 1@1"),
]


def label(config: ModelConfig) -> str:
    extra = f" {config.retina_factors}{config.retina_windows}" if config.retina_factors else ""
    ways = (config.shortening, config.upsampling)
    extra += f" {' '.join(ways)}" if ways != ("average", "repeat") else ""
    return f"{config.variant} {config.layers}{extra}"
