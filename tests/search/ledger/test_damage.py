"""A damaged journal is refused in one line, or what is whole of it is shown: never another front, never a traceback."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from support.damage import DAMAGES, Damage
from support.made_up_search import Journalist, drive, open_in, space_in

from msarch.errors import UserError
from search.ledger import reading
from search.ledger.checks import CHECK
from search.ledger.folder import JOURNAL
from search.ledger.journal import read_lines
from search.ledger.line_sums import sums_path
from search.ledger.reading import read_ledger, read_records
from search.ledger.records import TrialRecord
from search.ledger.salvage import Salvage
from search.results.front import pareto_front
from search.space.space import Space

OLD = Path(__file__).parents[2] / "data" / "before_checksums"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search with trials in most states, the last of which still runs."""
    folder = tmp_path_factory.mktemp("sound")
    space = space_in(folder, *OVERRIDES)
    drive(open_in(space, folder / "out", trials=10))
    coordinator = open_in(space, folder / "out", trials=11)
    while coordinator.next_job() is None:
        assert not coordinator.ended
    states = {record.state for record in read_records(folder / "out")}
    assert states >= {"complete", "infeasible", "duplicate", "running"}
    return folder / "out"


OVERRIDES = (
    "training.learning_rate=1e-2",
    "model.d_model=16",
    "search.sampler=random",
    "limits.memory=7 MB",
)


@pytest.fixture(scope="module")
def right(sound: Path) -> dict[int, TrialRecord]:
    """What is recorded in it."""
    return {record.number: record for record in read_records(sound)}


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return space_in(tmp_path, *OVERRIDES)


@pytest.fixture(autouse=True)
def _without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAUSE", 0.0)  # nobody writes these journals while they are read


def copied(sound: Path, folder: Path) -> Path:
    folder.mkdir()
    for path in (sound / JOURNAL, sums_path(sound / JOURNAL)):
        shutil.copyfile(path, folder / path.name)
    return folder / JOURNAL


def attempt(journal: Path, skip_damaged: bool = False) -> tuple[list[TrialRecord] | None, str]:
    """The records and the notes, or None and the error."""
    try:
        found = read_ledger(journal.parent, skip_damaged=skip_damaged)
    except UserError as error:
        return None, str(error)
    return found.records, "\n".join(found.notes)


def endure(damage: Damage, seed: int, sound: Path, right: dict[int, TrialRecord], space: Space, folder: Path) -> None:
    """One damage of a journal: noticed, named by its file, what is shown of it is right, and no search continues it."""
    journal = copied(sound, folder)
    whole = journal.read_bytes()
    damaged = damage(whole, random.Random(seed))
    if damaged == whole:
        return  # two equal lines swapped
    journal.write_bytes(damaged)
    records, told = attempt(journal)
    assert records is None, (damage.__name__, seed)
    assert JOURNAL in told and len(told.splitlines()) == 1
    kept, notes = attempt(journal, skip_damaged=True)
    if kept is not None:
        assert all(right[record.number] == record for record in kept), (damage.__name__, seed)
        assert notes
    with pytest.raises(UserError, match=JOURNAL):
        open_in(space, folder)
    assert journal.read_bytes() == damaged


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_is_noticed(
    damage: Damage, sound: Path, right: dict[int, TrialRecord], space: Space, tmp_path: Path
) -> None:
    for seed in range(5):
        endure(damage, seed, sound, right, space, tmp_path / f"copy{seed}")


