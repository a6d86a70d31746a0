"""Opens a search in its folder: the ledger, the mirror that pruners judge by, the coordinator that uses both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig
from msarch.errors import UserError
from search.ledger.identity import EQUAL_COUNTS, begin_with_one_stretch, defaults_of, text_names_of
from search.ledger.ledger import Ledger, open_ledger
from search.propose.mirror import Mirror
from search.propose.pruners import make_pruner
from search.run.budget import Budget
from search.run.checkpoints import Checkpoints
from search.run.coordinator import Coordinator
from search.run.kept import KeptCheckpoints, with_choice
from search.run.proposer import Proposer
from search.run.room import Room
from search.run.vocabularies import Prepare
from search.run.watcher import Watcher
from search.space.limits import alike
from search.space.schema.search import Keep
from search.space.space import Space
from search.space.writer import space_identity

if TYPE_CHECKING:
    from search.run.allocator import Allocator

Profile = Callable[[Candidate], Mapping[str, Any]]


def open_recorded(space: Space, folder: Path, watcher: Watcher, keep: Keep | None = None) -> tuple[Space, Ledger]:
    """The ledger of a search, new or continued, and its space as the search began it; only with the folder's lock held.

    What models had where the space does not say, and the names of the text, stay as they were on that day: so trials
    that are alike stay alike, though defaults have changed or the text has moved. Which trials keep the checkpoint from
    before their decay stays as it was last chosen.

    Args:
        space: bound to its text's content.
        folder: of the results.
        watcher: is told what limits how far the ledger can be relied on.
        keep: which trials keep that checkpoint, where that is chosen beside the space.

    Raises:
        UserError: the folder holds the search of another space, or its journal is damaged.
    """
    settings = space.search
    if settings.strategy == "prune" and settings.sampler == "grid" and space.combinations() is None:
        raise UserError(
            "a grid needs a finite space: give each range of fractions a step or values", key="search.sampler"
        )
    ledger = open_ledger(folder, space.objectives, space_identity(space))
    for note in ledger.notes:
        watcher.message(f"note: {note}")
    if space.vocabulary.domain.varies and not begin_with_one_stretch(ledger.study):
        watcher.message(f"note: {folder} {EQUAL_COUNTS}")
    names = text_names_of(ledger.study)
    space = with_choice(space, keep, ledger.study)
    return replace(space, defaults=defaults_of(ledger.study), text_names=names), ledger


def open_search(
    space: Space,
    ledger: Ledger,
    folder: Path,
    *,
    prepare: Prepare,
    profile: Profile,
    watcher: Watcher,
    trials: int | None = None,
    tokens: int | None = None,
    concurrent: int = 1,
) -> Coordinator:
    """The coordinator of a search, new or continued; only with the folder's lock held.

    Args:
        space, ledger: as `open_recorded` gives them.
        folder: of the results.
        trials: trained trials in all, instead of the space's; `tokens` training tokens in all.
        concurrent: trials at a time.
    """
    settings = space.search
    front = settings.strategy == "front"
    name = "none" if front else settings.pruner
    pruner = make_pruner(name, seed=settings.seed, rungs=space.rungs, objectives=space.objectives)
    proposer = Proposer(space, ledger, concurrent, _where_it_is(space.corpus, prepare))
    proposer.enqueue_points()
    budget, profile, room = Budget.of(space, trials=trials, tokens=tokens), remembering(profile), Room()
    chosen = "keep" in settings.model_fields_set
    kept = KeptCheckpoints(folder, settings.keep, space.objectives, removes=chosen)
    coordinator = Coordinator(
        folder,
        ledger,
        Mirror(ledger.storage, pruner, space.objectives),
        proposer,
        profile=profile,
        trials=budget.trials,
        tokens=budget.tokens,
        watcher=watcher,
        kept=kept,
        source=_allocator(space, folder, ledger, proposer, budget, profile, watcher, room) if front else None,
        room=room,
    )
    kept.removes = True  # from now on those of trials that end in this run
    if kept.removed:
        watcher.message(
            f"checkpoints to train on from, removed since the choice is to keep {settings.keep}: {kept.removed}"
        )
    return coordinator


def _allocator(
    space: Space,
    folder: Path,
    ledger: Ledger,
    proposer: Proposer,
    budget: Budget,
    profile: Profile,
    watcher: Watcher,
    room: Room,
) -> Allocator:
    # Here, since they bring scikit-learn with them.
    from search.propose.front.strategy import FrontStrategy
    from search.run.allocator import Allocator
    from search.run.pool import SpacePool

    seed = space.search.seed
    assert budget.tokens is not None
    return Allocator(
        FrontStrategy(space.objectives, seed),
        ledger,
        proposer,
        SpacePool(proposer, profile, seed=seed, message=watcher.message, room=room),
        tokens=budget.tokens,
        checkpoints=Checkpoints(folder, space.search.checkpoints),
        room=room,
    )


def _where_it_is(text: CorpusConfig, prepare: Prepare) -> Prepare:
    """Prepares the tokens of any vocabulary from where the text is now, by whatever names a candidate knows it."""
    return lambda corpus: prepare(replace(text, tokenizer=corpus.tokenizer))


def remembering(profile: Profile) -> Profile:
    """The same profiles, each computed once for all candidates that it holds for."""
    known: dict[Candidate, Mapping[str, Any]] = {}

    def profile_once(candidate: Candidate) -> Mapping[str, Any]:
        like = alike(candidate).portable()
        if like not in known:
            known[like] = profile(candidate)
        return known[like]

    return profile_once
