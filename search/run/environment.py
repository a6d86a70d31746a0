"""What a search ran on: versions, processor, threads, commit, hashes of corpus and tokenizer."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msarch.atomic_files import atomic_write
from msarch.machine import gpu_count, usable_cores
from search.results.environment import ENVIRONMENT, read_environment

if TYPE_CHECKING:
    from msarch.data.token_set import TokenSet

PACKAGES = ("torch", "numpy", "optuna", "ray", "tokenizers", "safetensors", "datasets")


def describe_environment(tokens: TokenSet | None = None) -> dict[str, Any]:
    """The environment of this process as JSON values; no paths, no user or host names."""
    import msarch

    found: dict[str, Any] = {
        "msarch": msarch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": usable_cores(),
        "threads_per_trial": 1,
        "gpus": _gpus(),
        "git_commit": _git("rev-parse", "HEAD"),
        "git_changed": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "packages": {name: _version(name) for name in PACKAGES},
    }
    if tokens is not None:
        found["corpus"] = tokens.content
        found["tokenizer"] = hashlib.sha256((tokens.folder / "tokenizer.json").read_bytes()).hexdigest()[:16]
    return found


def write_environment(folder: Path, environment: dict[str, Any]) -> None:
    """Write environment.json; where one is there and differs, the differing keys are added under `later`."""
    path = folder / ENVIRONMENT
    if first := read_environment(folder):
        changed = {key: value for key, value in environment.items() if first.get(key) != value}
        later = first.get("later", [])
        if not changed or changed in later:
            return
        environment = {**first, "later": [*later, changed]}
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(environment, indent=2) + "\n", encoding="utf-8")


def processor() -> str:
    """The processor's name."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _gpus() -> list[str]:
    if not gpu_count():
        return []
    import torch

    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
