"""A model's configuration for transformers: the whole `ModelConfig`, and the figures that other tools look for."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig

from msarch.config.model import ModelConfig


class MsarchConfig(PretrainedConfig):
    """``config.json`` of an exported model.

    Attributes:
        architecture: the fields of `ModelConfig`, all of them.
    """

    model_type = "msarch"

    def __init__(self, architecture: dict[str, Any] | None = None, **kwargs: Any) -> None:
        self.architecture = architecture or {}
        kwargs.setdefault("tie_word_embeddings", False)  # the readout is the embedding: there is nothing to tie
        super().__init__(**{**_common(self.architecture), **kwargs})

    def to_dict(self) -> dict[str, Any]:
        """The values of ``config.json``, without the names of code files that `save_pretrained` does not write.

        transformers writes a model's code only where it was opened with ``trust_remote_code=True``: it then calls
        `register_for_auto_class`. Elsewhere a saved folder would ask for files that it does not have.
        """
        values: dict[str, Any] = super().to_dict()
        if self._auto_class is None:
            values.pop("auto_map", None)
        return values

    def model_config(self) -> ModelConfig:
        """The configuration as msarch knows it. Raises UserError."""
        values: dict[str, Any] = {
            name: tuple(each) if isinstance(each, list) else each for name, each in self.architecture.items()
        }
        # resize_token_embeddings changes the size here alone
        return ModelConfig(**{**values, "vocab_size": self.vocab_size})


def _common(architecture: dict[str, Any]) -> dict[str, Any]:
    """What other tools ask every model's configuration for."""
    names = {
        "vocab_size": "vocab_size",
        "hidden_size": "d_model",
        "num_attention_heads": "n_heads",
        "max_position_embeddings": "context",
    }
    return {name: architecture[own] for name, own in names.items() if own in architecture}
