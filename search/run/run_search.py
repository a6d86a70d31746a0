"""A whole search, from a space to a results folder; the same call goes on where the last one ended.

Nothing is printed here: whoever wants to see how it goes brings a watcher.
"""

from __future__ import annotations

import errno
import os
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from msarch.errors import UserError
from msarch.machine import usable_cores
from search.ledger.folder import JOURNAL, locked
from search.propose.pruners import pruner_warning
from search.run.coordinator import Coordinator
from search.run.open_search import open_search
from search.run.outputs import Outputs
from search.run.proposer import prepare_from
from search.run.watcher import Silent, Watcher
from search.space.limits import check_limits
from search.space.load import load_space
from search.space.space import Space

End = Literal["complete", "interrupted", "out of time"]


def run_search(
    space: Space | str | Path,
    out: Path | str | None = None,
    *,
    trials: int | None = None,
    concurrent: int | None = None,
    time_budget: int | None = None,
    ray_address: str | None = None,
    display: Watcher | None = None,
    overrides: Sequence[str] = (),
) -> Path:
    """Search a space, and return the results folder.

    A folder that holds this search already is gone on with: finished trials stay, running ones continue from
    their checkpoints, more are added up to `trials`.

    Args:
        space: a space, the path of its file, or the name of one that ships.
        out: the results folder; ``results/NAME`` by default.
        trials: trained trials in all; the space's by default.
        concurrent: trials at a time; by default the space's, else one a GPU, or one a core without.
        time_budget: seconds after which the search stops. Trials that run then are left to be gone on with.
        ray_address: of a Ray cluster ("auto", host:port); this machine alone by default.
        display: is told how the search goes.
        overrides: such as ``training.tokens=1M``, where `space` is a name or a path.

    Raises:
        UserError: space, folder, corpus or address are not right, or a file could not be written.
        KeyboardInterrupt: Ctrl-C; everything is written, and the same call goes on.
    """
    began, watcher = time.monotonic(), display or Silent()
    source = space if isinstance(space, Space) else load_space(space, overrides)
    folder = Path(out) if out is not None else Path("results") / source.name
    seconds = time_budget or source.search.time_budget
    command = resume_command(str(space) if not isinstance(space, Space) else source.file, folder, overrides, trials)
    if warning := pruner_warning(source.search.pruner, source.objectives):
        watcher.message(warning)
    with _disk_errors_told(folder, command):
        end = _search(
            source,
            folder,
            watcher,
            trials=trials,
            concurrent=concurrent or source.search.concurrent,
            deadline=began + seconds if seconds else None,
            address=ray_address,
        )
    if end == "out of time":
        watcher.message(f"the time budget is spent; go on with: {command}")
    if end == "interrupted":
        watcher.message(f"interrupted; go on with: {command}")
        raise KeyboardInterrupt
    return folder


def _search(
    source: Space,
    folder: Path,
    watcher: Watcher,
    *,
    trials: int | None,
    concurrent: int | None,
    deadline: float | None,
    address: str | None,
) -> End:
    from msarch.data.token_set import check_length
    from msarch.memory.profile import profile_candidate

    base = Path.cwd()
    if (folder / JOURNAL).exists():
        with locked(folder):
            pass  # a second search is refused at once, not after corpus and limits have been looked at
    prepare = prepare_from(base)
    if address is not None:
        from search.run.ray.session import check_address

        check_address(address)
    check_limits(source)
    tokens = prepare(source.corpus)
    check_length(tokens, source.largest_context, source.validation_tokens)
    space = source.with_content(tokens.content)
    with locked(folder):
        outputs = Outputs(space, folder, watcher)
        if not (folder / JOURNAL).exists():
            outputs.write_origin(tokens)  # first, so that no journal is ever without its space
        coordinator = open_search(
            space, folder, prepare=prepare, profile=profile_candidate, watcher=outputs, trials=trials
        )
        outputs.records = coordinator.records
        outputs.write_origin(tokens)
        try:
            if coordinator.ended:
                return "complete"
            from search.run.ray.session import prepare_environment, ray_session

            prepare_environment(address)
            from search.run.ray.adapters import Control
            from search.run.ray.executor import execute

            control = Control(deadline=deadline)
            cpus = max(concurrent or 0, usable_cores())
            with ray_session(folder, address=address, cpus=cpus) as scratch:
                execute(coordinator, control, folder=folder, base=base, scratch=scratch, concurrent=concurrent)
            if control.interrupted:
                return "interrupted"
            return "out of time" if control.out_of_time and _is_left(coordinator) else "complete"
        finally:
            outputs.write_tables()
            outputs.write_report()


def _is_left(coordinator: Coordinator) -> bool:
    """Whether trials are still to be started or to be ended."""
    return not coordinator.ended or any(record.state == "running" for record in coordinator.records())


def resume_command(source: str, folder: Path, overrides: Sequence[str], trials: int | None) -> str:
    """What a user types to go on."""
    words = ["msarch", "search", source, "--out", str(folder)]
    if trials is not None:
        words += ["--trials", str(trials)]
    for override in overrides:
        words += ["--set", override]
    return shlex.join(words)


@contextmanager
def _disk_errors_told(folder: Path, command: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO):
            raise
        reason = os.strerror(error.errno).lower()
        raise UserError(
            f"cannot write to {folder}: {reason}; nothing finished is lost, go on later with: {command}"
        ) from error
