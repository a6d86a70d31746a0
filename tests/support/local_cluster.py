"""A Ray cluster whose nodes are all on this machine, each started by a command of `docs/cluster.md`."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from support.command_line import ROOT

PAGE = ROOT / "docs" / "cluster.md"
ONE_MACHINE = ("--node-ip-address=127.0.0.1", "--num-cpus=1", "--block")
"""What `ray start` needs beyond the page where its nodes share a machine, and a test is to end them."""
PROGRAMS = {
    "ray": (sys.executable, "-m", "ray.scripts.scripts"),
    "msarch": (sys.executable, "-m", "msarch"),
    "chmod": ("chmod",),
}


def page_commands() -> list[str]:
    """The commands of the page, in its order."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [line.strip() for block in blocks for line in block.splitlines()]


class LocalCluster:
    """Follows the page; every node has a home folder of its own, and all share a working directory.

    Attributes:
        place: the working directory.
        nodes: processes of `ray start`, each with its own process group.
    """

    def __init__(self, folder: Path) -> None:
        self.place = folder / "shared"
        self.place.mkdir()
        self.nodes: list[subprocess.Popen[bytes]] = []
        self._homes = folder / "homes"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = str(free.getsockname()[1])

    def follow(self, command: str, home: str, *more: str, prefix: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Start a command of the page on the node that has this home; further options are added at its end.

        Args:
            prefix: a program that starts the command, such as `unshare`.
        """
        words = shlex.split(command.replace("HEAD", "127.0.0.1").replace("6399", self._port))
        environment = self.environment(home)
        self.home(home).mkdir(parents=True, exist_ok=True)
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            environment[name] = value
        words = [word.replace("~", str(self.home(home))) for word in words]
        return subprocess.Popen(
            [*prefix, *PROGRAMS[words[0]], *words[1:], *more],
            cwd=self.place,
            env=environment,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def start_node(self, command: str, home: str, prefix: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """A node, by a command of the page."""
        node = self.follow(command, home, *ONE_MACHINE, prefix=prefix)
        self.nodes.append(node)
        return node

    def copy_token(self, source: str, home: str) -> None:
        """The step between two commands that the page tells in words."""
        (self.home(home) / ".ray").mkdir(parents=True)
        shutil.copy2(self.home(source) / ".ray" / "auth_token", self.home(home) / ".ray" / "auth_token")

    def wait_for_nodes(self, count: int, home: str) -> None:
        """Ask for the state of the cluster, as the page does, until so many nodes are active."""
        (status,) = [command for command in page_commands() if "ray status" in command]
        while True:
            told = self.follow(status, home).communicate()[0].decode()
            if len(re.findall(r"^ 1 ", told.partition("Active:")[2].partition("Pending:")[0], re.MULTILINE)) == count:
                return
            assert all(node.poll() is None for node in self.nodes), "a node has ended"
            time.sleep(0.5)

    def kill(self, node: subprocess.Popen[bytes]) -> None:
        """End a node as a power cut does, with all its processes."""
        os.killpg(node.pid, signal.SIGKILL)
        node.communicate()
        self.nodes.remove(node)

    def home(self, name: str) -> Path:
        """The home folder of a node."""
        return self._homes / name

    def environment(self, home: str) -> dict[str, str]:
        """Of a shell on that node: its own home, and no settings of Ray's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        return {
            **kept,
            "HOME": str(self.home(home)),
            "PYTHONPATH": str(ROOT),
            "MSARCH_CACHE": str(self.place / ".cache"),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
