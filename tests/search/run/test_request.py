"""What a user asked for: numbers that mean something, overrides that are not lost, and the command that continues."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command_line import fill

from msarch.errors import UserError
from search.run.request import SearchRequest, check_pays
from search.run.run_search import _clear_disk_errors, run_search
from search.space.load import load_space


@pytest.mark.parametrize("name", ["trials", "tokens", "concurrent", "time_budget"])
@pytest.mark.parametrize("value", [0, -1, True, "3", float("nan")])
def test_a_number_that_means_nothing_is_refused_in_a_line(name: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{name}: must be a .*number of .* above 0, got {value!r}"):
        run_search("quickstart", tmp_path / "out", **{name: value})
    assert not (tmp_path / "out").exists()


def test_trials_and_tokens_are_not_given_together(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="tokens: takes the place of trials: give one of the two"):
        run_search("quickstart", tmp_path / "out", trials=3, tokens=1_000_000)


@pytest.mark.parametrize(("strategy", "pays"), [("front", True), ("prune", False)])
def test_a_budget_must_pay_for_the_longest_training_unless_the_strategy_chooses(strategy: str, pays: bool) -> None:
    """A sampler may propose the longest first."""
    lengths = ["training.tokens={values: [10k, 80k]}", f"search={{strategy: {strategy}, tokens: 50k}}"]
    space = load_space("quickstart", lengths)
    if pays:
        check_pays(space, None, None)
        return
    with pytest.raises(UserError, match=r"--set search\.tokens: 50,000 tokens pay for no training: one takes 80,000"):
        check_pays(space, None, None)


def test_numbers_of_other_libraries_are_numbers() -> None:
    two: Any = np.int64(2)  # mypy does not take it for an int
    request = SearchRequest.of("quickstart", trials=int(np.int64(3)), time_budget=90, concurrent=two)
    assert (request.trials, request.concurrent, request.time_budget) == (3, 2, 90)


def test_the_space_decides_where_nothing_is_asked_for() -> None:
    request = SearchRequest.of(load_space("quickstart", ["search.concurrent=3", "search.time_budget=2h"]))
    assert (request.trials, request.concurrent, request.time_budget) == (None, 3, 7200)
    assert request.folder == Path("results/quickstart")


def test_the_command_that_continues_asks_for_the_same(tmp_path: Path) -> None:
    asked = SearchRequest.of(
        "quickstart",
        tmp_path / "my results",
        ["training.tokens=1M", "corpus.train=my text/*.txt"],
        trials=7,
        concurrent=2,
        time_budget=600,
        ray_address="127.0.0.1:6399",
    )
    typed = (
        f"msarch search quickstart --out '{tmp_path / 'my results'}' --trials 7 --concurrent 2 --time-budget 600 "
        "--ray-address 127.0.0.1:6399 --set training.tokens=1M --set 'corpus.train=my text/*.txt'"
    )
    assert shlex.split(asked.command()) == shlex.split(typed)
    assert SearchRequest.of("quickstart").command() == "msarch search quickstart --out results/quickstart"


@pytest.mark.parametrize("from_file", [True, False])
def test_overrides_of_a_loaded_space_are_in_the_command(
    from_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where no folder spaces/ is: the name of a space that ships is all there is
    source = str(fill(tmp_path) / "space.yaml") if from_file else "quickstart"
    space = load_space(source, ["training.tokens=16k"]).with_content("0" * 32)
    words = shlex.split(SearchRequest.of(space, "out").command())
    assert words == ["msarch", "search", source, "--out", "out", "--set", "training.tokens=16k"]


def test_overrides_beside_a_loaded_space_are_refused(tmp_path: Path) -> None:
    space = load_space("quickstart")
    with pytest.raises(UserError, match=r"overrides: .* is already loaded; pass them to load_space instead"):
        run_search(space, tmp_path / "out", overrides=["training.tokens=1M"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("inside", [True, False])
def test_a_link_in_place_of_a_file_is_told_in_a_line(inside: bool, tmp_path: Path) -> None:
    request = SearchRequest.of("quickstart", tmp_path / "out")
    request.folder.mkdir()
    link = (request.folder if inside else tmp_path) / "study.journal.torn"
    link.symlink_to(link)
    expected = UserError if inside else OSError
    with pytest.raises(expected, match=r"too many levels|Too many levels"), _clear_disk_errors(request):
        link.read_bytes()
