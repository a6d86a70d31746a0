"""Deliberately wrong models: one that sees ahead and one that lags a block must be caught, for every variant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.small_models import small, windows
from torch import Tensor

from msarch import ModelConfig, build_model
from msarch.layers.aggregation import Aggregation, AlignedAggregation
from msarch.layers.meeting import Meeting
from msarch.layers.past import Past
from msarch.layers.pooling import QueryOnlyPool
from msarch.layers.positions import last_tokens
from msarch.layers.resampling import CausalUpsample, LinearUpsample
from msarch.models.bottom_up import BottomUp
from msarch.models.causality import CausalityError, check_causality, influence, randomised_copy
from msarch.models.hourglass import Hourglass
from msarch.models.language_model import LanguageModel
from msarch.models.retina import Chunk, Retina, RetinaPattern
from msarch.models.top_down import TopDown


class NaiveRepeat(CausalUpsample):
    """Repeats the running block: state j is read from its first token on."""

    def forward(self, null_and_coarse: Tensor, length: int, passed: int = 0) -> Tensor:
        padded = torch.cat([null_and_coarse, null_and_coarse[:, -1:]], dim=1)
        return padded[:, 1:].repeat_interleave(self.factor, dim=1)[:, :length]


class WholeBlockShift(CausalUpsample):
    """Legal but one block late at a block's last token: state j is read from (j + 1) k on, not (j + 1) k - 1."""

    def forward(self, null_and_coarse: Tensor, length: int, passed: int = 0) -> Tensor:
        return null_and_coarse.repeat_interleave(self.factor, dim=1)[:, :length]


class NaiveLinear(LinearUpsample):
    """Each position reads its part of the running block."""

    def forward(self, null_and_coarse: Tensor, length: int, passed: int = 0) -> Tensor:
        running = torch.cat([null_and_coarse, null_and_coarse[:, -1:]], dim=1)
        return super().forward(running[:, 1:], length)


class LateLinear(LinearUpsample):
    """Legal but one block late: each position reads its part of the block before the last completed one."""

    def forward(self, null_and_coarse: Tensor, length: int, passed: int = 0) -> Tensor:
        return super().forward(torch.cat([null_and_coarse[:, :1], null_and_coarse[:, :-1]], dim=1), length)


def mutate_upsampling(model: LanguageModel, mutant: type[CausalUpsample]) -> LanguageModel:
    assert isinstance(model, TopDown | Hourglass)
    meetings = [module for module in model.modules() if isinstance(module, Meeting)]
    assert len(meetings) == len(model.config.scales) - 1
    for meeting in meetings:
        meeting.upsample = mutant(meeting.upsample.factor)
    return model


def shifted(at_M: Tensor, tokens: int) -> Tensor:
    """Coarse states readable that many tokens earlier than they are complete; the null state stays."""
    return torch.cat([at_M[:1], at_M[1:] - tokens])


class ShiftedAggregation(Aggregation):
    shift = 0

    def token_positions(self, length: int, device: torch.device, past: Past | None = None) -> tuple[Tensor, Tensor]:
        at_T, at_M = super().token_positions(length, device, past)
        return at_T, shifted(at_M, self.shift)


def mutate_bottom_up(model: LanguageModel, shift: int) -> LanguageModel:
    assert isinstance(model, BottomUp) and model.aggregation is not None
    model.aggregation.__class__ = type("Mutant", (ShiftedAggregation,), {"shift": shift})
    return model


def mutate_aligned(model: LanguageModel, mutant: type[CausalUpsample]) -> LanguageModel:
    assert isinstance(model, BottomUp) and isinstance(model.aggregation, AlignedAggregation)
    for module in model.aggregation.upsample:
        module.__class__ = mutant
    return model


class GreedyPool(QueryOnlyPool):
    """Its queries also read the block after their own."""

    def __init__(self, good: QueryOnlyPool) -> None:
        super().__init__(CONFIG, good.finer, good.coarser)
        self.reading, self.project = good.reading, good.project

    def forward(self, x_BND: Tensor, past: Past | None = None) -> Tensor:
        pooled = self.mean(x_BND)
        at_M = last_tokens(pooled.shape[1], self.coarser, x_BND.device) + self.coarser
        members = x_BND[:, : pooled.shape[1] * self.factor]
        read: Tensor = self.reading(pooled, members, at_M, last_tokens(members.shape[1], self.finer, x_BND.device))
        return read


