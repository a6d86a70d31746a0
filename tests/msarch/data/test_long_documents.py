import pytest

from msarch.data.long_documents import split_document, split_into_batches


@pytest.mark.parametrize("text", ["", "short", "word " * 500, "a\nb\n\nc " * 300, "\n" * 1000, "x" * 999])
def test_pieces_are_the_text_and_none_is_long(text: str) -> None:
    parts = list(split_document(text, size=50))
    assert "".join(parts) == text
    assert max(map(len, parts)) <= 100


def test_a_cut_stands_after_a_single_line_end_between_words() -> None:
    parts = list(split_document("one two three\nfour  \n\n five\n" * 50, size=60))
    assert len(parts) > 5
    assert all(part.endswith(("three\n", "five\n")) for part in parts[:-1])


def test_batches_tell_where_documents_begin() -> None:
    documents = ["a" * 10, "", "b" * 10, "c"]
    batches = list(split_into_batches(documents, characters=15))
    assert batches == [[("a" * 10, True), ("", True), ("b" * 10, True)], [("c", True)]]
    long = [begins for batch in split_into_batches(["word\n" * 400_000, "x"]) for _, begins in batch]
    assert len(long) > 3 and long[0] and long[-1] and not any(long[1:-1])
