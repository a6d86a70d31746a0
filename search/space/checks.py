"""What must hold between the keys of a space, so that every candidate in it can be built.

Configurations check themselves: each value and each pair of values that a branch admits is tried on
`ModelConfig` and `TrainingConfig`, and what they refuse is reported with the key that holds the value.
"""

from __future__ import annotations

from itertools import combinations, islice, product
from typing import Any

from msarch.config import ModelConfig, TrainingConfig
from msarch.config.allocation import nearest
from msarch.config.model import LARGEST_SIZES
from msarch.config.variants import VARIANTS
from msarch.errors import UserError, quoted
from search.space.schema.model import CONSTANT
from search.space.space import Space
from search.space.values.branches import Branch, Parameter
from search.space.widths import MOST_TRIED, each, with_width_steps

Chosen = dict[str, tuple[str, Any]]
"""By key: the path at which a value is written, and the value."""


def check_space(space: Space) -> None:
    """Raises UserError unless every candidate of `space` can be built; its branches and its training are sound."""
    _check_bytes(space)
    _check_batches(space)
    _check_factors(space)
    _check_objectives(space)
    _check_grid(space)
    _check_points(space)


def _check_bytes(space: Space) -> None:
    """Some variants look at what their tokens say."""
    for name in space.branches:
        if VARIANTS[name].reads_bytes and space.corpus.tokenizer.kind != "bytes":
            raise UserError(f"{name} reads bytes: write corpus: {{tokenizer: bytes}}", key=f"model.variant.{name}")


def checked_branch(branch: Branch) -> Branch:
    """The branch, its ranges of widths going by d_head. Raises UserError unless any of its values make a model."""
    _check_heads(branch)
    branch = with_width_steps(branch)
    _check_pairs(branch)
    return branch


def _check_heads(branch: Branch) -> None:
    for key in ("d_model", "context", *(key for key in ("d_head", "n_heads") if key in branch.parameters)):
        parameter = branch.parameters[key]
        for place, value in parameter.domain.probes():
            if value < 1:
                raise UserError(f"must be a whole number of at least 1, got {value}", key=parameter.path + place)
            largest = LARGEST_SIZES["d_model" if key == "d_head" else key]
            if value > largest:
                raise UserError(f"must be at most {largest:,}, got {value}", key=parameter.path + place)
    width = branch.parameters["d_model"]
    heads = branch.parameters.get("d_head") or branch.parameters["n_heads"]
    _check_mup(branch, heads)
    for divisor in each(heads):
        refused = width.domain.indivisible(divisor)
        if refused is not None:
            what = f"heads of width {divisor}" if heads.key == "d_head" else f"{divisor} heads"
            raise UserError(
                f"{what} do not divide d_model {refused}; {nearest(refused, divisor)}, or another {heads.key}",
                key=heads.path,
            )


def _check_mup(branch: Branch, heads: Parameter) -> None:
    """In muP heads grow in number with the width: with wider ones the scale of scores would change."""
    asked = branch.parameters.get("parametrization")
    if asked is None or all(value != "mup" for _, value in asked.domain.probes()):
        return
    if heads.key == "n_heads" and branch.parameters["d_model"].domain.varies:
        raise UserError("muP compares widths at one width of a head; write d_head in its place", key=heads.path)


def _check_pairs(branch: Branch) -> None:
    """Builds a ModelConfig for each pair of values, the others at their first, and for each alternative."""
    tried = [
        [(parameter.path + place, value) for place, value in parameter.domain.probes()]
        for parameter in branch.parameters.values()
    ]
    keys = list(branch.parameters)
    first: Chosen = {key: options[0] for key, options in zip(keys, tried, strict=True)}
    for allocation in branch.layers:
        for layers in (allocation.smallest, allocation.largest):
            _build_model(branch, layers, first)
    pairs = (
        (allocation.smallest, {**first, keys[one]: left, keys[two]: right})
        for allocation in branch.layers
        for one, two in combinations(range(len(keys)), 2)
        for left, right in product(tried[one], tried[two])
    )
    for layers, chosen in islice(pairs, MOST_TRIED):
        _build_model(branch, layers, chosen)


def _build_model(branch: Branch, layers: str, chosen: Chosen) -> None:
    values = {key: value for key, (_, value) in chosen.items()}
    if "d_head" in values:
        values["n_heads"] = values["d_model"] // values.pop("d_head")
    try:
        ModelConfig(variant=branch.variant, layers=layers, vocab_size=256, **values)
    except UserError as error:
        raise _placed(error, chosen, branch.path) from None


def _placed(error: UserError, chosen: Chosen, prefix: str) -> UserError:
    if error.key in chosen:
        return UserError(error.message, key=chosen[error.key][0])
    return error.under(prefix)


def check_training(training: dict[str, Parameter]) -> None:
    """Raises UserError unless each value of each parameter is one that training can have."""
    for key in CONSTANT:
        if key in training and training[key].domain.varies:
            raise UserError("must be the same for every candidate; write one constant", key=f"training.{key}")
    for key, parameter in training.items():
        for place, value in parameter.domain.probes():
            try:
                TrainingConfig(**{"batch_size": 1, key: value})
            except UserError as error:
                raise _placed(error, {key: (parameter.path + place, value)}, "training") from None


def _check_batches(space: Space) -> None:
    """A smaller context gets proportionally more sequences, which must come out whole."""
    largest, batches = space.largest_context, space.training["batch_size"]
    for branch in space.branches.values():
        context = branch.parameters["context"]
        if context.domain.combinations == 1:
            contexts = [context.domain.smallest]
        else:
            contexts = list(islice(each(context), MOST_TRIED))
        for size, batch in product(contexts, islice(each(batches), MOST_TRIED)):
            if batch * largest % size:
                raise UserError(
                    f"{batch} sequences of {largest} tokens do not make a whole number of sequences of {size}; choose "
                    f"contexts that divide {batch * largest}",
                    key=context.path,
                )


def _check_factors(space: Space) -> None:
    for branch in space.branches.values():
        context = branch.parameters["context"].domain.smallest
        for index, allocation in enumerate(branch.layers):
            coarsest = max(stage.factor for stage in allocation.stages)
            if coarsest >= context > 1:
                raise UserError(
                    f"{quoted(str(allocation))}: a state of factor {coarsest} is complete after the whole context of "
                    f"{context} tokens and reaches none of them; use a smaller factor or a larger context",
                    key=f"{branch.path}.layers" + (f"[{index}]" if len(branch.layers) > 1 else ""),
                )


def _check_objectives(space: Space) -> None:
    if space.vocabulary.domain.varies and ("perplexity" in space.objectives or "bits_per_byte" not in space.objectives):
        raise UserError(
            "perplexity does not compare across vocabularies, which vary here: write [bits_per_byte, memory]",
            key="objectives",
        )


def _check_grid(space: Space) -> None:
    if space.search.sampler != "grid":
        return
    for parameter in space.parameters():
        if parameter.domain.combinations is None:
            raise UserError(f"a grid needs steps or values, and {parameter.path} has none", key="search.sampler")


def _check_points(space: Space) -> None:
    for index, point in enumerate(space.points):
        try:
            space.fixed_params(point)
        except UserError as error:
            raise error.under(f"points[{index}]") from None
