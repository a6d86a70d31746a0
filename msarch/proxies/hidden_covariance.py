"""How different the units of a layer are from each other before any training.

    R_l                      (D, D) Pearson correlation of the D units of layer l's output, over all its states
    S_l                      -sum_i [ log(e_i + k) + 1 / (e_i + k) ],   e_i the eigenvalues of R_l,   k = 1e-5
    hidden_covariance        (1 / L) sum_l S_l
    hidden_covariance_mean   (1 / L) sum_l S_l / D_l

The hidden covariance of Serianni and Kalita 2023 (arXiv 2306.00288, section 3.2), theirs of one layer of a recurrent
network. Units without any correlation give -D (1 - k), nearly; any other ones less. Our proposal for transformers: the
output of each layer of every stack, at its own scale.

Few states make eigenvalues small: of n states of D independent units the mean of 1 / e is about 1 / (1 - D / n), and
with n <= D some are 0. So only layers with n >= 2 D states are counted: coarse ones may be left out.

Shapes: B batch, N positions at a layer's scale, D units.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import Any, Self

import torch
from torch import Tensor, nn

from msarch.layers.transformer_layer import Stack

K = 1e-5
STATES_A_UNIT = 2


def correlation(x_ND: Tensor) -> Tensor:
    """(D, D) float64 Pearson correlations of the columns; a constant column has none, with itself neither."""
    centred = x_ND.double() - x_ND.double().mean(dim=0)
    norms = centred.norm(dim=0)
    unit = centred / torch.where(norms > 0, norms, 1.0)
    return unit.T @ unit


def covariance_score(x_ND: Tensor) -> float:
    """S of (N, D) states."""
    e_D = torch.linalg.eigvalsh(correlation(x_ND)).clamp(min=0) + K
    return -float((e_D.log() + 1 / e_D).sum())


class HiddenCovariance(ExitStack):
    """Watches a model's forward pass: the output of each layer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        stacks = [module for module in model.modules() if isinstance(module, Stack)]
        self._layers = [layer for stack in stacks for layer in stack.blocks]
        self._found: list[tuple[float, int]] = []

    def __enter__(self) -> Self:
        for layer in self._layers:
            self.enter_context(layer.register_forward_hook(self._note))
        return self

    def _note(self, layer: nn.Module, args: tuple[Any, ...], output_BND: Tensor) -> None:
        states_ND = output_BND.detach().flatten(0, 1)
        states, units = states_ND.shape
        if states >= STATES_A_UNIT * units:
            self._found.append((covariance_score(states_ND), units))

    def scores(self) -> dict[str, float]:
        """`hidden_covariance` and its mean over units; nan where no layer has enough states."""
        layers = len(self._found)
        if not layers:
            return {"hidden_covariance": math.nan, "hidden_covariance_mean": math.nan}
        return {
            "hidden_covariance": sum(score for score, _ in self._found) / layers,
            "hidden_covariance_mean": sum(score / units for score, units in self._found) / layers,
        }
