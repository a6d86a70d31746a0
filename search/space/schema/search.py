"""The keys of ``search:``: the strategy, its budget; and the names of strategies, samplers and pruners."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal, get_args

from pydantic import PlainValidator, model_validator

from msarch.errors import UserError, quoted
from msarch.units import parse_bytes, parse_count, parse_seconds
from search.space.schema.fields import Spec, constant, key
from search.space.schema.resources import ResourcesSpec
from search.space.values.value_types import WHOLE, one_of

Strategy = Literal["front", "prune"]
Sampler = Literal["tpe", "nsga2", "random", "grid"]
Pruner = Literal["pareto", "median", "successive-halving", "hyperband", "none"]
STRATEGIES: tuple[str, ...] = get_args(Strategy)
SAMPLERS: tuple[str, ...] = get_args(Sampler)
PRUNERS: tuple[str, ...] = get_args(Pruner)

DEFAULT_STRATEGY: Strategy = "front"
PARTS_OF_PRUNE = ("sampler", "pruner", "startup")
"""Keys that the strategy "prune" alone reads; where one of them is written, that strategy is meant."""
PARTS_OF_FRONT = ("checkpoints",)

Keep = Literal["none", "front", "all"]
KEEPS: tuple[Keep, ...] = get_args(Keep)

_STRATEGY, _KEEP = one_of("strategy", STRATEGIES), one_of("keep", KEEPS)
_SAMPLER, _PRUNER = one_of("sampler", SAMPLERS), one_of("pruner", PRUNERS)


def parse_at_least(raw: object, low: int) -> int:
    """A whole number of at least `low`. Raises UserError."""
    value: int = WHOLE.parse(raw) if _is_count(raw) else -1
    if value < low:
        raise UserError(f"must be a whole number of at least {low}, got {quoted(raw)}")
    return value


def _is_count(raw: object) -> bool:
    """Whether a word is a number such as 2k; for what is not a word, `WHOLE` says better what is wrong."""
    if not isinstance(raw, str):
        return True
    try:
        parse_count(raw)
    except UserError:
        return False
    return True


def parse_time(raw: object) -> int:
    """A duration in seconds, at least one. Raises UserError."""
    seconds = parse_seconds(constant(raw))
    if seconds < 1:
        raise UserError(f"must be above 0, got {quoted(raw)}")
    return seconds


def parse_size(raw: object) -> int:
    """A size in bytes. Raises UserError."""
    size = parse_bytes(constant(raw))
    if not 0 < size < 2**60:
        raise UserError(f"must be above 0 and below 2**60, got {quoted(raw)}")
    return size


AtLeastZero = Annotated[int, PlainValidator(partial(parse_at_least, low=0))]
AtLeastOne = Annotated[int, PlainValidator(partial(parse_at_least, low=1))]
Seconds = Annotated[int, PlainValidator(parse_time)]


class SearchSettings(Spec):
    """How the space is searched."""

    strategy: Annotated[Strategy, PlainValidator(_STRATEGY.parse)] = key(
        "How training is shared out. `front` pauses trials and resumes those from which the front is expected to gain "
        "most for the tokens; `prune` trains what the sampler proposes until the pruner stops it.",
        value=_STRATEGY.name,
        example="strategy: front",
        default=DEFAULT_STRATEGY,
        default_text=f"{DEFAULT_STRATEGY}; prune where a sampler or a pruner is named",
    )
    sampler: Annotated[Sampler, PlainValidator(_SAMPLER.parse)] = key(
        "Who proposes candidates: a model of what worked (tpe), evolution (nsga2), chance (random), all (grid).",
        value=_SAMPLER.name,
        example="sampler: tpe",
        default="tpe",
        default_text="tpe, in the strategy `prune`",
    )
    pruner: Annotated[Pruner, PlainValidator(_PRUNER.parse)] = key(
        "Who stops a trial early. `pareto` stops one only where trials that cost no more were clearly better; the "
        "others look at the loss alone, and so delete the small-memory end of a front.",
        value=_PRUNER.name,
        example="pruner: pareto",
        default="pareto",
        default_text="pareto, in the strategy `prune`",
    )
    trials: AtLeastOne = key(
        "How many candidates are trained in all; infeasible ones and duplicates do not count. In the strategy `front`, "
        "how many whole trainings its tokens would pay for.",
        value="whole number",
        example="trials: 40",
        default=40,
        default_text="40",
    )
    tokens: AtLeastOne | None = key(
        "Training tokens of the whole search, in place of `trials`: a space has one of the two, and `--set` of one "
        "replaces the other.",
        value="whole number",
        example="tokens: 60M",
        default=None,
        default_text="none",
    )
    seed: AtLeastZero = key(
        "Seeds the sampler, the weights and the order of the data.",
        value="whole number",
        example="seed: 0",
        default=0,
        default_text="0",
    )
    startup: AtLeastOne = key(
        "How many candidates are drawn at random before tpe learns from them.",
        value="whole number",
        example="startup: 10",
        default=10,
        default_text="10",
    )
    concurrent: AtLeastOne | None = key(
        "How many trials run at a time.",
        value="whole number",
        example="concurrent: 2",
        default=None,
        default_text="one a core, or one a GPU",
    )
    resources: ResourcesSpec = key(
        "Cores and GPUs of each trial, see below.",
        value="mapping",
        example="resources: {cpu: 2, gpu: 0.25}",
        default=ResourcesSpec(),
        default_text="a core, and a GPU where there are any",
    )
    time_budget: Seconds | None = key(
        "When to stop, counted from the first training step, whatever is left of `trials`.",
        value="duration",
        example="time_budget: 2h",
        default=None,
        default_text="none",
    )
    trial_timeout: Seconds | None = key(
        "How long a trial may take from one rung to the next. When it is over, its process is killed, and started "
        "again from the checkpoint; after the third restart the trial is failed.",
        value="duration",
        example="trial_timeout: 30m",
        default=None,
        default_text="ten times what the slowest trial so far would take, at least a minute",
    )
    checkpoints: Annotated[int, PlainValidator(parse_size)] = key(
        "Room on the disk for the checkpoints of paused trials; beyond it the least promising of them is pruned.",
        value="size",
        example="checkpoints: 20 GiB",
        default=20 * 2**30,
        default_text="20 GiB",
    )
    keep: Annotated[Keep, PlainValidator(_KEEP.parse)] = key(
        "Which finished trials keep the checkpoint from before their decay, so that `msarch train` can train them on; "
        "only in `schedule: wsd`. It takes 12 bytes a parameter.",
        value=_KEEP.name,
        example="keep: all",
        default="front",
        default_text="front",
    )

    @model_validator(mode="before")
    @classmethod
    def _one_budget(cls, given: Any) -> Any:
        """Raises UserError where there are both a number of trials and one of tokens."""
        if isinstance(given, dict) and "trials" in given and "tokens" in given:
            raise UserError("takes the place of trials: give one of the two", key="tokens")
        return given

    @model_validator(mode="before")
    @classmethod
    def _choose_strategy(cls, given: Any) -> Any:
        """The strategy that is meant where none is written. Raises UserError where the keys contradict it."""
        if not isinstance(given, dict):
            return given
        named = [name for name in PARTS_OF_PRUNE if name in given]
        chosen = {"strategy": "prune" if named else DEFAULT_STRATEGY, **given}
        unread = {"front": named, "prune": [name for name in PARTS_OF_FRONT if name in given]}
        for name in unread.get(str(chosen["strategy"]), []):
            raise UserError(f"has no effect in the strategy {chosen['strategy']}; leave it out", key=name)
        return chosen
