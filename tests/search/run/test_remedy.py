"""What a search whose trials fail one after another says to do: a command that works."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from support.made_up_search import space_in

from search.run.failures import MAX_ALIKE, MAX_DIVERGED, FailingSearchError, Failures
from search.run.remedy import remedy
from search.run.request import SearchRequest
from search.space.load import load_space


def failing(error: str, times: int) -> FailingSearchError:
    failures = Failures()
    for number in range(times - 1):
        failures.failed(number, error)
    with pytest.raises(FailingSearchError) as raised:
        failures.failed(times, error)
    return raised.value


DIVERGED = failing("training loss is not finite at step 3", MAX_DIVERGED)


def request_of(folder: Path, *overrides: str) -> SearchRequest:
    space_in(folder)
    return SearchRequest.of(folder / "space.yaml", folder / "out", overrides, trials=30)


def test_other_failures_are_mended_and_the_search_continued(tmp_path: Path) -> None:
    request = request_of(tmp_path)
    advice = remedy(failing("RuntimeError: no room", MAX_ALIKE), request)
    assert advice == f"mend the cause and continue with: {request.command()}"


@pytest.mark.parametrize(
    ("rate", "lower"),
    [
        ("1000", "100"),
        ("1e-4", "1e-05"),
        ("{values: [0.5, 2]}", "{values: [0.05, 0.2]}"),
        ("{min: 1e-3, max: 1e3, log: true}", "{min: 0.0001, max: 100, log: true}"),
        ("{min: 0.1, max: 0.5, step: 0.2}", "{min: 0.01, max: 0.05, step: 0.02}"),
    ],
)
def test_a_loss_that_is_not_finite_asks_for_a_lower_rate_in_another_folder(
    rate: str, lower: str, tmp_path: Path
) -> None:
    request = request_of(tmp_path, f"training.learning_rate={rate}", "search.seed=3")
    (tmp_path / "out-2").mkdir()
    advice, _, command = remedy(DIVERGED, request).rpartition(": msarch ")
    assert advice == "lower the learning rate; that makes it another space, which needs another folder"
    words = shlex.split(command)
    overrides = ["search.seed=3", f"training.learning_rate={lower}"]
    assert words[:6] == ["search", str(tmp_path / "space.yaml"), "--out", str(tmp_path / "out-3"), "--trials", "30"]
    assert words[6:] == [word for override in overrides for word in ("--set", override)]
    assert load_space(tmp_path / "space.yaml", overrides).training["learning_rate"].domain.largest > 0


def test_the_working_directory_gets_a_sibling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_of(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert f" --out {tmp_path}-2 " in remedy(DIVERGED, replace(request, folder=Path()))


def test_a_space_that_names_no_rate_and_points_that_do(tmp_path: Path) -> None:
    space_in(tmp_path)
    path = tmp_path / "space.yaml"
    path.write_text(path.read_text().replace(", learning_rate: {min: 1e-3, max: 1e-1, log: true}", ""))
    assert "--set training.learning_rate=0.0003" in remedy(DIVERGED, SearchRequest.of(path))
    point = "points=[{variant: vanilla, layers: 1@1, d_model: 16, learning_rate: 0.05}]"
    advice = remedy(DIVERGED, request_of(tmp_path, point))
    overrides = [word for word in shlex.split(advice) if "=" in word]
    assert load_space(path, overrides).points == ()
