"""Nothing that Ray or its libraries write reaches the terminal, and nothing of a session stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from msarch.data.cache_folder import cache_base
from msarch.errors import UserError
from search.run.ray.alone import answering_us_alone
from search.run.ray.session import QUIET, check_address, prepare_environment, ray_session

NOISY = """
import logging, os, subprocess, sys, time
from pathlib import Path
from search.run.ray.session import ray_session

with ray_session(Path("out"), address=None) as scratch:
    import ray
    assert ray.is_initialized() and scratch.is_dir()
    logging.getLogger("ray.tune.anything").warning("a logger of Ray")
    logging.getLogger("another").propagate
    os.write(2, b"a library below Python\\n")
    subprocess.run(["echo", "a child"])
    # Ray Tune takes the worker that was started with Ray, and has imported what a trial needs; it starts no other.
    class Trial(ray.tune.Trainable):
        def step(self):
            return {"environment": dict(os.environ), "modules": list(sys.modules), "done": True}
    saves = ray.tune.CheckpointConfig(checkpoint_at_end=False)
    configuration = ray.tune.RunConfig(storage_path=str(scratch), verbose=0, checkpoint_config=saves)
    (trial,) = ray.tune.Tuner(Trial, run_config=configuration).fit()
    (log,) = scratch.glob("ray/session_*-*/logs/worker-*.out")
    assert log.stem.endswith(f"-ffffffff-{trial.metrics['pid']}"), log  # of no job
    seen = trial.metrics["environment"]
    assert seen["OMP_WAIT_POLICY"] == "passive" and seen["OMP_NUM_THREADS"] == "1" and seen["MALLOC_MMAP_MAX_"] == "0"
    assert {"torch", "ray.tune", "search.run.ray.worker"} <= set(trial.metrics["modules"])
    # Nothing that no search uses was started.
    below = subprocess.run(["ps", "-o", "args=", "--ppid", str(os.getpid())], capture_output=True, text=True).stdout
    programs = {line.split()[0].rpartition("/")[2] for line in below.splitlines()} - {"ps"}
    assert programs == {"gcs_server", "raylet"}, below
    @ray.remote(max_retries=0)
    def die():
        os.kill(os.getpid(), 9)
    try:
        ray.get(die.remote())
    except ray.exceptions.WorkerCrashedError:
        pass
    # On a cluster a thread of Ray's hands on what the log monitors of all nodes have read.
    ray._private.worker.print_to_stdstream({"pid": "raylet", "lines": ["a worker died"]}, False)
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
    assert "(raylet) a worker died" in log
    assert not (tmp_path / "out" / ".scratch").exists()


ALONE = """
import os, subprocess, sys
from pathlib import Path
import ray  # before the session, with the user's settings
from search.run.ray.session import is_one_machine, ray_session

def listening():
    "Local addresses, as hexadecimal, on which this process and its descendants listen."
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(status.parent.name)] = int(words[1])
    ours = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in ours} - ours:
        ours |= more
    sockets = set()
    for process in ours:
        for link in Path(f"/proc/{process}/fd").glob("*"):
            try:
                sockets.add(os.readlink(link))
            except OSError:
                continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in sockets:
                found.add(words[1].rpartition(":")[0])
    return found

with ray_session(Path("out"), address=None):
    address = ray.get_runtime_context().gcs_address
    assert is_one_machine()
    assert address.startswith("127.0.0.1:"), address
    seen = ray.get(ray.remote(lambda: dict(os.environ)).remote())
    assert seen["RAY_AUTH_MODE"] == "token", seen.get("RAY_AUTH_MODE")
    assert listening() <= {"0100007F", "0000000000000000FFFF00000100007F", "0" * 24 + "01000000"}, listening()
    assert listening()
    # programs of this machine: two do not know the token, one does
    code = f"from ray._raylet import GcsClient; print(GcsClient(address='{address}').get_all_node_info(timeout=20))"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": os.environ["RAY_AUTH_TOKEN"]}
    others = ({"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}, token)
    command = [sys.executable, "-c", code]
    asked = [subprocess.Popen(command, env={**clean, **own}, stdout=-1, stderr=-2) for own in others]
    said = [process.communicate()[0].decode() for process in asked]
    assert [process.returncode for process in asked] == [1, 1, 0], said
    assert "node_manager" in said[2] and not any("node_manager" in text for text in said[:2]), said
assert "RAY_AUTH_TOKEN" not in os.environ and os.environ["RAY_AUTH_MODE"] == "disabled"
assert not (Path.home() / ".ray").exists()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ray_answers_to_this_search_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    environment = {
        "PYTHONPATH": str(Path(__file__).parents[4]),
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "RAY_AUTH_MODE": "disabled",
    }
    command = [sys.executable, "-c", ALONE]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_each_search_has_a_token_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/of/somebody")
    tokens = []
    for _ in range(2):
        with answering_us_alone():
            tokens.append(os.environ["RAY_AUTH_TOKEN"])
            assert "RAY_AUTH_TOKEN_PATH" not in os.environ
    assert tokens[0] != tokens[1] and len(tokens[0]) == 64
    assert os.environ["RAY_AUTH_TOKEN_PATH"] == "/of/somebody" and "RAY_AUTH_TOKEN" not in os.environ


@pytest.mark.parametrize("name", ["MSARCH_CACHE", "XDG_CACHE_HOME"])
def test_workers_have_the_cache_of_the_search(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray Tune runs each trial in a folder of its own, where a relative path is another one."""
    for each in ("MSARCH_CACHE", "XDG_CACHE_HOME", *QUIET):
        monkeypatch.setenv(each, "")
    monkeypatch.setenv(name, "caches")
    (tmp_path / "trial").mkdir()
    monkeypatch.chdir(tmp_path)
    here = cache_base()
    prepare_environment(None)
    monkeypatch.chdir(tmp_path / "trial")
    assert cache_base() == here and here.is_relative_to(tmp_path / "caches")
    assert list((tmp_path / "trial").iterdir()) == []


def test_a_cluster_that_is_not_there_is_told_in_a_line() -> None:
    with pytest.raises(UserError, match=r"no Ray cluster at '127\.0\.0\.1:1'"):
        check_address("127.0.0.1:1")
    with pytest.raises(UserError, match="is not an address"):
        check_address("nowhere")
    with pytest.raises(UserError, match=r"^ray_address: is for Ray Client"):
        check_address("ray://127.0.0.1:10001")
    with pytest.raises(UserError, match=r"^ray_address: must be text"):
        check_address(5)


@pytest.mark.parametrize(("address", "what"), [(None, "Ray did not start on this machine"), ("auto", "no Ray cluster")])
def test_a_ray_that_does_not_start_is_told_in_a_line(
    address: str | None, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    def time_out(**options: object) -> None:
        raise Exception("The current node timed out during startup.\nMore of it")

    monkeypatch.setattr(ray, "init", time_out)
    with (
        pytest.raises(UserError, match=rf"{what}.*: The current node .* startup\.; see .*ray\.log; .*: msarch x$"),
        ray_session(tmp_path, address=address, command="msarch x"),
    ):
        pass
