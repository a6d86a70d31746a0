"""Spaces whose scales have widths of their own: what is drawn, what is refused, what is smallest."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from msarch import UserError
from search.space.load import load_space
from search.space.smallest import smallest_candidates
from search.space.space import Space
from search.space.writer import space_identity, space_yaml

TEXT = """
corpus: {source: python-docs, tokenizer: {bpe: 512}}
model:
  context: 64
  d_model: {min: 32, max: 64, step: 16}
  d_head: 16
  variant:
    top_down: {layers: "LAYERS"}
training: {batch_size: 2, tokens: 8k}
"""


def space(tmp_path: Path, layers: str, *changes: str) -> Space:
    (tmp_path / "s.yaml").write_text(TEXT.replace("LAYERS", layers))
    return load_space(tmp_path / "s.yaml", list(changes))


def drawn(space: Space, trials: int = 40) -> list[tuple[optuna.Trial, str, int]]:
    """Trials, the layers drawn and the width at factor 4."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    asked = [study.ask() for _ in range(trials)]
    models = [space.suggest(trial).model for trial in asked]
    return [(trial, model.layers, model.width_at(4)) for trial, model in zip(asked, models, strict=True)]


def test_listed_widths_are_drawn(tmp_path: Path) -> None:
    assert {width for _, _, width in drawn(space(tmp_path, "1..2@4:{64,128} 1@1"))} == {64, 128}


def test_a_range_of_widths_goes_by_the_width_of_a_head(tmp_path: Path) -> None:
    found = space(tmp_path, "1..2@4:48..128 1@1")
    assert {width for _, _, width in drawn(found, 80)} == {48, 64, 80, 96, 112, 128}
    assert found.combinations() == 3 * 2 * 6
    by_heads = space(tmp_path, "1@4:32..64 1@1", "model.d_model=32", "model.n_heads=4")
    assert {width for _, _, width in drawn(by_heads, 80)} == {32, 40, 48, 56, 64}


def test_a_width_that_is_that_of_the_tokens_is_one_spelling_of_one_model(tmp_path: Path) -> None:
    """So a duplicate is known as one, whichever space or person wrote it."""
    for trial, layers, width in drawn(space(tmp_path, "1@4:{48,64} 1@1")):
        assert layers == ("1@4 1@1" if width == trial.params["d_model"] else f"1@4:{width} 1@1")


def test_what_is_recorded_loads_as_the_same_space(tmp_path: Path) -> None:
    found = space(tmp_path, "1..2@4:48..128 {1,3}@1")
    (tmp_path / "space.yaml").write_text(space_yaml(found))
    again = load_space(tmp_path / "space.yaml")
    assert space_identity(again) == space_identity(found)
    assert again.branches["top_down"].layers == found.branches["top_down"].layers


def test_a_known_design_may_say_its_widths_or_leave_them_open(tmp_path: Path) -> None:
    found = space(tmp_path, "1..2@4:48..128 1@1")
    assert found.fixed_params({"layers": "2@4:80 1@1", "d_model": 48})["top_down/4-1/width@4"] == 80
    assert "top_down/4-1/width@4" not in found.fixed_params({"layers": "2@4 1@1"})
    with pytest.raises(UserError, match=r"layers: '2@4:88 1@1' is outside the space, which has '1..2@4:48..128 1@1'"):
        found.fixed_params({"layers": "2@4:88 1@1"})


def test_the_smallest_candidates_are_narrow_or_without_projections(tmp_path: Path) -> None:
    """A width just below d_model can take more than d_model itself, which needs no projection."""

    def smallest(layers: str) -> set[str]:
        return {candidate.model.layers for candidate in smallest_candidates(space(tmp_path, layers))}

    assert smallest("1..2@4:16..64 1@1") == {"1@4:16 1@1", "1@4 1@1"}
    assert smallest("1..2@4:{48,64} 1@1") == {"1@4:48 1@1"}


@pytest.mark.parametrize(
    ("layers", "changes", "message"),
    [
        (
            "1@4:{64,72} 1@1",
            [],
            r"s.yaml:8: model.variant.top_down.layers: .*heads are 16 wide .* so 72 is not a whole",
        ),
        ("1@4:64 1@1", ["model.d_head={values: [8, 16]}"], ""),
        ("1@4:56 1@1", ["model.d_head={values: [8, 16]}"], "heads are 16 wide .* so 56 is not a whole number of heads"),
        (
            "1@4:40..64 1@1",
            [],
            "heads are 16 wide .* so 40 is not a whole number of heads; the nearest widths are 32 and",
        ),
        ("1@4:32..72 1@1", [], "so 72 is not a whole number of heads; the nearest widths are 64 and 80"),
        ("1@4:32..64 1@1", ["model.d_head={values: [8, 16]}"], r"goes by d_head, which varies here; list the widths"),
        ("1@4 1@1:48", [], "factor 1 are d_model wide, which is 32 to 64 by 16; write '1@1'"),
        ("1@4 1@1:{32,48}", ["model.d_model=48"], "factor 1 are d_model wide, which is 48; write '1@1'"),
        ("1@4 1@1:48", ["model.d_model=48"], ""),
    ],
)
def test_a_width_that_heads_do_not_fit_is_refused_before_the_search(
    tmp_path: Path, layers: str, changes: list[str], message: str
) -> None:
    if not message:
        assert drawn(space(tmp_path, layers, *changes))
        return
    with pytest.raises(UserError, match=message):
        space(tmp_path, layers, *changes)


def test_heads_by_number_are_checked_at_every_width_of_the_tokens(tmp_path: Path) -> None:
    text = TEXT.replace("d_head: 16", "n_heads: 2").replace("LAYERS", "1@4:48 1@1")
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(UserError, match=r"heads are 32 wide .* so 48 is not a whole number of heads"):
        load_space(tmp_path / "s.yaml")