@pytest.mark.faults("a damaged journal is opened", times=50, end="refused in a line, or every record shown is right")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_is_noticed_many_times(
    damage: Damage, sound: Path, right: dict[int, TrialRecord], space: Space, tmp_path: Path
) -> None:
    for seed in range(100, 150):
        endure(damage, seed, sound, right, space, tmp_path / f"copy{seed}")


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_file_of_sums_is_told_or_the_records_are_right(
    damage: Damage, sound: Path, right: dict[int, TrialRecord], tmp_path: Path
) -> None:
    """The sums guard the journal, not the other way round: without them each trial has its own."""
    for seed in range(3):
        journal = copied(sound, tmp_path / f"copy{seed}")
        sums = sums_path(journal)
        sums.write_bytes(damage(sums.read_bytes(), random.Random(seed)))
        for skip in (False, True):
            records, told = attempt(journal, skip)
            assert records is None or all(right[record.number] == record for record in records)
            assert told or records == list(right.values())


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_journal_of_an_earlier_version_gives_no_traceback(damage: Damage, tmp_path: Path) -> None:
    for seed in range(4):
        journal = tmp_path / f"copy{seed}" / JOURNAL
        journal.parent.mkdir()
        journal.write_bytes(damage((OLD / JOURNAL).read_bytes(), random.Random(seed)))
        for skip in (False, True):
            _, told = attempt(journal, skip)
            assert told or journal.read_bytes() == b"" or damage.__name__.startswith("cut")


def test_an_altered_figure_is_refused_with_line_and_trial_and_the_rest_is_shown(sound: Path, tmp_path: Path) -> None:
    journal = copied(sound, tmp_path / "copy")
    best = pareto_front(read_records(sound))[0]
    lines = journal.read_bytes().split(b"\n")
    loss = json.dumps(best.loss).encode()
    index = next(i for i, line in enumerate(lines) if b'"rung/5"' in line and loss in line)
    lines[index] = lines[index].replace(loss, b"1.5")
    journal.write_bytes(b"\n".join(lines))
    records, told = attempt(journal)
    assert records is None and f"{JOURNAL}:{index + 1}: is damaged, in what it holds of trial {best.number};" in told
    assert "--skip-damaged" in told
    kept, notes = attempt(journal, skip_damaged=True)
    assert kept is not None
    twins = {record.number for record in read_records(sound) if record.twin == best.number}
    running = {record.number for record in read_records(sound) if record.state == "running"}
    assert {r.number for r in kept} == {r.number for r in read_records(sound)} - twins - running - {best.number}
    assert f"left out trial {best.number}, which is damaged: it does not match its checksum" in notes


@pytest.mark.parametrize(("old", "new"), [(b'"seconds":3', b'"seconds":4'), (b'"parameters":', b'"parameters":1')])
def test_without_the_sums_a_trial_is_still_held_against_its_own_checksum(
    old: bytes, new: bytes, sound: Path, tmp_path: Path
) -> None:
    journal = copied(sound, tmp_path / "copy")
    sums_path(journal).unlink()
    records, notes = attempt(journal)
    assert records == read_records(sound) and "study.journal.sums is missing" in notes
    journal.write_bytes(journal.read_bytes().replace(old, new, 1))
    records, told = attempt(journal)
    assert records is None and "is damaged: it does not match its checksum" in told


def test_what_the_study_was_told_must_be_what_the_record_gives(sound: Path, tmp_path: Path) -> None:
    journal = copied(sound, tmp_path / "copy")
    sums_path(journal).unlink()
    content = journal.read_bytes()
    at = content.index(b'"values":[') + len(b'"values":[')
    journal.write_bytes(content[:at] + b"1" + content[at:])
    records, told = attempt(journal)
    assert records is None and "the study's state or values differ from those recorded" in told


def test_salvage_of_a_whole_journal_gives_what_reading_it_gives(sound: Path) -> None:
    lines = read_lines(sound / JOURNAL)
    salvage = Salvage(lines)
    assert reading.check_trials(salvage.trials, salvage.objectives) == (read_records(sound), {})


