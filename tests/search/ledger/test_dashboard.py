"""optuna-dashboard opens the journal of a search, live and by its own command."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.made_up_search import drive, open_in, space_in

from msarch.perplexity import perplexity
from search.ledger.folder import JOURNAL
from search.results.results import load_results

pytest.importorskip("optuna_dashboard", reason="pip install -e '.[dev]'")


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    coordinator = open_in(space_in(tmp_path), tmp_path / "out", trials=8)
    drive(coordinator)
    return tmp_path / "out" / JOURNAL


@pytest.fixture
def dashboard(journal: Path) -> Iterator[str]:
    """The address at which it serves the journal."""
    command = shutil.which("optuna-dashboard", path=str(Path(sys.executable).parent)) or shutil.which(
        "optuna-dashboard"
    )
    start = [command] if command else [sys.executable, "-c", "from optuna_dashboard._cli import main; main()"]
    arguments = [str(journal), "--host", "127.0.0.1", "--port", str(free_port())]
    process = subprocess.Popen([*start, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{arguments[-1]}"
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    import socket

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def get(address: str, seconds: float = 120) -> Any:
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:
                return json.load(answer)
        except OSError:
            assert time.monotonic() < end, address
            time.sleep(0.2)


def test_it_shows_every_trial_with_both_objectives(dashboard: str, journal: Path) -> None:
    studies = get(f"{dashboard}/api/studies")["study_summaries"]
    sizes = {len(study["directions"]): study for study in studies}
    assert set(sizes) == {1, 2}, "the search, and the study of its curves by which a pruner judges"
    shown = {size: get(f"{dashboard}/api/studies/{each['study_id']}?after=0")["trials"] for size, each in sizes.items()}
    records = {record.number: record for record in load_results(journal.parent).records}
    assert len(shown[2]) == len(records)
    for trial in shown[2]:
        record = records[trial["number"]]
        if record.state == "complete":
            assert trial["state"] == "Complete"
            assert trial["values"] == pytest.approx([perplexity(record.loss or 0.0), record.profile["memory_bytes"]])
    assert any(trial["intermediate_values"] for trial in shown[1])
