"""What every memory profile must hold, whatever the model and the conditions."""

from __future__ import annotations

from msarch import ModelConfig
from msarch.memory.memory_profile import MemoryProfile


def assert_parts_add_up(config: ModelConfig, profile: MemoryProfile) -> None:
    """Kinds, scales and layers each add up to the peak, and the layers are those of the allocation."""
    for parts in (profile.by_kind, profile.by_scale, profile.by_layer):
        assert sum(parts.values()) == profile.peak_bytes
        assert all(size >= 0 for size in parts.values())
    assert len({(part.kind, part.layer) for part in profile.parts}) == len(profile.parts)
    scales = {str(stage.factor) for stage in config.stages if stage.layers}
    assert scales <= set(profile.by_scale) <= scales | {"1", "embedding", "readout", "update"}
    layers = [layer for layer in profile.by_layer if layer.startswith("layer ")]
    expected = [stage.factor for stage in config.stages for _ in range(stage.layers)]
    assert layers == [f"layer {number} @{factor}" for number, factor in enumerate(expected, start=1)]
