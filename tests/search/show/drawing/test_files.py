"""The drawings in the documents are those that the code makes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from msarch.config.variants import VARIANTS
from msarch.errors import UserError
from search.show.drawing.files import drawings, main
from search.show.drawing.text import draw_text
from search.space.config_file import read_config

DOCS = Path(__file__).parents[4] / "docs"


def test_they_are_current() -> None:
    folder = DOCS / "architectures"
    assert main([str(folder), "--check"]) == 0, "run: python -m search.show.drawing.files docs/architectures"
    assert {path.name for path in folder.iterdir()} == set(drawings()) == {f"{name}.svg" for name in VARIANTS}


def test_a_stale_one_is_noticed_and_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0 and main([str(tmp_path), "--check"]) == 0
    (tmp_path / "retina.svg").write_text("another")
    (tmp_path / "vanilla.svg").unlink()
    assert main([str(tmp_path), "--check"]) == 1
    assert "out of date: vanilla.svg, retina.svg" in capsys.readouterr().err


def test_each_stands_under_its_variant_in_the_page() -> None:
    page = (DOCS / "architectures.md").read_text(encoding="utf-8")
    for name in VARIANTS:
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert f"](architectures/{name}.svg)" in section


def test_the_page_s_drawing_in_characters_is_that_of_its_model(tmp_path: Path) -> None:
    page = (DOCS / "architectures.md").read_text(encoding="utf-8")
    (model,) = re.findall(r"`(\{variant: .*?\})`:\n", page)
    (tmp_path / "model.yaml").write_text(model)
    drawing = draw_text(read_config(tmp_path / "model.yaml").model)
    assert f"```text\n{drawing}\n```" in page


def test_another_use_is_refused() -> None:
    for arguments in ([], ["docs", "--chek"]):
        with pytest.raises(UserError, match="usage"):
            main(arguments)
