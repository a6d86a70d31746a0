"""Every kind of file that is read, plain and compressed, and every way in which one can be odd or damaged."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from msarch.data.text_files import read_documents
from msarch.errors import UserError

TEXTS = ['one, "two"\nand three', "NA", "007 is a name, a number too", "naïve café 😀"]
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def in_quotes(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def written_as(kind: str) -> bytes:
    """TEXTS as rows of two columns."""
    rows = [{"n": str(number), "text": text} for number, text in enumerate(TEXTS)]
    if kind in ("csv", "tsv"):
        separator = "," if kind == "csv" else "\t"
        lines = ["n" + separator + "text", *(f"{row['n']}{separator}{in_quotes(row['text'])}" for row in rows)]
        return "\r\n".join(lines).encode()
    if kind == "json":
        return json.dumps(rows, indent=1).encode()
    return "\n".join(map(json.dumps, rows)).encode()


def read(path: Path, column: str = "text") -> list[str]:
    return list(read_documents([path], column=column, key="corpus.train"))


def failure(path: Path, content: bytes, column: str = "text") -> str:
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read(path, column)
    assert caught.value.key == "corpus.train" and str(path) in caught.value.message
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    return caught.value.message.replace(str(path), "FILE")


@pytest.mark.parametrize("ending", COMPRESSORS)
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "ndjson", "json"])
def test_rows_are_documents_in_tables_of_every_kind(tmp_path: Path, kind: str, ending: str) -> None:
    for name in (f"a.{kind}{ending}", f"A.{kind.upper()}{ending.upper()}"):
        path = tmp_path / name
        path.write_bytes(COMPRESSORS[ending](written_as(kind)))
        assert read(path) == TEXTS


@pytest.mark.parametrize("ending", COMPRESSORS)
@pytest.mark.parametrize("name", ["a.txt", "a.md", "README", "v1.2.notes"])
def test_any_other_file_is_one_document(tmp_path: Path, name: str, ending: str) -> None:
    path = tmp_path / (name + ending)
    path.write_bytes(COMPRESSORS[ending](b"\xef\xbb\xbf" + "text, n\r\ncafé\rend".encode()))
    assert read(path) == ["text, n\ncafé\nend"]


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.json", "a.csv", "a.tsv", "a.jsonl.gz", "a.csv.xz"])
def test_an_empty_file_holds_no_text(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(COMPRESSORS[path.suffix](b"") if path.suffix in COMPRESSORS else b"")
    assert not "".join(read(path))


def test_a_csv_cell_may_hold_a_book_and_lines_of_its_own(tmp_path: Path) -> None:
    book = "a line\r\n" * 100_000
    (tmp_path / "a.csv").write_bytes(f"text,n\n{in_quotes(book)},1\n\nlast,2\n".encode())
    assert read(tmp_path / "a.csv") == ["a line\n" * 100_000, "last"]


def test_a_line_may_be_very_long(tmp_path: Path) -> None:
    texts = ["x" * 30_000_000, "y"]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    assert read(tmp_path / "a.jsonl") == texts


LATIN = "caf\xe9".encode("latin-1")
UTF_16 = "text\n".encode("utf-16")
DAMAGED = [
    # Not UTF-8: the byte, its place, and what to do.
    ("a.txt", b"one\ntwo " + LATIN, "FILE is not UTF-8 text: byte 0xe9 at 11, in line 2. Convert it; if it is Latin-1"),
    ("a.txt.gz", gzip.compress(LATIN, mtime=0), "FILE is not UTF-8 text: byte 0xe9 at 3, in line 1"),
    ("a.csv", b"text\n" + LATIN + b"\n", "FILE is not UTF-8 text: byte 0xe9 at 8, in line 2"),
    ("a.jsonl", b'{"text": "a"}\n{"text": "' + LATIN + b'"}\n', "FILE is not UTF-8 text: byte 0xe9 at 27, in line 2"),
    (
        "a.txt",
        UTF_16,
        "FILE is UTF-16, not UTF-8 text (byte 0xff at 0); convert it: iconv -f UTF-16 -t UTF-8 OLD > NEW",
    ),
    ("a.csv", UTF_16, "FILE is UTF-16"),
    ("a.jsonl", UTF_16, "FILE is UTF-16"),
    ("a.json", UTF_16, "FILE is UTF-16"),
    ("a.txt", "text".encode("utf-16-be"), "there is a NUL character in FILE (character 1)"),
    # Not text at all.
    ("a.docx", b"PK\x03\x04\x14\x00\xff\xfe", "FILE is not text (byte 0xff at 6). Files that are read: text, .csv"),
    ("a.txt", gzip.compress(b"text", mtime=0), "FILE is not text (byte 0x8b at 1). Files that are read: text, .csv"),
    ("a.jsonl.zst", b"\x28\xb5\x2f\xfd\x04\x58", "FILE is not text (byte 0xb5 at 1). Files that are read"),
    ("a.parquet", b"not a table", "FILE is damaged, or is not a parquet file"),
    # Compressed, but not whole.
    ("a.txt.gz", b"plain", "FILE cannot be decompressed: Not a gzipped file"),
    ("a.csv.gz", b"plain", "FILE cannot be decompressed: Not a gzipped file"),
    ("a.jsonl.gz", b'{"text": "a"}', "FILE cannot be decompressed: Not a gzipped file"),
    (
        "a.txt.gz",
        gzip.compress(b"text " * 999, mtime=0)[:-9],
        "FILE cannot be decompressed: Compressed file ended before",
    ),
    (
        "a.csv.gz",
        gzip.compress(b"text\na\n" * 999, mtime=0)[:-9],
        "FILE cannot be decompressed: Compressed file ended before",
    ),
    (
        "a.jsonl.gz",
        gzip.compress(b'{"text": "a"}\n' * 999, mtime=0)[:-9],
        "FILE cannot be decompressed: Compressed file ended",
    ),
    ("a.txt.xz", b"plain", "FILE cannot be decompressed: Input format not supported"),
    ("a.txt.bz2", b"plain", "FILE cannot be decompressed: Invalid data stream"),
    # Rows that are not what they should be, by their true line.
    ("a.jsonl", b'{"text": "a"}\n\n{"text": \n', "line 3 of FILE is not JSON: Expecting value (character"),
    ("a.jsonl", b'{"text": "a"}\n' * 9 + b'{"text: "a"}\n{"text": "a"}', "line 10 of FILE is not JSON"),
    ("a.jsonl", b'{"text": "a"}\n[1, 2]\n', 'line 2 of FILE is not a row such as {"text": "some text"}'),
    ("a.jsonl", b"5\n6\n", "line 1 of FILE is not a row such as"),
    ("a.jsonl", b'{"text": "1"}\n\n{"text": 5}\n', "column 'text' holds int, not text, in line 3 of FILE"),
    ("a.jsonl", b'{"text": {"a": 1}}\n', "column 'text' holds dict, not text, in line 1 of FILE"),
    ("a.jsonl", b'{"body": "a"}\n', "unknown column 'text'. Legal: body; in line 1 of FILE. Choose it with"),
    ("a.jsonl", b'{"text": "a"}\n' * 77 + b'{"body": "x"}\n', "column 'text' has no text in line 78 of FILE; give the"),
    ("a.jsonl", b'{"text": "a"}\n\n{"text": null}\n', "column 'text' has no text in line 3 of FILE"),
    ("a.json", b'[{"text": "a"}, {"body": "x"}]', "column 'text' has no text in row 2 of FILE"),
    ("a.json", b'[{"text": "a"}, {"text": null}]', "column 'text' has no text in row 2 of FILE"),
    (
        "a.jsonl",
        b'{"text": "a"}\n{"text": "b\\ud83d"}',
        "half of a surrogate pair in line 2 of FILE (character 2)",
    ),
    ("a.jsonl", b'{"text": "a"}\n{"text": "\\u0000"}', "there is a NUL character in line 2 of FILE (character 1)"),
    ("a.jsonl", b'{"text": "a"}\n{"text": "\x00"}', "line 2 of FILE is not JSON: Invalid control character"),
    ("a.jsonl", b"[" * 100_000, "line 1 of FILE is nested too deeply"),
    ("a.json", b'[{"text": "a"},\n {"text": }]', "line 2 of FILE is not JSON: Expecting value (character 11)"),
    ("a.json", b'{"text": "a"}\n{"text": }', "line 2 of FILE is not JSON: Expecting value (character 10)"),
    ("a.csv", b"text,n\na,1\nb,2,3\n", "line 3 of FILE has 3 cells, the first line 2; put quotes around a "),
    ("a.csv", b"text\nHello, world\n", "line 2 of FILE has 2 cells, the first line 1;"),
    ("a.csv", b'text,n\n"a\nb",1\nc\n', "line 4 of FILE has 1 cells, the first line 2;"),
    ("a.csv", b'text,n\na,1\n"b,2\nc,3\n', "the row at line 3 of FILE is not csv: unexpected end of data"),
    (
        "a.csv",
        b"text;n\na;1\n",
        "column 'text', did you mean 'text;n'? Legal: text;n; in the first line of FILE",
    ),
    (
        "a.csv",
        b"It was a dark and stormy night and so on and on\n",
        "Legal: It was a dark and stormy night and so on...",
    ),
    ("a.csv", b"text,text\na,b\n", "column 'text' stands 2 times in the first line of FILE"),
    ("a.csv", b"n,text\na,1\nb,2.5\n", "column 'text' of FILE holds numbers, not text. Choose another with"),
    ("a.csv", b"text\na\nb\x00c\n", "there is a NUL character in line 3 of FILE (character 2)"),
]


@pytest.mark.parametrize(("name", "content", "told"), DAMAGED)
def test_what_is_wrong_is_told_with_its_place(
    tmp_path: Path, name: str, content: bytes, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert told in failure(tmp_path / name, content)
    assert capfd.readouterr() == ("", "")  # what a library logs would be a second line


def test_a_null_in_parquet_is_told_with_its_row(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"text": ["a", None, "b"]}), tmp_path / "rows.parquet")
    with pytest.raises(UserError, match=r"column 'text' has no text in row 2 of .*rows.parquet"):
        read(tmp_path / "rows.parquet")


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    for name in ("a.txt", "a.csv", "a.jsonl", "a.parquet", "a.txt.gz"):
        with pytest.raises(UserError, match=f"{name} cannot be read: No such file or directory"):
            read(tmp_path / name)
