"""A training run on disk: one safetensors file, its progress as JSON in the file's own metadata.

A file with its final name is complete, and nothing in it is unpickled.
"""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from msarch.atomic_files import atomic_write

_METADATA = "msarch"
_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")
"""In what the library says: the system's number for the error."""


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Write a safetensors file in one piece; a failure leaves what stood there before. Raises OSError with its name."""
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        with atomic_write(path) as temporary:
            save_file(held, temporary, {_METADATA: json.dumps(metadata)})
    except SafetensorError as error:  # how the library reports a full disk
        number = _SYSTEM_ERROR.search(str(error))
        code = int(number[1]) if number else errno.EIO
        raise OSError(code, os.strerror(code) if number else str(error), str(path)) from error


def read_tensors(path: Path, device: str = "cpu") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of such a file. Raises OSError or SafetensorError where it is none."""
    with safe_open(path, framework="pt", device=device) as file:
        metadata = json.loads((file.metadata() or {}).get(_METADATA, "{}"))
        return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118  # a file, not a dict


def training_state(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Everything that the next step depends on, under flat names."""
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    for index, parameter in enumerate(_parameters(optimizer)):
        for name, value in optimizer.state[parameter].items():
            state[f"optimizer.{index}.{name}"] = value
    state["random.cpu"] = torch.get_rng_state()
    if _is_on_gpu(model):
        state["random.cuda"] = torch.cuda.get_rng_state()
    return state


def load_training_state(model: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Tensor]) -> None:
    """The inverse of `training_state`."""
    model.load_state_dict({name.removeprefix("model."): v for name, v in state.items() if name.startswith("model.")})
    for index, parameter in enumerate(_parameters(optimizer)):
        prefix = f"optimizer.{index}."
        found = {name.removeprefix(prefix): v for name, v in state.items() if name.startswith(prefix)}
        optimizer.state[parameter] = found
    torch.set_rng_state(state["random.cpu"].cpu())
    if "random.cuda" in state and _is_on_gpu(model):
        torch.cuda.set_rng_state(state["random.cuda"].cpu())


def _is_on_gpu(model: nn.Module) -> bool:
    """Whether it trains there. One that is only visible is left alone: asking it anything takes some of its memory."""
    return any(parameter.is_cuda for parameter in model.parameters())


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
