"""Logits token by token against those of one pass, for every variant and option, with every parameter random."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from support.small_models import CONFIGS, label, small, windows
from torch import Tensor

from msarch import ModelConfig, TrainingConfig, build_model
from msarch.generation import Decoder, arrange_weights
from msarch.layers.past import KeysAndValues, LastKeys, LastState, Room, RunningBlock
from msarch.layers.resampling import CausalUpsample
from msarch.memory.inference import cache_bytes
from msarch.models.causality import randomised_copy
from msarch.models.language_model import LanguageModel
from msarch.models.retina_slots import RetinaKeys

OPTIONS = [
    *CONFIGS,
    # Contexts that no factor divides, and windows that a retina's cache must follow for longer.
    *(replace(config, context=43) for config in CONFIGS[2:12]),
    small("top_down", "1@5 1@1", context=43, pool="query_only", upsampling="attention", positions="rotary"),
    small("retina", "1@1", context=160, positions="rotary", retina_factors=(1, 4, 16), retina_windows=(5, 4)),
    small("retina", "1@1", context=160, positions="alibi", retina_factors=(1, 3, 6), retina_windows=(4, 2, 3)),
    small("retina", "1@1", context=100, retina_factors=(1, 2, 4, 8), retina_windows=(1, 1, 1)),
]
every_option = pytest.mark.parametrize("config", OPTIONS, ids=lambda c: f"{label(c)} / context {c.context}")


def tokens_of(config: ModelConfig, batch_size: int = 2) -> Tensor:
    """Text of full context; where words matter, with spaces at other places in each sequence."""
    torch.manual_seed(0)
    tokens = torch.randint(config.vocab_size, (batch_size, config.context))
    if config.vocab_size == 256:
        tokens[torch.rand(tokens.shape) < 0.3] = ord(" ")
        tokens[0, ::2], tokens[0, 1::2] = ord("a"), ord(" ")  # as many words as there can be
    return tokens


def model_of(config: ModelConfig) -> LanguageModel:
    torch.manual_seed(0)
    return randomised_copy(build_model(config))


def in_parts(decoder: Decoder, tokens: Tensor, parts: list[int]) -> Tensor:
    """Logits at every position, the tokens read in parts of these lengths and then one by one."""
    rest = tokens.shape[1] - sum(parts)
    return torch.cat([decoder.extend(part) for part in tokens.split([*parts, *[1] * rest], dim=1)], dim=1)


def furthest(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max())


def prompts(config: ModelConfig) -> list[list[int]]:
    """None, around the first coarse block, several parts, everything at once."""
    block = max(config.scales)
    return [
        [],
        [block - 1],
        [block, 2, 3],
        [block + 1, config.context // 3],
        [config.context - 1],
        [config.context],
    ]


def until(config: ModelConfig, parts: list[int]) -> int:
    """Two coarsest blocks after a prompt; all positions without one, and of a retina, whose windows end late."""
    if not parts or config.variant == "retina":
        return config.context
    return min(config.context, sum(parts) + 2 * max(config.scales))


@every_option
def test_logits_are_those_of_one_pass_at_every_position(config: ModelConfig) -> None:
    model, tokens = model_of(config), tokens_of(config)
    with torch.no_grad():
        expected = model(tokens)
    decoder = Decoder(model, batch_size=2)
    for parts in prompts(config):
        decoder.reset()
        end = until(config, parts)
        assert furthest(in_parts(decoder, tokens[:, :end], parts), expected[:, :end]) < 1e-10, parts


@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS, ids=label)
def test_logits_are_those_of_one_pass_after_every_prompt(config: ModelConfig) -> None:
    model, tokens = model_of(config), tokens_of(config, 3)
    with torch.no_grad():
        expected = model(tokens)
    for length in range(1, config.context + 1):
        assert furthest(in_parts(Decoder(model, 3), tokens, [length]), expected) < 1e-10, length


@every_option
def test_the_cache_takes_the_bytes_that_were_promised(config: ModelConfig) -> None:
    decoder = Decoder(build_model(config), batch_size=3)
    promised = 3 * cache_bytes(config, TrainingConfig(batch_size=1))
    assert decoder.cache_bytes == promised
    for part in tokens_of(config, 3).split([5, 1, config.context - 7, 1], dim=1):
        decoder.extend(part)
    assert decoder.cache_bytes == promised
    half = cache_bytes(config, TrainingConfig(batch_size=1, dtype="bfloat16"))
    assert Decoder(build_model(config).to(torch.bfloat16)).cache_bytes == half == promised / 6


@pytest.mark.parametrize("config", [c for c in CONFIGS if c.positions == "rotary" or c.d_model > 16], ids=label)
def test_half_precision_stays_close_to_its_own_full_pass(config: ModelConfig) -> None:
    model, tokens = model_of(config).to(torch.bfloat16), tokens_of(config)
    with torch.no_grad():
        expected = model(tokens)
    found = in_parts(Decoder(model, 2), tokens, [7])
    assert found.dtype == torch.bfloat16
    assert (found - expected).float().pow(2).mean() < 0.01 * expected.float().pow(2).mean()


ONE_OF_EACH = [
    small("vanilla", "2@1", positions="alibi"),
    small("top_down", "1@12 2@3 1@1", pool="query_only", upsampling="attention", positions="rotary"),
    small("bottom_up", "1@1 1@2 1@6 1@1"),
    small("bottom_up", "1@1 1@2 1@6 1@1", aggregation="aligned"),
    small("retina", "2@1", **windows(3, 1)),
    small("hourglass", "1@1 1@2:32 1@6 0@2 1@1", shortening="attention", upsampling="linear"),
    small("spacebyte", "1@1 2@4 1@1", vocab_size=256, positions="alibi"),
]
one_of_each = pytest.mark.parametrize("config", ONE_OF_EACH, ids=label)


@one_of_each
def test_sequences_change_places(config: ModelConfig) -> None:
    model, tokens = model_of(config), tokens_of(config, 3)
    rows = torch.tensor([2, 0, 0])
    decoder = Decoder(model, batch_size=3)
    in_parts(decoder, tokens[:, :17], [17])
    decoder.reorder(rows)
    found = in_parts(decoder, tokens[:, 17:], [])
    with torch.no_grad():
        expected = model(torch.cat([tokens[rows, :17], tokens[:, 17:]], dim=1))[:, 17:]
    assert furthest(found, expected) < 1e-10


@one_of_each
def test_a_shorter_length_takes_less_and_gives_the_same(config: ModelConfig) -> None:
    model, tokens = model_of(config), tokens_of(config)[:, :25]
    decoder = Decoder(model, batch_size=2, length=25)
    assert decoder.cache_bytes < Decoder(model, batch_size=2).cache_bytes
    with torch.no_grad():
        assert furthest(in_parts(decoder, tokens, [11]), model(tokens)) < 1e-10


@one_of_each
def test_two_decoders_of_one_model_do_not_disturb_each_other(config: ModelConfig) -> None:
    model, tokens = model_of(config), tokens_of(config)
    decoders = [Decoder(model), Decoder(model)]
    found = [[decoder.extend(row[None, :at]) for decoder, row, at in zip(decoders, tokens, (5, 18), strict=True)]]
    found += [
        [decoder.extend(row[None, at + n, None]) for decoder, row, at in zip(decoders, tokens, (5, 18), strict=True)]
        for n in range(config.context - 18)
    ]
    with torch.no_grad():
        for row, parts in zip(tokens, zip(*found, strict=True), strict=True):
            together = torch.cat(parts, dim=1)
            assert furthest(together, model(row[None])[:, : together.shape[1]]) < 1e-10


def test_training_after_generation_is_training() -> None:
    """Tables made while text was generated are no tensors of inference mode."""
    for config in ONE_OF_EACH:
        model, tokens = model_of(config), tokens_of(config)
        in_parts(Decoder(model, 2), tokens, [9])
        model(tokens).sum().backward()


@one_of_each
def test_arranged_weights_are_the_same_weights(config: ModelConfig) -> None:
    model, tokens = model_of(config), tokens_of(config)
    with torch.no_grad():
        expected = model(tokens)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    arrange_weights(model)
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())
    assert not model.embedding.weight.is_contiguous()
    assert furthest(in_parts(Decoder(model, 2), tokens, [9]), expected) < 1e-10


def test_the_last_logits_alone() -> None:
    model, tokens = model_of(ONE_OF_EACH[1]), tokens_of(ONE_OF_EACH[1])
    last = Decoder(model, 2).extend(tokens, last=2)
    assert last.shape == (2, 2, 61)
    assert torch.equal(last, Decoder(model, 2).extend(tokens)[:, -2:])


def test_no_token_is_no_step() -> None:
    decoder = Decoder(build_model(ONE_OF_EACH[0]), 2)
    assert decoder.extend(torch.zeros(2, 0, dtype=torch.int64)).shape == (2, 0, 61)
    assert decoder.tokens == 0


def test_what_is_not_possible_is_said_and_changes_nothing() -> None:
    model, tokens = model_of(ONE_OF_EACH[1]), tokens_of(ONE_OF_EACH[1])
    decoder = Decoder(model, 2)
    decoder.extend(tokens[:, :40])
    with pytest.raises(ValueError, match="40 and 9 more tokens exceed the length of 48"):
        decoder.extend(tokens[:, :9])
    with pytest.raises(ValueError, match="3 sequences for a decoder of 2"):
        decoder.extend(torch.zeros(3, 1, dtype=torch.int64))
    with torch.no_grad():
        assert furthest(decoder.extend(tokens[:, 40:]), model(tokens)[:, 40:]) < 1e-10
    for length in (0, 49):
        with pytest.raises(ValueError, match=f"a length of {length} tokens; choose one of 1 to the context of 48"):
            Decoder(model, length=length)
    dropping = build_model(small("vanilla", "1@1", dropout=0.1))
    with pytest.raises(ValueError, match=r"call model.eval\(\) first"):
        Decoder(dropping)
    Decoder(dropping.eval())


def late_keys(self: Any, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Without the newest one, wherever there is an older one."""
    keys, values = append(self, k, v)
    keep = max(1, keys.shape[2] - 1)
    return keys[:, :, :keep], values[:, :, :keep]


