"""Keeps the tables of columns on a page current: ``python -m search.results.column_docs docs/python.md``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from msarch.errors import UserError
from search.results.columns import COLUMNS, CURVE_COLUMNS, describe_columns

_TABLES = (("Columns of `trials` and `pareto`", COLUMNS), ("Columns of `curves`", CURVE_COLUMNS))


def with_current_tables(page: str) -> str:
    """The page with both tables as they are now, under their headings. Raises UserError where a heading is missing."""
    for heading, columns in _TABLES:
        before_table = rf"^## {re.escape(heading)}\n(?:(?![|#]).*\n)*"  # the heading and words that follow it
        found = list(re.finditer(rf"({before_table})(?:\|.*\n)*", page, re.MULTILINE))
        if len(found) != 1:
            raise UserError(f"there must be one heading '## {heading}', found {len(found)}")
        start, end = found[0].end(1), found[0].end()
        page = f"{page[:start]}{describe_columns(columns)}\n{page[end:]}"
    return page


def main(arguments: list[str]) -> None:
    """Rewrites the tables of the page that is named."""
    if len(arguments) != 1:
        raise UserError("usage: python -m search.results.column_docs docs/python.md")
    page = Path(arguments[0])
    page.write_text(with_current_tables(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
