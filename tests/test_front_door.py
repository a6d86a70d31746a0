"""`import msarch` is quick, offers everything, and finds its own `search` whatever lies in the current directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import msarch

ROOT = Path(__file__).parents[1]
OWN = "raise SystemExit('the search.py of the user ran')"
"""A file of the user's that shares its name with msarch's package."""


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python as a user would whose current directory is `cwd`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_it_lists_what_it_offers_and_has_it() -> None:
    assert set(msarch.__all__) <= set(dir(msarch))
    assert {"run_search", "load_results", "load_space", "build_model"} <= set(msarch.__all__)
    assert all(getattr(msarch, name).__name__ == name for name in msarch.__all__)


def test_both_doors_lead_to_the_same() -> None:
    import search

    assert all(getattr(msarch, name) is getattr(search, name) for name in search.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'run_serach'"):
        _ = msarch.run_serach


def test_importing_it_loads_nothing_heavy(tmp_path: Path) -> None:
    heavy = {"torch", "ray", "optuna", "pandas", "numpy", "datasets", "search"}
    done = python("-c", f"import sys, msarch; print(sorted({heavy} & set(sys.modules)))", cwd=tmp_path)
    assert done.stdout.strip() == "[]", done


@pytest.mark.parametrize("code", ["msarch.load_results", "msarch.run_search", "msarch.load_space('vanilla')"])
def test_a_search_py_in_the_current_directory_does_not_hide_it(tmp_path: Path, code: str) -> None:
    (tmp_path / "search.py").write_text(OWN)
    done = python("-c", f"import msarch; {code}; import search.space.space; print(search.__file__)", cwd=tmp_path)
    assert (done.stdout.strip(), done.stderr) == (str(ROOT / "search" / "__init__.py"), "")


def test_a_script_named_search_can_use_it(tmp_path: Path) -> None:
    (tmp_path / "search.py").write_text("import msarch\nprint(type(msarch.load_space('vanilla')).__name__)")
    done = python("search.py", cwd=tmp_path)
    assert (done.stdout.strip(), done.stderr) == ("Space", "")


def test_python_m_msarch_is_the_command(tmp_path: Path) -> None:
    (tmp_path / "search.py").write_text(OWN)
    assert python("-m", "msarch", "--version", cwd=tmp_path).stdout == f"msarch {msarch.__version__}\n"
    assert "Usage: msarch " in python("-m", "msarch", "--help", cwd=tmp_path).stdout


def test_another_module_that_took_the_name_is_named(tmp_path: Path) -> None:
    (tmp_path / "search.py").write_text("")
    done = python("-c", "import search, msarch; msarch.load_results", cwd=tmp_path)
    assert f"{tmp_path / 'search.py'} was imported as 'search'" in done.stderr.splitlines()[-1]
