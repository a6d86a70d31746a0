"""What a trained model needs to generate: its weights, and the cache of what it has read.

The cache holds keys and values, and a few states beside them: those of running blocks, and the last one of each coarse
scale. `msarch.generation.Decoder` allocates exactly these bytes for a model in the type of its training's matrix
products. A model trained in bfloat16 has float32 weights, since autocast converts them as they are used: it is in that
type after ``model.to(torch.bfloat16)``. `msarch generate` and exported models keep float32, and take twice as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from torch._subclasses.fake_tensor import FakeTensorMode

from msarch.config import ModelConfig, TrainingConfig
from msarch.models.build import model_class
from msarch.models.language_model import LanguageModel

_MOST_LENGTHS = 2048
"""Lengths that the mean is taken over, at most: for a retina each takes time in proportion to the length."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InferenceMemory:
    """Bytes that generating one sequence needs, weights and cache in the type of the training's matrix products.

    Attributes:
        dtype: that type, float32 or bfloat16.
        weights_bytes: of all parameters.
        cache_bytes: of the cache at full context.
        cache_bytes_mean: the mean of what the cache holds while a full context is generated.
        cache_bytes_per_token: what a token of a full context costs, `cache_bytes` over the context.
    """

    dtype: str
    weights_bytes: int
    cache_bytes: int
    cache_bytes_mean: float
    cache_bytes_per_token: float


def inference_memory(model: ModelConfig, training: TrainingConfig) -> InferenceMemory:
    """Weights and cache of generation. The mean is over all lengths, or over 2048 of them, evenly spread."""
    built, width = _built(model), _bytes_per_number(training)
    count = min(model.context, _MOST_LENGTHS)
    # Rounded up: the last length is the full context, and the first is never 0.
    lengths = [(number * model.context + count - 1) // count for number in range(1, count + 1)]
    full = built.cached_numbers(model.context) * width
    return InferenceMemory(
        dtype=training.dtype,
        weights_bytes=sum(p.numel() for p in built.parameters()) * width,
        cache_bytes=full,
        cache_bytes_mean=sum(map(built.cached_numbers, lengths)) * width / count,
        cache_bytes_per_token=full / model.context,
    )


def cache_bytes(model: ModelConfig, training: TrainingConfig) -> int:
    """Bytes that generation keeps of one sequence at full context, in the type of the training's matrix products."""
    return _built(model).cached_numbers(model.context) * _bytes_per_number(training)


def _bytes_per_number(training: TrainingConfig) -> int:
    return 2 if training.dtype == "bfloat16" else 4


@lru_cache(maxsize=4)
def _built(model: ModelConfig) -> LanguageModel:
    """The model without data, cached: fused and unfused figures of one candidate are asked for in turn."""
    with FakeTensorMode():
        return model_class(model.variant)(model)
