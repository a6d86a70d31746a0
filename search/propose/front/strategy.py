"""Where the next piece of training goes: to a new design's first rungs, or to those that a paused one has before it.

Every step asks which of them is expected to add most hypervolume, over (logarithms of the costs, loss), for the tokens
that it needs until its end. Costs are exact before anything is trained, so only the loss is foreseen. A trial that
runs counts as if it had ended with the loss that is expected of it, and one that diverged as if it had ended with the
worst that is known.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from msarch.config.candidate import Candidate
from msarch.config.training import TrainingConfig
from search.ledger.metrics import quality_of
from search.ledger.records import TrialRecord
from search.propose.front.features import Encoder, Feature, features
from search.propose.front.improvement import FrontLevels
from search.propose.seeds import derived_seed
from search.space.objectives import OBJECTIVES

if TYPE_CHECKING:
    from search.propose.front.loss_model import Curve

Floats = NDArray[np.float64]
Ends = tuple[Floats, Floats]
"""Mean and standard deviation of the losses at the end of some trainings, nats."""

STARTUP = 8
"""Designs that are started before the loss model is asked: one drawn from each part of the range of costs."""

FIRST_STOP = 1 / 8
"""The share of its training that a design gets at least before it may be paused."""

FIRST_SEEN = 1 / 16
"""From which share of a training on its rungs tell of the end: earlier ones mostly show the start."""

COUNTED = 0.5
"""The share of the spread of what is foreseen that counts as a chance of improvement.

