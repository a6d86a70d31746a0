"""Tokens to text while they come: a character is passed on when all of its bytes are there."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from msarch.data.tokenizer import Tokenizer


class TextStream:
    """The pieces of a text; joined they are what `Tokenizer.decode` makes of all tokens."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._bytes = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._tokens: list[int] = []
        self._shown = ""

    def add(self, token: int) -> str:
        """The text that this token completes."""
        if self._tokenizer.token_bytes is not None:
            return self._bytes.decode(self._tokenizer.bytes_of(token))
        return self._added(token)

    def end(self) -> str:
        """The rest: a character that was begun, as the sign for what is no text."""
        if self._tokenizer.token_bytes is not None:
            return self._bytes.decode(b"", final=True)
        return self._tokenizer.decode(self._tokens)[len(self._shown) :]

    def _added(self, token: int) -> str:
        """In other vocabularies a token's text depends on those before it: what the whole text has grown by."""
        self._tokens.append(token)
        text = self._tokenizer.decode(self._tokens)
        if text.endswith("\ufffd") or not text.startswith(self._shown):
            return ""
        piece, self._shown = text[len(self._shown) :], text
        return piece
