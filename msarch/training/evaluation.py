"""Loss on fixed target tokens: in nats per token, as perplexity, and in bits per byte of text."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from msarch.config import TrainingConfig
from msarch.data.batches import validation_windows
from msarch.data.token_set import TokenSet
from msarch.layers.attention import attention_kernel
from msarch.models.language_model import LanguageModel
from msarch.perplexity import perplexity
from msarch.training.step import batch_loss

VALIDATION_BATCHES = 2
"""Training batches in one batch of validation: less time a token, and without gradients hardly ever more memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """A loss on one split.

    Attributes:
        loss: nats per token.
        bits_per_byte: bits per byte of text, which alone compares across tokenizers.
        targets: how many tokens were predicted.
    """

    loss: float
    bits_per_byte: float
    targets: int

    @property
    def perplexity(self) -> float:
        """exp of the loss, infinite where that exceeds a float."""
        return perplexity(self.loss)


@torch.no_grad()
def evaluate(
    model: LanguageModel, tokens: TokenSet, training: TrainingConfig, *, split: str = "validation", targets: int
) -> Evaluation:
    """The mean loss on tokens 1 to `targets` of a split (fewer where it holds fewer), each predicted once.

    The windows are consecutive and as long as the context, so a token has up to a whole context before it.
    `msarch.memory.validation_memory` profiles this.
    """
    text = tokens.split(split)
    targets = tokens.targets_in(split, targets)
    device = model.embedding.weight.device
    total = 0.0
    model.eval()
    windows = validation_windows(
        text,
        targets=targets,
        context=model.config.context,
        batch_size=VALIDATION_BATCHES * training.batch_size,
    )
    for inputs, expected in windows:
        inputs_BT, targets_BT = (torch.from_numpy(part).to(device) for part in (inputs, expected))
        total += validation_loss(model, inputs_BT, targets_BT, training).item() * expected.size
    model.train()
    bits_per_byte = total / math.log(2) / tokens.bytes_of(split, 1, targets + 1)
    return Evaluation(loss=total / targets, bits_per_byte=bits_per_byte, targets=targets)


@torch.no_grad()
def validation_loss(model: LanguageModel, inputs_BT: Tensor, targets_BT: Tensor, training: TrainingConfig) -> Tensor:
    """Mean loss of one batch in nats per token, with the kernel and precision of the training."""
    with attention_kernel(training.attention):
        return batch_loss(model, inputs_BT, targets_BT, training, lambda phase: None)
