"""What to do about a search whose trials fail one after another, as the command that does it."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

from msarch.config import TrainingConfig
from search.ledger.records import DIVERGED
from search.run.failures import FailingSearchError
from search.run.request import SearchRequest
from search.space.space import Space
from search.space.values.ranges import Range

RATE = "learning_rate"


def remedy(error: FailingSearchError, request: SearchRequest) -> str:
    """Where the losses are not finite another space, with a tenth of the learning rate; else the same command."""
    if DIVERGED not in error.message:
        return f"mend the cause and continue with: {request.command()}"
    gentler = replace(request, folder=_free(request.folder), space=_gentler(request.space))
    return f"lower the learning rate; that makes it another space, which needs another folder: {gentler.command()}"


def _free(folder: Path) -> Path:
    """The first of ``hot-2``, ``hot-3`` and so on that is not there yet."""
    named = folder if folder.name.strip(".") else folder.resolve()
    numbered = (named.with_name(f"{named.name}-{number}") for number in count(2))
    return next(path for path in numbered if not path.exists())


def _gentler(space: Space) -> Space:
    """The space as its command names it: with one more override, which the space itself does not have yet."""
    kept = [each for each in space.overrides if not each.startswith(f"training.{RATE}")]
    points = ["points=[]"] if any(RATE in point for point in space.points) else []  # they would lie outside
    return replace(space, overrides=(*kept, *points, f"training.{RATE}={_tenth(space)}"))


def _tenth(space: Space) -> str:
    """A tenth of every learning rate of the space, as a user writes it."""
    if RATE not in space.training:
        return f"{TrainingConfig(batch_size=1).learning_rate / 10:g}"
    match space.training[RATE].domain:
        case Range(low, high, step, log):
            by = f", step: {step / 10:g}" if step is not None else ""
            return f"{{min: {low / 10:g}, max: {high / 10:g}{by}{', log: true' if log else ''}}}"
        case domain if domain.varies:
            return f"{{values: [{', '.join(f'{value / 10:g}' for value in domain.values)}]}}"
        case domain:
            return f"{domain.smallest / 10:g}"
