"""The keys of ``model:`` and ``training:``, derived from the configurations and the registry of variants."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainValidator, create_model

from msarch.config import ModelConfig, TrainingConfig
from msarch.config.variants import VARIANTS, options_without_effect
from search.space.schema.fields import ParametersSpec, Spec, ValidatedAs, config_fields, key, varying
from search.space.values.allocations import AllocationRange, parse_alternatives, with_ranges
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

_DEFAULT_TEXTS = {"n_heads": "required, unless d_head is given", "validation_tokens": "0.8 % of the smallest budget"}

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
            value="whole number",
            example="d_head: 32",
            default=None,
            default_text="required, unless n_heads is given",
            varies=True,
        ),
    )
}


class BranchSpec(ParametersSpec):
    """One variant: its layers, and any parameter of the model that varies in this branch only."""

    layers: tuple[AllocationRange, ...]


class VariantsSpec(Spec):
    """One branch is chosen for each candidate; what stands inside varies in that branch only."""

    def given(self) -> dict[str, BranchSpec]:
        """The branches that were written down, by variant."""
        branches = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: branch for name, branch in branches.items() if branch is not None}


def keys_of(variant: str) -> list[str]:
    """The keys of ModelConfig that mean something to `variant`."""
    return [name for name in MODEL_KEYS if name not in options_without_effect(variant)]


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _layers_of(name: str) -> Any:
    return Annotated[tuple[AllocationRange, ...], PlainValidator(partial(parse_alternatives, name=name))]


def _branch(name: str) -> type[BranchSpec]:
    layers = key(
        f"The layers of {name}, `LAYERS@FACTOR ...` in the order of computation, with ranges as above; a list holds "
        "alternatives.",
        value="allocation or list of them",
        example=f'layers: "{with_ranges(VARIANTS[name])}"',
        varies=True,
    )
    declared: dict[str, Any] = {
        "layers": (_layers_of(name), layers),
        **config_fields(ModelConfig, keys_of(name), examples=_EXAMPLES, default_texts=_DEFAULT_TEXTS),
        **_D_HEAD,
    }
    return create_model(f"Branch_{name}", __base__=BranchSpec, __doc__=VARIANTS[name].summary, **declared)


def _written_down(raw: object) -> object:
    """A branch with nothing behind its colon is one whose keys are missing; to leave it out is not to write it."""
    return {} if raw is None else raw


BRANCHES: dict[str, type[BranchSpec]] = {name: _branch(name) for name in VARIANTS}
"""The schema of each variant's branch: its layers, its options, and any key of the model that varies in it only."""

_VARIANTS: dict[str, Any] = {
    name: (
        Annotated[branch, BeforeValidator(_written_down)],
        key(
            _sentence(VARIANTS[name].summary),
            value="mapping",
            example=f'{name}: {{layers: "{VARIANTS[name].example}"}}',
            default=None,
            default_text="not searched",
        ),
    )
    for name, branch in BRANCHES.items()
}

VARIANTS_SCHEMA = create_model("VariantsSchema", __base__=VariantsSpec, __doc__=VariantsSpec.__doc__, **_VARIANTS)


class ModelSpec(ParametersSpec):
    """The models that may be tried. What stands here holds in every branch that does not say otherwise."""

    variant: Annotated[VariantsSpec, ValidatedAs(VARIANTS_SCHEMA)] = key(
        "The architectures, each with its own branch.",
        value="mapping of branches",
        example='variant: {vanilla: {layers: "1..8@1"}}',
        varies=True,
    )


class TrainingSpec(ParametersSpec):
    """How each candidate is trained. `batch_size` counts sequences of the largest context; a smaller context gets
    proportionally more of them, so that tokens per step stay the same.
    """


_MODEL_FIELDS = config_fields(ModelConfig, MODEL_KEYS, examples=_EXAMPLES, default_texts=_DEFAULT_TEXTS)
MODEL_SCHEMA = create_model("ModelSchema", __base__=ModelSpec, __doc__=ModelSpec.__doc__, **_MODEL_FIELDS, **_D_HEAD)

_TRAINING_FIELDS = config_fields(
    TrainingConfig, TRAINING_KEYS, examples=_EXAMPLES, default_texts=_DEFAULT_TEXTS, constants=CONSTANT
)
TRAINING_SCHEMA = create_model(
    "TrainingSchema", __base__=TrainingSpec, __doc__=TrainingSpec.__doc__, **_TRAINING_FIELDS
)
