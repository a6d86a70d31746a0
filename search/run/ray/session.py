"""A Ray session that leaves nothing behind: no output on the terminal, no processes, no files.

Everything that Ray says, its C++ parts and libraries included, goes to one log file: the file descriptors 1 and
2 point to it while the session lasts, and Python's own `sys.stdout` and `sys.stderr` keep the terminal.
"""

from __future__ import annotations

import io
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from msarch.data.cache_folder import fix_cache_base
from msarch.errors import UserError, quoted
from search.run.ray.alone import answering_us_alone
from search.run.ray.lean import WORKER, fewer_processes, ready_workers, trials_in_ready_workers
from search.run.ray.scratch import scratch_folder
from search.run.slots import Slots

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_raylet_start_wait_time_s": "300",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_WARN_THRESHOLD_S": "60",
}
"""Read by Ray when it is imported: no telemetry, no tables, no copies of results, and Ctrl-C is ours. On a machine with
much other work Ray's own 30 seconds are not always enough to start."""


@contextmanager
def ray_session(folder: Path, *, address: str | None, here: Slots | None = None, command: str = "") -> Iterator[Path]:
    """Ray, started on this machine or connected to a cluster; gives a scratch folder.

    A session that the caller has opened before is used as it is, and left open.

    Args:
        folder: of the results; what Ray says goes to its `ray.log`.
        address: of a cluster ("auto", or host:port); None for this machine alone.
        here: places for trials on this machine; Ray starts a worker for each at once.
        command: that runs the search again, for the error of a Ray that does not start.

    Raises:
        UserError: Ray did not start, or there is no cluster at the address.
    """
    prepare_environment(address)
    with ExitStack() as stack:
        log = folder / "ray.log"
        stack.enter_context(_descriptors_to(log))
        scratch = stack.enter_context(scratch_folder(folder))
        from ray import shutdown

        stack.enter_context(_loggers_to(log))
        stack.enter_context(_messages_to(log))
        if not is_open():
            if address is None:
                stack.enter_context(answering_us_alone())
            stack.callback(shutdown)
            try:
                with _sigterm_ours():
                    _connect(address) if address else _start(here or Slots(1, 1, 0), scratch)
            # Ray raises a bare Exception where its processes do not start in time, and nothing but Ray runs in here.
            except Exception as error:
                raise _not_started(error, address, log, command) from error
            if address is None:
                stack.enter_context(trials_in_ready_workers())
        import_module("ray.tune")  # so that its loggers exist and can be sent to the log; it takes a while
        stack.enter_context(_loggers_to(log))  # again: starting Ray removes handlers
        yield scratch


def prepare_environment(address: str | None) -> None:
    """Set what Ray reads when it is imported, and its workers; to be called before anything imports it."""
    os.environ.update(QUIET)
    fix_cache_base()  # Ray Tune changes into a folder for each trial
    if address is not None and (Path.home() / ".ray" / "auth_token").is_file():
        # A head node asks for this token by default, but nodes that join show it only on request.
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def check_address(address: object) -> None:
    """Raises UserError unless it is text, and where nothing answers: Ray itself would try for minutes."""
    if not isinstance(address, str):
        raise UserError(f"must be text, auto or HOST:PORT, got {address!r}", key="ray_address")
    if address == "auto":
        return
    if address.startswith("ray://"):
        raise UserError(
            "is for Ray Client, under which Ray Tune runs elsewhere than the search that drives it; start msarch on a "
            "node of the cluster, with auto or HOST:PORT",
            key="ray_address",
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UserError(f"{quoted(address)} is not an address; write auto, or HOST:PORT", key="ray_address")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise UserError(f"no Ray cluster at {quoted(address)}: {error.strerror or error}", key="ray_address") from None


def is_open() -> bool:
    """Whether this process is connected to a Ray, which then is used as it is."""
    ray = sys.modules.get("ray")  # who has not imported it is connected to none, and need not wait for the import
    return ray is not None and bool(ray.is_initialized())


def is_one_machine() -> bool:
    """Whether the open Ray is on this machine alone: one that its caller has opened may be a cluster."""
    import ray

    return len([node for node in ray.nodes() if node["Alive"]]) == 1


def _start(here: Slots, scratch: Path) -> None:
    import ray

    with fewer_processes(), ready_workers():
        ray.init(
            address="local",
            include_dashboard=False,
            num_cpus=here.count,
            num_gpus=here.gpus,
            object_store_memory=128 * 2**20,
            # Of idle workers Ray keeps as many as cores are free, and a trial takes its cores before its worker.
            _system_config={"num_workers_soft_limit": here.count},
            _temp_dir=str(scratch / "ray"),
            **_SILENT,
        )


def _connect(address: str) -> None:
    import ray

    # Ray puts the current directory first on the path of its processes, with any search.py that lies there.
    environment = {"env_vars": WORKER, "worker_process_setup_hook": "msarch.search_package.load_search"}
    ray.init(address=address, runtime_env=environment, **_SILENT)


_SILENT: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "logging_level": logging.ERROR}