def late_block(self: Any, x: Tensor) -> Tensor:
    """The block before is handed on, at first zeros."""
    block = complete(self, x)
    if not block.shape[1]:
        return block
    before, self.held = getattr(self, "held", torch.zeros_like(block)), block
    return before


def late_state(self: Any, x: Tensor) -> Tensor:
    """The new state is read from the next token on."""
    states = join(self, x)
    return torch.cat([states[:, :1], states[:, :-1]], dim=1) if len(x[0]) and states.shape[1] > 1 else states


def late_last_keys(self: Any, k: Tensor, v: Tensor, at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    keys, values, places = join_keys(self, k, v, at)
    if keys.shape[1] < 2:
        return keys, values, places
    keys, values = (torch.cat([x[:, :1], x[:, :-1]], dim=1) for x in (keys, values))
    return keys, values, places


def early_places(self: Any, k: Tensor, v: Tensor, token: int, change: Any) -> tuple[Tensor, Tensor]:
    """What is in use before the token came in."""
    keys, values = advance(self, k, v, token, change)
    return keys[:, :, : change.in_use - 1], values[:, :, : change.in_use - 1]


append, complete, join = KeysAndValues.append, RunningBlock.complete, LastState.join
join_keys, advance = LastKeys.join, RetinaKeys.advance


@pytest.mark.parametrize(
    ("config", "cache", "method", "late"),
    [
        (small("vanilla", "2@1"), KeysAndValues, "append", late_keys),
        (small("top_down", "1@4 1@1"), LastState, "join", late_state),
        (small("hourglass", "1@1 1@4 1@1"), LastState, "join", late_state),
        (small("hourglass", "1@1 1@4 1@1", upsampling="linear"), LastState, "join", late_state),
        (small("top_down", "1@4 1@1"), RunningBlock, "complete", late_block),
        (small("bottom_up", "1@1 1@4 1@1"), RunningBlock, "complete", late_block),
        (small("bottom_up", "1@1 1@4 1@1", aggregation="aligned"), LastKeys, "join", late_last_keys),
        (small("retina", "2@1", **windows(3, 1)), RetinaKeys, "advance", early_places),
    ],
    ids=lambda value: label(value) if isinstance(value, ModelConfig) else "",
)
def test_a_cache_one_token_late_is_caught(
    config: ModelConfig, cache: type, method: str, late: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokens = model_of(config), tokens_of(config)
    with torch.no_grad():
        expected = model(tokens)
    assert furthest(in_parts(Decoder(model, 2), tokens, [1]), expected) < 1e-10
    monkeypatch.setattr(cache, method, late)
    assert furthest(in_parts(Decoder(model, 2), tokens, [1]), expected) > 1e-3


def test_a_rule_of_blocks_that_forgets_the_past_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = CausalUpsample.forward
    monkeypatch.setattr(CausalUpsample, "forward", lambda self, states, length, passed=0: rule(self, states, length))
    config = small("top_down", "1@4 1@1")
    model, tokens = model_of(config), tokens_of(config)
    with torch.no_grad():
        assert furthest(in_parts(Decoder(model, 2), tokens, [1]), model(tokens)) > 1e-3


def test_running_blocks_grow_no_further_than_their_block() -> None:
    room = Room(batch_size=1, tokens=12, dtype=torch.float32, device=torch.device("cpu"))
    block = RunningBlock(room, 4, 1)
    numbers = torch.arange(12.0)[None, :, None]
    found = [block.complete(part).flatten().tolist() for part in numbers.split([3, 1, 5, 1, 1, 1], dim=1)]
    assert found == [[], [0, 1, 2, 3], [4, 5, 6, 7], [], [], [8, 9, 10, 11]]
