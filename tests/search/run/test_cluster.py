"""A search on a real Ray cluster of two nodes, both on this machine; one of them dies in the middle."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command_line import ROOT, fill

from search.ledger.reading import read_records


class Cluster:
    """Nodes started as a user would, each in its own process group."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.environment = {
            **os.environ,
            "HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "MSARCH_CACHE": str(home / ".cache"),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "token",
        }
        token = [sys.executable, "-m", "ray.scripts.scripts", "get-auth-token", "--generate"]
        subprocess.run(token, env=self.environment, check=True, capture_output=True)
        self.nodes: list[subprocess.Popen[bytes]] = []

    def start_node(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--node-ip-address=127.0.0.1", "--num-cpus=1"]
        node = subprocess.Popen(
            [*command, "--block", *arguments],
            env=self.environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.nodes.append(node)
        return node

    def wait_for_nodes(self, count: int) -> None:
        """Until so many nodes have joined; a cluster that never forms ends by the test's time limit."""
        command = [sys.executable, "-m", "ray.scripts.scripts", "status", f"--address={self.address}"]
        while True:
            told = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False).stdout
            active = told.partition("Active:")[2].partition("Pending:")[0]
            if len(re.findall(r"^ 1 ", active, re.MULTILINE)) == count:
                return
            time.sleep(0.5)

    def kill(self, node: subprocess.Popen[bytes]) -> None:
        os.killpg(node.pid, signal.SIGKILL)
        node.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    found = Cluster(tmp_path)
    yield found
    for node in found.nodes:
        if node.poll() is None:
            found.kill(node)


@pytest.mark.faults
def test_a_node_that_dies_costs_no_trial(cluster: Cluster, tmp_path: Path) -> None:
    port = cluster.address.rpartition(":")[2]
    cluster.start_node("--head", f"--port={port}", "--include-dashboard=false")
    cluster.wait_for_nodes(1)
    second = cluster.start_node(f"--address={cluster.address}")
    cluster.wait_for_nodes(2)
    fill(tmp_path)
    environment = {name: value for name, value in cluster.environment.items() if name != "RAY_AUTH_MODE"}
    search = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "search.cli.app",
            "search",
            "space.yaml",
            "--ray-address",
            cluster.address,
            "--trials",
            "4",
            "--set",
            "training.tokens=1M",
        ],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # Once both have validated, one of them is in the middle of its training on the second node.
    curves = [tmp_path / "results" / "space" / "trials" / trial / "metrics.csv" for trial in ("0000", "0001")]
    while search.poll() is None and not all(curve.exists() for curve in curves):
        time.sleep(0.1)
    cluster.kill(second)
    out, err = search.communicate()
    assert (search.returncode, err) == (0, ""), out
    records = read_records(tmp_path / "results" / "space")
    assert [record.state for record in records if record.state != "infeasible"] == ["complete"] * 4
