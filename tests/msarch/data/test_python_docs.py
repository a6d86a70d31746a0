from pathlib import Path

import pytest

from msarch.data import python_docs as module
from msarch.data.python_docs import docstrings, python_docs

LONG = "A docstring that says what the thing is for, at some length, so that it counts as text to learn from."


def test_docstrings_come_in_source_order_and_short_ones_are_left_out() -> None:
    source = f'"""{LONG} 1"""\nclass A:\n    def b(self):\n        """{LONG} 2"""\n\ndef c():\n    "short"\n'
    source += f'async def d():\n    """{LONG} 3"""\n'
    assert docstrings(source.encode()) == [f"{LONG} {number}" for number in (1, 2, 3)]


@pytest.mark.parametrize("source", [b"def broken(:\n", b"\x00", b"# coding: no-such-codec\nx = 1\n", b"x = '\xff'\n"])
def test_source_that_does_not_parse_has_no_docstrings(source: bytes) -> None:
    assert docstrings(source) == []


def test_reading_somebody_elses_source_warns_of_nothing(recwarn: pytest.WarningsRecorder) -> None:
    assert docstrings(b'x = "\\d"\n') == []
    assert not recwarn.list


def test_the_embedded_corpus_is_large_free_of_repeats_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path))
    texts = python_docs()
    assert sum(map(len, texts)) > 1_000_000
    assert len(set(texts)) == len(texts) > 200
    assert any("JavaScript Object Notation" in text for text in texts)
    monkeypatch.setattr(module, "docstrings", lambda source: pytest.fail("parsed again"))
    assert python_docs() == texts


@pytest.mark.parametrize("damage", [b"", b'["cut sho', b"\xff", b"{}", b"[1]", b"[]"])
def test_a_damaged_copy_is_made_again(damage: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "_sources", lambda root: [Path(__file__)])
    texts = python_docs()
    (kept,) = tmp_path.glob("python-docs-*.json")
    whole = kept.read_bytes()
    kept.write_bytes(damage)
    assert python_docs() == texts
    assert kept.read_bytes() == whole


def test_tests_and_other_peoples_packages_are_no_part_of_it(tmp_path: Path) -> None:
    for name in ("b.py", "a.py", "test/x.py", "site-packages/y.py", "pkg/z.py", "config-3.11/w.py", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    found = [path.relative_to(tmp_path).as_posix() for path in module._sources(tmp_path)]
    assert found == ["a.py", "b.py", "pkg/z.py"]


def test_a_repeated_docstring_is_kept_once() -> None:
    assert module._without_repeats([["a", "b", "a"], ["b"], ["b", "c"]]) == ["a\n\nb", "c"]
