"""`msarch profile` as it is typed: figures that add up, what fits, comparisons, the page, one line for a mistake."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.commands import run_command

from msarch import Candidate, ModelConfig, TrainingConfig
from msarch.memory.profile import profile_training_step
from msarch.units import format_bytes
from search.ledger.records import TrialRecord
from search.results.results import Results
from search.run.ray.memory_cap import EXTRA, MARGIN
from search.show.profile.tables import layer_rows
from search.show.profile.words import describe_peak

MODEL: dict[str, Any] = {
    "variant": "top_down",
    "layers": "1@4 3@1",
    "d_model": 16,
    "n_heads": 2,
    "vocab_size": 61,
    "context": 48,
}
CONFIG = ModelConfig(**MODEL)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """The command line in a folder with two models, `a.yaml` and `b.yaml`: status, output, errors."""
    (tmp_path / "a.yaml").write_text(json.dumps({"model": MODEL, "training": {"batch_size": 4}}))
    (tmp_path / "b.yaml").write_text(json.dumps({**MODEL, "variant": "vanilla", "layers": "4@1"}))
    (tmp_path / "c.yaml").write_text(json.dumps({**MODEL, "layers": "1@4 1@1"}))
    (tmp_path / "space.yaml").write_text("model: {variant: {vanilla: {layers: 1@1}}}")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run_command([str(argument) for argument in arguments], monkeypatch, capfd)


def test_the_figures_are_those_of_the_profile(run: Run) -> None:
    found = json.loads(run("profile", "a.yaml", "--format", "json")[1])
    profile = profile_training_step(CONFIG, TrainingConfig(batch_size=4))
    assert found["profile"]["peak_bytes"] == profile.peak_bytes
    for by in ("by_kind", "by_scale", "by_layer"):
        assert sum(found["profile"][by].values()) == profile.peak_bytes
    assert found["inference"]["cache_bytes"] == 4 * 16 * (2 * (12 + 3 * 48) + 3 + 1)


def test_the_table_names_the_peak_its_kinds_scales_and_layers(run: Run) -> None:
    status, text, errors = run("profile", "a.yaml")
    assert (status, errors) == (0, "")
    profile = profile_training_step(CONFIG, TrainingConfig(batch_size=4))
    peak = f"peak {format_bytes(profile.peak_bytes)} {describe_peak(profile)}"
    for words in (peak, "optimizer state", "scale 4", "embedding", "layers 3-4 @1", "cache"):
        assert words in text
    assert max(map(len, text.splitlines())) <= 100


def test_equal_layers_in_a_row_stand_on_one_line() -> None:
    model = replace(CONFIG, layers="4@4 6@1")
    profile = profile_training_step(model, TrainingConfig(batch_size=4))
    rows = layer_rows(profile)
    assert [(row.name, row.count) for row in rows if row.count > 1] == [("layers 2-3 @4", 2), ("layers 6-10 @1", 5)]
    assert sum(row.total for row in rows) == profile.peak_bytes


def test_conditions_replace_those_of_the_file(run: Run) -> None:
    options = (
        "--batch-size",
        2,
        "--context",
        64,
        "--attention",
        "unfused",
        "--checkpointing",
        "block",
        "--loss",
        "full",
    )
    found = json.loads(run("profile", "a.yaml", "--format", "json", *options)[1])
    training = TrainingConfig(batch_size=2, attention="unfused", checkpointing="block", loss="full")
    expected = profile_training_step(replace(CONFIG, context=64), training)
    assert found["profile"]["peak_bytes"] == expected.peak_bytes


def test_two_models_side_by_side(run: Run) -> None:
    options = ("profile", "a.yaml", "--against", "b.yaml", "--batch-size", 4)
    peak = json.loads(run(*options, "--format", "json")[1])["against"]["figures"]["peak"]
    assert peak["ratio"] == pytest.approx(peak["this"] / peak["other"]) and peak["other"] > peak["this"]
    assert "ratio" in run(*options)[1]
    assert "under other conditions: batch 8," in run("profile", "a.yaml", "--against", "b.yaml")[1]


def test_what_fits_is_four_numbers_or_one_line(run: Run) -> None:
    found = json.loads(run("profile", "c.yaml", "--fit", "8MiB", "--format", "json")[1])["fit"]
    assert found["memory_bytes"] == 8 * 2**20
    asked = [(each["dimension"], each["checkpointing"]) for each in found["largest"]]
    assert asked == [(d, c) for d in ("batch_size", "context") for c in ("none", "block")]
    text = run("profile", "c.yaml", "--fit", "8MiB")[1]
    assert all(f"{each['size']:,}" in text for each in found["largest"]) and "leave room" in " ".join(text.split())
    assert f"plus {MARGIN:.0%} and {format_bytes(EXTRA)}".replace("%", " %") in " ".join(text.split())
    line = run("profile", "c.yaml", "--fit", "10KiB")[1].strip().splitlines()[-1]
    assert line.startswith("not even a batch of 1 fits 10 KiB: it needs ")


def test_the_page_holds_everything_and_fetches_nothing(run: Run, tmp_path: Path) -> None:
    status, _, errors = run("profile", "c.yaml", "--html", "c.html", "--against", "b.yaml", "--fit", "8MiB")
    assert (status, errors) == (0, "wrote c.html\n")
    page = (tmp_path / "c.html").read_text()
    for words in ("Bytes alive through the step", "optimizer state", "layer 2 @1", "What fits 8 MiB", "Side by side"):
        assert words in page
    outside = page.replace(page[page.index("<script>") : page.index("</script>")], "", 1)
    assert "src=" not in outside and 'href="http' not in outside and "default-src 'none'" in page


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "Missing argument 'MODEL'"),
        (("gone.yaml",), "gone.yaml: cannot be read"),
        (("nowhere",), "there is no nowhere"),
        (("empty",), "holds no search"),
        (("space.yaml",), "space.yaml:1: model.variant: "),
        (("a.yaml", "--trial", "3"), "--trial: a.yaml is one model"),
        (("a.yaml", "--fit", "much"), "--fit: 'much' is not a size"),
        (("a.yaml", "--format", "csv"), "Legal: json, table"),
        (("a.yaml", "--html", "a.pdf"), "--html: 'a.pdf' must end in .html"),
        (("a.yaml", "--html", "b.yaml/a.html"), "cannot write b.yaml/a.html: there is no folder"),
        (("a.yaml", "--against", "gone"), "--against: there is no gone"),
        (("a.yaml", "--batch-size", "0"), "--batch-size"),
        (("a.yaml", "--context", "3"), "--context: no block of 4 tokens"),
        (("a.yaml", "--attention", "flash"), "--attention: unknown attention 'flash'"),
        (("a.yaml", "--checkpointing", "all"), "--checkpointing: unknown checkpointing 'all'"),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], expected: str, run: Run) -> None:
    status, text, errors = run("profile", *arguments)
    assert (status, text) == (2, "") and errors.startswith("error: ") and len(errors.splitlines()) == 1
    assert expected in errors


@pytest.mark.parametrize("folder", ["models/mine", "results/a/trials/0007"])
def test_a_folder_of_one_model_is_profiled_and_drawn_as_its_file_is(folder: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir(parents=True)
    shutil.copyfile(tmp_path / "a.yaml", tmp_path / folder / "config.yaml")
    status, text, errors = run("profile", folder, "--against", folder)
    assert (status, errors) == (0, "") and text.startswith(f"{folder}: top_down 1@4 3@1")
    assert run("spaces", "--draw", folder) == run("spaces", "--draw", "a.yaml")
    status, _, errors = run("profile", folder, "--trial", "3")
    assert status == 2 and errors.startswith(f"error: --trial: {folder} is one model, not a results folder")


def test_any_trial_of_a_search_can_be_profiled(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared: dict[str, Any] = {"candidate": Candidate(model=CONFIG, training=TrainingConfig(batch_size=4))}
    records = [TrialRecord(number=3, state="infeasible", **shared)]
    records.append(TrialRecord(number=4, state="complete", loss=4.0, profile={"memory_bytes": 9}, **shared))
    results = Results(tmp_path / "empty", records, ("perplexity", "memory"))
    monkeypatch.setattr("search.results.named_candidate.load_results", lambda folder: results)
    asked = {("empty", "--trial", "3"): 3, ("empty:3",): 3, ("empty",): 4, ("empty:best", "--against", "empty:3"): 4}
    for arguments, number in asked.items():
        status, text, errors = run("profile", *arguments)
        assert (status, errors) == (0, "") and text.startswith(f"empty trial {number}: top_down 1@4 3@1"), text
    assert "names a trial twice" in run("profile", "empty:3", "--trial", "4")[2]
    assert "no trial 9" in run("profile", "empty:9")[2]