def test_a_crash_between_a_line_and_its_sum_is_no_damage(sound: Path, space: Space, tmp_path: Path) -> None:
    journal = copied(sound, tmp_path / "copy")
    sums = sums_path(journal).read_bytes()
    for length in (len(sums) - 9, len(sums) - 4):
        sums_path(journal).write_bytes(sums[:length])
        assert attempt(journal) == (read_records(sound), "")
        open_in(space, journal.parent)
        assert sums_path(journal).read_bytes() == sums


def test_a_journal_that_is_gone_while_its_sums_are_there_is_not_begun_again(
    sound: Path, space: Space, tmp_path: Path
) -> None:
    journal = copied(sound, tmp_path / "copy")
    journal.unlink()
    with pytest.raises(UserError, match=r"study\.journal: is missing"):
        open_in(space, journal.parent)


def test_a_search_that_runs_can_be_read_at_any_time(space: Space, tmp_path: Path) -> None:
    """After each line of the journal, before its sum is written as well as after."""
    drive(open_in(space, tmp_path / "whole", trials=3))
    lines = (tmp_path / "whole" / JOURNAL).read_bytes().splitlines(keepends=True)
    sums = sums_path(tmp_path / "whole" / JOURNAL).read_bytes().splitlines(keepends=True)
    folder = tmp_path / "copy"
    folder.mkdir()
    for count in range(1, len(lines), 3):
        for summed in (count - 1, count):
            (folder / JOURNAL).write_bytes(b"".join(lines[:count]) + lines[count][:7])
            sums_path(folder / JOURNAL).write_bytes(b"".join(sums[:summed]))
            assert not read_ledger(folder).notes


def test_a_folder_written_before_opens_and_says_that_it_cannot_be_checked() -> None:
    found = read_ledger(OLD)
    assert len(found.notes) == 1 and found.notes[0].startswith("recorded by an earlier version, without checksums")
    assert [record.state for record in found.records] == ["complete", "complete", "complete"]
    assert [record.loss for record in found.records] == [3.890710639953613, 3.5252213191986086, 5.005399646759034]
    assert [point.step for point in found.records[0].curve] == [1, 2, 4, 8, 16, 32]


def test_a_folder_written_before_is_continued_and_checked_from_then_on(space: Space, tmp_path: Path) -> None:
    drive(open_in(space, tmp_path / "out", trials=4))
    journal = tmp_path / "out" / JOURNAL
    sums_path(journal).unlink()
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(line for line in lines if f'"{CHECK}"'.encode() not in line))
    before = read_ledger(journal.parent)
    assert "without checksums" in before.notes[0]
    watcher = Journalist()
    drive(open_in(space, journal.parent, watcher, trials=6))
    after = read_ledger(journal.parent)
    assert after.notes == (
        f"trials 0 to {before.records[-1].number} were recorded by an earlier version, without checksums: they "
        "cannot be checked",
    )
    assert watcher.messages == [f"note: {before.notes[0]}"]
    assert after.records[: len(before.records)] == before.records
    journal.write_bytes(journal.read_bytes()[:-30])
    assert attempt(journal)[0] is None


def test_impossible_figures_are_refused_also_without_any_checksum(tmp_path: Path) -> None:
    content = (OLD / JOURNAL).read_bytes()
    line = next(line for line in content.splitlines() if b'"rung/0"' in line)
    first = json.loads(line)["user_attr"]["rung/0"]["point"]
    cases = {
        json.dumps(first["loss"]).encode(): (b"NaN", b"Infinity", b'"x"'),
        b'{"state":"complete"}': (b'{"state":"compleet"}', b'{"state":"running"}'),
        b'"memory_bytes":733452': (b'"memory_bytes":0', b'"memory_bytes":-5', b'"memory_bytes":833452'),
    }
    for number, (old, new) in enumerate((old, new) for old, news in cases.items() for new in news):
        assert content.count(old) >= 1
        journal = tmp_path / str(number) / JOURNAL
        journal.parent.mkdir()
        journal.write_bytes(content.replace(old, new))
        records, told = attempt(journal)
        assert records is None and "is damaged" in told, new
