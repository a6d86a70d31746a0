"""A model drawn in characters: one line a stage, as wide as the sequence that it reads."""

from __future__ import annotations

from msarch.candidate import Candidate

WIDTH = 32


def draw_candidate(candidate: Candidate) -> str:
    """The stages of a candidate from the first computed to the last, plain text::

    top_down  3@16 2@1   d_model 64, 4 heads, context 128, vocabulary 1024
      16  ██                                 3 layers on 8 states
       1  ████████████████████████████████   2 layers on 128 states
    """
    model = candidate.model
    heads = f"{model.n_heads} head{'s' if model.n_heads > 1 else ''}"
    lines = [
        f"{model.variant}  {model.layers}   d_model {model.d_model}, {heads}, context {model.context}, "
        f"vocabulary {model.vocab_size}"
    ]
    for stage in model.stages:
        states = -(-model.context // stage.factor)
        bar = "█" * max(1, round(WIDTH / stage.factor)) if stage.layers else "·"
        count = f"{stage.layers} layer{'' if stage.layers == 1 else 's'}"
        lines.append(f"{stage.factor:>4}  {bar:<{WIDTH}}   {count} on {states} states")
    lines.extend(_keys(candidate))
    return "\n".join(lines)


def _keys(candidate: Candidate) -> list[str]:
    """What a token of a retina still sees: its windows, then everything before at the coarsest scale."""
    model = candidate.model
    if not model.retina_factors:
        return []
    *finer, coarsest = model.retina_factors
    windows = [f"{count} units of {factor}" for factor, count in zip(finer, model.retina_windows, strict=True)]
    return [f"      each token keeps {', '.join(windows)}, and all before in units of {coarsest}"]
