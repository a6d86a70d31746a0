"""The text of a search: read and encoded before anything is proposed, so that an error in it comes first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msarch.config.corpus import CorpusConfig
from search.run.vocabularies import Prepare
from search.run.watcher import Watcher
from search.space.space import Space

if TYPE_CHECKING:
    from msarch.data.token_set import TokenSet

READING, ENCODING = "reading the text", "encoding the text"


def prepare_text(space: Space, prepare: Prepare, watcher: Watcher) -> tuple[Space, TokenSet]:
    """The space bound to its text's content, and the tokens.

    Raises:
        UserError: the text is missing, cannot be read, or is too short for the space.
    """
    from msarch.data.token_set import check_length

    watcher.phase(READING)
    tokens = prepare(space.corpus)
    check_length(tokens, space.largest_context, space.validation_tokens)
    return space.with_content(tokens.content), tokens


def token_preparer(base: Path, watcher: Watcher) -> Prepare:
    """Prepares the tokens of a corpus whose relative paths start at `base`; reports when it must encode them."""

    def prepare(corpus: CorpusConfig) -> TokenSet:
        from msarch.data.token_set import prepare_tokens

        return prepare_tokens(corpus, base=base, on_encode=lambda: watcher.phase(ENCODING))

    return prepare
