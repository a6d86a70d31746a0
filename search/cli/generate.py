"""`msarch generate`: text from a trained model, on the terminal while it comes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from msarch.errors import UserError
from search.cli.notes import print_notes
from search.show.terminal.console import print_piece

if TYPE_CHECKING:
    from msarch.data.tokenizer import Tokenizer
    from msarch.generation.sampling import Sampling
    from msarch.models.language_model import LanguageModel
    from search.train.trained_model import TrainedModel

LARGEST_SEED = 2**63 - 1


def write_text(
    source: str,
    trial: str | None,
    prompt: str,
    count: int,
    sampling: Sampling,
    *,
    seed: int,
    device: str | None,
) -> None:
    """Print the prompt and what the model writes after it, until its document ends or there are `count` tokens."""
    from msarch.data.tokenizer import load_tokenizer
    from search.train.trained_model import find_trained

    if not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"a whole number of at least 0 and below 2^63, got {seed}", key="seed")
    trained = find_trained(source, trial)
    print_notes(trained.notes)
    tokenizer = load_tokenizer(trained.tokenizer)
    begins = sys.stdin.buffer.read().decode(errors="replace") if prompt == "-" else prompt
    tokens = _prompt_tokens(begins, tokenizer)
    model = _load(trained, tokenizer, device)
    print_piece(begins)
    try:
        _stream(model, tokens, count, sampling, seed, tokenizer)
    finally:
        print_piece("\n")


def _stream(
    model: LanguageModel, prompt: list[int], count: int, sampling: Sampling, seed: int, tokenizer: Tokenizer
) -> None:
    from msarch.generation import TextStream, generate_tokens

    stream = TextStream(tokenizer)
    for token in generate_tokens(model, prompt, count, sampling, seed):
        if token == tokenizer.separator:
            break
        if piece := stream.add(token):
            print_piece(piece)
    print_piece(stream.end())


def _prompt_tokens(prompt: str, tokenizer: Tokenizer) -> list[int]:
    """Those of the text; a text without any begins as a document does. Raises UserError."""
    tokens = tokenizer.encode(prompt)
    if tokens:
        return tokens
    if tokenizer.separator is None:
        raise UserError(
            "is empty, and this vocabulary has no token that begins a text; write a few words",
            key="--prompt",
        )
    return [tokenizer.separator]


def _load(trained: TrainedModel, tokenizer: Tokenizer, device: str | None) -> LanguageModel:
    """The model with its weights, on its device. Raises UserError where they do not fit."""
    import torch
    from safetensors import SafetensorError

    from msarch.generation import arrange_weights
    from msarch.models.build import build_model
    from msarch.training.checkpoint import read_tensors

    if device not in (None, "cpu", "cuda"):
        raise UserError(f"cpu or cuda, got {device!r}", key="--device")
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("there is no GPU that torch can use; leave it out, or write cpu", key="--device")
    config = trained.candidate.model
    if tokenizer.vocab_size != config.vocab_size:
        raise UserError(
            f"has {tokenizer.vocab_size:,} tokens, the model {config.vocab_size:,}", file=str(trained.tokenizer)
        )
    model = build_model(config).eval()
    try:
        model.load_state_dict(read_tensors(trained.weights)[0])
    except (SafetensorError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"is damaged ({reason}); train the model again", file=str(trained.weights)) from None
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return arrange_weights(model.to(device))
