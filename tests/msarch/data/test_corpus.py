import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from msarch.config.corpus import CorpusConfig
from msarch.data.corpus import Corpus, read_corpus
from msarch.errors import TextWarning, UserError


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def books(tmp_path: Path) -> Path:
    for number in range(25):
        path = tmp_path / "books" / ("deep" if number % 2 else ".") / f"{number:02d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text {number}")
    return tmp_path


def files(*train: str, **others: Any) -> CorpusConfig:
    return CorpusConfig(source="files", train=train, **others)


def read(config: CorpusConfig, base: Path) -> dict[str, list[str]]:
    return texts(read_corpus(config, base=base))


def texts(corpus: Corpus) -> dict[str, list[str]]:
    return {name: list(documents()) for name, documents in corpus.splits.items()}


def failure(config: CorpusConfig, base: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        read(config, base)
    assert "\n" not in str(caught.value)
    return caught.value


def test_many_documents_are_held_out_whole_and_evenly(tmp_path: Path) -> None:
    rows = [json.dumps({"text": f"text {number}"}) for number in range(40)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    splits = read(files("rows.jsonl"), tmp_path)
    assert splits["validation"] == ["text 9", "text 29"]
    assert splits["test"] == ["text 19", "text 39"]
    assert sorted(text for documents in splits.values() for text in documents) == sorted(
        f"text {number}" for number in range(40)
    )


def rows_with_blanks(path: Path, *, blank: Callable[[int], bool], count: int) -> None:
    texts = [" \n" if blank(number) else f"text {number}" for number in range(count)]
    path.write_text("\n".join(json.dumps({"text": text}) for text in texts))


def test_blank_rows_have_their_numbers_where_each_split_has_text(tmp_path: Path) -> None:
    """So that a text keeps its splits, and with them the hash that is recorded."""
    rows_with_blanks(tmp_path / "rows.jsonl", blank=lambda number: number % 2 == 0, count=40)
    splits = read(files("rows.jsonl"), tmp_path)
    assert splits["validation"] == ["text 9", "text 29"] and splits["test"] == ["text 19", "text 39"]
    assert len(splits["train"]) == 16


def test_blank_rows_have_no_numbers_where_a_split_would_be_blank(tmp_path: Path) -> None:
    rows_with_blanks(tmp_path / "rows.jsonl", blank=lambda number: number % 2 == 1, count=400)
    for _ in range(2):  # from the text, and from what is remembered of it
        splits = read(files("rows.jsonl"), tmp_path)
        assert {name: len(documents) for name, documents in splits.items()} == {
            "train": 180,
            "validation": 10,
            "test": 10,
        }
        assert splits["validation"][0] == "text 18" and splits["test"][0] == "text 38"
        long_ago = time.time() - 60
        os.utime(tmp_path / "rows.jsonl", (long_ago, long_ago))


def test_few_rows_among_many_blank_ones_are_cut(tmp_path: Path) -> None:
    texts = ["", "a" * 18 + "bc", *[""] * 40, "d" * 18 + "ef"]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    assert read(files("rows.jsonl"), tmp_path) == {
        "train": ["a" * 18, "d" * 18],
        "validation": ["b", "e"],
        "test": ["c", "f"],
    }


def test_few_documents_give_their_ends(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a" * 90 + "b" * 5 + "c" * 5)
    (tmp_path / "b.txt").write_text("d" * 180 + "e" * 10 + "f" * 10)
    assert read(files("*.txt"), tmp_path) == {
        "train": ["a" * 90, "d" * 180],
        "validation": ["b" * 5, "e" * 10],
        "test": ["c" * 5, "f" * 10],
    }


def test_given_validation_text_leaves_the_training_text_whole(books: Path) -> None:
    splits = read(files("books/*.txt", validation=("books/deep/*.txt",)), books)
    assert list(splits) == ["train", "validation"]
    assert len(splits["train"]) == 13 and len(splits["validation"]) == 12


def test_patterns_go_deep_keep_their_order_and_name_no_file_twice(books: Path) -> None:
    config = files("books/deep/*.txt", "books/**/*.txt", validation=("books/**/0*.txt",))
    assert failure(config, books).key == "corpus.validation"  # a file in both splits
    (books / "v.txt").write_text("v")
    train = read(replace(config, validation=("v.txt",)), books)["train"]
    assert len(train) == len(set(train)) == 25
    assert train[:3] == ["text 1", "text 3", "text 5"]


def test_names_with_brackets_are_found(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("v")
    folder = tmp_path / "books [old]"
    folder.mkdir()
    for name in ("book[1].txt", "book1.txt", "book2.txt"):
        (folder / name).write_text(name)

    def train(pattern: str) -> list[str]:
        return read(files(pattern, validation=("v.txt",)), tmp_path)["train"]

    assert train("books [old]/book[1].txt") == train(str(folder / "book[1].txt")) == ["book[1].txt"]
    assert train("books [[]old]/book[1-9].txt") == train("books [old]/book[1-9].txt") == ["book1.txt", "book2.txt"]
    assert train("books [old]/**/*[[]*") == ["book[1].txt"]
    assert "did you mean 'book[1].txt'" in failure(files("books [old]/book[3].txt"), tmp_path).message


def test_the_hash_does_not_depend_on_the_place(books: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("elsewhere")
    (books / "books").rename(other / "moved")
    (other / "moved" / "00.txt").write_bytes(b"\xef\xbb\xbftext 0")  # a byte-order mark is no text
    moved = read_corpus(files(str(other / "moved/**/*.txt"))).content
    (other / "moved").rename(books / "books")
    assert read_corpus(files("books/**/*.txt"), base=books).content == moved


def test_the_hash_tells_texts_apart(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("v")

    def content(*documents: str) -> str:
        (tmp_path / "x.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in documents))
        return read_corpus(files("x.jsonl", validation=("v.txt",)), base=tmp_path).content

    assert len({content("ab", "c"), content("a", "bc"), content("abc"), content("c", "ab")}) == 4
    assert content("ab", "", " \n", "c") == content("ab", "c")


def test_another_text_than_the_recorded_one_is_refused(books: Path) -> None:
    config = files("books/**/*.txt")
    config = replace(config, content=read_corpus(config, base=books).content)
    read(config, books)
    (books / "books/00.txt").write_text("changed")
    error = failure(config, books)
    assert error.key == "corpus.content" and config.content in error.message and "--set corpus.train" in error.message


@pytest.mark.parametrize("suffix", ["jsonl", "json", "parquet"])
def test_tables_are_read_and_leave_no_copies(tmp_path: Path, suffix: str) -> None:
    rows = [{"body": f"text {number}", "n": number} for number in range(3)]
    path = tmp_path / f"rows [1].{suffix}"  # brackets are no pattern for a file that was found
    if suffix == "parquet":
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_text("\n".join(map(json.dumps, rows)) if suffix == "jsonl" else json.dumps(rows))
    (tmp_path / "v.txt").write_text("v")
    before = {*tmp_path.rglob("*")}
    config = files(f"rows*.{suffix}", validation=("v.txt",), column="body")
    assert read(config, tmp_path)["train"] == ["text 0", "text 1", "text 2"]
    assert {*tmp_path.rglob("*")} == before
    error = failure(replace(config, column="bodi"), tmp_path)
    assert error.key == "corpus.train" and "'body'" in error.message and "body, n" in error.message
    assert "int" in failure(replace(config, column="n"), tmp_path).message


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("boks/*.txt", "did you mean 'books/'"),
        ("books/08.tx", "did you mean '08.txt'"),
        ("books/*.md", "holds 00.txt, 02.txt, 04.txt, 06.txt, 08.txt and 9 more"),
        ("books", "name its files, such as 'books/*.txt'"),
        ("", "is a folder"),
        ("/", "is a folder"),
        ("x" * 5000, "holds books"),
        ("books/\0", "holds"),
        ("~nobody-of-this-name/x", "holds books"),
    ],
)
def test_a_pattern_without_files_shows_what_is_there(books: Path, pattern: str, hint: str) -> None:
    error = failure(files(pattern), books)
    assert error.key == "corpus.train"
    assert hint in error.message


def test_what_is_not_text_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    (tmp_path / "b.jsonl").write_text('{"text": "a"}\n{"text: \n')
    (tmp_path / "c.parquet").write_text("no table")
    for name, reason in (("a.txt", "not UTF-8"), ("b.jsonl", "not JSON"), ("c.parquet", "parquet file")):
        error = failure(files(name), tmp_path)
        assert error.key == "corpus.train" and name in error.message and reason in error.message
    assert capfd.readouterr() == ("", "")  # the library's own log would be a second line


def test_empty_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(" \n")
    (tmp_path / "b.txt").write_text("some text, but not much")
    (tmp_path / "c.txt").write_text("abc")
    assert "the train text is empty" in failure(files("a.txt"), tmp_path).message
    assert failure(files("b.txt", validation=("a.txt",)), tmp_path).key == "corpus.validation"
    (tmp_path / "d.json").write_text('[{"text": "a"}, {"text": "b"}]')
    for name in ("c.txt", "d.json"):
        error = failure(files(name), tmp_path)
        assert error.key == "corpus.train" and "too little text to hold out" in error.message


def test_the_embedded_corpus_has_three_splits(run_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSARCH_CACHE", str(run_cache))  # where other tests have read it too
    splits = texts(read_corpus(CorpusConfig()))
    sizes = {name: sum(map(len, documents)) for name, documents in splits.items()}
    assert sizes["train"] > 10 * sizes["validation"] > 300_000
    assert sizes["test"] > 30_000


def test_a_data_set_by_name_uses_its_own_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub")
    folder = tmp_path / "mine"
    folder.mkdir()
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("\n".join(json.dumps({"text": f"{split} {n}"}) for n in range(4)))
    config = CorpusConfig(source="huggingface", name=str(folder))
    assert read(config, tmp_path) == {
        "train": [f"train {n}" for n in range(4)],
        "validation": [f"validation {n}" for n in range(4)],
    }
    part = replace(config, train=("train[:50%]",), validation=("train[50%:]",))
    assert read(part, tmp_path) == {"train": ["train 0", "train 1"], "validation": ["train 2", "train 3"]}
    error = failure(replace(config, train=("training",)), tmp_path)
    assert error.key == "corpus.train" and "train, validation" in error.message
    assert failure(replace(config, column="body"), tmp_path).key == "corpus.train"


def test_rows_of_a_data_set_without_text_are_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub")
    folder = tmp_path / "mine"
    folder.mkdir()
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text('{"text": "a"}\n{"text": null}\n{"body": 1}\n{"text": "b"}\n')
    config = CorpusConfig(source="huggingface", name=str(folder), train=("train[:2]",), validation=("validation",))
    with pytest.warns(TextWarning) as told:
        assert read(config, tmp_path) == {"train": ["a"], "validation": ["a", "b"]}
    sentences = [str(each.message) for each in told]
    assert "corpus.train: 1 of 2 rows have no text in column 'text' and are left out" in sentences
    assert "corpus.validation: 2 of 4 rows have no text in column 'text' and are left out" in sentences


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("mine.py", b"import datasets", "Dataset scripts are no longer supported, but found mine.py. Save its rows as"),
        ("train.jsonl.gz", b"\x1f\x8b00", "Compressed file ended before the end-of-stream marker was reached. Check"),
        ("train.zip", b"PK\x03\x04", "File is not a zip file. Check its files"),
        ("train.jsonl.zst", b"\x28\xb5\x2f\xfd", "Compression type zstd not supported. Check its files"),
    ],
)
def test_a_data_set_that_cannot_be_loaded_is_one_line(
    name: str, content: bytes, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub")
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / name).write_bytes(content)
    error = failure(CorpusConfig(source="huggingface", name=str(folder)), tmp_path)
    assert error.key == "corpus.huggingface" and f"cannot be loaded: {reason}" in error.message


def test_of_a_data_set_with_pictures_only_the_text_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub")
    pictures = [{"bytes": b"damaged", "path": None}] * 2
    features = datasets.Features({"text": datasets.Value("string"), "picture": datasets.Image()})
    for split, rows in (("train", ["a", "b"]), ("validation", ["c", "d"])):
        columns = {"text": rows, "picture": pictures}
        datasets.Dataset.from_dict(columns, features=features).to_parquet(tmp_path / "mine" / f"{split}.parquet")
    config = CorpusConfig(source="huggingface", name=str(tmp_path / "mine"))
    assert read(config, tmp_path) == {"train": ["a", "b"], "validation": ["c", "d"]}
    error = failure(replace(config, column="body"), tmp_path)
    assert error.key == "corpus.train" and "picture, text" in error.message


def test_a_data_set_out_of_reach_fails_at_once_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    before = datasets.config.HF_HUB_OFFLINE
    error = failure(CorpusConfig(source="huggingface", name="no-such/set"), tmp_path)
    assert error.key == "corpus.huggingface" and "'no-such/set'" in error.message and "network" in error.message
    assert before == datasets.config.HF_HUB_OFFLINE
