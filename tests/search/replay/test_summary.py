"""The figures of several replays: medians, their intervals, and the JSON that scripts read."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from search.replay.replay import Strategy
from search.replay.summary import _outside, summarize
from search.replay.tally import Replay


def _replay(at: float, pruned: int = 0) -> Replay:
    """Reaches 92 % of the hypervolume after one training, all of it after `at`."""
    return Replay(((1.0, 0.92), (at, 1.0)), 50.0, pruned, pruned // 2)


def test_json_has_medians_under_their_keys_and_intervals_beside_them() -> None:
    replays = [_replay(at, pruned=at) for at in range(3, 23)]
    found = summarize(Strategy("random", "none"), replays).to_dict()
    assert list(found) == [
        "strategy", "seeds", "trainings_to", "hypervolume_at", "pruned", "false_prunes", "intervals",
    ]  # fmt: skip  # a table reads better
    assert (found["strategy"], found["seeds"]) == ("random + none", 20)
    assert found["trainings_to"] == {"0.90": 1.0, "0.95": 12.5, "0.98": 12.5}
    assert found["hypervolume_at"] == {"5": 0.92, "10": 0.92, "20": 1.0, "40": 1.0}
    assert (found["pruned"], found["false_prunes"]) == (12.5, 6.0)
    assert found["intervals"]["trainings_to"]["0.98"] == [8, 17]  # the 6th and the 15th of 20
    assert found["intervals"]["pruned"] == [8, 17]
    assert found["intervals"].keys() == found.keys() - {"strategy", "seeds", "intervals"}


def test_what_is_never_reached_is_infinity() -> None:
    never = Replay(((1.0, 0.5), (9.0, 0.876)), 60.0, 80, 3)
    text = json.dumps(summarize(Strategy(), [never] * 3).to_dict())
    assert '"0.90": Infinity' in text and '"0.90": [Infinity, Infinity]' in text and "NaN" not in text
    assert json.loads(text)["trainings_to"]["0.98"] == math.inf
    half = summarize(Strategy(), [never, _replay(7)]).to_dict()
    assert half["trainings_to"]["0.98"] == math.inf and half["intervals"]["trainings_to"]["0.98"] == [7, math.inf]


def test_what_was_not_replayed_is_not_known() -> None:
    found = summarize(Strategy(), [_replay(3)], trainings=10).to_dict()
    assert found["hypervolume_at"] == {"5": 1.0, "10": 1.0, "20": None, "40": None}
    assert found["intervals"]["hypervolume_at"]["20"] == [None, None]


@pytest.mark.parametrize("count", [6, 9, 20, 200])
def test_the_interval_holds_the_median_in_95_of_100_cases(count: int) -> None:
    draws = np.sort(np.random.default_rng(0).exponential(size=(4000, count)), axis=1)
    skip = _outside(count)
    inside = (draws[:, skip] <= math.log(2)) & (math.log(2) <= draws[:, count - 1 - skip])
    assert 0.94 < inside.mean() < 0.99
    assert _outside(1) == _outside(5) == 0
