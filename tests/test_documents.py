"""What the documents say is so: their Python runs, their links lead somewhere, their tables are current."""

from __future__ import annotations

import ast
import importlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.command_line import msarch

from search.results.column_docs import with_current_tables
from search.results.columns import COLUMNS, CURVE_COLUMNS, describe_columns

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FORMS = sorted((ROOT / ".github").rglob("*.md"))
CODE = [file for top in ("msarch", "search", "benchmarks", "tests") for file in sorted((ROOT / top).rglob("*.py"))]
ABSENT = "side_by_side"
"""The variant of docs/add-a-variant.md, whose files a reader is to write."""
A_FILE = re.compile(r"(?<![\w./-])((?:msarch|search|tests|docs|benchmarks|spaces)/[\w./-]*\w)")
A_NAME = re.compile(r"(?<![\w./-])((?:msarch|search|benchmarks)(?:\.\w+)+)(?![\w/])")
ROOMS = {path.parent.name for path in (ROOT / "search").glob("*/__init__.py")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)#]+)", prose):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_columns_are_documented_as_they_are() -> None:
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    assert with_current_tables(text) == text, "run: python -m search.results.column_docs docs/python.md"
    assert describe_columns(COLUMNS) in text and describe_columns(CURVE_COLUMNS) in text


def test_every_page_is_reachable_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES[1:] if f"docs/{page.name}" not in readme] == []


def test_the_python_of_the_documents_runs(small_search: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a small search in the place of the quickstart, beside a file that shares a package's name."""
    shutil.copytree(small_search, tmp_path, dirs_exist_ok=True)
    (tmp_path / "results" / "space").rename(tmp_path / "results" / "quickstart")
    (tmp_path / "search.py").write_text("raise SystemExit('the search.py of the user ran')")
    written = msarch("generate", "results/quickstart", "--prompt", "one big", "--tokens", 9, cwd=tmp_path)
    assert (written.returncode, written.stdout[:7]) == (0, "one big"), written.stderr
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / ".cache"))
    for page in ("python.md", "proxies.md"):
        names: dict[str, object] = {}
        for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text("utf-8"), re.DOTALL):
            runnable = "\n".join(line for line in block.splitlines() if not line.startswith("msarch.run_search("))
            exec(compile(runnable, f"docs/{page}", "exec"), names)
    assert (tmp_path / "report.html").exists() and (tmp_path / "front.png").exists()


def test_the_python_of_the_page_on_generation_runs() -> None:
    [block] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "generation.md").read_text("utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(block, "docs/generation.md", "exec"), names)
    assert getattr(names["logits"], "shape", None) == (2, 1, 256)


def test_the_python_of_the_page_on_profiles_runs() -> None:
    [block] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "profile.md").read_text("utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(block, "docs/profile.md", "exec"), names)


def test_the_python_of_the_page_on_optuna_runs() -> None:
    """With fewer trials and epochs."""
    [block] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "optuna.md").read_text("utf-8"), re.DOTALL)
    assert "range(1, 33)" in block and "n_trials=60" in block
    names: dict[str, Any] = {}
    exec(compile(block.replace("33", "5").replace("60", "24"), "docs/optuna.md", "exec"), names)
    states = [trial.state.name for trial in names["study"].trials]
    assert len(states) == 24 and states[:8] == ["COMPLETE"] * 8


def docstrings(file: Path) -> Iterator[str]:
    """The strings in a file that stand alone: docstrings of modules, classes and functions, and of constants."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def missing_files(text: str) -> set[str]:
    """Files of the project that a text names and that do not exist."""
    return {name for name in A_FILE.findall(text) if not (ROOT / name).exists() and ABSENT not in name}


def missing_names(text: str) -> set[str]:
    """Modules, classes and functions that a text names, `search.run.watcher.Watcher`, and that do not exist."""
    names = {name for name in A_NAME.findall(text) if ABSENT not in name and not name.endswith(".NAME")}
    return {name for name in names if not _is_there(name)}


def _is_there(name: str) -> bool:
    top, *parts = name.removesuffix(".py").split(".")
    if not parts or (top == "search" and parts[0] not in ROOMS):
        return True  # a file such as search.py, or a key of a space's YAML such as search.trials
    path, found = ROOT / top, importlib.import_module(top)
    for part in parts:
        path /= part
        if path.with_suffix(".py").exists() or (path / "__init__.py").exists():
            importlib.import_module(".".join(path.relative_to(ROOT).parts))
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", *FORMS], ids=lambda page: page.name)
def test_what_a_document_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert missing_files(text) | missing_names(text) == set()


def test_what_a_docstring_names_exists() -> None:
    texts = {file: "\n".join(docstrings(file)) for file in CODE}
    missing = {str(file): missing_files(text) | missing_names(text) for file, text in texts.items()}
    assert {file: names for file, names in missing.items() if names} == {}


def test_the_changelog_says_where_modules_have_gone() -> None:
    moved = re.findall(r"^\| `([\w.]+)`.* \| `([\w.]+)` \|", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert len(moved) > 10
    assert {new for _, new in moved if not _is_there(new)} == set()


def test_a_missing_name_is_found() -> None:
    """The test of the tests above."""
    assert missing_files("see docs/nothing.md, `msarch/layers/attention.py` and results/NAME") == {"docs/nothing.md"}
    assert missing_names("msarch.trainer, search.trials, search.run.nothing and msarch.UserError.") == {
        "msarch.trainer",
        "search.run.nothing",
    }


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_targets_that_a_page_names_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`?make ([a-z-]+)`", (ROOT / page).read_text(encoding="utf-8")):
        assert f"\n{target}:" in makefile


def test_forms_and_workflows_parse() -> None:
    files = [ROOT / "CITATION.cff", ROOT / ".pre-commit-config.yaml", *(ROOT / ".github").rglob("*.yml")]
    assert len(files) >= 5
    for file in files:
        assert isinstance(yaml.safe_load(file.read_text(encoding="utf-8")), dict), file


def test_the_citation_names_the_version() -> None:
    import msarch

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0" and citation["version"] == msarch.__version__
    assert {"message", "title", "authors"} <= set(citation)


def test_the_project_speaks_of_itself_alone() -> None:
    """No absolute path of some machine, no package registry's host."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    files = subprocess.run([git, "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    hosts = re.compile("|".join(("pypi" + r"\.org", "pythonhosted" + r"\.org", "download.pytorch" + r"\.org")))
    for name in files:
        path = ROOT / name
        if path.suffix not in (".png",) and path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not hosts.search(text), name
            assert "/wor" + "k/" not in text, name
