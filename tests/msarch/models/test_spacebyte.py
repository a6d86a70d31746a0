"""SpaceByte: which bytes are chosen, that nothing reads a later byte, and that what is chosen is of use."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.small_models import small
from torch import Tensor

from msarch import ModelConfig, UserError, build_model
from msarch.layers.past import Past
from msarch.layers.selection import Selection, SelectWordStarts, spacelike_bytes
from msarch.models.causality import CausalityError, check_causality, randomised_copy
from msarch.models.language_model import LanguageModel
from msarch.models.spacebyte import SpaceByte


def of_text(text: str | bytes) -> Tensor:
    """(1, T) int64."""
    return torch.tensor([list(text.encode() if isinstance(text, str) else text)])


def chosen(text: str | bytes, most: int = 100) -> list[int]:
    selection = SelectWordStarts(most)(of_text(text))
    slots = selection.slot_BT[0]
    return [int(at) for at in (slots < selection.at_BG.shape[1]).nonzero()[:, 0]]


def test_a_byte_is_spacelike_unless_it_is_part_of_a_word() -> None:
    spacelike = spacelike_bytes()
    assert not any(spacelike[ord(letter)] for letter in "azAZ09")
    assert all(spacelike[ord(other)] for other in " \n.,!_'\"")
    assert not spacelike[0x80:0xC0].any() and spacelike[0xC0:].all()  # continuation bytes, and leading ones


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the cat sat.", [0, 3, 7, 11]),
        ("the  cat", [0, 3]),  # a stretch of spaces is chosen once, at its beginning
        (" the", [0]),
        ("a, b", [0, 1]),
        ("naïve", [0, 2]),  # the leading byte of ï is spacelike, its continuation is not
        ("x", [0]),
    ],
)
def test_states_are_chosen_where_a_stretch_of_spacelike_bytes_begins(text: str, expected: list[int]) -> None:
    assert chosen(text) == expected


def test_beyond_the_room_for_states_there_are_no_more() -> None:
    assert chosen("a b c d e f", most=3) == [0, 1, 3]


def test_fewer_words_than_states_are_padded_and_the_padding_returns_nowhere() -> None:
    selection = SelectWordStarts(4)(of_text("ab cd"))
    assert selection.at_BG.tolist() == [[0, 2, 4, 4]] and selection.slot_BT.tolist() == [[0, 4, 1, 4, 4]]
    spread = selection.spread(torch.ones(1, 4, 2))
    assert spread[0, :, 0].tolist() == [1, 0, 1, 0, 0]


CONFIG = small("spacebyte", "1@1 1@4 1@1", vocab_size=256)


def test_the_coarse_states_of_a_text_do_not_depend_on_how_much_of_it_follows() -> None:
    """What is chosen is counted in the whole context, so that a prefix has the states that it has in the text."""
    model = randomised_copy(build_model(CONFIG))
    tokens = of_text("so it was, and so it is; it will be so, said he")
    whole = model.features(tokens)
    for length in (1, 2, 5, 11, 12, 13, 30, 46):
        torch.testing.assert_close(model.features(tokens[:, :length]), whole[:, :length], rtol=1e-12, atol=1e-12)


def test_every_sequence_of_a_batch_has_words_of_its_own() -> None:
    model = randomised_copy(build_model(small("spacebyte", "1@1 1@4 1@1", vocab_size=256, positions="rotary")))
    tokens = torch.cat([of_text("one two three four"), of_text("incomprehensibilit"), of_text("a b c d e f g h i ")])
    rows = torch.cat([model.features(row[None]) for row in tokens])
    torch.testing.assert_close(model.features(tokens), rows, rtol=1e-12, atol=1e-12)


class LooksAhead(SelectWordStarts):
    """Chooses the byte before the one that it should, which only the next byte can tell."""

    def chosen(self, bytes_BT: Tensor, past: Past | None = None) -> Tensor:
        good_BT = super().chosen(bytes_BT, past)
        return torch.cat([good_BT[:, 1:], good_BT[:, :1]], dim=1)


class OneLate(SelectWordStarts):
    """Returns each coarse state one byte after the one that it was chosen from."""

    def forward(self, bytes_BT: Tensor, past: Past | None = None) -> Selection:
        good = super().forward(bytes_BT, past)
        count = good.at_BG.shape[1]
        late_BT = torch.cat([torch.full_like(good.slot_BT[:, :1], count), good.slot_BT[:, :-1]], dim=1)
        return Selection(good.at_BG, late_BT)


WIDE = small("spacebyte", "1ff@1 1+1ff@4:48 1@1", vocab_size=256)
either = pytest.mark.parametrize("config", [CONFIG, WIDE], ids=["alike", "wider words, layers without attention"])


def mutated(config: ModelConfig, mutant: type[SelectWordStarts]) -> LanguageModel:
    model = build_model(config)
    assert isinstance(model, SpaceByte)
    model.select.__class__ = mutant
    return model


@either
def test_a_choice_that_looks_ahead_is_caught(config: ModelConfig) -> None:
    check_causality(build_model(config))
    with pytest.raises(CausalityError, match="sees ahead"):
        check_causality(mutated(config, LooksAhead))


def coarse_states_are_used(model: LanguageModel) -> bool:
    """Does each coarse state reach the output at its own byte, and none before?"""
    model = randomised_copy(model)
    tokens = of_text("the cat sat on it")
    plain = model.features(tokens)

    def disturb(module: torch.nn.Module, args: object, states: Tensor) -> Tensor:
        changed = states.clone()
        changed[:, 2] += torch.linspace(-1, 1, states.shape[-1], dtype=states.dtype)
        return changed

    handle = model.stacks["4"].register_forward_hook(disturb)
    differs = (plain != model.features(tokens)).any(dim=-1)[0]
    handle.remove()
    own = chosen("the cat sat on it")[2]
    assert not differs[:own].any() and differs[own + 1 :].all()
    return bool(differs[own])


@either
def test_a_coarse_state_reaches_its_own_byte_and_all_later_ones(config: ModelConfig) -> None:
    assert coarse_states_are_used(build_model(config))


@either
def test_a_coarse_state_that_returns_a_byte_late_is_caught(config: ModelConfig) -> None:
    model = mutated(config, OneLate)
    check_causality(model)  # it is legal: only the information test can tell
    assert not coarse_states_are_used(model)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocab_size": 512}, "reads bytes"),
        ({"layers": "1@1 1@2 1@4 1@2 1@1"}, "has one coarse scale"),
        ({"layers": "1@1 2@4 0@1"}, "ends in fine layers"),
        ({"layers": "1@1 2@4 2ff@1"}, "ends in fine layers with attention"),
        ({"layers": "2@4 1@1"}, "did you mean '0@1 2@4 1@1'"),
    ],
)
def test_what_it_cannot_be_is_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        small("spacebyte", **{"layers": "1@1 2@4 1@1", "vocab_size": 256, **options})
