"""From a proposal of the sampler to a candidate that can be trained: tokens, profile, limits.

No training and no Ray here; a proposal costs a fraction of a second, most of it for the memory profile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from msarch.config.candidate import Candidate
from msarch.errors import UserError
from search.ledger.identity import has_one_stretch
from search.ledger.ledger import Ledger
from search.ledger.records import NO_ROOM
from search.ledger.studies import quiet_optuna
from search.propose.chosen import Chosen
from search.propose.samplers import make_sampler
from search.run.vocabularies import Prepare, Vocabularies
from search.space.limits import violations, worst_violation
from search.space.smallest import CheapestTrial
from search.space.space import Space
from search.space.values.ranges import Suggests


class Proposer:
    """Asks the sampler of a search study for candidates.

    Args:
        space: bound to its text's content, so that its candidates are.
        ledger: takes what is proposed.
        concurrent: trials at a time.
        prepare: gives the tokens of a corpus; called once for each tokenizer.
    """

    def __init__(self, space: Space, ledger: Ledger, concurrent: int, prepare: Prepare) -> None:
        self._space = space
        self._ledger, self._study = ledger, ledger.study
        self.concurrent = concurrent
        self._vocabularies = Vocabularies(space, prepare, one_stretch=has_one_stretch(ledger.study))
        self._reseed(0)

    @property
    def tokens_per_trial(self) -> int:
        """Training tokens of one whole trial; the most where they vary."""
        return self._space.tokens_per_trial

    @property
    def exhausted(self) -> bool:
        """Whether a grid has proposed everything."""
        return getattr(self._study.sampler, "exhausted", False) or self._ledger.exhausted

    def enqueue_points(self) -> None:
        """Put the space's known designs first; only in an empty study."""
        if self._study.get_trials(deepcopy=False):
            return
        for index, point in enumerate(self._space.points):
            try:
                self._study.enqueue_trial(self._space.fixed_params(point))
            except UserError as error:
                raise error.under(f"points[{index}]") from None

    def tokens_of_waiting(self) -> int:
        """Training tokens of the known design that is proposed next; the space's most where it leaves them open."""
        params = self._space.fixed_params(self._space.points[self._ledger.next_number()])
        tokens = self._space.training.get("tokens")
        if tokens is None or tokens.name not in params:
            return self.tokens_per_trial
        return self._space.suggest(CheapestTrial(params)).training.tokens

    def propose(self, chosen: Mapping[str, Any] | None = None) -> int:
        """Ask for one more candidate and record it; the number of its trial.

        Args:
            chosen: Optuna's parameters, where these are to be proposed.
        """
        number = self._ledger.next_number()
        with quiet_optuna():
            self._reseed(number)
            if chosen is not None:
                self._study.sampler = Chosen(chosen)
            trial = self._study.ask()
            assert trial.number == number, (trial.number, number)
            candidate = self.candidate(trial)
        self._ledger.record_candidate(number, candidate)
        return number

    def candidate(self, trial: Suggests) -> Candidate:
        """The candidate that a trial's parameters make, bound to its text."""
        return self._vocabularies.bind(self._space.suggest(trial))

    def note_end(self) -> None:
        """Record the end of a grid, so that the next start knows."""
        if self.exhausted:
            self._ledger.record_exhausted()

    def runnable(self, candidate: Candidate) -> Candidate:
        """A recorded candidate with this machine's paths of the corpus."""
        own, recorded = self._space.corpus, candidate.corpus
        tokenizer = own.tokenizer
        if tokenizer.kind == "bpe":
            tokenizer = replace(tokenizer, vocab_size=recorded.tokenizer.vocab_size)
        return replace(candidate, corpus=replace(own, tokenizer=tokenizer, content=recorded.content))

    def keeps_constraints(self, candidate: Candidate) -> bool:
        """Whether a candidate meets every constraint, which needs no profile."""
        return all(value <= 0 for value in self._space.constraint_violations(candidate).values())

    def violations(self, candidate: Candidate, profile: Mapping[str, Any]) -> dict[str, float]:
        """By how much a candidate exceeds each limit (a share of it) and constraint; 0 or less where it does not."""
        return violations(self._space, candidate, profile)

    def describe(self, broken: dict[str, float], profile: Mapping[str, Any]) -> str:
        """The worst violation, such as ``memory: 312 MiB > 256 MiB``; empty without one."""
        return worst_violation(self._space, broken, profile)

    def _reseed(self, number: int) -> None:
        settings = self._space.search
        with quiet_optuna():
            self._study.sampler = make_sampler(
                "random" if settings.strategy == "front" else settings.sampler,
                seed=settings.seed,
                number=number,
                startup=settings.startup,
                concurrent=self.concurrent,
            )


def why_proposals_ended(violations: Sequence[str]) -> str:
    """Why proposals end that all had been tried before (an empty text) or were infeasible (what they exceed)."""
    told = list(filter(None, violations))
    if not told:
        return f"the last {len(violations)} proposals had all been tried before: the space is practically exhausted"
    names = [violation.split(":")[0] for violation in told]
    tightest = max(set(names), key=names.count)
    example = told[names.index(tightest)]
    remedy = "free some" if tightest == NO_ROOM else "raise it"
    return (
        f"the last {len(violations)} proposals were infeasible or had been tried before; the tightest limit is "
        f"{tightest}, exceeded by {names.count(tightest)} of them (such as {example}): {remedy}, or make the "
        "candidates smaller"
    )
