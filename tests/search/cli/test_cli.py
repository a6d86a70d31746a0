"""The command line as a user meets it: a real search, real processes where one is needed, a line for each mistake."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from support.command_line import ROOT, fill, msarch
from support.commands import Here

from msarch.training import trainer
from msarch.training.schedule import learning_rate
from search.ledger.reading import read_records
from search.results.conditions import Conditions
from search.run.plan import plan_search
from search.space.files import shipped_spaces, space_summary


def test_a_search_shows_its_trials_its_front_and_what_to_do_next(place: Path) -> None:
    text = (place / "search.out").read_text()
    assert len(re.findall(r"^trial \d+ (?:complete|pruned) ", text, re.MULTILINE)) == 6
    assert "hypervolume" in text and "report: results/space/report.html" in text
    assert "msarch reproduce results/space --trial best" in text
    assert max(map(len, text.splitlines())) <= 120


def test_the_same_command_again_trains_nothing(here: Here) -> None:
    again = here("search", "space.yaml", "--concurrent", 1)
    assert again.returncode == 0 and "started" not in again.stdout


def test_a_time_budget_stops_a_search_in_the_middle_of_a_trial_that_can_be_continued(tmp_path: Path) -> None:
    fill(tmp_path)
    slow = ("search", "space.yaml", "--set", "training.tokens=2M", "--trials", "2", "--concurrent", "1")
    stopped = msarch(*slow, "--time-budget", "2s", cwd=tmp_path)
    assert stopped.returncode == 0, stopped.stderr
    assert "2 of 2 trials done" not in stopped.stdout
    assert (
        "continue with: msarch search space.yaml --out results/space --trials 2 --concurrent 1 --time-budget 2"
        in stopped.stdout
    )
    assert "first training steps" in stopped.stdout  # the start of Ray takes longer than this budget, and is not in it
    states = [record.state for record in read_records(tmp_path / "results/space")]
    assert states == ["running"] and list(tmp_path.glob("results/space/trials/0000/checkpoint/*.safetensors"))


def test_a_changed_space_is_refused_with_what_changed(here: Here) -> None:
    refused = here("search", "space.yaml", "--set", "training.tokens=9k")
    assert refused.returncode == 2
    assert "tokens" in refused.stderr and len(refused.stderr.splitlines()) == 1


def test_a_search_continues_where_its_text_has_moved(here: Here, place: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(place / "results/space", tmp_path / "space")
    moved = Path(shutil.copy(place / "text.txt", tmp_path / "mine.txt"))
    for path in (os.path.relpath(moved, place), moved):
        done = here("search", "space.yaml", "--out", folder, "--set", f"corpus.train={path}")
        assert done.returncode == 0 and "started" not in done.stdout, done.stderr
    assert (folder / "space.yaml").read_text() == (place / "results/space/space.yaml").read_text()
    moved.write_text(moved.read_text() + "Another text. " * 99)
    refused = here("search", "space.yaml", "--out", folder, "--set", f"corpus.train={moved}")
    assert refused.returncode == 2 and len(refused.stderr.splitlines()) == 1
    assert f"{folder} holds the search of another text" in refused.stderr


def test_the_front_in_every_format(here: Here) -> None:
    table, csv, front = (here("pareto", "results/space", "--format", kind) for kind in ("table", "csv", "json"))
    rows = json.loads(front.stdout)
    assert rows and {"trial", "variant", "layers", "perplexity", "memory_bytes"} <= set(rows[0])
    assert len(csv.stdout.splitlines()) == len(rows) + 1
    assert len(re.findall(r"^ +\d+ +\w", table.stdout, re.MULTILINE)) == len(rows)
    assert all(row["layers"] in table.stdout for row in rows)


def test_pictures_and_the_report_are_written_where_asked(here: Here, place: Path) -> None:
    done = here("pareto", "results/space", "--png", "a.png", "--svg", "a.svg", "--html", "a.html")
    assert done.returncode == 0, done.stderr
    assert (place / "a.png").read_bytes()[:4] == b"\x89PNG"
    assert "<svg" in (place / "a.svg").read_text() and "plotly" in (place / "a.html").read_text()


def test_a_copy_without_its_text_and_read_only_can_be_read_and_reproduced_to_the_bit(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(place / "results" / "space", tmp_path / "copy")
    shutil.copytree(place / ".cache", tmp_path / ".cache")
    for path in [*(tmp_path / "copy").rglob("*"), tmp_path / "copy"]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    there = Here(tmp_path, monkeypatch, capfd)
    assert there("pareto", "copy").returncode == 0
    assert there("report", "copy", "--html", "elsewhere.html").returncode == 0
    dry = there("reproduce", "copy", "--dry-run")
    assert dry.returncode == 0 and "layers:" in dry.stdout
    done = there("reproduce", "copy", "--trial", "best")
    assert done.stdout.strip().splitlines()[-1] == "identical" and "test split" in done.stdout
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "empty"))
    missing = there("reproduce", "copy")
    assert missing.returncode == 2 and "--set corpus.train=" in missing.stderr
    moved = there("reproduce", "copy", "--set", f"corpus.train={place / 'text.txt'}")
    assert moved.stdout.strip().splitlines()[-1] == "identical", moved.stderr


def test_another_text_under_the_same_name_is_refused(here: Here, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = place / "other"
    other.mkdir()
    (other / "text.txt").write_text("quite another text " * 3000)
    monkeypatch.chdir(other)
    monkeypatch.setenv("MSARCH_CACHE", str(other / ".cache"))
    refused = here("reproduce", place / "results" / "space")
    assert refused.returncode == 2 and "corpus" in refused.stderr and len(refused.stderr.splitlines()) == 1


def test_figures_that_disagree_end_with_status_1(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine whose training goes another way: here each learning rate is four times what it should be."""
    monkeypatch.setattr(trainer, "learning_rate", lambda *arguments: 4 * learning_rate(*arguments))
    done = here("reproduce", "results/space")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "outside tolerance" in done.stdout and "differs by" in done.stdout