Chosen by replays (docs/search-efficiency.md). With the whole of it too many are trained to their end because little is
known of them. That explains it in part: what all unfinished trainings have in common, such as how far they still fall,
is in the spread of each, and is no reason to train one of them and not another."""

BEYOND = 0.1
"""How far hypervolume counts beyond the largest costs and losses, as a share of their range: these are to count too."""


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

    @property
    def tokens(self) -> int:
        """Of its whole training."""
        return self.candidate.training.tokens

    @property
    def features(self) -> Mapping[str, Feature]:
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

    def next_piece(self, records: Sequence[TrialRecord], pool: Sequence[Design], tokens_left: int) -> Piece | None:
        """The piece that is worth most for its tokens; None where nothing fits that could be trained to its end.

        Args:
            records: of all trials that were started; paused ones may be resumed, running ones are being trained.
            pool: designs that meet all limits and were not started.
            tokens_left: of the search's budget, less what is promised to running trials.
        """
        fresh = [design for design in pool if design.tokens <= tokens_left]
        if fresh and (len(records) < STARTUP or len(list(islice(self._known(records), 2))) < 2):
            return Start(self._spread_out(fresh, len(records)))
        options = self.worth(records, fresh, tokens_left)
        return max(options, key=lambda option: option[0])[1] if options else None

    def ranking(self, records: Sequence[TrialRecord]) -> list[int]:
        """The paused trials, the least promising first."""
        worth = {piece.number: gain for gain, piece in self.worth(records, (), math.inf) if isinstance(piece, Resume)}
        return sorted(worth, key=lambda number: worth[number])

    def _spread_out(self, pool: Sequence[Design], index: int) -> Design:
        """One of the first designs: from each part of the range of costs one, drawn at random."""
        by_cost = sorted(pool, key=lambda design: self._costs(design.profile))
        first, last = (len(pool) * edge // STARTUP for edge in (index % STARTUP, index % STARTUP + 1))
        return by_cost[random.Random(derived_seed(self.seed, index)).randrange(first, max(first + 1, last))]

    def worth(
        self, records: Sequence[TrialRecord], fresh: Sequence[Design], tokens_left: float
    ) -> list[tuple[float, Piece]]:
        """Each piece with the hypervolume that it is expected to add for each token up to the end of its training."""
        known = [one for one in records if one.state == "running" or one.diverged or self._curve(one)[0]]
        rows = [row for row, one in enumerate(known) if one.paused and _remaining(one) <= tokens_left]
        if not (rows or fresh):
            return []
        (ends, spreads), foreseen = self.foreseen(known, fresh)
        levels, paused = self._levels(known, ends, fresh), [known[row] for row in rows]
        gains = self._gains(levels, paused, (ends[rows], spreads[rows]))
        worth: list[tuple[float, Piece]] = [
            (gain / _remaining(record), Resume(record.number)) for gain, record in zip(gains, paused, strict=True)
        ]
        gains = self._gains(levels, fresh, foreseen)
        return worth + [(gain / design.tokens, Start(design)) for gain, design in zip(gains, fresh, strict=True)]

    def _gains(self, levels: FrontLevels, items: Sequence[TrialRecord | Design], foreseen: Ends) -> Floats:
        """The hypervolume that each is expected to add, as far as its uncertainty counts."""
        mean, spread = foreseen
        return levels.expected_gain(self._cost_matrix(items), mean, COUNTED * spread)

    def foreseen(self, known: Sequence[TrialRecord], pool: Sequence[Design]) -> tuple[Ends, Ends]:
        """The losses at the end that are expected of known trials, and of designs that were not started.

        Args:
            known: those that `known` gives, at least one, and perhaps others that run or have diverged.
        """
        from search.propose.front.loss_model import LossModel  # brings scikit-learn, for which no search waits

        described = [features(record.candidate, record.profile) for record in known]
        encoder = Encoder([*described, *(design.features for design in pool)])
        model = LossModel(encoder.matrix(described), self._curves(known), encoder.training)
        model.believe([row for row, one in enumerate(known) if one.state == "running"])
        new = encoder.matrix([design.features for design in pool])
        return model.ends_of_started(range(len(known))), model.ends(new) if pool else (np.empty(0), np.empty(0))

    def known(self, records: Sequence[TrialRecord]) -> list[TrialRecord]:
        """Those that have reached a rung that tells something of the end."""
        return list(self._known(records))

    def _known(self, records: Sequence[TrialRecord]) -> Iterator[TrialRecord]:
        return (record for record in records if self._curve(record)[0])

    def _curves(self, known: Sequence[TrialRecord]) -> list[Curve]:
        """What is known of each; what diverged has ended with the worst loss of all, however well it had begun."""
        from search.propose.front.loss_model import Curve

        curves = [Curve(row, *self._curve(record)) for row, record in enumerate(known)]
        worst = max(curve.losses[-1] for curve in curves if curve.losses)
        ended = (Curve(row, (1.0,), (worst,)) if known[row].diverged else curve for row, curve in enumerate(curves))
        return list(ended)

    def _levels(self, known: Sequence[TrialRecord], ends: Floats, pool: Sequence[Design]) -> FrontLevels:
        """The front of what is complete; what runs is counted as if it had ended as expected."""
        sure = [row for row, record in enumerate(known) if record.state in ("complete", "running")]
        losses = [self._end(known[row]) if known[row].state == "complete" else ends[row] for row in sure]
        costs = self._cost_matrix([*known, *pool])
        foreseen = np.append(ends, losses)
        return FrontLevels(costs[sure], np.array(losses), _beyond(costs), float(_beyond(foreseen[:, None])[0]))

    def _cost_matrix(self, items: Sequence[TrialRecord | Design]) -> Floats:
        return np.array([self._costs(item.profile) for item in items]).reshape(len(items), len(self._keys))

    def _costs(self, profile: Mapping[str, Any]) -> tuple[float, ...]:
        return tuple(math.log(max(float(profile[key]), 1.0)) for key in self._keys)

    @property
    def _keys(self) -> list[str]:
        """The figures of a profile that are objectives; the time of a step goes by its operations until it is known."""
        costs = [OBJECTIVES[name] for name in self.objectives if not OBJECTIVES[name].quality]
        return [cost.key if cost.known_before_training else OBJECTIVES["flops_per_token"].key for cost in costs]

    def _curve(self, record: TrialRecord) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Shares of the training, and the losses there, of those rungs that tell something of the end."""
        rungs = record.candidate.training.rungs  # a rung is at a whole step, so its tokens are not quite its share
        points = [
            (rungs[point.rung], quality_of(point, self.objectives))
            for point in record.curve
            if rungs[point.rung] >= FIRST_SEEN - 1e-9 and math.isfinite(point.loss)
        ]
        return tuple(share for share, _ in points), tuple(loss for _, loss in points)

    def _end(self, record: TrialRecord) -> float:
        return quality_of(record.curve[-1], self.objectives)


def _beyond(figures: Floats) -> Floats:
    """The largest of each column, and a share of its range more."""
    lowest, highest = figures.min(axis=0), figures.max(axis=0)
    found: Floats = highest + BEYOND * (highest - lowest)
    return found


def _remaining(record: TrialRecord) -> float:
    """Tokens from the last rung to the end."""
    return record.candidate.training.tokens - record.curve[-1].tokens


def may_pause(training: TrainingConfig, share: float) -> bool:
    """Whether a trial may be paused after this share of its training, of which the warm-up is half at most."""
    return max(FIRST_STOP, 2 * training.warmup) - 1e-9 <= share < 1.0
