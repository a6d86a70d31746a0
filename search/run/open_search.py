"""Opens a search in its folder: the journal, the studies, the coordinator that owns them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from msarch.config.candidate import Candidate
from msarch.errors import UserError
from search.ledger.folder import open_journal
from search.ledger.identity import check_identity, defaults_of
from search.ledger.studies import Mirror, open_search_study
from search.propose.pruners import make_pruner
from search.run.coordinator import Coordinator
from search.run.proposer import Prepare, Proposer
from search.run.watcher import Watcher
from search.space.space import Space
from search.space.writer import space_identity


def open_search(
    space: Space,
    folder: Path,
    *,
    prepare: Prepare,
    profile: Callable[[Candidate], dict[str, Any]],
    watcher: Watcher,
    trials: int | None = None,
    concurrent: int = 1,
) -> Coordinator:
    """The coordinator of a search, new or gone on with; only with the folder's lock held.

    Args:
        space: bound to its text's content.
        folder: of the results.
        trials: trained trials in all, instead of the space's.
        concurrent: trials at a time.

    Raises:
        UserError: the folder holds the search of another space, or the journal is damaged.
    """
    settings = space.search
    if settings.sampler == "grid" and space.combinations() is None:
        raise UserError(
            "a grid needs a finite space: give each range of fractions a step or values", key="search.sampler"
        )
    storage = open_journal(folder)
    study = open_search_study(storage, space.objectives)
    check_identity(study, space_identity(space), folder)
    space = replace(space, defaults=defaults_of(study))
    pruner = make_pruner(settings.pruner, seed=settings.seed, rungs=space.rungs)
    proposer = Proposer(space, study, concurrent, prepare)
    proposer.enqueue_points()
    return Coordinator(
        folder,
        study,
        Mirror(storage, pruner, space.objectives),
        proposer,
        objectives=space.objectives,
        profile=profile,
        trials=trials or settings.trials,
        watcher=watcher,
    )
