"""The keys of ``model:`` and ``training:``, derived from the configurations and the registry of variants."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from typing import Any

from pydantic import create_model

from msarch.config import ModelConfig, TrainingConfig
from msarch.config.variants import VARIANTS
from search.space.schema.fields import Spec, config_fields, key, leaf, varying
from search.space.values.allocations import parse_alternatives, with_ranges
from search.space.values.value_types import WHOLE

DERIVED = ("variant", "layers", "vocab_size")
"""Fields of ModelConfig that are written otherwise: as the branch, inside it, and by the tokenizer."""

_EXAMPLES = {
    "d_model": "d_model: {min: 48, max: 128, step: 16}",
    "n_heads": "n_heads: {values: [2, 4, 8]}",
    "context": "context: 256",
    "retina_factors": 'retina_factors: ["1 4 16", "1 8"]',
    "retina_windows": 'retina_windows: ["64 16", "32 8"]',
    "tokens": "tokens: 2M",
    "batch_size": "batch_size: 8",
    "learning_rate": "learning_rate: {min: 5e-4, max: 1e-2, log: true}",
    "rungs": "rungs: [0.0625, 0.25, 1]",
    "validation_tokens": "validation_tokens: 20k",
}

_SHOWN = {"n_heads": "required, unless d_head is given", "validation_tokens": "0.8 % of the smallest budget"}

CONSTANT = ("rungs", "validation_tokens")
"""What must be the same for every candidate, or they would not be judged alike."""

MODEL_KEYS = [item.name for item in fields(ModelConfig) if item.name not in DERIVED]
TRAINING_KEYS = [item.name for item in fields(TrainingConfig)]
VARIANT_OPTIONS = {option for variant in VARIANTS.values() for option in variant.options}

_D_HEAD: dict[str, Any] = {
    "d_head": (
        varying(WHOLE),
        key(
            "Width of one attention head, instead of `n_heads`: there are d_model / d_head heads.",
            kind="whole number",
            example="d_head: 32",
            default=None,
            shown="required, unless n_heads is given",
            varies=True,
        ),
    )
}


def keys_of(variant: str) -> list[str]:
    """The keys of ModelConfig that mean something to `variant`."""
    return [name for name in MODEL_KEYS if name not in VARIANT_OPTIONS - VARIANTS[variant].options]


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _branch(name: str) -> type[Spec]:
    layers = key(
        f"The layers of {name}, `LAYERS@FACTOR ...` in the order of computation; LAYERS may be a range; a list holds "
        "alternatives.",
        kind="allocation or list of them",
        example=f'layers: "{with_ranges(VARIANTS[name])}"',
        varies=True,
    )
    declared: dict[str, Any] = {
        "layers": (leaf(partial(parse_alternatives, name=name)), layers),
        **config_fields(ModelConfig, keys_of(name), examples=_EXAMPLES, shown=_SHOWN),
        **_D_HEAD,
    }
    model: type[Spec] = create_model(f"Branch_{name}", __base__=Spec, __doc__=VARIANTS[name].summary, **declared)
    return model


BRANCHES: dict[str, type[Spec]] = {name: _branch(name) for name in VARIANTS}
"""The schema of each variant's branch: its layers, its options, and any key of the model that varies in it only."""

_VARIANTS: dict[str, Any] = {
    name: (
        branch | None,
        key(
            _sentence(VARIANTS[name].summary),
            kind="mapping",
            example=f'{name}: {{layers: "{VARIANTS[name].example}"}}',
            default=None,
            shown="not searched",
        ),
    )
    for name, branch in BRANCHES.items()
}

VariantSpec: type[Spec] = create_model(
    "VariantSpec",
    __base__=Spec,
    __doc__="One branch is chosen for each candidate; what stands inside varies in that branch only.",
    **_VARIANTS,
)

_VARIANT = key(
    "The architectures, each with its own branch.",
    kind="mapping of branches",
    example='variant: {vanilla: {layers: "1..8@1"}}',
    varies=True,
)

ModelSpec: type[Spec] = create_model(
    "ModelSpec",
    __base__=Spec,
    __doc__="The models that may be tried. What stands here holds in every branch that does not say otherwise.",
    **config_fields(ModelConfig, MODEL_KEYS, examples=_EXAMPLES, shown=_SHOWN),
    **_D_HEAD,
    variant=(VariantSpec, _VARIANT),
)

TrainingSpec: type[Spec] = create_model(
    "TrainingSpec",
    __base__=Spec,
    __doc__="How each candidate is trained. `batch_size` counts sequences of the largest context; a smaller context "
    "gets proportionally more of them, so that tokens per step stay the same.",
    **config_fields(TrainingConfig, TRAINING_KEYS, examples=_EXAMPLES, shown=_SHOWN, constant=CONSTANT),
)
