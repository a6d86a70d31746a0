"""From a validated file to the parts of a `Space`: each key becomes a parameter with its name and its place."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from msarch.config import ModelConfig, TrainingConfig
from msarch.config.corpus import CorpusConfig, TokenizerConfig
from msarch.errors import UserError
from search.space.checks import check_parts
from search.space.schema.fields import Spec, default_of
from search.space.schema.model import MODEL_KEYS, TRAINING_KEYS, VARIANT_OPTIONS, keys_of
from search.space.schema.space import SpaceSpec, validate
from search.space.values.branches import Branch, Named
from search.space.values.ranges import Values

_MODEL_TYPES = {**get_type_hints(ModelConfig), "d_head": int}
_TRAINING_TYPES = get_type_hints(TrainingConfig)
_NEEDED = [item.name for item in fields(ModelConfig) if item.name in MODEL_KEYS and default_of(item) is MISSING]


def build_space(data: object, file: str) -> dict[str, Any]:
    """The arguments of `Space`, all checked. Raises UserError with the key's path."""
    spec = validate(data)
    corpus = _under("corpus", spec.corpus.config_for)
    training = _training(spec.training)
    parts = {
        "name": _name(Path(file)),
        "file": file,
        "spec": spec,
        "corpus": _with_vocabulary(corpus, Path(file)),
        "branches": _branches(spec),
        "training": training,
        "limits": {name: bound for name, bound in spec.limits.model_dump().items() if bound is not None},
        "objectives": spec.objectives,
        "search": spec.search,
        "constraints": spec.constraints,
        "points": spec.points,
    }
    parts["vocabulary"] = _vocabulary(spec, parts["corpus"])
    check_parts(parts)
    parts["validation_tokens"] = validation_tokens(training)
    return parts


def _name(file: Path) -> str:
    # What a search records is named by its folder; a space.yaml of the user's own is just called so.
    recorded = file.name == "space.yaml" and (file.parent / "study.journal").exists() and file.absolute().parent.name
    return recorded or file.stem


def validation_tokens(training: dict[str, Named]) -> int:
    """Target tokens on which every candidate is judged: what is written, or the share of the smallest budget."""
    known = {key: named.parameter.smallest for key, named in training.items() if key in ("tokens", "validation_tokens")}
    return TrainingConfig(batch_size=1, **known).targets()


def _training(spec: Spec) -> dict[str, Named]:
    if getattr(spec, "batch_size", None) is None:
        raise UserError("'batch_size' is missing", key="training")
    return {
        key: Named(key, key, f"training.{key}", _TRAINING_TYPES[key], parameter)
        for key in TRAINING_KEYS
        if (parameter := getattr(spec, key)) is not None
    }


def _branches(spec: SpaceSpec) -> dict[str, Branch]:
    variants = vars(spec.model)["variant"]  # a schema made at run time has no attribute that mypy knows
    given = {name: branch for name in type(variants).model_fields if (branch := getattr(variants, name)) is not None}
    if not given:
        legal = ", ".join(type(variants).model_fields)
        raise UserError(f"must hold at least one branch of {legal}", key="model.variant")
    branches = {name: _branch(name, spec.model, branch) for name, branch in given.items()}
    for option in VARIANT_OPTIONS:
        used = any(option in branch.parameters for branch in branches.values())
        if getattr(spec.model, option) is not None and not used:
            raise UserError(f"has no effect on {', '.join(branches)}; leave it out", key=f"model.{option}")
    return branches


def _branch(name: str, shared: Any, own: Any) -> Branch:
    named: dict[str, Named] = {}
    own_heads = own.d_head is not None or own.n_heads is not None
    for key in (*keys_of(name), "d_head"):
        if getattr(own, key) is not None:
            path = f"model.variant.{name}.{key}"
            named[key] = Named(key, f"{name}/{key}", path, _MODEL_TYPES[key], getattr(own, key))
        elif getattr(shared, key) is not None and not (own_heads and key in ("d_head", "n_heads")):
            named[key] = Named(key, key, f"model.{key}", _MODEL_TYPES[key], getattr(shared, key))
    if "d_head" in named and "n_heads" in named:
        raise UserError("follows from d_model and d_head; leave one of the two out", key=named["n_heads"].path)
    for key in _NEEDED:
        if key not in named and not (key == "n_heads" and "d_head" in named):
            missing = "'n_heads' (or 'd_head')" if key == "n_heads" else f"'{key}'"
            raise UserError(f"{missing} is missing", key="model")
    return Branch(name, own.layers, named)


def _with_vocabulary(corpus: CorpusConfig, file: Path) -> CorpusConfig:
    tokenizer = corpus.tokenizer
    if tokenizer.kind != "file":
        return corpus
    # A results folder keeps its tokenizer beside its space: it must open where the original file is not.
    beside = file.parent / "tokenizer.json"
    if not Path(tokenizer.file).is_file() and beside.is_file() and file.name == "space.yaml":
        return replace(corpus, tokenizer=replace(tokenizer, file=str(beside)))
    return corpus


def _vocabulary(spec: SpaceSpec, corpus: CorpusConfig) -> Named:
    sizes = spec.corpus.tokenizer.get("bpe") or Values((_vocab_size(corpus.tokenizer),))
    return Named("bpe", "tokenizer/bpe", "corpus.tokenizer.bpe", int, sizes)


def _vocab_size(tokenizer: TokenizerConfig) -> int:
    if tokenizer.kind == "bytes":
        return 256
    from msarch.data.tokenizer import vocab_size_of  # imports numpy and tokenizers, which few spaces need

    return vocab_size_of(tokenizer)


def _under(key: str, build: Any) -> Any:
    try:
        return build()
    except UserError as error:
        raise error.under(key) from None
