"""The memory of a training step: its peak, when and where it occurs, and what it consists of."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

MEMORY_KINDS = ("parameters", "gradients", "optimizer", "activations", "loss", "temporaries")


@dataclass(frozen=True, slots=True)
class PeakShare:
    """Bytes alive at the peak that serve one purpose in one part of the model.

    Attributes:
        kind: one of `MEMORY_KINDS`.
        scale: the shortening factor of the scale they belong to, as text, or "embedding", "readout", "update".
        layer: the layer, or the part between layers, that made them: "layer 3 @16", "embedding", "loss".
        size: bytes.
    """

    kind: str
    scale: str
    layer: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryProfile:
    """The memory of one training step.

    Attributes:
        peak_bytes: the largest number of bytes alive at once; the six kinds below add up to it.
        parameters, gradients, optimizer: bytes of each at the peak.
        activations: bytes kept from the forward pass, the input tokens included.
        loss: bytes that the loss keeps for the backward pass: logits where it is full, gradients where chunked.
        temporaries: all other bytes alive at the peak.
        peak_phase: "forward", "loss", "backward" or "optimizer".
        peak_operation: the operation that reached the peak.
        peak_layer: the part of the model in which it ran, forward or backward.
        kernel: the attention kernel that ran: "fused" or "unfused".
        flops: floating-point operations of the whole step's matrix products, forward and backward, attention counted
            by attended pairs; `flops_forward` of its forward pass alone.
        attended_pairs: query-key pairs that all layers compute for one sequence of the full context.
        parameter_count: all parameters; `embedding_count` of them are token and position embeddings.
        parts: the peak, kind by kind and layer by layer, in the order of computation.
    """

    peak_bytes: int
    parameters: int
    gradients: int
    optimizer: int
    activations: int
    loss: int
    temporaries: int
    peak_phase: str
    peak_operation: str
    peak_layer: str
    kernel: str
    flops: int
    flops_forward: int
    attended_pairs: int
    parameter_count: int
    embedding_count: int
    parts: tuple[PeakShare, ...]

    @property
    def by_kind(self) -> dict[str, int]:
        """Bytes of each of the six kinds at the peak; they add up to it."""
        return {kind: getattr(self, kind) for kind in MEMORY_KINDS}

    @property
    def by_scale(self) -> dict[str, int]:
        """Bytes of each scale at the peak, embedding and readout apart; they add up to it."""
        return self._summed("scale")

    @property
    def by_layer(self) -> dict[str, int]:
        """Bytes of each layer, and of each part between layers, at the peak; they add up to it."""
        return self._summed("layer")

    def _summed(self, by: str) -> dict[str, int]:
        sums: dict[str, int] = defaultdict(int)
        for part in self.parts:
            sums[getattr(part, by)] += part.size
        return dict(sums)
