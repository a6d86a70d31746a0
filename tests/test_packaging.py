"""What an installation holds: both packages, the search spaces as data, and no other importable name."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from search.space.files import CHECKOUT, INSTALLED, shipped_spaces

ROOT = Path(__file__).parents[1]
BUILD = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]


def test_spaces_are_data_and_no_package() -> None:
    assert CHECKOUT == ROOT / "spaces"
    assert {path.suffix for path in CHECKOUT.iterdir()} - {""} == {".yaml"}  # "" for a __pycache__ of older versions
    assert set(shipped_spaces()) == {path.stem for path in CHECKOUT.iterdir() if path.suffix}


def test_the_build_puts_them_where_they_are_looked_for() -> None:
    assert BUILD["targets"]["wheel"]["sources"] == {"spaces": str(INSTALLED.relative_to(ROOT))}
    assert "spaces" in BUILD["targets"]["wheel"]["only-include"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that `pip install .` makes, unpacked."""
    pytest.importorskip("hatchling", reason="the build backend is not installed; `make test` installs it")
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out], cwd=ROOT, check=True)
    [archive] = out.glob("*.whl")
    zipfile.ZipFile(archive).extractall(out / "unpacked")
    return out / "unpacked"


def test_a_wheel_holds_two_packages_and_nothing_else(wheel: Path) -> None:
    names = {path.name for path in wheel.iterdir() if path.suffix != ".dist-info"}
    assert names == {"msarch", "search"}
    assert {"py.typed", "__main__.py"} <= {path.name for path in (wheel / "msarch").iterdir()}


def test_a_wheel_finds_its_spaces_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    code = "from search.space import files; print(files.__file__, *files.shipped_spaces())"
    environment = {**os.environ, "PYTHONPATH": str(wheel)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    file, *names = done.stdout.split()
    assert Path(file).is_relative_to(wheel) and names == sorted(shipped_spaces())
