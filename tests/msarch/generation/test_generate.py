"""Sampling, texts longer than the context, and characters that come in pieces."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.small_models import small

from msarch import build_model
from msarch.data.tokenizer import Tokenizer, byte_tokenizer, train_bpe
from msarch.errors import UserError
from msarch.generation import Sampling, TextStream, generate_tokens, next_tokens
from msarch.models.causality import randomised_copy

TEXT = "Grüße aus 東京, ça va? 🙂 naïve café — " * 3
LOGITS = torch.tensor([[0.0, 3.0, 2.0, 1.0, -1.0], [5.0, 0.0, 0.0, 0.0, 0.0]])


def drawn(sampling: Sampling, count: int = 4000) -> torch.Tensor:
    """(2, 5) how often each token is drawn."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.stack([next_tokens(LOGITS, sampling, generator) for _ in range(count)])
    return torch.stack([torch.bincount(row, minlength=5) for row in tokens.T]) / count


def test_tokens_are_drawn_with_their_probabilities() -> None:
    for temperature in (1.0, 0.5, 2.0):
        expected = (LOGITS / temperature).softmax(dim=-1)
        assert (drawn(Sampling(temperature=temperature)) - expected).abs().max() < 0.03


def test_temperature_0_takes_the_likeliest() -> None:
    assert next_tokens(LOGITS, Sampling(temperature=0)).tolist() == [1, 0]


def test_temperatures_near_0_and_far_above_1_are_possible() -> None:
    far = torch.tensor([[0.0, 300.0, -1e30]])
    for temperature in (1e-3, 1e-30, 1e-300, 5e-324):
        assert next_tokens(LOGITS, Sampling(temperature=temperature)).tolist() == [1, 0]
        assert next_tokens(far, Sampling(temperature=temperature, top_p=0.9)).tolist() == [1]
    assert drawn(Sampling(temperature=1e300), 500).min() > 0.1


def test_top_k_may_exceed_the_vocabulary() -> None:
    draws = [next_tokens(LOGITS, Sampling(top_k=k), torch.Generator().manual_seed(1)) for k in (5, 1000)]
    assert torch.equal(*draws)


def test_top_k_and_top_p_leave_the_likeliest() -> None:
    assert (drawn(Sampling(top_k=2), 500) > 0)[0].tolist() == [False, True, True, False, False]
    shares = LOGITS.softmax(dim=-1)[0]  # 0.03 0.64 0.24 0.09 0.01
    assert (drawn(Sampling(top_p=0.7), 500) > 0)[0].tolist() == [False, True, True, False, False]
    assert (drawn(Sampling(top_p=1e-9), 100) > 0).tolist() == [[False, True, *[False] * 3], [True, *[False] * 4]]
    found = drawn(Sampling(top_p=0.7))[0]
    assert (found[1:3] - shares[1:3] / shares[1:3].sum()).abs().max() < 0.03


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperature": -0.1}, "temperature: a number of at least 0, got -0.1"),
        ({"temperature": float("nan")}, "temperature: a number of at least 0, got nan"),
        ({"top_k": 0}, "top_k: at least 1 token, got 0"),
        ({"top_p": 0.0}, "top_p: a probability above 0 and at most 1, got 0.0"),
        ({"top_p": 1.5}, "top_p: a probability above 0 and at most 1, got 1.5"),
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Sampling(**values)


@pytest.mark.parametrize("variant", [("top_down", "1@4 1@1"), ("spacebyte", "1@1 1@5 1@1")])
def test_a_text_goes_on_beyond_the_context_from_its_latter_half(variant: tuple[str, str]) -> None:
    model = randomised_copy(build_model(small(*variant, context=20, vocab_size=256)))
    prompt, greedy = [65, 32, 66], Sampling(temperature=0)
    found = list(generate_tokens(model, prompt, 40, greedy))
    text, read = list(prompt), 0
    with torch.no_grad():
        for token in found:
            if len(text) - read > 20:
                read = len(text) - 10
            assert token == int(model(torch.tensor([text[read:]]))[0, -1].argmax())
            text.append(token)


def test_the_end_of_a_long_prompt_is_read() -> None:
    model = randomised_copy(build_model(small("vanilla", "1@1", context=20)))
    prompt = torch.randint(61, (50,)).tolist()
    greedy = Sampling(temperature=0)
    assert list(generate_tokens(model, prompt, 5, greedy)) == list(generate_tokens(model, prompt[-10:], 5, greedy))
    with pytest.raises(ValueError, match="one token at least"):
        next(generate_tokens(model, [], 5, greedy))


def test_the_same_seed_draws_the_same_text() -> None:
    model = build_model(small("vanilla", "1@1"))
    texts = [list(generate_tokens(model, [1], 30, Sampling(), seed)) for seed in (3, 3, 4)]
    assert texts[0] == texts[1] != texts[2]


def streamed(tokenizer: Tokenizer, tokens: list[int]) -> list[str]:
    stream = TextStream(tokenizer)
    return [*(stream.add(token) for token in tokens), stream.end()]


@pytest.mark.parametrize("tokenizer", [byte_tokenizer(), train_bpe(iter([TEXT]), 280)], ids=["bytes", "bpe"])
def test_characters_come_whole(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode(TEXT)
    pieces = streamed(tokenizer, tokens)
    assert "".join(pieces) == TEXT
    assert not any("\ufffd" in piece for piece in pieces) and "" in pieces
    broken = [*tokens[:11], *tokens[12:40]]
    assert "".join(streamed(tokenizer, broken)) == tokenizer.decode(broken)


def test_words_of_other_vocabularies_come_with_their_blanks() -> None:
    from tokenizers import Tokenizer as Raw
    from tokenizers import decoders, models, pre_tokenizers

    raw = Raw(models.WordLevel({"▁one": 0, "▁two": 1, "?": 2}, unk_token="?"))
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    raw.decoder = decoders.Metaspace()
    tokenizer = Tokenizer(raw)
    assert tokenizer.token_bytes is None
    assert streamed(tokenizer, [0, 1, 1, 0]) == ["one", " two", " two", " one", ""]
