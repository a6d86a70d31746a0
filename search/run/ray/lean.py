"""A Ray on this machine without what a search does not use, and with processes that are ready to train.

Ray starts an autoscaler, the server behind its dashboard and a reader of log files, each a Python process, and waits
for the second of them before it continues. A search on one machine needs none of them. Ray also starts a worker for
each core at once, but gives it to those alone who ask for no environment of their own. So ours is set where Ray starts,
and inherited; and while the search is still getting ready, these workers import what a trial needs.
"""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msarch.search_package import BESIDE
from search.run.ray.variables import variables

WORKER = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    # Freed memory stays with the process instead of going back to the kernel after each tensor: 25 % faster.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(4 * 2**30),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
}
"""The environment of the processes that train."""

_UNUSED = ("start_monitor", "start_api_server", "start_log_monitor")
"""Methods of `ray._private.node.Node` that start a process which a search on one machine does not need."""


@contextmanager
def fewer_processes() -> Iterator[None]:
    """Inside, a Ray that is started on this machine leaves out what a search does not use."""
    from ray._private.node import Node

    before = {name: getattr(Node, name) for name in _UNUSED}
    for name in _UNUSED:
        setattr(Node, name, _start_nothing)
    try:
        yield
    finally:
        for name, method in before.items():
            setattr(Node, name, method)


def ready_workers() -> Any:
    """A context: workers of a Ray that is started inside have our environment, and import what a trial needs."""
    from ray._private.ray_constants import WORKER_PROCESS_SETUP_HOOK_ENV_VAR as HOOK

    return variables({**WORKER, HOOK: "msarch.search_package.prepare_worker", **_path_to_msarch()})


@contextmanager
def trials_in_ready_workers() -> Iterator[None]:
    """Inside, Ray Tune takes workers that are ready.

    For every trial it asks for an environment with a variable of PyTorch Lightning's, and with what these workers have
    from the search's own process anyway. Ray would start other workers for that, and end the ready ones.
    """
    from ray.tune.execution import class_cache

    before = class_cache.DEFAULT_ENV_VARS, class_cache.ENV_VARS_TO_PROPAGATE
    class_cache.DEFAULT_ENV_VARS, class_cache.ENV_VARS_TO_PROPAGATE = {}, set()
    try:
        yield
    finally:
        class_cache.DEFAULT_ENV_VARS, class_cache.ENV_VARS_TO_PROPAGATE = before


def _start_nothing(node: object, **options: object) -> None:
    """In place of a method of Ray's that starts a process."""


def _path_to_msarch() -> dict[str, str]:
    """These workers begin before they know the path of the search's own process, which may be where msarch is found."""
    if Path(sysconfig.get_path("purelib")).resolve() == BESIDE:
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(BESIDE))))}
