"""Designs that the strategy "front" chooses from: drawn at random from the space, profiled, none of them trained yet.

Each draw follows from the space's seed and its own index, and how many are drawn follows from what was started. So a
search that is continued chooses from the same designs as one that was not interrupted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msarch.config.candidate import Candidate
from search.ledger.records import TrialRecord
from search.ledger.studies import quiet_optuna
from search.propose.front.strategy import Design
from search.propose.seeds import derived_seed
from search.run.proposer import Proposer, why_proposals_ended
from search.run.room import Room

if TYPE_CHECKING:
    from optuna import Study

Pool = Callable[[Sequence[TrialRecord]], Sequence[Design]]
"""Gives the designs that may be started, once these trials have been proposed."""

FIRST, EACH = 16, 8
"""Draws before the first trial, and more of them for each trial that was proposed."""
FEWEST, MOST = 8, 256
"""Designs to choose from: where limits admit few, draws go on until there are that many, and there are no more."""
MOST_IN_VAIN = 200
"""Draws in a row that give no new design, before the space counts as exhausted."""


@dataclass(frozen=True, slots=True)
class _Draw:
    """A draw: its design, or why it gives none."""

    design: Design | None
    digest: str
    violation: str = ""


class SpacePool:
    """The designs of a search space.

    Args:
        proposer: makes candidates of parameters, and knows the limits.
        profile: gives the figures of a candidate known before training.
        seed: of the search.
        message: takes a line for the user.
        room: memory of this machine; designs that are too large for it are passed over.
    """

    def __init__(
        self,
        proposer: Proposer,
        profile: Callable[[Candidate], Mapping[str, Any]],
        *,
        seed: int,
        message: Callable[[str], None],
        room: Room,
    ) -> None:
        self._proposer, self._profile, self._seed, self._message = proposer, profile, seed, message
        self._room = room
        self._draws: list[_Draw] = []
        self._digests: set[str] = set()
        self._tried: dict[int, str] = {}
        self._end_told = self._passed_over_told = False
        self._study = _new_study()

    def __call__(self, records: Sequence[TrialRecord]) -> list[Design]:
        """The designs that may be started; none where the space has no more."""
        begun = [record for record in records if not record.had_no_room]
        tried = {self._digest(record) for record in begun}
        fresh: list[Design] = []
        last_new, wanted = -1, FIRST + EACH * len(begun)
        for index in itertools.count():
            enough = index >= wanted and len(fresh) >= FEWEST
            if enough or len(fresh) == MOST or index - last_new > MOST_IN_VAIN:
                break
            draw = self._draw(index)
            if draw.design is not None and not self._refusal(draw.design):
                last_new = index
                if draw.digest not in tried:
                    fresh.append(draw.design)
        if fresh:
            self._tell_passed_over()
        else:
            self._tell_end()
        return fresh

    def _digest(self, record: TrialRecord) -> str:
        """Of a trial's candidate, which never changes."""
        if record.number not in self._tried:
            self._tried[record.number] = record.candidate.digest()
        return self._tried[record.number]

    def _draw(self, index: int) -> _Draw:
        if index == len(self._draws):
            self._draws.append(self._new_draw(index))
        return self._draws[index]

    def _new_draw(self, index: int) -> _Draw:
        from optuna.samplers import RandomSampler

        with quiet_optuna():
            self._study.sampler = RandomSampler(seed=derived_seed(self._seed, index))
            trial = self._study.ask()
            candidate = self._proposer.candidate(trial)
        digest = candidate.digest()
        if digest in self._digests:
            return _Draw(None, digest)
        self._digests.add(digest)
        if not self._proposer.keeps_constraints(candidate):
            return _Draw(None, digest, "constraints: do not hold")
        profile = self._profile(candidate)
        violations = self._proposer.violations(candidate, profile)
        violation = self._proposer.describe(violations, profile)
        return _Draw(None if violation else Design(trial.params, candidate, profile), digest, violation)

    def _refusal(self, design: Design | None) -> str:
        """Why this machine has no room for a design; empty where it has."""
        if design is None or self._room.size is None:
            return ""  # before the profile, which is computed when it is read
        return self._room.refusal(design.profile["memory_bytes"])

    def _tell_passed_over(self) -> None:
        """Say once that some designs are too large for this machine."""
        if self._passed_over_told:
            return
        example = next(filter(None, (self._refusal(draw.design) for draw in self._draws)), "")
        if example:
            self._message(f"designs that are too large for this machine are passed over (such as {example})")
            self._passed_over_told = True

    def _tell_end(self) -> None:
        """Say once why there are no more designs, where limits or this machine's memory are the reason."""
        last = [draw.violation or self._refusal(draw.design) for draw in self._draws[-MOST_IN_VAIN:]]
        if any(last) and not self._end_told:
            self._message(why_proposals_ended(last))
        self._end_told = True


def _new_study() -> Study:
    import optuna

    with quiet_optuna():
        return optuna.create_study()
