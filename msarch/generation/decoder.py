"""Incremental decoding: a model reads its tokens in parts and computes no state twice.

A coarse layer runs only when its block is complete: in ``12@16 12@4 6@1`` a token costs 12/16 + 12/4 + 6 = 9.75
layers on average. What the layers keep is described in `msarch.layers.past`; this is the loop around it.

Shapes: B batch, T new tokens, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear

from msarch.layers.past import Past, Room
from msarch.models.language_model import LanguageModel


class Decoder:
    """A model that remembers what it has read: ``decoder.extend(tokens)`` gives the logits of further tokens.

    Logits are those of one pass over all tokens, but for rounding. It computes in the type of the model's parameters
    and on their device: for half precision, ``model.to(torch.bfloat16)``.

    Sequences of one batch are equally long: there is no padding.
    """

    def __init__(self, model: LanguageModel, batch_size: int = 1, length: int | None = None) -> None:
        """Room for sequences of `length` tokens; of the model's context where it is left out.

        Raises ValueError for a length beyond the context, and for a model in training mode that has dropout.
        """
        context = model.config.context
        self.model, self.batch_size, self.length = model, batch_size, context if length is None else length
        if not 1 <= self.length <= context:
            raise ValueError(f"a length of {length} tokens; choose one of 1 to the context of {context}")
        if model.training and model.config.dropout:
            raise ValueError("the model drops at random what it computes; call model.eval() first")
        weight = model.embedding.weight
        room = Room(batch_size=batch_size, tokens=self.length, dtype=weight.dtype, device=weight.device)
        with torch.inference_mode():
            self._past = Past(model, room)

    @property
    def tokens(self) -> int:
        """How many tokens of each sequence it has read."""
        return self._past.tokens

    @property
    def cache_bytes(self) -> int:
        """Bytes of all keys, values and states that it has room for, of all sequences together.

        For one sequence of full context that is what `msarch.memory.inference.cache_bytes` promises, if the model is
        in the type that this counts in. A few whole numbers that say where states stand come on top.
        """
        tensors = (tensor for cache in self._past.caches() for tensor in cache.tensors())
        return sum(tensor.nbytes for tensor in tensors if tensor.is_floating_point())

    @torch.inference_mode()
    def extend(self, tokens_BT: Tensor, last: int | None = None) -> Tensor:
        """Read further tokens: (B, T) int64 -> logits of the token after each of them, (B, T, V).

        With `last`, of that many last ones only. Raises ValueError for another batch size, and where the sequences
        would become longer than `length`; then nothing has been read.
        """
        batch_size, count = tokens_BT.shape
        if batch_size != self.batch_size:
            raise ValueError(f"{batch_size} sequences for a decoder of {self.batch_size}")
        if self.tokens + count > self.length:
            raise ValueError(f"{self.tokens} and {count} more tokens exceed the length of {self.length}")
        if not count:
            return self.model.readout_weight.new_empty(batch_size, 0, self.model.config.vocab_size)
        features = self.model.features(tokens_BT, self._past)
        self._past.tokens += count
        return linear(features if last is None else features[:, -last:], self.model.readout_weight)

    @torch.inference_mode()
    def reset(self) -> None:
        """Forget all tokens. What was allocated stays."""
        self._past.tokens = 0
        for cache in self._past.caches():
            cache.reset()

    @torch.inference_mode()
    def reorder(self, rows_B: Tensor) -> None:
        """Sequence i goes on from what sequence `rows_B[i]` has read, as beam search needs it: (B,) int64."""
        for cache in self._past.caches():
            cache.reorder(rows_B)
