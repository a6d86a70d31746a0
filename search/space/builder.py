"""From a validated file to a `Space`: each key becomes a parameter with its name and its place."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import get_type_hints

from msarch.config import ModelConfig, TrainingConfig
from msarch.config.corpus import CorpusConfig, TokenizerConfig
from msarch.errors import UserError
from msarch.paths import is_file
from search.space.checks import check_space, check_training, checked_branch
from search.space.files import is_recorded
from search.space.schema.fields import default_of
from search.space.schema.model import MODEL_KEYS, VARIANT_OPTIONS, BranchSpec, ModelSpec, TrainingSpec, keys_of
from search.space.schema.space import SpaceSpec
from search.space.space import Space
from search.space.values.branches import Branch, Parameter
from search.space.values.ranges import Values

_MODEL_TYPES = {**get_type_hints(ModelConfig), "d_head": int}
_TRAINING_TYPES = get_type_hints(TrainingConfig)
_NEEDED = [item.name for item in fields(ModelConfig) if item.name in MODEL_KEYS and default_of(item) is MISSING]


def build_space(spec: SpaceSpec, file: str) -> Space:
    """The space that `spec` describes, read from `file`, all checked. Raises UserError with the key's path."""
    try:
        corpus = _with_vocabulary(spec.corpus.config_for(), Path(file))
    except UserError as error:
        raise error.under("corpus") from None
    branches, training = _branches(spec.model), _training(spec.training)
    vocabulary = _vocabulary(spec, corpus)
    branches = {name: checked_branch(branch) for name, branch in branches.items()}
    check_training(training)
    space = Space(
        name=_name(Path(file)),
        file=file,
        spec=spec,
        corpus=corpus,
        vocabulary=vocabulary,
        branches=branches,
        training=training,
        validation_tokens=_validation_tokens(training),
        limits=spec.limits.given(),
        objectives=spec.objectives,
        search=spec.search,
        constraints=spec.constraints,
        points=spec.points,
    )
    check_space(space)
    return space


def _name(file: Path) -> str:
    # What a search records is named by its folder; a space.yaml of the user's own is just called so.
    return (is_recorded(file) and file.absolute().parent.name) or file.stem


def _validation_tokens(training: dict[str, Parameter]) -> int:
    """Target tokens on which every candidate is judged: what is written, or the share of the smallest budget."""
    known = {key: training[key].domain.smallest for key in ("tokens", "validation_tokens") if key in training}
    return TrainingConfig(batch_size=1, **known).targets()


def _training(spec: TrainingSpec) -> dict[str, Parameter]:
    given = spec.given()
    if "batch_size" not in given:
        raise UserError("'batch_size' is missing", key="training")
    return {key: Parameter(key, key, f"training.{key}", _TRAINING_TYPES[key], domain) for key, domain in given.items()}


def _branches(spec: ModelSpec) -> dict[str, Branch]:
    given = spec.variant.given()
    if not given:
        legal = ", ".join(type(spec.variant).model_fields)
        raise UserError(f"must hold at least one branch of {legal}", key="model.variant")
    branches = {name: _branch(name, spec, branch) for name, branch in given.items()}
    for option in VARIANT_OPTIONS & spec.given().keys():
        if not any(option in branch.parameters for branch in branches.values()):
            raise UserError(f"has no effect on {', '.join(branches)}; leave it out", key=f"model.{option}")
    return branches


def _branch(name: str, shared_spec: ModelSpec, own_spec: BranchSpec) -> Branch:
    shared, own = shared_spec.given(), own_spec.given()
    if "d_head" in own or "n_heads" in own:  # one of the two in a branch takes the place of either of them above
        shared = {key: domain for key, domain in shared.items() if key not in ("d_head", "n_heads")}
    parameters: dict[str, Parameter] = {}
    for key in (*keys_of(name), "d_head"):
        if key in own:
            path = f"model.variant.{name}.{key}"
            parameters[key] = Parameter(key, f"{name}/{key}", path, _MODEL_TYPES[key], own[key])
        elif key in shared:
            parameters[key] = Parameter(key, key, f"model.{key}", _MODEL_TYPES[key], shared[key])
    _check_given(parameters)
    return Branch(name, own_spec.layers, parameters)


def _check_given(parameters: dict[str, Parameter]) -> None:
    """Raises UserError where a key of the model is missing, or one of two that exclude each other is too many."""
    if "d_head" in parameters and "n_heads" in parameters:
        raise UserError("follows from d_model and d_head; leave one of the two out", key=parameters["n_heads"].path)
    for key in _NEEDED:
        if key not in parameters and not (key == "n_heads" and "d_head" in parameters):
            missing = "'n_heads' (or 'd_head')" if key == "n_heads" else f"'{key}'"
            raise UserError(f"{missing} is missing", key="model")


def _with_vocabulary(corpus: CorpusConfig, file: Path) -> CorpusConfig:
    tokenizer = corpus.tokenizer
    if tokenizer.kind != "file":
        return corpus
    # A results folder keeps its tokenizer beside its space: it must open where the original file is not.
    beside = file.parent / "tokenizer.json"
    if not is_file(tokenizer.file) and is_file(beside) and file.name == "space.yaml":
        return replace(corpus, tokenizer=replace(tokenizer, file=str(beside)))
    return corpus


def _vocabulary(spec: SpaceSpec, corpus: CorpusConfig) -> Parameter:
    sizes = spec.corpus.tokenizer.sizes
    if corpus.tokenizer.kind == "file":
        sizes = Values((_size_in_file(corpus.tokenizer),))
    return Parameter("bpe", "tokenizer/bpe", "corpus.tokenizer.bpe", int, sizes)


def _size_in_file(tokenizer: TokenizerConfig) -> int:
    from msarch.data.tokenizer import vocab_size_of  # imports numpy and tokenizers, which few spaces need

    return vocab_size_of(tokenizer)
