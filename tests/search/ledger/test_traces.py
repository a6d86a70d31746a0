"""What a folder's other files show of trials that its journal has lost, and what is left where the sums are gone."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from support.made_up_search import Journalist, drive, open_in, space_in

from msarch.errors import UserError
from search.ledger.folder import JOURNAL
from search.ledger.line_sums import sums_path
from search.ledger.notes import list_trials
from search.ledger.reading import read_ledger, read_records
from search.results.table_files import write_tables
from search.space.space import Space

REFUSED = re.escape(f"{JOURNAL}: ")


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return space_in(tmp_path)


@pytest.fixture
def folder(space: Space, tmp_path: Path) -> Path:
    """A search whose sums are gone, with its tables and its trials' folders."""
    out = tmp_path / "out"
    drive(open_in(space, out, trials=4))
    write_tables(out, read_records(out))
    sums_path(out / JOURNAL).unlink()
    return out


def cut_before_trial(folder: Path, number: int) -> None:
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    begins = [index for index, line in enumerate(lines) if b'"op_code":4,' in line and b'"study_id":0' in line]
    (folder / JOURNAL).write_bytes(b"".join(lines[: begins[number]]))


@pytest.mark.parametrize("gone", ["trials", "trials.csv", "nothing"])
def test_an_emptied_journal_is_refused_where_anything_shows_trials(gone: str, space: Space, folder: Path) -> None:
    (folder / JOURNAL).write_bytes(b"")
    shutil.rmtree(folder / gone, ignore_errors=True)
    if gone == "trials.csv":
        (folder / gone).unlink()
    with pytest.raises(
        UserError, match=f"{REFUSED}is damaged: it holds no trials: other files .* show trials 0"
    ) as told:
        read_ledger(folder)
    assert len(str(told.value).splitlines()) == 1
    shown = read_ledger(folder, skip_damaged=True)
    assert shown.records == [] and "holds no trials" in shown.notes[0]
    with pytest.raises(UserError, match="holds no trials"):
        open_in(space, folder)


def test_a_search_that_was_killed_before_it_began_is_empty(space: Space, folder: Path) -> None:
    (folder / JOURNAL).write_bytes(b"")
    shutil.rmtree(folder / "trials")
    write_tables(folder, [])
    assert read_ledger(folder).records == [] and read_ledger(folder).notes == ()
    open_in(space, folder)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_journal_without_sums_that_was_cut_is_refused_where_other_files_show_more(number: int, folder: Path) -> None:
    last = read_records(folder)[-1].number
    cut_before_trial(folder, number)
    lost = list_trials(range(number, last + 1))
    with pytest.raises(UserError, match=f"{REFUSED}is damaged: the end of it is missing: .* show {lost};"):
        read_ledger(folder)
    shown = read_ledger(folder, skip_damaged=True)
    assert [record.number for record in shown.records] == list(range(number)) and lost in shown.notes[0]


def test_a_trial_whose_end_was_cut_off_shows_by_its_row(folder: Path) -> None:
    journal = folder / JOURNAL
    lines = journal.read_bytes().splitlines(keepends=True)
    last = max(index for index, line in enumerate(lines) if b'"outcome"' in line)
    journal.write_bytes(b"".join(lines[:last]))
    number = read_ledger(folder, skip_damaged=True).records[-1].number
    with pytest.raises(UserError, match=f"show trial {number};"):
        read_ledger(folder)


def test_tables_that_lag_behind_or_are_damaged_do_not_matter(folder: Path) -> None:
    records = read_records(folder)
    for content in (records[:2], []):
        write_tables(folder, content)
        assert read_records(folder) == records
    shutil.rmtree(folder / "trials")
    for damaged in (b"", b"trial\n", b"\xff\x00\n\x00", b"trial,state\n9", b'trial,state\n"' + b"x" * 200_000):
        (folder / "trials.csv").write_bytes(damaged)
        assert read_records(folder) == records


def test_a_search_whose_sums_are_gone_is_continued_only_where_the_user_says_so(space: Space, folder: Path) -> None:
    """Otherwise new sums would vouch for a journal that was cut."""
    journal = folder / JOURNAL
    before = journal.read_bytes()
    with pytest.raises(UserError, match=r"study\.journal\.sums: is missing.* as an empty file"):
        open_in(space, folder)
    assert journal.read_bytes() == before and not sums_path(journal).exists()
    sums_path(journal).touch()
    watcher = Journalist()
    open_in(space, folder, watcher)
    assert watcher.messages[0].startswith("note: the last ") and "its end cannot be checked" in watcher.messages[0]


def test_trials_are_listed_with_neighbours_together() -> None:
    assert list_trials([7]) == "trial 7"
    assert list_trials([2, 0, 1, 5, 8, 7]) == "trials 0 to 2, 5, 7 to 8"
