"""A whole search, from a space to a results folder; the same call continues a search that was stopped.

Nothing is printed here: pass a watcher to follow it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from msarch.config.candidate import Candidate
from msarch.errors import UserError
from msarch.machine import free_memory, gpu_count, usable_cores
from search.ledger.folder import JOURNAL, locked
from search.propose.pruners import pruner_warning
from search.run.coordinator import Coordinator
from search.run.event_watcher import EventWatcher
from search.run.failures import FailingSearchError
from search.run.interrupts import on_interrupt
from search.run.open_search import open_recorded, open_search
from search.run.outputs import Outputs
from search.run.remedy import remedy
from search.run.request import SearchRequest
from search.run.slots import Slots, local_slots
from search.run.text import prepare_text, token_preparer
from search.run.watcher import Silent, Watcher, Watchers
from search.space.limits import check_limits
from search.space.schema.search import Keep
from search.space.space import Space
from search.space.writer import can_be_continued

if TYPE_CHECKING:
    from msarch.data.token_set import TokenSet

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)
PATH_ERRORS = (errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ENOENT)
"""Of a file in the results folder: a link, a folder or nothing where a file is expected. Elsewhere they are defects."""

KEEP_HAS_NO_EFFECT = "search.keep has no effect: without training.schedule wsd no trial can be continued"

End = Literal["complete", "interrupted", "out of time"]


def run_search(
    space: Space | str | Path,
    out: Path | str | None = None,
    *,
    trials: int | None = None,
    tokens: int | None = None,
    concurrent: int | None = None,
    time_budget: int | None = None,
    ray_address: str | None = None,
    keep: Keep | None = None,
    display: Watcher | None = None,
    overrides: Sequence[str] = (),
    tensorboard: bool = False,
) -> Path:
    """Search a space, and return the results folder.

    Where the folder holds this search already, it continues: finished trials stay, running ones continue from
    their checkpoints, more are added up to `trials`.

    Args:
        space: a space, the path of its file, or the name of one that ships.
        out: the results folder; ``results/NAME`` by default.
        trials: trained trials in all; the space's by default.
        tokens: training tokens in all, in place of `trials`.
        concurrent: trials at a time; by default the space's, else one a GPU, or one a core without.
        time_budget: seconds from the first training step after which the search stops. Trials that run then continue
            at the next call.
        ray_address: of a Ray cluster ("auto", host:port); this machine alone by default.
        keep: which finished trials keep the checkpoint from before their decay, so that `msarch train` can train them
            on: "front", "all" or "none"; by default what was last chosen for this folder, else the space's choice.
        display: gets every event of the search.
        overrides: such as ``training.tokens=1M``, where `space` is a name or a path.
        tensorboard: also write event files for TensorBoard, into the results folder.

    Raises:
        UserError: the space, folder, corpus, address or a number is invalid, or a file could not be written, or trials
            fail one after another in the same way.
        KeyboardInterrupt: Ctrl-C; everything is written, and the same call continues.
    """
    request = SearchRequest.of(
        space,
        out,
        overrides,
        trials=trials,
        tokens=tokens,
        concurrent=concurrent,
        time_budget=time_budget,
        ray_address=ray_address,
        keep=keep,
        tensorboard=tensorboard,
    )
    watcher = display or Silent()
    settings = request.space.search
    warning = pruner_warning(settings.pruner, request.space.objectives) if settings.strategy == "prune" else ""
    if warning:
        watcher.message(warning)
    if (keep or "keep" in settings.model_fields_set) and not can_be_continued(request.space):
        watcher.message(KEEP_HAS_NO_EFFECT)
    with request.space.placing_errors(), _clear_disk_errors(request), _failures_with_a_remedy(request):
        end = _search(request, watcher)
    if end == "out of time":
        watcher.message(f"the time budget is spent; continue with: {request.command()}")
    if end == "interrupted":
        watcher.message(f"interrupted; continue with: {request.command()}")
        raise KeyboardInterrupt
    return request.folder


def _search(request: SearchRequest, watcher: Watcher) -> End:
    folder, base = request.folder, Path.cwd()
    if (folder / JOURNAL).exists():
        with locked(folder):
            pass  # refuse a second search at once, before corpus and limits are checked
    else:
        _slots_here(request)  # refuse a trial that this machine has no room for before anything is written
    if request.ray_address is not None:
        from search.run.ray.session import check_address

        check_address(request.ray_address)
    watcher.phase("checking the limits")
    check_limits(request.space)
    prepare = token_preparer(base, watcher)
    space, tokens = prepare_text(request.space, prepare, watcher)
    with locked(folder):
        events = EventWatcher(folder) if request.tensorboard else None
        outputs = Outputs(space, folder, Watchers(watcher, events) if events else watcher)
        if not (folder / JOURNAL).exists():
            outputs.write_origin(tokens)  # first, so that no journal is ever without its space
        outputs.space, ledger = open_recorded(space, folder, outputs, request.keep)
        coordinator = open_search(
            outputs.space,
            ledger,
            folder,
            prepare=prepare,
            profile=_profile,
            watcher=outputs,
            trials=request.trials,
            tokens=request.tokens,
        )
        outputs.records = coordinator.records
        outputs.write_origin(tokens)
        if events:
            events.begin(coordinator.records())
        try:
            ended = outputs.records() and coordinator.ended  # to ask a new search would profile its first designs
            return "complete" if ended else _train(request, coordinator, outputs, base, tokens)
        finally:
            if events:
                events.close()
            watcher.phase("writing tables and report")
            outputs.write_tables()
            outputs.write_report()


def _profile(candidate: Candidate) -> Mapping[str, Any]:
    """A candidate's figures; imports torch at its first call: by then, Ray's processes are starting."""
    from msarch.memory.candidate_profile import CandidateProfile

    return CandidateProfile(candidate)


def _train(request: SearchRequest, coordinator: Coordinator, outputs: Outputs, base: Path, tokens: TokenSet) -> End:
    """Run the trials on Ray until all are done, time is up, or the user interrupts."""
    outputs.phase("starting Ray")
    from search.run.ray.session import prepare_environment, ray_session

    prepare_environment(request.ray_address)
    from search.run.ray.stopping import StopSignal

    stop, settings = StopSignal(time_budget=request.time_budget), request.space.search
    here = _slots_here(request)
    session = ray_session(request.folder, address=request.ray_address, here=here, command=request.command())
    with on_interrupt(stop.interrupt), session as scratch:
        if not stop.interrupted:
            # Only now: what is slow to import or to compute is not waited for, since Ray's processes are starting.
            from search.run.ray.executor import execute, slots_of_cluster
            from search.run.ray.session import is_one_machine

            slots = here or slots_of_cluster(settings.resources, request.concurrent)
            if slots.fitting is not None:
                outputs.message(f"{slots.fitting} trials run at a time, not {request.concurrent}: no more have room")
            if settings.strategy == "front":
                outputs.phase("drawing and profiling designs")
                stop.guard(lambda: coordinator.ended, None)
            execute(
                coordinator,
                stop,
                outputs,
                folder=request.folder,
                base=base,
                scratch=scratch,
                slots=slots,
                shares_memory=request.ray_address is None and is_one_machine(),
                text_bytes=sum(tokens.text_bytes.values()),
                trial_timeout=settings.trial_timeout,
                keeps=outputs.space.search.keep != "none",
            )
    if stop.interrupted:
        return "interrupted"
    return "out of time" if stop.out_of_time and _is_left(coordinator) else "complete"


def _slots_here(request: SearchRequest) -> Slots | None:
    """Places for trials on this machine; None where Ray runs already, here or elsewhere, and says what it has."""
    from search.run.ray.session import is_open

    if request.ray_address is not None or is_open():
        return None
    resources = request.space.search.resources
    return local_slots(resources, request.concurrent, usable_cores(), gpu_count(), free_memory())


def _is_left(coordinator: Coordinator) -> bool:
    """Whether trials remain to be started or finished."""
    return not coordinator.ended or any(record.state == "running" for record in coordinator.records())


@contextmanager
def _clear_disk_errors(request: SearchRequest) -> Iterator[None]:
    """Turn errors of a full or read-only disk into one line that says how to continue."""
    try:
        yield
    except OSError as error:
        path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
        inside = path is not None and path.absolute().is_relative_to(request.folder.absolute())
        if error.errno not in DISK_ERRORS and not (inside and error.errno in PATH_ERRORS):
            raise
        reason = os.strerror(error.errno).lower()
        raise UserError(
            f"cannot write to {path if inside else request.folder}: {reason}; nothing finished is lost, "
            f"continue later with: {request.command()}"
        ) from error


@contextmanager
def _failures_with_a_remedy(request: SearchRequest) -> Iterator[None]:
    """Say what to do after trials that failed one after another."""
    try:
        yield
    except FailingSearchError as error:
        raise UserError(f"{error.message}; {remedy(error, request)}") from error
