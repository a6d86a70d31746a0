"""A Ray that answers to this search alone: it listens on the loopback address, and asks for a token of this search.

Two settings of the environment do that. Both are for this machine only; a cluster keeps its own.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from search.run.ray.variables import variables

LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Ray's own switch, on by default on Windows and macOS: at 0 a node has the address 127.0.0.1, and listens there."""
MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


@contextmanager
def answering_us_alone() -> Iterator[None]:
    """Inside, a Ray that is started on this machine listens on loopback, with a token that no file holds.

    Whoever reads the environment of our processes, which only this user can, knows the token. `RAY_AUTH_MODE=disabled`
    in the user's environment has no effect inside.
    """
    from ray._private import ray_constants
    from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]  # of Ray's compiled part

    given = {LOOPBACK: "0", TOKEN: secrets.token_hex(32)}
    with variables(given, without=(MODE, TOKEN_PATH)):
        clusters, ray_constants.ENABLE_RAY_CLUSTER = ray_constants.ENABLE_RAY_CLUSTER, False  # read at Ray's import
        # Without a mode Ray turns tokens on as it starts, and reads its settings again.
        AuthenticationTokenLoader.instance().reset_cache()
        try:
            yield
        finally:
            ray_constants.ENABLE_RAY_CLUSTER = clusters
            AuthenticationTokenLoader.instance().reset_cache()
