"""The columns follow the fields of the configurations: nothing that a search varies is missing from its tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytest
from support.small_models import small

from msarch import Candidate, ModelConfig, TrainingConfig, UserError
from search.ledger.records import TrialRecord
from search.results.column_docs import with_current_tables
from search.results.columns import COLUMNS, OUTCOMES, Column, column_name, describe_columns, option_columns
from search.results.table_files import write_tables
from search.results.tables import (
    independent_options,
    option_values,
    read_trials,
    trial_row,
    trials_frame,
    varying_options,
)

VERSION_0_1 = """
trial:Int64 state:string variant:string layers:string d_model:Int64 n_heads:Int64 context:Int64 batch_size:Int64
learning_rate:Float64 perplexity:Float64 bits_per_byte:Float64 loss:Float64 memory_bytes:Int64
memory_unfused_bytes:Int64 memory_measured_bytes:Int64 cache_bytes:Int64 parameters:Int64
parameters_embedding:Int64 flops_per_token:Float64 step_seconds:Float64 seconds:Float64 seed:Int64
violation:string twin:Int64 error:string retina_factors:string retina_windows:string shortening:string
upsampling:string
"""
COLUMNS_OF_0_1 = dict(pair.split(":") for pair in VERSION_0_1.split())
Maker = Callable[..., TrialRecord]


@dataclass(frozen=True, kw_only=True)
class Longer(TrainingConfig):
    """A training with more options.

    Attributes:
        ema: decay of the averaged weights. 0 switches it off.
        nesterov: whether momentum looks ahead.
        decay: how the rate falls: "slow" at first, or "fast".
        start: the first step, if any.
        milestones: steps at which it falls: (10, 20).
    """

    ema: float = 0.0
    nesterov: bool = False
    decay: Literal["slow", "fast"] = "slow"
    start: int | None = None
    milestones: tuple[int, ...] = ()


def test_every_option_has_a_column_with_a_meaning() -> None:
    for config in (ModelConfig, TrainingConfig):
        for item in fields(config):
            assert COLUMNS[column_name(config, item.name)].meaning, item.name
    assert all(f"| `{name}` |" in describe_columns() for name in COLUMNS)


def test_a_new_option_gets_a_column_of_its_type_and_meaning() -> None:
    found = option_columns(Longer)
    assert {name: found[name] for name in ("ema", "nesterov", "decay", "start", "milestones")} == {
        "ema": Column("Float64", "", "decay of the averaged weights"),
        "nesterov": Column("boolean", "", "whether momentum looks ahead"),
        "decay": Column("string", "", "how the rate falls: slow or fast"),
        "start": Column("Int64", "", "the first step, if any"),
        "milestones": Column("string", "", "steps at which it falls"),
    }


def test_values_stand_under_their_columns() -> None:
    values = option_values(Longer(batch_size=4, ema=0.9, nesterov=True, milestones=(10, 20)))
    assert (values["ema"], values["nesterov"], values["milestones"], values["start"]) == (0.9, True, "10 20", None)
    assert values["batch_size"] == 4 and values["betas"] == "0.9 0.98"
    assert set(values) == set(option_columns(Longer))


def test_the_columns_that_scripts_know_come_first_as_they_were() -> None:
    first = list(COLUMNS)[: len(COLUMNS_OF_0_1)]
    assert {name: COLUMNS[name].dtype for name in first} == COLUMNS_OF_0_1 and first == list(COLUMNS_OF_0_1)


def test_an_option_named_like_an_outcome_stands_under_its_key(make_record: Maker) -> None:
    row = trial_row(make_record(0, 80, 40))
    assert row["training.loss"] == "chunked" and row["loss"] == pytest.approx(4.382, abs=1e-3)
    assert not set(OUTCOMES) & set(option_columns(TrainingConfig)) and not set(OUTCOMES) & set(
        option_columns(ModelConfig)
    )


def test_an_option_that_a_variant_does_not_read_is_empty() -> None:
    vanilla = option_values(small("vanilla", "2@1"))
    assert [vanilla[name] for name in ("pool", "combine", "aggregation", "shortening", "retina_factors")] == [None] * 5
    top_down = option_values(small("top_down", "1@4 1@1"))
    assert (top_down["pool"], top_down["aggregation"], top_down["positions"]) == ("average", None, "learned")


def searched(make_record: Maker) -> list[TrialRecord]:
    """Two trials that differ in a rate, in positions and in checkpointing; one more of another variant."""
    model = ModelConfig(variant="top_down", layers="1@4 1@1", d_model=16, n_heads=2, vocab_size=61, context=48)
    training = TrainingConfig(batch_size=4)
    other = replace(training, checkpointing="block", learning_rate=0.5)
    candidates = [
        Candidate(model=model, training=training),
        Candidate(model=replace(model, positions="rotary"), training=other),
        Candidate(model=replace(model, variant="vanilla", layers="2@1"), training=training),
    ]
    return [make_record(n, 80 + n, 40 - n, candidate=candidate) for n, candidate in enumerate(candidates)]


def test_what_varies_is_what_trials_that_read_it_differ_in(make_record: Maker) -> None:
    records = searched(make_record)
    assert varying_options(records) == ["variant", "layers", "learning_rate", "positions", "checkpointing"]
    assert varying_options(records[:1]) == varying_options([]) == []


def test_the_length_of_a_validation_follows_from_the_vocabulary_and_is_not_an_option(make_record: Maker) -> None:
    records = []
    for number, (size, targets) in enumerate([(512, 300), (1024, 260)]):
        record = make_record(number, 40, 20, candidate=make_record(0, 40, 20).candidate)
        model = replace(record.candidate.model, vocab_size=size)
        training = replace(record.candidate.training, validation_tokens=targets)
        records.append(replace(record, candidate=replace(record.candidate, model=model, training=training)))
    assert varying_options(records) == ["vocab_size"]


def test_a_table_of_an_earlier_version_is_read_with_the_later_columns_empty(make_record: Maker, tmp_path: Path) -> None:
    records = searched(make_record)
    write_tables(tmp_path, records)
    path = tmp_path / "trials.csv"
    now = pd.read_csv(path, dtype=str, keep_default_na=False)
    now[list(COLUMNS_OF_0_1)].to_csv(path, index=False)
    found, expected = read_trials(path), trials_frame(records)
    assert list(found) == list(expected) and dict(found.dtypes) == dict(expected.dtypes)
    pd.testing.assert_frame_equal(found[list(COLUMNS_OF_0_1)], expected[list(COLUMNS_OF_0_1)], check_exact=True)
    assert found["positions"].isna().all() and expected["positions"].notna().all()
    now[["trial", "perplexity"]].to_csv(path, index=False)
    assert list(read_trials(path)["trial"]) == [0, 1, 2] and read_trials(path)["layers"].isna().all()


def test_a_column_of_a_later_version_is_kept_at_the_end(make_record: Maker, tmp_path: Path) -> None:
    write_tables(tmp_path, searched(make_record))
    path = tmp_path / "trials.csv"
    pd.read_csv(path, dtype=str).assign(invented="yes").to_csv(path, index=False)
    assert list(read_trials(path)) == [*COLUMNS, "invented"]


def test_a_page_gets_current_tables_under_its_headings() -> None:
    stale = "# Page\n\n## Columns of `trials` and `pareto`\n\nWords.\n\n| column |\n| --- |\n| `old` |\n\nMore.\n\n"
    stale += "## Columns of `curves`\n\n| old |\n"
    page = with_current_tables(stale)
    assert describe_columns() in page and "`old`" not in page and "Words." in page and "More." in page
    assert with_current_tables(page) == page
    with pytest.raises(UserError, match="one heading"):
        with_current_tables("# Page\n")


def with_heads(make_record: Maker, heads: Sequence[tuple[int, int]]) -> list[TrialRecord]:
    """A trial for each pair of d_model and n_heads."""
    shape: dict[str, Any] = {"variant": "vanilla", "layers": "2@1", "vocab_size": 61, "context": 48}
    models = [ModelConfig(d_model=d_model, n_heads=n_heads, **shape) for d_model, n_heads in heads]
    candidates = [Candidate(model=model, training=TrainingConfig(batch_size=4)) for model in models]
    return [make_record(number, 80, 50, candidate=candidate) for number, candidate in enumerate(candidates)]


def test_heads_vary_by_themselves_unless_all_are_equally_wide(make_record: Maker) -> None:
    chosen = with_heads(make_record, [(64, 2), (64, 4), (64, 8), (32, 2)])
    assert {"d_model", "n_heads"} <= set(independent_options(chosen))
    follow = with_heads(make_record, [(64, 4), (32, 2), (96, 6)])
    assert "n_heads" in varying_options(follow)
    assert set(varying_options(follow)) - set(independent_options(follow)) == {"n_heads"}
