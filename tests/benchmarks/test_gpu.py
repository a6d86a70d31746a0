"""The GPU run, in small on the CPU, where nothing is installed but torch, numpy, safetensors and pyyaml."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.gpu.headline import read_tokens
from benchmarks.gpu.speed import peak_of

ROOT = Path(__file__).parents[2]
BARE = """
import sys

class Without:
    # A finder to which some packages are not there.
    names = "search spaces rich typer tokenizers datasets pandas optuna ray plotly matplotlib pydantic".split()

    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.split(".")[0] in self.names else self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
from benchmarks.gpu.command import main
sys.exit(main(sys.argv[1:]))
"""


def _run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BARE, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_part_runs_with_nothing_else_installed(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    steps = np.where(generator.random(110_000) < 0.8, 7, generator.integers(0, 60, 110_000))
    np.save(tmp_path / "tokens.npy", (steps.cumsum() % 60).astype(np.uint16))  # mostly foretold by the one before
    done = _run("--device", "cpu", "--quick", "--tokens", "tokens.npy", cwd=tmp_path)
    assert done.returncode == 0 and "failed" not in done.stdout, done.stdout + done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert found["environment"]["deterministic"] == "error", "as in a trial on the CPU"
    assert {"vanilla", "top_down", "bottom_up", "retina", "hourglass"} == {
        each["model"]["variant"] for each in found["memory"]["found"]
    }
    assert all(each["predicted"] == each["measured"] for each in found["memory"]["found"])
    assert {(each["variant"], each["compiled"]) for each in found["speed"]["found"]} == {
        (variant, compiled) for variant in ("vanilla", "top_down") for compiled in (False, True)
    }
    vanilla, deep = found["headline"]["found"]
    assert vanilla["layers"] == "14@1" and deep["layers"] == "12@16 12@4 6@1" and vanilla["tokens"] == deep["tokens"]
    assert all(4 < each["perplexity"] < 40 for each in (vanilla, deep)), "a uniform guess has 60"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    done = _run(cwd=tmp_path)
    assert done.returncode == 2 and "no NVIDIA GPU here" in done.stdout and not done.stderr


def test_tokens_are_read_from_both_kinds_of_file(tmp_path: Path) -> None:
    tokens = np.arange(150_000).astype(np.uint16)
    np.save(tmp_path / "tokens.npy", tokens)
    tokens.tofile(tmp_path / "tokens.bin")
    for name in ("tokens.npy", "tokens.bin"):
        assert np.array_equal(read_tokens(tmp_path / name), tokens)
    tokens[:1000].tofile(tmp_path / "few.bin")
    with pytest.raises(ValueError, match="at least 100,000"):
        read_tokens(tmp_path / "few.bin")


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H200", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA L40S", 362),
        ("NVIDIA L4", 121),
        ("NVIDIA GeForce RTX 4090", 165.2),
        ("NVIDIA GeForce GTX 1080", None),
    ],
)
def test_a_gpus_peak_is_found_by_its_name(name: str, peak: float | None) -> None:
    found = peak_of(name)
    assert (found[0] if found else None) == peak


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU: none here, nothing was measured")
def test_on_a_gpu_the_short_run_measures(tmp_path: Path) -> None:
    done = _run("--quick", "--minutes", "2", cwd=tmp_path)
    assert done.returncode == 0 and "failed" not in done.stdout, done.stdout + done.stderr
    assert all(each["measured"] for each in json.loads((tmp_path / "gpu.json").read_text())["memory"]["found"])
