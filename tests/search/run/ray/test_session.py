"""Nothing that Ray or its libraries write reaches the terminal, and nothing of a session stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from msarch.errors import UserError
from search.run.ray.session import check_address

NOISY = """
import logging, os, subprocess, sys
from pathlib import Path
from search.run.ray.session import ray_session

with ray_session(Path("out"), address=None, cpus=1) as scratch:
    import ray
    assert ray.is_initialized() and scratch.is_dir()
    logging.getLogger("ray.tune.anything").warning("a logger of Ray")
    logging.getLogger("another").propagate
    os.write(2, b"a library below Python\\n")
    subprocess.run(["echo", "a child"])
    seen = ray.get(ray.remote(lambda: dict(os.environ)).remote())
    assert seen["OMP_WAIT_POLICY"] == "passive" and seen["OMP_NUM_THREADS"] == "1" and seen["MALLOC_MMAP_MAX_"] == "0"
    print("ours")
    print("our errors", file=sys.stderr)
assert not ray.is_initialized() and not scratch.exists()
print("after")
"""


def test_only_our_own_lines_reach_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    environment = {"PYTHONPATH": str(Path(__file__).parents[4]), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", NOISY],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ours\nafter\n", "our errors\n")
    log = (tmp_path / "out" / "ray.log").read_text()
    assert "a logger of Ray" in log and "a library below Python" in log and "a child" in log
    assert not (tmp_path / "out" / ".scratch").exists()


def test_a_cluster_that_is_not_there_is_told_in_a_line() -> None:
    with pytest.raises(UserError, match=r"no Ray cluster at '127\.0\.0\.1:1'"):
        check_address("127.0.0.1:1")
    with pytest.raises(UserError, match="is not an address"):
        check_address("nowhere")
