"""One model in a YAML file: a whole candidate as a trial's config.yaml holds it, or less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msarch.candidate import Candidate
from msarch.errors import UserError
from search.language.space_files import LARGEST_FILE
from search.language.yaml_reader import read_yaml

DEFAULT_BATCH = 8


def read_config(path: Path) -> Candidate:
    """The candidate in a file: all of it, or `model` and perhaps `training`, or the keys of a model alone.

    The batch is 8 where none is given. Raises UserError with file, line and key.
    """
    document = read_yaml(_text(path), str(path))
    values = document.data
    if not isinstance(values, dict):
        raise UserError("must hold a model: variant, layers, d_model, n_heads, vocab_size, context", file=str(path))
    bare = "model" not in values
    try:
        return Candidate.from_dict(_filled({"model": values} if bare else values))
    except UserError as error:
        inside = UserError(error.message, key=error.key.removeprefix("model").removeprefix(".") if bare else error.key)
        raise document.place(inside) from None


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    model, training = values["model"], values.get("training")
    if isinstance(model, dict) and isinstance(model.get("variant"), dict):
        raise UserError("stands for many models: this is a search space, give one model", key="model.variant")
    if training is None or isinstance(training, dict):
        values = {**values, "training": {"batch_size": DEFAULT_BATCH, **(training or {})}}
    return values


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise UserError("is too large for the configuration of a model (1 MiB)", file=str(path))
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"is no UTF-8 text: byte {error.start} does not belong", file=str(path)) from None
    except (OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"cannot be read: {reason or error}", file=str(path)) from None
