"""The notebooks run from top to bottom, and what they show is kept small."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
LARGEST = 150_000


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what notebooks read, for them to write into."""
    shutil.copytree(ROOT / "docs" / "notebooks", tmp_path / "docs" / "notebooks")
    table = "results/reference-shakespeare"
    shutil.copytree(ROOT / table, tmp_path / table)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))))
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    return tmp_path


@pytest.mark.parametrize(
    "notebook",
    [pytest.param(path, marks=pytest.mark.slow if path.stem == "own_text" else []) for path in NOTEBOOKS],
    ids=lambda path: path.stem,
)
def test_it_runs(notebook: Path, checkout: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="pip install -e '.[dev]'")
    nbclient = pytest.importorskip("nbclient", reason="pip install -e '.[dev]'")
    pytest.importorskip("ipykernel", reason="pip install -e '.[dev]'")
    place = checkout / "docs" / "notebooks"
    opened = nbformat.read(place / notebook.name, as_version=4)
    nbclient.NotebookClient(opened, timeout=600, resources={"metadata": {"path": str(place)}}).execute()
    shown = [cell.source for cell in opened.cells if cell.cell_type == "code" and cell.outputs]
    written = [cell["source"] for cell in cells(notebook) if cell.get("outputs")]
    assert shown == ["".join(source) for source in written], "what it shows is no longer what it shows here"


def cells(notebook: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return found


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_small_and_names_no_machine(notebook: Path) -> None:
    text = notebook.read_text(encoding="utf-8")
    assert len(text) < LARGEST
    assert not re.search(r"/home/|/root|/Users/|/tmp/", text)
    assert any(cell.get("outputs") for cell in cells(notebook)), "committed without what it shows"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_links_lead_somewhere(notebook: Path) -> None:
    prose = "".join("".join(cell["source"]) for cell in cells(notebook) if cell["cell_type"] == "markdown")
    for target in re.findall(r"\]\(([^)#]+)", prose):
        assert (notebook.parent / target).exists(), target
