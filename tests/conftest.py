"""For all tests: the longest files first, so that no worker is left alone with one at the end; one search; faults.

No test depends on what ran before it in the same process, on an earlier run, or on how busy the machine is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from support.faults_table import describe, table
from support.small_search import search_once

LONGEST = (
    "test_soak",
    "end_to_end",
    "test_cluster",
    "test_search_out_of_memory",
    "test_conformance",
    "in_browser",
    "test_cli",
    "test_any_configuration",
    "test_decoder",
    "test_damaged_results",
    "test_session",
    "test_retina",
    "test_profile.py",
    "test_export.py",
    "test_plan",
    "test_gpu",
    "test_budgets",
)
"""Parts of names of files whose tests search with Ray, start a browser, or run for a quarter of a minute otherwise."""

# Ray gives its workers the least share of a busy core: beside other tests a search of seconds would take minutes.
os.environ.setdefault("RAY_worker_niceness", "0")

hypothesis.settings.register_profile("same examples everywhere", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("same examples everywhere")


@pytest.fixture(scope="session", autouse=True)
def run_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of its own for each run, shared by its workers: what an older version encoded is not read."""
    run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MSARCH_CACHE", str(run / "msarch-cache"))
        yield run / "msarch-cache"


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """Each test draws the same, whatever its worker ran before; torch begins with a seed of its own."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def small_search(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text, a space and the results of its search, which all tests share: read only."""
    return search_once(tmp_path_factory)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files keep their tests together and in order."""
    items.sort(key=lambda item: next((at for at, name in enumerate(LONGEST) if name in item.path.name), len(LONGEST)))
    describe(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was done to searches, where such tests have run."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    lines = table(report for report in reports if isinstance(report, pytest.TestReport))
    if lines:
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.line(line)