def _not_started(error: Exception, address: str | None, log: Path, command: str) -> UserError:
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    what = "Ray did not start on this machine" if address is None else f"no Ray cluster at {quoted(address)}"
    again = f"run the same command again{f': {command}' if command else ''}"
    return UserError(
        f"{what}: {reason}; see {log}; nothing is lost, {again}", key="" if address is None else "ray_address"
    )


@contextmanager
def _descriptors_to(log: Path) -> Iterator[None]:
    with ExitStack() as stack:
        file = stack.enter_context(log.open("a", encoding="utf-8"))
        for name in ("stdout", "stderr"):
            stack.enter_context(_descriptor_to(name, file.fileno()))
        yield


@contextmanager
def _descriptor_to(name: str, target: int) -> Iterator[None]:
    stream, number = getattr(sys, name), {"stdout": 1, "stderr": 2}[name]
    stream.flush()
    kept = os.dup(number)
    own = _writes_to(stream, number)
    if own:
        setattr(sys, name, os.fdopen(os.dup(kept), "w", buffering=1, encoding=stream.encoding, errors="replace"))
    os.dup2(target, number)
    try:
        yield
    finally:
        if own:
            getattr(sys, name).close()
            setattr(sys, name, stream)
        os.dup2(kept, number)
        os.close(kept)


def _writes_to(stream: object, number: int) -> bool:
    try:
        return isinstance(stream, io.TextIOBase) and stream.fileno() == number
    except (OSError, ValueError):
        return False


@contextmanager
def _sigterm_ours() -> Iterator[None]:
    """As Ray starts, it would put a handler of SIGTERM in place of ours that ends this process."""
    from ray._private import utils

    setter, utils.set_sigterm_handler = utils.set_sigterm_handler, lambda handler: None
    try:
        yield
    finally:
        utils.set_sigterm_handler = setter


@contextmanager
def _messages_to(log: Path) -> Iterator[None]:
    """What raylets report, such as lost workers, a thread of Ray's prints on `sys.stdout`; no option says otherwise."""
    from ray._private import worker

    def write(data: dict[str, Any], ignore_prefix: bool) -> None:
        with suppress(OSError), log.open("a", encoding="utf-8") as file:  # a full disk must not end the thread
            file.writelines(f"({data.get('pid')}) {line}\n" for line in data["lines"])

    printed, worker.print_to_stdstream = worker.print_to_stdstream, write
    try:
        yield
    finally:
        worker.print_to_stdstream = printed


class _Log(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging calls it so
        """A log that cannot be written, on a full disk say, must not write to the terminal instead."""


@contextmanager
def _loggers_to(log: Path) -> Iterator[None]:
    handler = _Log(log, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    names = ["ray", *(name for name in logging.root.manager.loggerDict if name.startswith("ray."))]
    before = [(logger, logger.handlers[:], logger.propagate) for logger in map(logging.getLogger, names)]
    last_resort, logging.lastResort = logging.lastResort, handler  # while Ray starts, its loggers have no handler
    for logger, _, _ in before:  # several of Ray's loggers bring handlers of their own
        logger.handlers, logger.propagate = ([handler], False) if logger.name == "ray" else ([], True)
    try:
        yield
    finally:
        logging.lastResort = last_resort
        for logger, handlers, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate
        handler.close()
