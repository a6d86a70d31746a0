"""How long a training step takes beside that of other libraries' models of the same shape.

    pip install 'msarch[benchmarks,hf]'
    python -m benchmarks.training_speed
    python -m benchmarks.training_speed --d-model 256 --layers 8 --loss chunked

Three peers: GPT-2 of transformers, x-transformers with rotary positions, and hourglass-transformer-pytorch. A last part
sets our multi-scale models beside our vanilla one, as a share of their FLOPs.

The steps of a pair are taken in turn in one process, and each pair of neighbouring steps gives a ratio, in processor
time: so other programs on the machine matter little. Each step is forward, loss, backward, clipping and fused AdamW, in
float32 on one thread, without dropout. With `--loss full` our models hold all logits, as the peers do.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.steps_in_turn import Step, in_turn, ratios, step_of
from msarch import ModelConfig, TrainingConfig, build_model
from msarch.memory.profile import profile_training_step


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What all models have in common; `layers` of the vanilla ones."""

    d_model: int = 128
    layers: int = 4
    d_head: int = 32
    vocab_size: int = 1024
    context: int = 256
    batch_size: int = 8

    @property
    def heads(self) -> int:
        """Attention heads of a layer."""
        return self.d_model // self.d_head

    def model(self, variant: str, layers: str, **options: Any) -> ModelConfig:
        """Our model of these sizes."""
        return ModelConfig(
            variant=variant,
            layers=layers,
            d_model=self.d_model,
            n_heads=self.heads,
            vocab_size=self.vocab_size,
            context=self.context,
            **options,
        )


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two steps to be compared.

    Attributes:
        name: what is compared.
        ours, other: the steps.
        parameters: of both models.
        flops: our FLOPs over the other's, where that is known.
    """

    name: str
    ours: Step
    other: Step
    parameters: tuple[int, int]
    flops: float | None = None


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description="Time of a training step beside other libraries.")
    for name, default in (("d-model", 128), ("layers", 4), ("context", 256), ("batch-size", 8), ("vocab-size", 1024)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--loss", choices=("full", "chunked"), default="full")
    given = vars(parser.parse_args())
    rounds, loss = given.pop("rounds"), given.pop("loss")
    sizes = Sizes(**given)
    torch.set_num_threads(1)
    out = Table("msarch / other", "time, median", "range", "parameters", "FLOPs", "time / FLOPs")
    for pair in pairs(sizes, TrainingConfig(batch_size=sizes.batch_size, loss=loss)):
        out.add_row(*row(pair, ratios(*in_turn([pair.ours, pair.other], rounds))))
    console = Console(width=130)
    console.print(out)
    console.print(
        f"processor time of a step; {sizes}, {loss} loss, {rounds} rounds, one thread, torch {torch.__version__}"
    )


def pairs(sizes: Sizes, training: TrainingConfig) -> Iterator[Pair]:
    """Every comparison, each built when it is its turn."""
    vanilla, unfused = sizes.model("vanilla", f"{sizes.layers}@1"), replace(training, attention="unfused")
    yield _beside("vanilla / GPT-2 of transformers", sizes, vanilla, training, gpt2(sizes))
    rotary = replace(vanilla, positions="rotary")
    yield _beside("vanilla, rotary / x-transformers", sizes, rotary, training, x_transformers(sizes))
    hourglass = sizes.model("hourglass", "2@1 4@4 2@1", shortening="attention", upsampling="attention")
    for name, wanted in (("fused", training), ("unfused", unfused)):
        title = f"hourglass, {name} / hourglass-transformer-pytorch"
        yield _beside(title, sizes, hourglass, wanted, hourglass_pytorch(sizes))
    for variant, layers in (("top_down", "6@16 6@4 3@1"), ("bottom_up", "1@1 6@4 2@1"), ("hourglass", "2@1 6@4 2@1")):
        yield _own(f"{variant} {layers} / vanilla", sizes, sizes.model(variant, layers), vanilla, training)


def _beside(name: str, sizes: Sizes, config: ModelConfig, training: TrainingConfig, peer: nn.Module) -> Pair:
    model = build_model(config)
    counts = _parameters(model), _parameters(peer)
    return Pair(name=name, ours=step_of(model, training), other=peer_step(peer, sizes, training), parameters=counts)


def _own(name: str, sizes: Sizes, config: ModelConfig, other: ModelConfig, training: TrainingConfig) -> Pair:
    models = build_model(config), build_model(other)
    flops = [profile_training_step(each, training).flops for each in (config, other)]
    return Pair(
        name=name,
        ours=step_of(models[0], training),
        other=step_of(models[1], training),
        parameters=(_parameters(models[0]), _parameters(models[1])),
        flops=flops[0] / flops[1],
    )


def gpt2(sizes: Sizes) -> nn.Module:
    """GPT-2 of transformers, with the exact GELU that ours has."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=sizes.vocab_size,
        n_positions=sizes.context,
        n_embd=sizes.d_model,
        n_layer=sizes.layers,
        n_head=sizes.heads,
        activation_function="gelu",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        use_cache=False,
        attn_implementation="sdpa",
        bos_token_id=0,
        eos_token_id=0,
    )
    return _Logits(GPT2LMHeadModel(config))


class _Logits(nn.Module):
    """The logits alone of a model that returns more."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens_BT: Tensor) -> Tensor:
        logits: Tensor = self.model(tokens_BT).logits
        return logits


def x_transformers(sizes: Sizes) -> nn.Module:
    """A decoder of x-transformers with rotary positions, fused attention and a tied readout."""
    from x_transformers import Decoder, TransformerWrapper

    layers = Decoder(
        dim=sizes.d_model,
        depth=sizes.layers,
        heads=sizes.heads,
        attn_dim_head=sizes.d_head,
        attn_flash=True,
        rotary_pos_emb=True,
        rotary_emb_dim=sizes.d_head,
    )
    model: nn.Module = TransformerWrapper(
        num_tokens=sizes.vocab_size, max_seq_len=sizes.context, attn_layers=layers, tie_embedding=True
    )
    return model


def hourglass_pytorch(sizes: Sizes) -> nn.Module:
    """The usual library's hourglass, with attention resampling; its attention keeps the scores."""
    from hourglass_transformer_pytorch import HourglassTransformerLM

    model: nn.Module = HourglassTransformerLM(
        num_tokens=sizes.vocab_size,
        dim=sizes.d_model,
        max_seq_len=sizes.context,
        heads=sizes.heads,
        dim_head=sizes.d_head,
        depth=(2, 4, 2),
        shorten_factor=4,
        attn_resampling=True,
        updown_sample_type="linear",
    )
    return model


def peer_step(model: nn.Module, sizes: Sizes, training: TrainingConfig) -> Step:
    """The same step of another library's model: full logits, the same optimizer and clipping."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    rest = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": training.weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=training.learning_rate, betas=training.betas, fused=True)
    inputs, targets = torch.randint(sizes.vocab_size, (2, sizes.batch_size, sizes.context))

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), training.clip)
        optimizer.step()

    return step


def row(pair: Pair, found: list[float]) -> tuple[str, ...]:
    """A row of the table."""
    middle = statistics.median(found)
    ours, other = pair.parameters
    flops = ("", "") if pair.flops is None else (f"{pair.flops:.2f}", f"{middle / pair.flops:.2f}")
    spread = f"{min(found):.2f} to {max(found):.2f}"
    return pair.name, f"{middle:.2f}", spread, f"{ours / 1e6:.2f}M / {other / 1e6:.2f}M", *flops


def _parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


if __name__ == "__main__":
    main()
