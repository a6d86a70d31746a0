"""Opens a search in its folder: the ledger, the mirror that pruners judge by, the coordinator that uses both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from msarch.config.candidate import Candidate
from msarch.errors import UserError
from search.ledger.identity import defaults_of
from search.ledger.ledger import open_ledger
from search.propose.mirror import Mirror
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
    """The coordinator of a search, new or continued; only with the folder's lock held.

    Args:
        space: bound to its text's content.
        folder: of the results.
        trials: trained trials in all, instead of the space's.
        concurrent: trials at a time.

    Raises:
        UserError: the folder holds the search of another space, or its journal is damaged.
    """
    settings = space.search
    if settings.sampler == "grid" and space.combinations() is None:
        raise UserError(
            "a grid needs a finite space: give each range of fractions a step or values", key="search.sampler"
        )
    ledger = open_ledger(folder, space.objectives, space_identity(space))
    for note in ledger.notes:
        watcher.message(f"note: {note}")
    space = replace(space, defaults=defaults_of(ledger.study))
    pruner = make_pruner(settings.pruner, seed=settings.seed, rungs=space.rungs)
    proposer = Proposer(space, ledger, concurrent, prepare)
    proposer.enqueue_points()
    return Coordinator(
        folder,
        ledger,
        Mirror(ledger.storage, pruner, space.objectives),
        proposer,
        profile=profile,
        trials=trials or settings.trials,
        watcher=watcher,
    )
