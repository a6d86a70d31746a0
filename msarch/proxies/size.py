"""Size as a score: parameters and operations, both known from the memory profile.

    parameters   n = all parameters - those of token and position embeddings
    compute      c = sum_s n_s 24 d_s^2 / f_s  +  attention  +  matrices between scales

Parameters are the proxy of LiteTransformerSearch (Javaheripi et al. 2022, arXiv 2203.02094, section 3), which found
them to rank decoder-only models nearly as their perplexity does. Where layers run at several scales, a parameter at
scale f is used at one token of f (Hourglass, arXiv 2110.13711), so compute counts it 1 / f: n_s layers of width d_s at
the scale of factor f_s. c is not taken from this formula but counted matrix by matrix, and attention by the pairs that
it computes (`msarch.memory.flops`), so that every option of a model is in it.
"""

from __future__ import annotations

from msarch.config.candidate import Candidate
from msarch.memory.profile import profile_training_step


def size_scores(candidate: Candidate) -> dict[str, float]:
    """`parameters`, and `compute` in FLOP a token of the forward pass without the readout. No data, no seed."""
    model, training = candidate.model, candidate.training
    profile = profile_training_step(model, training)
    readout = 2 * model.d_model * model.vocab_size
    return {
        "parameters": float(profile.parameter_count - profile.embedding_count),
        "compute": profile.flops_forward / (training.batch_size * model.context) - readout,
    }