def test_a_dry_run_trains_nothing_and_tells_the_cost_and_what_each_limit_excludes(
    here: Here, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert plan_search.__kwdefaults__
    monkeypatch.setitem(plan_search.__kwdefaults__, "timed", 1)  # of eight candidates, at a second each
    constraint = ("--set", "constraints=['n_layers <= 1']")
    done = here("search", "space.yaml", "--out", "nowhere", "--dry-run", "--concurrent", 1, *constraint)
    assert done.returncode == 0, done.stderr
    assert "admitted" in done.stdout and re.search(r"time .* to .* in all", done.stdout)
    assert re.search(r"excluded +\d+ by n_layers <= 1", done.stdout)
    assert "usually saves" not in done.stdout and not (place / "nowhere").exists()


def test_a_dry_run_refuses_the_text_that_a_search_refuses(here: Here, place: Path) -> None:
    (place / "empty.txt").write_text("")
    done = here("search", "space.yaml", "--dry-run", "--set", "corpus.train=empty.txt")
    assert (done.returncode, done.stdout) == (2, "") and "corpus.train: " in done.stderr


MISTAKES = [
    ((), "search"),
    (("serch",), "No such command 'serch'. Did you mean 'search'"),
    (("search",), "Missing argument 'SPACE'"),
    (("search", "quikstart"), "did you mean 'quickstart'"),
    (("search", "missing.yaml"), "missing.yaml"),
    (("search", "space.yaml", "--trials", "0"), "'--trials': must be a whole number above 0, got '0'"),
    (("search", "space.yaml", "--trials", "many"), "'--trials': must be a whole number above 0, got 'many'"),
    (("search", "space.yaml", "--time-budget", "soon"), "--time-budget"),
    (("search", "space.yaml", "--tokens", "many"), "--tokens: 'many' is not a count"),
    (("search", "space.yaml", "--tokens", "0"), "--tokens: must be a whole number of tokens above 0"),
    (("search", "space.yaml", "--tokens", "5"), "--tokens: 5 tokens pay for no training: one takes"),
    (("search", "space.yaml", "--dry-run", "--tokens", "5"), "--tokens: 5 tokens pay for no training: one takes"),
    (("search", "space.yaml", "--set", "search.tokens=5"), "--set search.tokens: 5 tokens pay for no training"),
    (("search", "space.yaml", "--tokens", "1M", "--trials", "3"), "--tokens: takes the place of trials"),
    (("search", "space.yaml", "--time-budget", "0s"), "--time-budget: must be a number of seconds above 0"),
    (("search", "space.yaml", "--dry-run", "--time-budget", "0s"), "--time-budget: must be a number of seconds above"),
    (("search", "space.yaml", "--set", "training.tokns=5"), "did you mean 'tokens'"),
    (("search", "space.yaml", "--set", "training"), "--set"),
    (("search", "space.yaml", "--out", "new", "--set", "limits.memory=10 KiB"), "--set limits.memory: no candidate"),
    (("search", "space.yaml", "--dry-run", "--set", "limits.memory=10 KiB"), "--set limits.memory: no candidate fits"),
    (("search", "space.yaml", "--out", "new", "--set", "corpus.train=gone/*.txt"), "--set corpus.train: 'gone/*.txt'"),
    (("search", "space.yaml", "--out", "new", "--set", "corpus.train=empty.txt"), "--set corpus.train: "),
    (("search", "lost.yaml", "--out", "new"), "lost.yaml:2: corpus.train: 'gone.txt' names no file"),
    (("search", "lost.yaml", "--dry-run"), "lost.yaml:2: corpus.train: 'gone.txt' names no file"),
    (("search", "space.yaml", "--out", "new", "--set", "search.resources={gpu: 99}"), "--set search.resources.gpu: "),
    (("search", "space.yaml", "--out", "new", "--set", "training.validation_tokens=1M"), "validation"),
    (
        ("search", "space.yaml", "--out", "new", "--ray-address", "127.0.0.1:1"),
        "--ray-address: no Ray cluster at",
    ),
    (("pareto",), "Missing argument 'RESULTS'"),
    (("pareto", "nowhere"), "no results folder nowhere"),
    (("pareto", "."), "holds no search"),
    (("pareto", "results/space", "--format", "xml"), "Legal: csv, json, table"),
    (("pareto", "results/space", "--max-memory", "3 apples"), "--max-memory"),
    (("pareto", "results/space", "--max-memory", "1KiB"), "--max-memory: no complete trial fits 1 KiB: the smallest, "),
    (("pareto", "results/space", "--max-memory", "1kB", "--html", "new", "--format", "json"), "the smallest, trial "),
    (("reproduce", "results/space", "--trial", "best", "--max-memory", "1KiB"), "the smallest, trial "),
    (("reproduce", "results/space", "--trial", "knee", "--max-memory", "1KiB"), "the smallest, trial "),
    (("reproduce", "results/space", "--trial", "0", "--max-memory", "1KiB"), "more than the 1 KiB allowed"),
    (("pareto", "results/space", "--png", "space.yaml/a.png"), "space.yaml/a.png"),
    (("reproduce", "results/space", "--trial", "99"), "no trial 99"),
    (("reproduce", "results/space", "--trial", "worst"), "best, knee or a number"),
    (("reproduce", "results/space", "--set", "model.layers=1@1"), "corpus.train"),
    (("report", "results/space", "--html", "report.pdf"), ".html"),
    (("spaces", "nothing"), "unknown space"),
    (("spaces", "--draw", "missing.yaml"), "missing.yaml: cannot be read"),
    (("spaces", "--draw", "space.yaml"), "space.yaml:7: model.variant: belongs to a search space"),
    (("spaces", "--set", "search.trials=8"), "--set: changes one space; name it"),
    (("spaces", "quickstart", "--draw", "space.yaml"), "leave out SPACE and --set"),
]


PHASES = {"starting", "checking the limits", "reading the text", "encoding the text"}
"""Lines of standard output: what a search did until it met the mistake."""


@pytest.mark.parametrize(
    ("arguments", "expected"), MISTAKES[1:], ids=lambda value: "" if isinstance(value, str) else " ".join(value)[:60]
)
def test_a_mistake_is_one_line_and_status_2(arguments: tuple[str, ...], expected: str, here: Here, place: Path) -> None:
    (place / "empty.txt").write_text("")
    lost = yaml.safe_load((place / "space.yaml").read_text()) | {"corpus": {"train": "gone.txt"}}
    (place / "lost.yaml").write_text(yaml.safe_dump(lost))
    done = here(*arguments)
    assert done.returncode == 2
    assert set(done.stdout.splitlines()) <= PHASES
    assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1, done.stderr
    assert expected in done.stderr
    assert not (place / "new").exists()


def test_help_validation_and_the_front_load_neither_torch_nor_ray(place: Path) -> None:
    for arguments in (["--help"], ["search", "--help"], ["pareto", "results/space"], ["search", "quikstart"]):
        program = (
            f"import sys; sys.argv = ['msarch', *{arguments!r}]\n"
            "from search.cli.app import main\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "heavy = {'torch', 'ray', 'plotly', 'matplotlib', 'datasets', 'pandas'} & set(sys.modules)\n"
            "sys.exit(f'loaded {heavy}' if heavy else 0)"
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=place, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def test_spaces_are_listed_a_line_each_and_described(here: Here) -> None:
    shipped = shipped_spaces()
    lines = here("spaces").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["name", *shipped]
    for line, text in zip(lines[1:], shipped.values(), strict=True):
        purpose = line.partition(" ")[2].strip()
        assert f"# {purpose}\n" in text and purpose[-1] in ".?" and len(line) <= 132
    described = here("spaces", "space.yaml", "--sample", 2)
    assert described.returncode == 0 and "vanilla/layers" in described.stdout


def test_a_space_without_a_comment_says_nothing_of_its_purpose() -> None:
    assert space_summary("\n# What for.\n# More.\nmodel: {}\n") == "What for."
    assert space_summary("model: {}  # no\n# later\n") == space_summary("") == ""


@pytest.mark.parametrize("command", [(), ("search",), ("pareto",), ("profile",)])
def test_help_has_a_short_name(command: tuple[str, ...], here: Here) -> None:
    short, long = here(*command, "-h"), here(*command, "--help")
    assert short.returncode == 0 and short.stdout == long.stdout and "Usage: msarch" in long.stdout


def test_what_if_options_are_the_fields_of_the_conditions(here: Here) -> None:
    for command in ("pareto", "profile"):
        text = here(command, "--help").stdout
        for item in fields(Conditions):
            assert f"--{item.name.replace('_', '-')} " in text
        assert "--attention fused|unfused" in text and "What if: sequences in a step." in text


def asked_by_bash(line: str) -> dict[str, str]:
    """What bash sets to have the last word of a line completed."""
    last = len(line.split(" ")) - 1
    return {"_MSARCH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(last)}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("msarch par", ["pareto"]),
        ("msarch search qui", ["quickstart"]),
        ("msarch search spa", ["spacebyte", "space.yaml"]),
        ("msarch pareto ", ["results/space"]),
        ("msarch pareto results/s", ["results/space"]),
        ("msarch pareto ./res", ["./results/space"]),
        ("msarch reproduce results/space --trial k", ["knee"]),
        ("msarch profile results/space --attention un", ["unfused"]),
        ("msarch pareto results/space --format c", ["csv"]),
        ("msarch pareto nowhere/[", []),
    ],
)
def test_a_shell_completes_commands_spaces_folders_and_words(
    line: str, expected: list[str], here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in asked_by_bash(line).items():
        monkeypatch.setenv(name, value)
    done = here()
    assert (done.stdout.split(), done.stderr) == (expected, "")


def test_processes_of_their_own_say_the_same(place: Path) -> None:
    """A mistake, and a completed word: what is tested above in this process."""
    wrong = msarch("serch", cwd=place)
    assert (wrong.returncode, wrong.stdout) == (2, "") and "Did you mean 'search'" in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1
    assert msarch(cwd=place, **asked_by_bash("msarch pareto ")).stdout.split() == ["results/space"]


def test_a_shell_is_told_how_to_complete(place: Path) -> None:
    shown = msarch("--show-completion", "bash", cwd=place, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert shown.returncode == 0 and "complete -o default -F _msarch_completion msarch" in shown.stdout


def test_a_trial_is_drawn(here: Here) -> None:
    drawn = here("spaces", "--draw", "results/space/trials/0000/config.yaml")
    assert here("spaces", "--draw", "results/space:0").stdout == drawn.stdout
    assert drawn.returncode == 0, drawn.stderr
    assert "► logits" in drawn.stdout and "context 32" in drawn.stdout
