"""Trials under other conditions: what they would need, which front they make, and that nothing else changes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.small_models import small

from msarch import Candidate, TrainingConfig, UserError
from msarch.memory.candidate_profile import profile_candidate
from msarch.training.validation import Validation
from search.cli.app import main
from search.ledger.records import TrialRecord, TrialState
from search.results.conditions import Conditions
from search.results.results import Results

FRONT = ("perplexity", "memory")


def record(number: int, layers: str, loss: float, state: TrialState = "complete") -> TrialRecord:
    candidate = Candidate(
        model=small("top_down" if "4" in layers else "vanilla", layers), training=TrainingConfig(batch_size=2)
    )
    curve = tuple(
        Validation(rung=n, step=15 * n, tokens=960 * n, loss=loss, bits_per_byte=1.0, seconds=n) for n in (1, 2)
    )
    return TrialRecord(
        number=number,
        state=state,
        candidate=candidate,
        loss=loss,
        bits_per_byte=1.0,
        curve=curve,
        profile=profile_candidate(candidate),
        memory_measured_bytes=77,
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """At batch 2 weights decide, so that 2@1 is the cheapest; at batch 64 activations do, and 2@4 1@1 is."""
    folder = tmp_path_factory.mktemp("results")
    records = [record(0, "2@1", 4.2), record(1, "2@4 1@1", 4.1), record(2, "3@1", 4.3), record(3, "2@1", 5.0, "pruned")]
    return Results(folder, records, FRONT)


def test_figures_are_those_of_the_conditions_and_quality_is_as_trained(results: Results) -> None:
    under = results.what_if(batch_size=64, context=96, attention="unfused", checkpointing="block")
    assert [each.number for each in under.records] == [0, 1, 2]
    for before, after in zip(results.records, under.records, strict=False):
        training = replace(before.candidate.training, batch_size=64, attention="unfused", checkpointing="block")
        candidate = replace(before.candidate, model=replace(before.candidate.model, context=96), training=training)
        expected = profile_candidate(candidate)
        assert {name: after.profile[name] for name in expected} == expected
        assert (after.loss, after.curve, after.memory_measured_bytes) == (before.loss, before.curve, None)
        assert after.profile["step_seconds"] == pytest.approx(2 * 48 / 960)
    assert under.conditions == "batch 64, context 96, unfused attention, checkpointing block"
    assert under.limits == {}


def test_the_front_is_drawn_anew(results: Results) -> None:
    assert [each.number for each in results.front] == [0, 1]
    assert [each.number for each in results.what_if(batch_size=64).front] == [1]


def test_what_cannot_run_is_left_out(results: Results) -> None:
    assert [each.number for each in results.what_if(context=3).records] == [0, 2]
    with pytest.raises(UserError, match=r"^attention: unknown attention 'none'"):
        results.what_if(attention="none")


def test_conditions_read_as_people_say_them() -> None:
    words = Conditions(batch_size=64, context=2048, loss="full", dtype="bfloat16", checkpointing="none").describe()
    assert words == "batch 64, context 2,048, full loss, bfloat16, no checkpointing"
    assert not Conditions() and Conditions(context=1)


@pytest.fixture
def pareto(
    results: Results, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[str, str]]:
    monkeypatch.setattr("search.cli.results.load_results", lambda folder, **options: results)
    monkeypatch.chdir(tmp_path)

    def runs(*arguments: object, status: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["msarch", "pareto", str(results.folder), *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert (ended.value.code or 0) == status
        return capsys.readouterr()

    return runs


def test_every_format_says_under_which_conditions(pareto: Callable[..., tuple[str, str]], results: Results) -> None:
    said = "memory with batch 64; perplexity as trained"
    table, errors = pareto("--batch-size", 64)
    assert said in table and errors == ""
    for form in ("csv", "json"):
        text, errors = pareto("--batch-size", 64, "--format", form)
        assert said in errors and said not in text
    rows = json.loads(text)
    assert [row["trial"] for row in rows] == [1] and rows[0]["batch_size"] == 64
    less = rows[0]["memory_bytes"] - 1
    told = pareto("--batch-size", 64, "--format", "json", "--max-memory", less, status=2)[1]
    expected = f"no complete trial fits {less:,} bytes: the smallest, trial 1, needs {less + 1:,} bytes"
    assert told == f"error: --max-memory: {expected}\n"
    assert list(results.folder.iterdir()) == []


def test_pictures_and_the_report_say_so_too(pareto: Callable[..., tuple[str, str]], tmp_path: Path) -> None:
    pareto("--context", 96, "--svg", "front.svg", "--png", "front.png", "--html", "front.html")
    page = (tmp_path / "front.html").read_text()
    assert "memory with context 96, perplexity as trained" in page and "What if:" in page
    assert "training memory with context 96" in page and "validation perplexity, as trained" in page
    assert (tmp_path / "front.png").stat().st_size > 10_000 and "<svg" in (tmp_path / "front.svg").read_text()


def test_a_context_that_some_trial_cannot_have_is_told(pareto: Callable[..., tuple[str, str]]) -> None:
    assert "trial 1 cannot: no block of 4 tokens" in pareto("--context", 3)[1]


def test_conditions_that_no_trial_can_have_are_refused(
    pareto: Callable[..., tuple[str, str]], results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    coarse = replace(results, records=[record for record in results.records if "4" in record.candidate.model.layers])
    monkeypatch.setattr("search.cli.results.load_results", lambda folder, **options: coarse)
    out, told = pareto("--context", 3, "--html", "front.html", status=2)
    assert out == "" and not Path("front.html").exists()
    assert told.startswith("error: no complete trial can run with context 3: trial 1 cannot: no block of 4 tokens")
