"""A stranger's space is only read: what is wrong with it is one short line, found at once."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.commands import assert_safe, run_command

from msarch.errors import UserError
from search.space.load import load_space

Run = Callable[..., tuple[int, str, str]]
SPACE = """
corpus: {train: ["a.txt"], validation: ["b.txt"], test: ["c.txt"], column: text, tokenizer: {bpe: 512}}
model:
  context: 64
  d_model: {values: [32, 64]}
  n_heads: {min: 1, max: 2}
  positions: rotary
  variant:
    vanilla: {layers: "1..2@1"}
    top_down: {layers: ["1@4 1@1", "1@16 1@4 1..2@1"]}
    retina: {layers: "1..2@1", retina_factors: ["1 4 16"], retina_windows: ["64 16"]}
training: {tokens: 8k, batch_size: 8, learning_rate: {min: 0.001, max: 0.01, log: true}, betas: [0.9, 0.95]}
limits: {memory: 20 MiB, parameters: 5M}
objectives: [perplexity, memory]
constraints: ["n_layers <= 4"]
points: [{variant: vanilla, learning_rate: 0.001}]
search: {trials: 3, seed: 0, sampler: tpe, pruner: pareto, concurrent: 1, time_budget: 10m}
"""
WORD, WORDS = "\x1b]0;" + "y" * 2_000, "\u202e" + "y z " * 500
LONG: list[Any] = [WORD, WORDS, [WORD] * 3, {WORD: WORD}, {WORDS: [WORDS]}, 9 * 10**50, list(range(500))]
"""Values that no key takes, far longer than a line."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    return lambda *arguments: run_command(list(arguments), monkeypatch, capfd)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key and item of a space, by its path."""
    if path:
        yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(item, (*path, key))


def changed(space: Any, path: tuple[Any, ...], value: Any) -> Any:
    new = copy.deepcopy(space)
    inner = new
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return new


def renamed(space: Any, path: tuple[Any, ...], name: str) -> Any:
    new = copy.deepcopy(space)
    inner = new
    for part in path[:-1]:
        inner = inner[part]
    if isinstance(inner, dict):
        inner[name] = inner.pop(path[-1])
    return new


def error_of(file: Path, space: Any) -> str:
    """What is wrong with a space; nothing where it is taken."""
    file.write_text(json.dumps(space))  # YAML too, and written in an instant
    try:
        load_space(file)
    except UserError as error:
        return str(error)
    return ""


def test_no_error_echoes_more_than_80_characters_of_a_value(tmp_path: Path) -> None:
    sound = yaml.safe_load(SPACE)
    file = tmp_path / "space.yaml"
    assert error_of(file, sound) == ""
    longest = 0
    for path in places(sound):
        for broken in (*(changed(sound, path, value) for value in LONG), renamed(sound, path, "x" * 2_000)):
            said = error_of(file, broken)
            echoed = max(map(len, "".join(letter if letter in "xyz " else "|" for letter in said).split("|")))
            assert echoed <= 80, f"{path}: {said[:300]}"
            longest = max(longest, len(said) - len(str(file)))
    assert 100 < longest < 700


def test_an_override_is_echoed_no_longer(run: Run) -> None:
    for override in (WORDS, f"{WORDS}=1", f"model.d_model={WORDS}", f"{'x' * 100_000}=1", f"model.{'x' * 100_000}=1"):
        status, _, err = run("spaces", "quickstart", "--set", override.replace("\x1b", "").replace("\0", ""))
        assert status == 2 and err.count("\n") == 1 and len(err) < 700
        assert_safe(err)


def zero(path: Path) -> Path:
    return Path("/dev/zero")


def a_link_to_zero(path: Path) -> Path:
    path.symlink_to("/dev/zero")
    return path


