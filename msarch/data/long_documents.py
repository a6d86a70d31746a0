"""Long documents in pieces, so that encoding them takes little memory and uses every core.

A document is cut after a single line end between two words. The byte-level pre-tokenizer splits there too, so the
pieces give the same tokens as the whole. A long stretch without such a place is cut anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

PIECE = 1 << 18
"""Characters of a piece; up to twice as many where there is no good place to cut."""

# Not at a longer run of white space, which the pre-tokenizer may group: a cut there could change the tokens.
_CUT = re.compile(r"(?<=\S)\n(?=\S)")


def split_document(text: str, size: int = PIECE) -> Iterator[str]:
    """`text` in pieces of `size` to 2 `size` characters; together they are the text."""
    start = 0
    while len(text) - start > 2 * size:
        cut = _CUT.search(text, start + size, start + 2 * size)
        stop = cut.end() if cut else start + 2 * size
        yield text[start:stop]
        start = stop
    yield text[start:]


def split_into_batches(documents: Iterable[str], characters: int = 16 * PIECE) -> Iterator[list[tuple[str, bool]]]:
    """Pieces of all documents in batches of about `characters`, each with whether it begins a document."""
    batch: list[tuple[str, bool]] = []
    held = 0
    for text in documents:
        for number, piece in enumerate(split_document(text)):
            batch.append((piece, number == 0))
            held += len(piece)
            if held >= characters:
                yield batch
                batch, held = [], 0
    if batch:
        yield batch
