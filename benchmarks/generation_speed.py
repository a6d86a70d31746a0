"""How fast does a model generate, and how large is its cache? Multi-scale, vanilla, and GPT-2 of transformers.

    pip install "msarch[benchmarks]"
    python -m benchmarks.generation_speed [--small]

One text, token by token, from a prompt of 16 tokens to the full context. The models take turns of 16 tokens each, a
block of the coarsest scale, all at the same place of their text: the ratio of two turns is of the same work on the same
machine at the same time. Processor time, one thread, weights as drawn: what a text says changes no time here.

GPT-2 has the shape of the vanilla model (layers, widths, heads, vocabulary, context) and its default cache. A token of
``12@16 12@4 6@1`` passes 12/16 + 12/4 + 6 = 9.75 layers, one of ``30@1`` 30, and each the readout.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from msarch import ModelConfig, build_model
from msarch.generation import Decoder, arrange_weights

Step = Callable[[torch.Tensor], torch.Tensor]
"""Reads (1, T) tokens and returns the logits of the last one, (1, V)."""

PROMPT = TURN = 16
VANILLA, TOP_DOWN, GPT2 = "vanilla 30@1", "top_down 12@16 12@4 6@1", "GPT-2, 30 layers"
PAIRS = ((VANILLA, TOP_DOWN), (GPT2, VANILLA))
SHAPES: dict[bool, dict[str, Any]] = {
    False: {"d_model": 512, "n_heads": 8, "vocab_size": 30_000, "context": 512},
    True: {"d_model": 128, "n_heads": 4, "vocab_size": 2_048, "context": 512},
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of speeds and one of ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="d_model 128 and a vocabulary of 2,048")
    shape = SHAPES[parser.parse_args(arguments).small]
    torch.set_num_threads(1)
    torch.manual_seed(0)
    contenders = {
        VANILLA: ours("vanilla", "30@1", shape),
        TOP_DOWN: ours("top_down", "12@16 12@4 6@1", shape),
        GPT2: gpt2(30, shape),
    }
    seconds = in_turn({name: step for name, (step, _) in contenders.items()}, shape["context"])
    show(shape, seconds, {name: size() for name, (_, size) in contenders.items()})


def ours(variant: str, layers: str, shape: dict[str, Any]) -> tuple[Step, Callable[[], int]]:
    """A model of ours with its decoder, and the bytes of its cache."""
    model = build_model(ModelConfig(variant=variant, layers=layers, **shape)).eval()
    decoder = Decoder(arrange_weights(model))
    return lambda tokens: decoder.extend(tokens, last=1)[:, -1], lambda: decoder.cache_bytes


def gpt2(layers: int, shape: dict[str, Any]) -> tuple[Step, Callable[[], int]]:
    """GPT-2 of transformers with its cache, and the bytes of that at the end."""
    from transformers import DynamicCache, GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(
        GPT2Config(
            n_layer=layers,
            n_embd=shape["d_model"],
            n_head=shape["n_heads"],
            vocab_size=shape["vocab_size"],
            n_positions=shape["context"],
            bos_token_id=None,
            eos_token_id=None,
        )
    ).eval()
    cache = DynamicCache()

    @torch.inference_mode()
    def step(tokens: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = model(tokens, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
        return logits[:, -1]

    def size() -> int:
        return sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)

    return step, size


def in_turn(steps: dict[str, Step], context: int) -> dict[str, list[float]]:
    """Processor seconds of each model's turns, without the prompt."""
    tokens = {name: step(torch.zeros(1, PROMPT, dtype=torch.int64)).argmax(dim=-1) for name, step in steps.items()}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(PROMPT, context - TURN + 1, TURN):
        for name, step in steps.items():
            begin = time.process_time()
            for _ in range(TURN):
                tokens[name] = step(tokens[name][None]).argmax(dim=-1)
            seconds[name].append(time.process_time() - begin)
    return seconds


def show(shape: dict[str, Any], seconds: dict[str, list[float]], sizes: dict[str, int]) -> None:
    """Tokens/s and bytes of each, and how many times as fast one is as another."""
    speeds = Table("model", "tokens/s", "cache at full context")
    for name, turns in seconds.items():
        speeds.add_row(name, f"{TURN / statistics.median(turns):.1f}", f"{sizes[name] / 2**20:.2f} MiB")
    ratios = Table("", "times as fast", "range", "of its cache")
    for slower, faster in PAIRS:
        found = ratios_of(seconds[slower], seconds[faster])
        ratios.add_row(
            f"{faster} against {slower}",
            f"{statistics.median(found):.2f}",
            f"{found[0]:.2f} to {found[-1]:.2f}",
            f"{sizes[faster] / sizes[slower]:.2f}",
        )
    console = Console(width=110)
    console.print(speeds, ratios)
    console.print(f"{describe(shape)}; turns of {TURN} tokens, one thread, float32, torch {torch.__version__}")


def ratios_of(slower: Sequence[float], faster: Sequence[float]) -> list[float]:
    """How many times as fast in each turn, from the least to the most."""
    return sorted(a / b for a, b in zip(slower, faster, strict=True))


def describe(shape: dict[str, Any]) -> str:
    """``d_model 512, 8 heads, vocabulary 30,000, context 512``."""
    return (
        f"d_model {shape['d_model']}, {shape['n_heads']} heads, vocabulary {shape['vocab_size']:,}, "
        f"context {shape['context']}"
    )


if __name__ == "__main__":
    main()
