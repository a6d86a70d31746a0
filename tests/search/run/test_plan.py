"""A dry run: what it counts, and what it says where nothing is admitted."""

from __future__ import annotations

from pathlib import Path

import pytest

from msarch.errors import UserError
from search.run.plan import plan_search
from search.space.load import load_space
from search.space.space import Space

SPACE = """
model:
  context: 32
  d_model: {values: [16, 32]}
  d_head: 16
  variant:
    vanilla: {layers: "1..4@1"}
training: {tokens: 100k, batch_size: 4, learning_rate: 1e-3}
objectives: [perplexity, memory]
search: {trials: 20}
"""


def _space(tmp_path: Path, *overrides: str) -> Space:
    (tmp_path / "space.yaml").write_text(SPACE)
    return load_space(tmp_path / "space.yaml", overrides)


def test_a_plan_adds_up(tmp_path: Path) -> None:
    space = _space(tmp_path)
    free = plan_search(space, sample=12, concurrent=1)
    assert (free.admitted, free.share, free.excluded) == (12, 1.0, {})
    assert free.tokens == 2_000_000 and free.tokens_expected == 100_000 * 8 + 60_000 * 12
    assert free.hours == pytest.approx(2_000_000 * 1.03 / free.tokens_per_second / 3600)
    assert free.memory[0] < free.memory[1] < free.memory[2]
    tight = plan_search(_space(tmp_path, f"limits.memory={free.memory[1]}"), sample=12, concurrent=1)
    assert 0 < tight.admitted < 12 and tight.excluded == {"memory": 12 - tight.admitted}
    assert tight.memory[2] <= free.memory[1]


def test_a_limit_that_nothing_of_the_sample_meets_is_told_with_the_smallest(tmp_path: Path) -> None:
    space = _space(tmp_path, "limits.parameters=20k")
    with pytest.raises(UserError, match=r"the parameters of 20k; the smallest has"):
        plan_search(space, sample=4)