class LeakyPattern(RetinaPattern):
    """Reads the running block of the coarsest scale besides its legal keys."""

    length = 0

    def _chunks(self, length: int, like: Tensor) -> Iterator[Chunk]:
        self.length = length
        return super()._chunks(length, like)

    def blocks(self, queries: range) -> list[range]:
        return [range(self.length // self.factors[-1]), *super().blocks(queries)[1:]]

    def visible(self, queries: range, blocks: list[range]) -> NDArray[np.bool_]:
        mask = super().visible(queries, blocks)
        running = np.array(queries)[:, None] // self.factors[-1] == np.array(blocks[0])
        mask[:, : len(blocks[0])] |= running
        return mask


class GreedyPattern(RetinaPattern):
    """Reads every block of one pooled scale that any query of its chunk may read."""

    greedy = 0  # the coarsest scale

    def visible(self, queries: range, blocks: list[range]) -> NDArray[np.bool_]:
        mask = super().visible(queries, blocks)
        first = sum(map(len, blocks[: self.greedy]))
        mask[:, first : first + len(blocks[self.greedy])] = True
        return mask


class GreedyMiddlePattern(GreedyPattern):
    greedy = 1


class LatePattern(RetinaPattern):
    """Reads what the query before it should read."""

    def bounds(self, tokens: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        return super().bounds(np.maximum(tokens - 1, 0))


class ShortPattern(RetinaPattern):
    """Its chunks leave out the oldest fine key that their first query reads."""

    def blocks(self, queries: range) -> list[range]:
        *coarser, finest = super().blocks(queries)
        return [*coarser, finest[1:]]


def mutate_retina(model: LanguageModel, mutant: type[RetinaPattern], chunk: int) -> LanguageModel:
    assert isinstance(model, Retina)
    model.pattern.chunk = chunk
    model.pattern.__class__ = mutant
    return model


TOP_DOWN = [small("top_down", layers) for layers in ("1@4 1@1", "1@16 1@4 1@1", "1@16:48 1ff@4:32 1@1")]
BOTTOM_UP = [small("bottom_up", layers) for layers in ("1@1 1@4 1@1", "0@1 1@4 1@16 1@1", "0@1 1ff@4:32 1@16:48 1@1")]
HOURGLASS = [
    small("hourglass", layers) for layers in ("1@1 1@4 1@1", "0@1 1@4 1@16 1@4 1@1", "0@1 1@4:32 1ff@16:48 1ff@4 1@1")
]
LEARNED = [
    small("hourglass", "1@1 1@4 1@1", shortening=shortening, upsampling=upsampling)
    for shortening in ("linear", "attention")
    for upsampling in ("linear", "attention")
]
LINEAR = [
    small("hourglass", "1@1 1@4 1@1", upsampling="linear"),
    small("top_down", "1@4 1@1", upsampling="linear"),
    small("top_down", "1@16 1@4 1@1", upsampling="linear", combine="add"),
    small("top_down", "1@4:64 1@1", upsampling="linear", combine="add"),
]
READING = [
    small("hourglass", "1@1 1@4 1@1", upsampling="attention"),
    small("top_down", "1@4 1@1", upsampling="attention"),
    small("top_down", "1@16 1@4 1@1", upsampling="attention", combine="add", positions="alibi"),
    small("hourglass", "1@1 1@4:32 1@1", upsampling="attention", positions="rotary"),
]
OPTIONS = [
    small("top_down", "1@4 1@1", pool="conv", combine="add"),
    small("top_down", "1@16 2@4 1@1", pool="attention", positions="rotary"),
    small("top_down", "2@4 1@1", pool="query_only", positions="alibi"),
    small("bottom_up", "1@1 1@4 1@1", pool="conv", positions="rotary"),
    small("bottom_up", "1@1 2@4 1@16 1@1", pool="query_only", positions="none"),
]
ALIGNED = [
    small("bottom_up", "1@1 1@4 1@1", aggregation="aligned"),
    small("bottom_up", "0@1 1@4 1@16 1@1", aggregation="aligned", positions="alibi"),
    small("bottom_up", "1@1 1@3 1@6 0@1", aggregation="aligned", positions="rotary"),
    small("bottom_up", "1@1 1@4:48 1@1", aggregation="aligned", positions="rotary"),
]
CONFIG = small("vanilla", "1@1")
RETINA = small("retina", "2@1", **windows(8, 2))


@pytest.mark.parametrize("config", [*TOP_DOWN, *HOURGLASS, *OPTIONS[:3]])
def test_a_naive_repeat_is_caught(config: ModelConfig) -> None:
    with pytest.raises(CausalityError, match="sees ahead"):
        check_causality(mutate_upsampling(build_model(config), NaiveRepeat))


def test_the_good_start_of_a_top_down_model_would_hide_the_naive_repeat() -> None:
    """Why the check draws every parameter: at initialisation the coarse half of W is zero."""
    leaky = mutate_upsampling(build_model(TOP_DOWN[0]), NaiveRepeat).double()
    assert not influence(leaky, 12, range(12)).tril(diagonal=-1).any()
    assert influence(randomised_copy(leaky), 12, range(12)).tril(diagonal=-1).any()


@pytest.mark.parametrize("config", LINEAR)
def test_a_part_of_the_running_block_is_caught(config: ModelConfig) -> None:
    check_causality(build_model(config))
    with pytest.raises(CausalityError, match="sees ahead"):
        check_causality(mutate_upsampling(build_model(config), NaiveLinear))


@pytest.mark.parametrize("config", LINEAR)
def test_parts_a_block_late_are_caught(config: ModelConfig) -> None:
    model = mutate_upsampling(build_model(config), LateLinear)
    check_causality(model)
    assert not coarse_block_is_used(model, sorted(config.scales)[1])


class EarlyReading(Meeting):
    def token_positions(
        self, length: int, states: int, device: torch.device, past: Past | None = None
    ) -> tuple[Tensor, Tensor]:
        at_N, at_M = super().token_positions(length, states, device, past)
        return at_N, shifted(at_M, 1)


@pytest.mark.parametrize("config", READING)
def test_attention_back_from_a_running_block_is_caught(config: ModelConfig) -> None:
    model = build_model(config)
    check_causality(model)
    for meeting in [module for module in model.modules() if isinstance(module, Meeting)]:
        meeting.__class__ = type("Mutant", (EarlyReading, type(meeting)), {})
    with pytest.raises(CausalityError, match="sees ahead"):
        check_causality(model)


@pytest.mark.parametrize("config", BOTTOM_UP)
def test_an_aggregation_that_reads_running_blocks_is_caught(config: ModelConfig) -> None:
    with pytest.raises(CausalityError, match="sees ahead"):
        check_causality(mutate_bottom_up(build_model(config), 1))


@pytest.mark.parametrize("config", ALIGNED)
def test_an_aligned_aggregation_that_reads_running_blocks_is_caught(config: ModelConfig) -> None:
    check_causality(build_model(config))
    with pytest.raises(CausalityError, match="sees ahead"):
        check_causality(mutate_aligned(build_model(config), NaiveRepeat))


@pytest.mark.parametrize("config", ALIGNED)
def test_an_aligned_aggregation_a_block_late_is_caught(config: ModelConfig) -> None:
    model = mutate_aligned(build_model(config), WholeBlockShift)
    check_causality(model)
    assert not coarse_block_is_used(model, max(config.scales))


@pytest.mark.parametrize(
    ("variant", "layers"), [("top_down", "2@4 1@1"), ("bottom_up", "1@1 2@4 1@1"), ("top_down", "2@4:32 1@1")]
)
def test_pooled_queries_that_read_the_block_after_theirs_are_caught(variant: str, layers: str) -> None:
    model = build_model(small(variant, layers, pool="query_only"))
    check_causality(model)
    pools = model.get_submodule("pools")
    good = model.get_submodule("pools.4")
    assert isinstance(good, QueryOnlyPool) and isinstance(pools, torch.nn.ModuleDict)
    pools["4"] = GreedyPool(good)
    with pytest.raises(CausalityError, match="sees ahead"):
        check_causality(model)


@pytest.mark.parametrize("chunk", [16, 256])
def test_a_retina_that_reads_the_running_block_is_caught(chunk: int) -> None:
    check_causality(mutate_retina(build_model(RETINA), RetinaPattern, chunk))
    with pytest.raises(CausalityError, match="sees ahead"):
        check_causality(mutate_retina(build_model(RETINA), LeakyPattern, chunk))


@pytest.mark.parametrize("mutant", [GreedyPattern, GreedyMiddlePattern])
@pytest.mark.parametrize("sizes", [(16, 8), (64, 16), (128, 4)])
def test_a_retina_of_wide_windows_that_sees_ahead_behind_them_is_caught(
    mutant: type[RetinaPattern], sizes: tuple[int, ...]
) -> None:
    """Its pooled keys begin far behind two blocks of the coarsest scale."""
    config = small("retina", "2@1", context=256, **windows(*sizes))
    check_causality(build_model(config))
    with pytest.raises(CausalityError, match="sees ahead"):
        check_causality(mutate_retina(build_model(config), mutant, 256))


def covers_the_past_exactly(pattern: RetinaPattern, length: int) -> bool:
    """Do the keys of each query, as the chunks have them, stand for the tokens 0..t, each of them once?"""
    covered = torch.zeros(length, length)
    for chunk in pattern.chunks(length, torch.empty(0)):
        tokens_of_key = [
            torch.eye(length // factor)[scale.start : scale.stop].repeat_interleave(factor, dim=1)
            for factor, scale in zip(reversed(pattern.factors), chunk.blocks, strict=True)
        ]
        covered[chunk.queries.start : chunk.queries.stop] = (chunk.mask == 0).float() @ torch.cat(tokens_of_key)
    return torch.equal(covered, torch.ones(length, length).tril())


@pytest.mark.parametrize("chunk", [16, 64, 256])
@pytest.mark.parametrize(("factors", "sizes"), [((1, 4, 16), (8, 2)), ((1, 4, 16), (3, 1)), ((1, 3, 6, 12), (4, 2, 1))])
def test_the_keys_of_a_retina_stand_for_every_past_token_once(
    factors: tuple[int, ...], sizes: tuple[int, ...], chunk: int
) -> None:
    assert covers_the_past_exactly(RetinaPattern(factors, sizes, chunk), 20 * factors[-1])


@pytest.mark.parametrize("mutant", [LeakyPattern, LatePattern, ShortPattern])
@pytest.mark.parametrize("chunk", [16, 256])
def test_a_retina_with_other_keys_than_its_past_is_caught(mutant: type[RetinaPattern], chunk: int) -> None:
    assert not covers_the_past_exactly(mutant((1, 4, 16), (8, 2), chunk), 320)


def coarse_block_is_used(model: LanguageModel, factor: int) -> bool:
    """Does the coarse state of a block reach the output at the block's last token?

    The path through the coarse scale is told from the fine one by cutting it: the state is replaced, after its
    scale has run, and the output at exactly the last token of the block must notice.
    """
    model = randomised_copy(model)
    tokens = torch.randint(model.config.vocab_size, (1, 2 * factor), generator=torch.Generator().manual_seed(0))
    plain = model.features(tokens)

    def disturb(module: torch.nn.Module, args: object, states: Tensor) -> Tensor:
        changed = states.clone()
        changed[:, 1] += torch.linspace(-1, 1, states.shape[-1], dtype=states.dtype)
        return changed

    handle = model.stacks[str(factor)].register_forward_hook(disturb)
    disturbed = model.features(tokens)
    handle.remove()
    differs = (plain != disturbed).any(dim=-1)[0]
    assert not differs[: 2 * factor - 1].any()
    return bool(differs[-1])


@pytest.mark.parametrize("config", [*TOP_DOWN, *BOTTOM_UP, *HOURGLASS, *LEARNED, *LINEAR, *READING, *OPTIONS, *ALIGNED])
def test_a_completed_block_reaches_the_output_at_its_last_token(config: ModelConfig) -> None:
    for factor in config.scales:
        if factor > 1:
            assert coarse_block_is_used(build_model(config), factor)


@pytest.mark.parametrize("config", [*TOP_DOWN, *HOURGLASS])
def test_a_whole_block_shift_is_caught(config: ModelConfig) -> None:
    model = mutate_upsampling(build_model(config), WholeBlockShift)
    check_causality(model)  # it is legal: only the information test can tell
    assert not coarse_block_is_used(model, sorted(config.scales)[1])


@pytest.mark.parametrize("config", BOTTOM_UP)
def test_an_aggregation_one_token_late_is_caught(config: ModelConfig) -> None:
    model = mutate_bottom_up(build_model(config), -1)
    check_causality(model)
    assert not coarse_block_is_used(model, max(config.scales))
