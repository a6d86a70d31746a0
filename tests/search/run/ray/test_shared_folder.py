"""A worker on a machine that does not see what the search sees: told in one line, before it writes anything."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from msarch.config import ModelConfig, TrainingConfig
from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig, TokenizerConfig
from search.run.ray import shared_folder
from search.run.ray.scratch import scratch_folder
from search.run.ray.shared_folder import UnsharedError, require_shared
from search.run.ray.worker import TrialWorker

MODEL = ModelConfig(variant="vanilla", layers="1@1", d_model=16, n_heads=1, vocab_size=258, context=32)
TRAINING = TrainingConfig(batch_size=4, tokens=256, rungs=(1.0,), validation_tokens=100)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return tmp_path / "results"


def first_report(results: Path, scratch: str, text: str = "text.txt") -> dict[str, Any]:
    corpus = CorpusConfig(
        source="files", train=(text,), validation=(text,), tokenizer=TokenizerConfig(kind="bytes", vocab_size=256)
    )
    candidate = Candidate(model=MODEL, training=TRAINING, corpus=corpus)
    folder = results / "trials" / "0000"
    worker = TrialWorker(
        number=0, candidate=candidate, folder=folder, base=results.parent, device="cpu", scratch=scratch
    )
    return worker.step()


def test_the_folder_of_the_search_is_known_by_its_note(results: Path) -> None:
    with scratch_folder(results) as scratch:
        require_shared(results, str(scratch), patience=0)
        for other in (results.parent, results / "nowhere"):
            with pytest.raises(UnsharedError, match="does not see the results folder"):
                require_shared(other, str(scratch), patience=0)
        with pytest.raises(UnsharedError):
            require_shared(results, "/tmp/msarch-of-another-search", patience=0)


def test_a_note_that_a_network_disk_shows_late_is_waited_for(results: Path) -> None:
    late = threading.Timer(0.5, lambda: (results / ".scratch").write_text("here"))
    late.start()
    require_shared(results, "here", patience=60)
    late.join()


def test_another_folder_under_the_same_path_halts_the_search_and_stays_empty(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_folder.require_shared, "__defaults__", (0.0,))
    report = first_report(results, "/tmp/msarch-elsewhere")
    assert report["state"] == "halted" and f"does not see the results folder {results} of" in report["error"]
    assert "put it on a disk that every node sees under the same path" in report["error"]
    assert list(results.iterdir()) == []


def test_a_text_that_only_the_driver_sees_halts_the_search_too(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSARCH_CACHE", str(results.parent / "cache"))
    with scratch_folder(results) as scratch:
        report = first_report(results, str(scratch), text="nowhere.txt")
    assert report["state"] == "halted" and "cannot use the text: corpus.train: " in report["error"]
    assert "\n" not in report["error"] and "every node needs the same files" in report["error"]
