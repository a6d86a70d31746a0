"""The journal file as bytes: its lines, what a crash can leave in it, and how that is repaired.

Three things to know:

* Optuna's own lock is a symbolic link beside the journal. Killed while it is held, the next start waits for
  it, for ever with a relative path. We hold a kernel lock on the folder, so a link that is there is left over.
* A short write (a full disk) leaves a torn line, and the next append would be glued to it.
* A proposal is several lines: the trial, each parameter, and at last the candidate. A crash in between leaves
  a trial without complete parameters. Nothing else is written meanwhile, so these lines are the last ones;
  they are cut off like a torn line, and the number is proposed again, with the same seed and so alike.

What is cut off is kept beside the journal as `.torn`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msarch.errors import UserError
from msarch.paths import read_regular
from search.ledger.line_sums import LARGEST, cut_sums, line_sum, read_sums

RUNNING = 0
"""A trial's state in the journal. Its operations have numbers too: 0 and 1 create and delete a study, 2 and 3 set its
attributes, 4 creates a trial, 6 sets its state and values, 8 and 9 set its attributes."""


@dataclass(frozen=True, slots=True)
class JournalLines:
    """The whole lines of a journal, compared with their checksums.

    Attributes:
        lines: each with its line end; a last one that a crash tore is left out.
        altered: indices of lines that are not what was written.
        missing: how many lines were written and are gone.
        unsummed: lines at the end that have no sum; all of them where the journal has no sums.
        summed: whether the journal has sums.
    """

    lines: tuple[bytes, ...]
    altered: tuple[int, ...]
    missing: int
    unsummed: int
    summed: bool

    @property
    def damaged(self) -> bool:
        """Whether something is altered or missing."""
        return bool(self.altered) or self.missing > 0

    def operations(self) -> list[dict[str, Any]]:
        """Every line parsed. Raises ValueError."""
        return [json.loads(line) for line in self.lines]


def read_lines(journal: Path, *, use_sums: bool = True) -> JournalLines:
    """The lines of a journal that a search may be writing meanwhile.

    The sums are read twice: before, since every line that has a sum then must be in the journal, and after, since only
    then every line has its sum. Raises UserError, OSError.
    """
    before = read_sums(journal) if use_sums else None
    content = read_regular(journal, most=LARGEST)
    sums = read_sums(journal) if use_sums else None
    lines = content.split(b"\n")
    whole = [line + b"\n" for line in lines[:-1]]
    if whole and len(whole) > len(sums or ()) and not lines[-1] and not _is_json(whole[-1]):
        whole.pop()
    pairs = enumerate(zip(whole, sums or (), strict=False))
    return JournalLines(
        lines=tuple(whole),
        altered=tuple(index for index, (line, expected) in pairs if line_sum(line) != expected),
        missing=max(0, len(before or ()) - len(whole)),
        unsummed=max(0, len(whole) - len(sums or ())),
        summed=sums is not None,
    )


def repair(journal: Path, *, study: str, last_attr: str) -> None:
    """Repair a journal after a crash; only with the folder's lock held, and after the journal was checked.

    Args:
        journal: path of the file; nothing happens where there is none.
        study: name of the study whose unfinished last proposal is cut off.
        last_attr: the trial attribute that is written last in a proposal.

    Raises:
        UserError: the damage is more than a crash can leave; nothing is cut.
    """
    for left_over in journal.parent.glob(f"{journal.name}.lock*"):  # the link, and ones half removed
        left_over.unlink(missing_ok=True)
    if not journal.exists():
        return
    if not journal.is_file():
        raise UserError("is not a file; restore the journal from a copy", file=str(journal))
    content = journal.read_bytes()
    whole = _end_of_whole_lines(content)
    keep = _start_of_open_proposal(content[:whole], journal, study=study, last_attr=last_attr)
    keep = whole if keep is None else keep
    if keep < len(content):
        _cut(journal, content, keep)


def _end_of_whole_lines(content: bytes) -> int:
    """Where the last line that can be read ends: one line is cut at most, with or without its end."""
    whole = content.rfind(b"\n") + 1
    if whole and whole == len(content):
        last = content.rfind(b"\n", 0, whole - 1) + 1
        return whole if _is_json(content[last:whole]) else last
    return whole


def _cut(journal: Path, content: bytes, keep: int) -> None:
    torn = journal.with_name(f"{journal.name}.torn")
    # O_NOFOLLOW: a link there would have us write into somebody else's file.
    with os.fdopen(os.open(torn, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666), "ab") as file:
        file.write(content[keep:] + b"\n")
    # The sums first: a crash in between leaves a journal that is longer than its sums, never a shorter one.
    cut_sums(journal, content[:keep].count(b"\n"))
    with journal.open("r+b") as file:
        file.truncate(keep)
        os.fsync(file.fileno())


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _start_of_open_proposal(content: bytes, journal: Path, *, study: str, last_attr: str) -> int | None:
    """Where the last proposal begins, if it never ended and nothing but itself follows."""
    studies: list[str] = []  # study id -> name, empty once deleted
    owners: list[int] = []  # trial id -> study id: both are counted over the whole journal
    open_trial, start = -1, None
    for offset, log in _lines(content, journal):
        match log["op_code"]:
            case 0 if log["study_name"] not in studies:
                studies.append(log["study_name"])
            case 1:
                studies[log["study_id"]] = ""
            case 4:
                owners.append(log["study_id"])
                if studies[log["study_id"]] == study and log.get("state", RUNNING) == RUNNING:
                    open_trial, start = len(owners) - 1, offset
            case 6 if log["state"] == RUNNING and studies[owners[log["trial_id"]]] == study:
                open_trial, start = log["trial_id"], offset
            case 8 if log["trial_id"] == open_trial and last_attr in log["user_attr"]:
                open_trial, start = -1, None
        if start is not None and log.get("trial_id", open_trial) != open_trial:
            open_trial, start = -1, None  # other work follows: these lines may not be cut
    return start


def _lines(content: bytes, journal: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    offset = 0
    lines: Sequence[bytes] = content.split(b"\n")[:-1]
    for number, line in enumerate(lines, start=1):
        try:
            yield offset, json.loads(line)
        except ValueError:
            raise UserError(
                "is damaged: this line is not JSON; restore the file from a copy", file=str(journal), line=number
            ) from None
        offset += len(line) + 1
