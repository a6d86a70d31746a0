"""What the documents say is so: their Python runs, their links lead somewhere, their tables are current."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from support.command_line import fill, msarch

from search.results.tables import COLUMNS, CURVE_COLUMNS, describe_columns

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)#]+)", prose):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_columns_are_documented_as_they_are() -> None:
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    assert describe_columns(COLUMNS).rstrip() in text and describe_columns(CURVE_COLUMNS).rstrip() in text


def test_every_page_is_reachable_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES[1:] if f"docs/{page.name}" not in readme] == []


def test_the_python_of_the_documents_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a small search that stands where the documents have the quickstart."""
    done = msarch("search", "space.yaml", "--out", "results/quickstart", "--trials", 1, cwd=fill(tmp_path))
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text("utf-8"), re.DOTALL):
        runnable = "\n".join(line for line in block.splitlines() if not line.startswith("run_search("))
        exec(compile(runnable, "docs/python.md", "exec"), names)
    assert (tmp_path / "report.html").exists() and (tmp_path / "front.png").exists()


def test_the_python_of_the_page_on_profiles_runs() -> None:
    [block] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "profile.md").read_text("utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(block, "docs/profile.md", "exec"), names)


def test_the_targets_that_the_readme_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert f"\n{target}:" in makefile


def test_the_project_speaks_of_itself_alone() -> None:
    """No absolute path of some machine, no package registry's host."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    import subprocess

    files = subprocess.run([git, "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    hosts = re.compile("|".join(("pypi" + r"\.org", "pythonhosted" + r"\.org", "download.pytorch" + r"\.org")))
    for name in files:
        path = ROOT / name
        if path.suffix not in (".png",) and path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not hosts.search(text), name
            assert "/wor" + "k/" not in text, name
