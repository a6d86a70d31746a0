"""A profile in words, the same on a terminal and on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msarch.config.candidate import Candidate
from msarch.memory.memory_profile import MemoryProfile
from msarch.units import format_bytes, format_count

if TYPE_CHECKING:
    from msarch.memory.inference import InferenceMemory

KIND_WORDS = {
    "parameters": "parameters",
    "gradients": "gradients",
    "optimizer": "optimizer state",
    "activations": "activations",
    "loss": "logits and loss",
    "temporaries": "temporaries",
}


def describe_model(candidate: Candidate, profile: MemoryProfile) -> str:
    """``top_down 6@4 2@1, d_model 96, 6 heads, vocabulary 2,048, 1.35M parameters``."""
    model = candidate.model
    retina = f" {' '.join(map(str, model.retina_factors))} over {' '.join(map(str, model.retina_windows))}"
    return (
        f"{model.variant} {model.layers}{retina if model.retina_factors else ''}, d_model {model.d_model}, "
        f"{model.n_heads} heads, vocabulary {model.vocab_size:,}, {format_count(profile.parameter_count)} parameters"
    )


def inference_words(inference: InferenceMemory) -> tuple[str, str]:
    """What weights and cache take, a line each."""
    full, token, mean = inference.cache_bytes, inference.cache_bytes_per_token, inference.cache_bytes_mean
    weights = f"{format_bytes(inference.weights_bytes)} to generate"
    cache = f"{format_bytes(full)} at full context ({format_bytes(token)} a token), {format_bytes(mean)} on average"
    if inference.dtype == "float32":
        return weights, cache
    twice = "float32, as msarch generate and exported models keep it, takes twice that"
    return f"{weights} in {inference.dtype}", f"{cache}, in {inference.dtype}; {twice}"


def compute_words(candidate: Candidate, profile: MemoryProfile) -> tuple[str, str]:
    """Operations of a training step and of its forward pass, and query-key pairs of a sequence, a line each."""
    tokens = candidate.training.batch_size * candidate.model.context
    step, token, forward = map(format_flops, (profile.flops, profile.flops / tokens, profile.flops_forward / tokens))
    operations = f"{step} a step, {token} a token, {forward} of it forward"
    return operations, f"{format_count(profile.attended_pairs)} query-key pairs a sequence"


def format_flops(count: float) -> str:
    """``2.37 TFLOP``: three significant figures."""
    for unit in ("", "k", "M", "G", "T", "P"):
        if count < 999.5 or unit == "P":
            break
        count /= 1000
    return f"{count:.3g} {unit}FLOP"


def scale_words(scale: str) -> str:
    """A scale's name: ``scale 16`` for a factor, other parts as they are."""
    return f"scale {scale}" if scale.isdigit() else scale


def describe_peak(profile: MemoryProfile) -> str:
    """Where the peak stands: ``in the backward pass, in layer 8 @1, at aten.sum``."""
    phase = {"forward": "forward pass", "backward": "backward pass", "optimizer": "update"}.get(profile.peak_phase)
    layer = f", in {profile.peak_layer}" if profile.peak_layer not in (profile.peak_phase, "update") else ""
    return f"in the {phase or profile.peak_phase}{layer}, at {short_operation(profile.peak_operation)}"


def short_operation(name: str) -> str:
    """``aten.sum`` for ``aten.sum.dim_IntList``: the overload says nothing to people."""
    return ".".join(name.split(".")[:2])
