"""One table for all tests of replays: 48 made-up models."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.made_up_table import made_up_table

from search.replay.table import Table, read_table


@pytest.fixture(scope="session")
def table_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_table(tmp_path_factory.mktemp("replay"))


@pytest.fixture(scope="session")
def table(table_folder: Path) -> Table:
    return read_table(table_folder)
