"""The scores of one candidate: a model as its training would begin, one batch, one pass forward and at most one back.

Weights and batch are those with which training begins at the candidate's seed, with one exception. A matrix that starts
at zero (top_down's half of W for the coarse stream) is drawn as all others are: behind a zero no weight has a gradient,
and the scores would not see the coarse layers at all.

How the model would be trained plays no part: scores are computed in single precision without dropout, with fused
attention and the chunked loss.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor, nn

from msarch.config.candidate import Candidate
from msarch.data.batches import training_batch
from msarch.data.token_set import TokenSet
from msarch.errors import UserError, unknown
from msarch.layers.attention import attention_kernel
from msarch.models.build import build_model
from msarch.models.language_model import LanguageModel
from msarch.proxies.attention_confidence import AttentionConfidence
from msarch.proxies.gradients import gradient_scores, saliency_scores
from msarch.proxies.hidden_covariance import HiddenCovariance
from msarch.proxies.size import size_scores
from msarch.training.loss import chunked_loss


@dataclass(frozen=True, slots=True)
class Proxy:
    """What a score needs, its unit, and one line on what it is.

    Attributes:
        needs: "profile" for what the memory profile knows; "forward" or "backward" for a pass on a batch.
        unit: of the score, empty where it has none.
    """

    needs: Literal["profile", "forward", "backward"]
    unit: str
    summary: str


PROXIES: Mapping[str, Proxy] = MappingProxyType(
    {
        "parameters": Proxy("profile", "", "trained parameters without embeddings"),
        "compute": Proxy("profile", "FLOP/token", "forward pass without the readout, each layer at its own scale"),
        "attention_confidence": Proxy("forward", "", "largest weight of each query, mean of an attention, their sum"),
        "attention_confidence_mean": Proxy("forward", "", "the same, mean over attentions"),
        "hidden_covariance": Proxy("forward", "", "how uncorrelated the units of a layer are, mean over layers"),
        "hidden_covariance_mean": Proxy("forward", "", "the same per unit"),
        "synaptic_saliency": Proxy("backward", "nats", "sum of |w dL/dw| in feed-forward networks"),
        "synaptic_saliency_mean": Proxy("backward", "nats", "the same per weight"),
        "gradient_norm": Proxy("backward", "nats", "Euclidean norm of the gradient without embeddings"),
        "gradient_rms": Proxy("backward", "nats", "root mean square of the gradient without embeddings"),
    }
)
"""Every score, by name."""


def score_candidate(
    candidate: Candidate, tokens: TokenSet, names: Collection[str] = tuple(PROXIES), *, device: str = "cpu"
) -> dict[str, float]:
    """The named scores, in their order; what only other scores need is not computed.

    torch's random state is left as it was. The same candidate has the same scores, bit for bit with the same number of
    threads. `hidden_covariance` is nan where no layer has enough states.

    Raises:
        UserError: a name is not in `PROXIES`.
    """
    for name in names:
        if name not in PROXIES:
            raise UserError(unknown("proxy", name, PROXIES))
    needs = {PROXIES[name].needs for name in names}
    found = size_scores(candidate) if "profile" in needs else {}
    if needs - {"profile"}:
        found |= _pass(_initial_model(candidate).to(device), *_first_batch(candidate, tokens, device), names)
    return {name: found[name] for name in names}


def _initial_model(candidate: Candidate) -> LanguageModel:
    """The model that a training of the candidate starts from, without dropout and without matrices of zeros."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(candidate.seed)
        model = build_model(candidate.model).eval()
        for module in model.modules():
            if isinstance(module, nn.Linear) and not module.weight.any():
                nn.init.normal_(module.weight, std=1 / math.sqrt(module.in_features))
    return model


def _first_batch(candidate: Candidate, tokens: TokenSet, device: str) -> tuple[Tensor, Tensor]:
    batch_size, context = candidate.training.batch_size, candidate.model.context
    batch = training_batch(tokens.train, seed=candidate.seed, step=0, batch_size=batch_size, context=context)
    inputs, targets = (torch.from_numpy(part).to(device) for part in batch)
    return inputs, targets


def _pass(model: LanguageModel, inputs_BT: Tensor, targets_BT: Tensor, names: Collection[str]) -> dict[str, float]:
    """What the forward pass shows and, where a gradient is needed, the backward pass."""
    watchers: list[AttentionConfidence | HiddenCovariance] = []
    if any(name.startswith("attention_confidence") for name in names):
        watchers.append(AttentionConfidence(model))
    if any(name.startswith("hidden_covariance") for name in names):
        watchers.append(HiddenCovariance(model))
    backward = any(PROXIES[name].needs == "backward" for name in names)
    with torch.set_grad_enabled(backward), attention_kernel("fused"):
        with ExitStack() as stack:
            for watcher in watchers:
                stack.enter_context(watcher)
            features = model.features(inputs_BT)
        if backward:
            chunked_loss(features, model.readout_weight, targets_BT).backward()
    found = {name: score for watcher in watchers for name, score in watcher.scores().items()}
    return found | saliency_scores(model) | gradient_scores(model) if backward else found
