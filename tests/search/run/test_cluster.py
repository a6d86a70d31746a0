"""A search on a real Ray cluster of two nodes, both on this machine, started by the commands of `docs/cluster.md`."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command_line import fill
from support.local_cluster import LocalCluster, page_commands
from support.running_search import is_as_if_undisturbed

from search.ledger.reading import read_records
from search.ledger.records import TrialRecord

FEW = ("--trials", "3", "--set", "search.sampler=random", "--set", "search.pruner=none")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """The head, and a second node: steps 1 to 3 of the page."""
    cluster = LocalCluster(tmp_path_factory.mktemp("cluster"))
    fill(cluster.place)
    token, chmod, head, join, _, _ = page_commands()
    for command in (token, chmod):
        assert cluster.follow(command, "head").wait() == 0
    assert (cluster.home("head") / ".ray" / "auth_token").stat().st_mode & 0o777 == 0o600
    cluster.start_node(head, "head")
    cluster.copy_token("head", "second")
    cluster.wait_for_nodes(1, "head")
    cluster.start_node(join, "second")
    cluster.wait_for_nodes(2, "second")
    yield cluster
    for node in list(cluster.nodes):
        cluster.kill(node)


def search(cluster: LocalCluster, out: str, *options: str) -> subprocess.Popen[bytes]:
    """Step 4 of the page."""
    command = page_commands()[-1].replace("SPACE", "space.yaml")
    return cluster.follow(command, "second", "--out", out, *options)


@pytest.mark.faults("docs/cluster.md is followed", end="a search on two nodes, with a token")
def test_the_page_leads_to_a_search_on_both_nodes(cluster: LocalCluster) -> None:
    out, err = (running := search(cluster, "page", *FEW)).communicate()
    assert (running.returncode, err) == (0, b""), err
    assert b"starting 2 workers" in out
    assert [record.state for record in trained(cluster.place / "page")] == ["complete"] * 3


@pytest.mark.faults("a node is lost", end="no trial lost, the one that moved is the same bit for bit")
def test_a_node_that_dies_costs_no_trial_and_not_a_bit(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    second = cluster.nodes[1]
    running = search(cluster, "loss", *FEW, "--set", "training.tokens=200k")
    curves = [cluster.place / "loss" / "trials" / trial / "metrics.csv" for trial in ("0000", "0001")]
    while running.poll() is None and not all(curve.exists() for curve in curves):
        time.sleep(0.1)  # once both have validated, one of them is in the middle of its training on the second node
    cluster.kill(second)
    out, err = running.communicate()
    assert (running.returncode, err) == (0, b""), out
    records = trained(cluster.place / "loss")
    assert [record.state for record in records] == ["complete"] * 3
    moved = [record for record in records if "continues after step" in log_of(cluster.place / "loss", record)]
    assert len(moved) == 1
    monkeypatch.chdir(cluster.place)
    monkeypatch.setenv("MSARCH_CACHE", str(cluster.place / ".cache"))
    assert is_as_if_undisturbed(moved[0], cluster.place / "loss")


@pytest.mark.faults("a node does not see the results", end="one line, exit status 2, nothing written there")
def test_a_node_that_does_not_see_the_results_stops_the_search_in_one_line(cluster: LocalCluster) -> None:
    """Its own disk lies over the shared one, so it sees another folder under the same path."""
    hidden = cluster.place / "unseen"
    hidden.mkdir()
    apart = ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs none {hidden} && exec "$@"', "sh")
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], check=False).returncode:
        pytest.skip("a disk of its own for a process needs more rights")
    cluster.copy_token("head", "apart")
    cluster.start_node(page_commands()[3], "apart", apart)
    cluster.wait_for_nodes(len(cluster.nodes), "head")
    running = search(cluster, "unseen", *FEW, "--concurrent", str(len(cluster.nodes)))
    out, err = running.communicate()
    assert running.returncode == 2, out
    assert err.startswith(b"error: trial ") and len(err.splitlines()) == 1
    assert b"does not see the results folder" in err and b"docs/cluster.md" in err
    assert "running" in {record.state for record in trained(hidden)}, "the same command goes on with it"


def trained(folder: Path) -> list[TrialRecord]:
    return [record for record in read_records(folder) if record.state not in ("infeasible", "duplicate")]


def log_of(folder: Path, record: TrialRecord) -> str:
    return (folder / "trials" / f"{record.number:04d}" / "log.txt").read_text()
