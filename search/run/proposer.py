"""From a proposal of the sampler to a candidate that can be trained: tokens, profile, limits.

No training and no Ray here; a proposal costs a fraction of a second, most of it for the memory profile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig
from msarch.errors import UserError
from search.ledger.ledger import Ledger
from search.ledger.records import TrialRecord
from search.ledger.studies import quiet_optuna
from search.propose.samplers import make_sampler
from search.space.limits import violations, worst_violation
from search.space.space import Space
from search.space.values.ranges import Suggests

if TYPE_CHECKING:
    from msarch.data.token_set import TokenSet

Prepare = Callable[[CorpusConfig], "TokenSet"]
"""Gives the tokens of a corpus: `search.run.text.token_preparer` makes one."""


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
        self._prepare = prepare
        self._vocabularies: dict[CorpusConfig, int] = {}
        self._reseed(0)

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

    def propose(self) -> int:
        """Ask for one more candidate and record it; the number of its trial."""
        number = self._ledger.next_number()
        with quiet_optuna():
            self._reseed(number)
            trial = self._study.ask()
            assert trial.number == number, (trial.number, number)
            candidate = self._candidate(trial)
        self._ledger.record_candidate(number, candidate)
        return number

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

    def violations(self, candidate: Candidate, profile: dict[str, Any]) -> dict[str, float]:
        """By how much a candidate exceeds each limit (a share of it) and constraint; 0 or less where it does not."""
        return violations(self._space, candidate, profile)

    def describe(self, broken: dict[str, float], profile: dict[str, Any]) -> str:
        """The worst violation, such as ``memory: 312 MiB > 256 MiB``; empty without one."""
        return worst_violation(self._space, broken, profile)

    def _reseed(self, number: int) -> None:
        settings = self._space.search
        with quiet_optuna():
            self._study.sampler = make_sampler(
                settings.sampler,
                seed=settings.seed,
                number=number,
                startup=settings.startup,
                concurrent=self.concurrent,
            )

    def _candidate(self, trial: Suggests) -> Candidate:
        candidate = self._space.suggest(trial)
        corpus = candidate.corpus
        if corpus not in self._vocabularies:
            self._vocabularies[corpus] = self._prepare(corpus).vocab_size
        return replace(candidate, model=replace(candidate.model, vocab_size=self._vocabularies[corpus]))


def why_proposals_ended(records: Sequence[TrialRecord]) -> str:
    """Why a search ends whose last proposals, those of `records`, were all infeasible or tried before."""
    told = [record.violation for record in records if record.violation]
    if not told:
        return f"the last {len(records)} proposals had all been tried before: the space is practically exhausted"
    names = [violation.split(":")[0] for violation in told]
    tightest = max(set(names), key=names.count)
    example = told[names.index(tightest)]
    return (
        f"the last {len(records)} proposals were infeasible or had been tried before; the tightest limit is "
        f"{tightest}, exceeded by {names.count(tightest)} of them (such as {example}): raise it, or make the "
        "candidates smaller"
    )
