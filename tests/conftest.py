"""For all tests: the longest files first, so that no worker is left alone with one at the end."""

from __future__ import annotations

import pytest

LONGEST = ("end_to_end", "test_search_out_of_memory", "test_cli", "test_documents", "test_report_in_browser")
"""Parts of names of files whose tests search with Ray, start a browser, or run for a minute in another way."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files keep their tests together and in order."""
    items.sort(key=lambda item: not any(name in item.path.name for name in LONGEST))