def a_pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def huge(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(2**40)
    return path


@pytest.mark.timeout(60)
@pytest.mark.parametrize("make", [zero, a_link_to_zero, a_pipe, huge])
@pytest.mark.parametrize(
    "command", [["search"], ["spaces"], ["spaces", "--draw"], ["profile"], ["search", "--dry-run"]]
)
def test_what_is_not_a_file_is_refused_at_once(
    run: Run, tmp_path: Path, make: Callable[[Path], Path], command: list[str]
) -> None:
    status, _, err = run(*command, str(make(tmp_path / "space.yaml")))
    assert status == 2 and err.count("\n") == 1 and "error:" in err
    assert "device" in err or "too large" in err or "there is no /dev/zero" in err


SIZES = ["99999999999999999999", "9" * 60, "9" * 5000, "1e300", "1e400", "-1", "0", "\uff11", "1_0", "nan", "inf"]
NUMBERS = [
    ["search", "quickstart", "--trials"],
    ["search", "quickstart", "--concurrent"],
    ["search", "quickstart", "--time-budget"],
    ["search", "quickstart", "--dry-run", "--trials"],
    ["spaces", "quickstart", "--sample"],
    ["profile", "{model}", "--fit"],
    ["profile", "{model}", "--batch-size"],
    ["profile", "{model}", "--context"],
    ["profile", "{model}", "--trial"],
]
MODEL = "{variant: vanilla, layers: 1@1, d_model: 32, n_heads: 2, vocab_size: 256, context: 32}"


@pytest.mark.parametrize("size", [SIZES[0], SIZES[2], SIZES[3], SIZES[4]])
@pytest.mark.parametrize("arguments", NUMBERS, ids=lambda words: " ".join(words[:3:2]))
@pytest.mark.timeout(120)
def test_a_number_of_any_length_is_told_in_a_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], size: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.yaml").write_text(MODEL)
    status, _, err = run(*(word.replace("{model}", "model.yaml") for word in arguments), size)
    if arguments[-1] == "--fit" and status == 0:
        return
    assert status == 2 and "Traceback" not in err and len(err) < 500
    assert err.splitlines()[-1].startswith("error:")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("key", ["d_model", "context", "vocab_size", "n_heads", "layers"])
@pytest.mark.parametrize("size", ["1000000000", "1000000000000000", "99999999999999999999", "9" * 5000])
@pytest.mark.timeout(120)
def test_a_model_larger_than_any_machine_is_told_in_a_line(run: Run, tmp_path: Path, key: str, size: str) -> None:
    model = yaml.safe_load(MODEL)
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(model).replace(f"{key}: ", f"{key}: {size} # "))
    if key == "layers":
        (tmp_path / "model.yaml").write_text(yaml.safe_dump({**model, "layers": f"{size}@1"}))
    for command in (["profile"], ["spaces", "--draw"]):
        status, out, err = run(*command, str(tmp_path / "model.yaml"))
        assert "Traceback" not in err and len(err) < 700 + len(str(tmp_path)) and len(out) < 20_000
        assert status == 0 or (status == 2 and err.count("\n") == 1)


@pytest.mark.parametrize(
    "override",
    [
        "model.d_model=1e9",
        "model.d_model=1000000000",
        "model.d_model={min: 1000000000, max: 1000000000000000}",
        "model.context=1000000000",
        "training.batch_size=1000000000",
        "training.tokens=99999999999999999999",
        "training.validation_tokens=1e15",
        "search.trials=99999999999999999999",
        "search.seed=99999999999999999999",
        "search.concurrent=1000000000",
        "search.time_budget=1e300",
        "limits.memory=99999999999999999999999999 TiB",
        "corpus.tokenizer.bpe=1000000000",
        'model.variant.vanilla.layers="999999999@1"',
    ],
)
@pytest.mark.timeout(300)
def test_a_space_larger_than_any_machine_is_told_in_a_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, override: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))
    status, _, err = run("spaces", "quickstart", "--sample", "2", "--set", override)
    assert "Traceback" not in err and status in (0, 2)
    if status:
        assert err.splitlines()[-1].startswith("error:") and len(err) < 1200
