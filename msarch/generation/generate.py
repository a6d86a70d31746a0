"""One text, token by token, of any length.

A model reads no further back than its context. When that is full, it reads the latter half of it anew, as the beginning
of a sequence, and goes on from there: tokens before that half are forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from msarch.generation.decoder import Decoder
from msarch.generation.sampling import Sampling, next_tokens
from msarch.models.language_model import LanguageModel


def generate_tokens(
    model: LanguageModel, prompt: Sequence[int], count: int, sampling: Sampling, seed: int = 0
) -> Iterator[int]:
    """`count` tokens that follow the prompt, each as soon as it is drawn. The same seed gives the same ones.

    Of a prompt that does not fit into the context, its end is read, half a context long. Raises ValueError without a
    prompt.
    """
    if not prompt:
        raise ValueError("a prompt has one token at least")
    device = model.embedding.weight.device
    generator = torch.Generator(device).manual_seed(seed)
    decoder = Decoder(model, length=min(model.config.context, len(prompt) + count))
    read: list[int] = []  # what the decoder has read
    new = list(prompt)
    for _ in range(count):
        if len(read) + len(new) > decoder.length:
            new = [*read, *new][-max(1, decoder.length // 2) :]
            read = []
            decoder.reset()
        logits = decoder.extend(torch.tensor([new], device=device), last=1)
        read += new
        new = [int(next_tokens(logits[:, -1], sampling, generator))]
        yield new[0]
