"""What the first gradient tells: how much the loss depends on the weights, and how steep it is.

    synaptic_saliency        sum |w dL/dw|               over the weight matrices of all feed-forward networks
    synaptic_saliency_mean   the same over their number
    gradient_norm            sqrt( sum (dL/dw)^2 )       over all parameters but embeddings
    gradient_rms             sqrt( mean (dL/dw)^2 )

Saliency: Tanaka et al. 2020 (arXiv 2006.05467, section 4), with the loss as in SNIP (Lee et al. 2019, arXiv
1810.02340); on transformers by Serianni and Kalita 2023 (arXiv 2306.00288), whence the choice of matrices. They put
the sum of the last hidden states in the place of the loss. Here that sum is a constant, because a layer norm comes
last, and every gradient of it is 0. Gradient norm: Abdelfattah et al. 2021 (arXiv 2101.08134, section 3.2.1).

L is the mean loss of the batch in nats per token.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from msarch.layers.transformer_layer import FeedForward


def saliency_scores(model: nn.Module) -> dict[str, float]:
    """`synaptic_saliency` and its mean, nats, from the gradients in `model`; 0 for a model without feed-forward."""
    networks = [module for module in model.modules() if isinstance(module, FeedForward)]
    weights = [part.weight for network in networks for part in network.modules() if isinstance(part, nn.Linear)]
    total = sum((weight.detach() * _gradient(weight)).abs().sum().item() for weight in weights)
    return {
        "synaptic_saliency": total,
        "synaptic_saliency_mean": total / max(1, sum(weight.numel() for weight in weights)),
    }


def gradient_scores(model: nn.Module) -> dict[str, float]:
    """`gradient_norm` and `gradient_rms`, nats per unit of weight, from the gradients in `model`."""
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in embeddings]
    square = sum(_gradient(parameter).square().sum().item() for parameter in rest)
    count = sum(parameter.numel() for parameter in rest)
    return {"gradient_norm": math.sqrt(square), "gradient_rms": math.sqrt(square / max(1, count))}


def _gradient(parameter: Tensor) -> Tensor:
    """In double precision, since squares of small numbers are summed; 0 where the loss does not depend on it."""
    return parameter.detach().double() * 0 if parameter.grad is None else parameter.grad.double()
