"""Where the next piece of training goes: to a new design's first rungs, or to those that a paused one has before it.

Every step asks which of them is expected to add most hypervolume, over (logarithms of the costs, loss), for the tokens
that it needs until its end. Costs are exact before anything is trained, so only the loss is foreseen. A trial that
runs counts as if it had ended with the loss that is expected of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msarch.config.candidate import Candidate
from search.ledger.records import TrialRecord
from search.propose.front.features import Encoder, Feature, features
from search.propose.front.improvement import FrontLevels
from search.propose.front.loss_model import Curve, LossModel
from search.propose.samplers import derived_seed
from search.space.objectives import OBJECTIVES

Floats = NDArray[np.float64]

STARTUP = 4
"""Designs that are started before the loss model is asked: one drawn from each part of the range of costs."""

FIRST_STOP = 1 / 8
"""The share of its training that a design gets before it may be paused."""


@dataclass(frozen=True)
class Design:
    """A candidate that may be started.

    Attributes:
        params: Optuna's, which lead to it.
        profile: its figures known before training.
    """

    params: Mapping[str, Any]
    candidate: Candidate
    profile: Mapping[str, Any]

    @cached_property
    def features(self) -> dict[str, Feature]:
        """What its loss is foreseen from."""
        return features(self.candidate, self.profile)


@dataclass(frozen=True)
class Start:
    """Begin to train a design."""

    design: Design


@dataclass(frozen=True)
class Resume:
    """Train the paused trial of that number to its next rung."""

    number: int


Piece = Start | Resume


@dataclass
class FrontStrategy:
    """Chooses pieces of training. Its choice follows from the arguments alone, so a restart changes nothing.

    Attributes:
        objectives: of the search.
        seed: of the search.
    """

    objectives: tuple[str, ...]
    seed: int
    _fits: dict[int, Floats] = field(default_factory=dict, repr=False)

    def next_piece(self, records: Sequence[TrialRecord], pool: Sequence[Design], tokens_left: int) -> Piece | None:
        """The piece that is worth most for its tokens; None where nothing fits that could be trained to its end.

        Args:
            records: of all trials that were started; paused ones may be resumed, running ones are being trained.
            pool: designs that meet all limits and were not started.
            tokens_left: of the search's budget, less what is promised to running trials.
        """
        ...


def may_pause(share: float) -> bool:
    """Whether a trial may be paused after this share of its training."""
    return FIRST_STOP - 1e-9 <= share < 1.0
