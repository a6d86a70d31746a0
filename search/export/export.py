"""Writes a trained model as a folder that transformers opens: weights, configurations, tokenizer, card, code."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from msarch.atomic_files import atomic_write
from msarch.data.tokenizer import BYTE_LETTERS, load_tokenizer
from msarch.errors import UserError
from msarch.training.checkpoint import read_tensors
from search.export.card import model_card
from search.export.code import CONFIGURATION, MODELING, exported_code
from search.ledger.folder import CONFIG
from search.train.record import TOKENIZER, WEIGHTS
from search.train.trained_model import EXPORTED, TrainedModel

if TYPE_CHECKING:
    from torch import Tensor

CLASSES = {"AutoConfig": f"{CONFIGURATION}.MsarchConfig", "AutoModelForCausalLM": f"{MODELING}.MsarchForCausalLM"}


def export_model(trained: TrainedModel, folder: Path, *, code: bool = True) -> None:
    """Write the model into a new folder; its weights come last, so that one without them is not whole.

    Args:
        code: whether the folder carries the code of the model, for machines without msarch.

    Raises:
        UserError: the folder holds other files, or the weights are damaged.
        OSError: it cannot be written.
    """
    from safetensors.torch import save_file

    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is not a folder: a file has that name; choose another one", key="--to")
    if any(folder.glob("[!.]*")):
        raise UserError(f"{folder} holds files already; name a new folder", key="--to")
    weights = _weights(trained.weights)
    files = {
        "README.md": model_card(trained, on_its_own=code),
        EXPORTED: _json(_config(trained, code)),
        "generation_config.json": _json(_special_tokens(trained)),
        "tokenizer_config.json": _json(_tokenizer_config(trained)),
        CONFIG: yaml.safe_dump(trained.candidate.portable().to_dict(), sort_keys=False),
        **(exported_code(trained.candidate.model.variant) if code else {}),
    }
    for name, text in files.items():
        with atomic_write(folder / name) as path:
            path.write_text(text, encoding="utf-8")
    with atomic_write(folder / TOKENIZER) as path:
        path.write_text(_without_template(trained.tokenizer), encoding="utf-8")
    with atomic_write(folder / WEIGHTS) as path:
        save_file(weights, path, {"format": "pt"})


def _without_template(tokenizer: Path) -> str:
    """The tokenizer less its post-processor: it would add special tokens to a text, which training does not do."""
    return _json(json.loads(tokenizer.read_text(encoding="utf-8")) | {"post_processor": None})


def _weights(source: Path) -> dict[str, Tensor]:
    """The weights under the names of transformers."""
    from safetensors import SafetensorError

    try:
        tensors, _ = read_tensors(source)
    except (SafetensorError, ValueError) as error:
        raise UserError(f"is damaged ({error}); train the model again", file=str(source)) from None
    return {f"model.{name}": tensor for name, tensor in tensors.items()}


def _config(trained: TrainedModel, code: bool) -> dict[str, Any]:
    """``config.json``: what `msarch.hf.configuration` reads, and where the classes are."""
    model = trained.candidate.model
    return {
        "model_type": "msarch",
        "architectures": ["MsarchForCausalLM"],
        **({"auto_map": CLASSES} if code else {}),
        "architecture": asdict(model),
        "vocab_size": model.vocab_size,
        "hidden_size": model.d_model,
        "num_attention_heads": model.n_heads,
        "max_position_embeddings": model.context,
        "tie_word_embeddings": False,
        "dtype": "float32",
        **_special_tokens(trained),
    }


def _special_tokens(trained: TrainedModel) -> dict[str, Any]:
    """The separator of documents begins and ends a text."""
    separator = load_tokenizer(trained.tokenizer).separator
    return {} if separator is None else {f"{name}_token_id": separator for name in ("bos", "eos", "pad")}


def _tokenizer_config(trained: TrainedModel) -> dict[str, Any]:
    tokenizer = load_tokenizer(trained.tokenizer)
    found: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": trained.candidate.model.context,
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": True,  # a special token that is written out in a text is plain text, as in training
        "padding_side": "right",
    }
    if tokenizer.separator is not None:
        word = BYTE_LETTERS[0] if tokenizer.is_bytes else tokenizer.word(tokenizer.separator)
        found |= {f"{name}_token": word for name in ("bos", "eos", "pad")}
    return found


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
