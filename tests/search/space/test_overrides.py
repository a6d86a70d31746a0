"""``--set`` changes a key before validation, and errors name it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from msarch import UserError
from search.space.files import shipped_spaces
from search.space.load import load_space


def test_values_are_read_as_yaml_at_any_depth() -> None:
    space = load_space(
        "quickstart",
        ["training.learning_rate=1e-3", "search.trials=8", "model.variant.top_down.layers[1]=1@16 1@4 1..2@1"],
    )
    assert space.training["learning_rate"].domain.smallest == 1e-3
    assert space.search.trials == 8
    assert [str(allocation) for allocation in space.branches["top_down"].layers][1] == "1@16 1@4 1..2@1"


def test_ones_own_text_takes_the_place_of_the_corpus() -> None:
    corpus = load_space("quickstart", ["corpus.train=my/*.txt"]).corpus
    assert (corpus.source, corpus.train) == ("files", ("my/*.txt",))
    corpus = load_space("novels", ["corpus.source=python-docs"]).corpus
    assert (corpus.source, corpus.train, corpus.validation) == ("python-docs", (), ())
    corpus = load_space("quickstart", ["corpus.tokenizer=bytes"]).corpus
    assert corpus.tokenizer.kind == "bytes" and corpus.source == "python-docs"


def test_an_empty_value_leaves_a_key_out() -> None:
    assert load_space("novels").corpus.validation
    assert load_space("novels", ["corpus.validation= "]).corpus.validation == ()
    again = load_space("novels", ["corpus.validation=", "corpus.validation=v.txt"])
    assert again.corpus.validation == ("v.txt",)


HUB = """corpus: {huggingface: some/set, config: large, train: "train[:1%]"}
"""


@pytest.mark.parametrize("key", ["train", "huggingface"])
def test_text_that_is_no_longer_named_is_not_replaced_unasked(key: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    quickstart = shipped_spaces()["quickstart"]
    corpus = HUB if key == "huggingface" else 'corpus: {train: "mine.txt"}\n'
    path.write_text(re.sub(r"^corpus:.*\n(?: .*\n)*", corpus, quickstart, flags=re.MULTILINE))
    gone = f"corpus.{key}="
    with pytest.raises(UserError, match=rf"^--set corpus.{key}: the text was named by corpus.{key}") as raised:
        load_space(path, [gone])
    assert "--set corpus.source=python-docs" in raised.value.message
    assert load_space(path, [gone, "corpus.source=python-docs"]).corpus.source == "python-docs"
    others = ["corpus.config="] if key == "huggingface" else []
    assert load_space(path, [gone, *others, "corpus.train=other.txt"]).corpus.train == ("other.txt",)


def test_overrides_are_a_list() -> None:
    with pytest.raises(UserError, match=r"^overrides: must be a list of KEY=VALUE, such as .'training\.tokens=1M'.$"):
        load_space("quickstart", "training.tokens=1M")


def test_a_word_gives_way_to_a_mapping() -> None:
    space = load_space("quickstart", ["corpus.tokenizer=bytes", "corpus.tokenizer.bpe=300"])
    assert space.corpus.tokenizer.vocab_size == 300


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.tokens=2X", "--set training.tokens: '2X' is not a count"),
        ("training.token=2M", "--set training.token: unknown key 'token', did you mean 'tokens'?"),
        ("limits={memory: 1 Gib}", "--set limits.memory: '1 Gib' is not a size"),
        ("training.tokens", "--set: must be KEY=VALUE"),
        ("=3", "--set: must be KEY=VALUE"),
        ("a..b=3", "--set: must be KEY=VALUE"),
        ("training.tokens=[1", "--set training.tokens: is not YAML"),
        ("model.variant.top_down.layers[7]=1@1", "--set model.variant.top_down.layers[7]: there is 2 items"),
        ("training=null", "--set training: must be a mapping"),
        ("corpus.validaton=", "--set corpus.validaton: the space does not set this key"),
        ("model.variant.top_down.layers[0]=", "--set model.variant.top_down.layers[0]: the space does not set"),
    ],
)
def test_a_mistake_names_the_override_and_not_the_file(override: str, message: str) -> None:
    with pytest.raises(UserError) as raised:
        load_space("quickstart", [override])
    assert str(raised.value).startswith(message) and "\n" not in str(raised.value)


def test_a_mistake_elsewhere_still_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("model: 3\ntraining: {batch_size: 2}\n")
    with pytest.raises(UserError, match=r"a\.yaml:1: model: must be a mapping"):
        load_space(path, ["training.tokens=1k"])


@pytest.mark.parametrize(
    ("override", "budget"), [("search.trials=8", (8, None)), ("search.tokens=5M", (40, 5 * 10**6))]
)
@pytest.mark.parametrize("written", ["trials: 24", "tokens: 60M", "seed: 1"])
def test_a_budget_takes_the_place_of_the_one_that_is_written(
    written: str, override: str, budget: tuple[int, int | None], tmp_path: Path
) -> None:
    search = load_space(with_budget(tmp_path, written), [override]).search
    assert (search.trials, search.tokens) == budget


def test_what_an_override_has_replaced_may_also_be_left_out(tmp_path: Path) -> None:
    search = load_space(with_budget(tmp_path, "trials: 24"), ["search.tokens=5M", "search.trials="]).search
    assert search.tokens == 5_000_000
    again = ["search.tokens=5M", "search.trials=8", "search.trials="]
    assert load_space(with_budget(tmp_path, "trials: 24"), again).search.tokens == 5_000_000
    with pytest.raises(UserError, match=r"^--set search.trials: the space does not set this key"):
        load_space(with_budget(tmp_path, "tokens: 60M"), ["search.trials="])


def test_two_budgets_are_refused(tmp_path: Path) -> None:
    both = with_budget(tmp_path, "trials: 24, tokens: 60M")
    said, line = "search.tokens: takes the place of trials: give one of the two", len(both.read_text().splitlines())
    with pytest.raises(UserError, match=f"^{re.escape(str(both))}:{line}: {said}$"):
        load_space(both)
    with pytest.raises(UserError, match=f"^--set {said}$"):
        load_space("novels", ["search.tokens=60M", "search.trials=8"])


def test_a_results_folder_that_records_two_budgets_opens_with_its_tokens(tmp_path: Path) -> None:
    """Where a space had both, tokens used to count."""
    with_budget(tmp_path, "trials: 24, tokens: 60M").rename(tmp_path / "space.yaml")
    (tmp_path / "study.journal").touch()
    assert load_space(tmp_path / "space.yaml").search.tokens == 60_000_000
    assert load_space(tmp_path / "space.yaml", ["search.trials=8"]).search.tokens is None


def with_budget(folder: Path, written: str) -> Path:
    """A space of which `written` are the settings of the search."""
    path = folder / "mine.yaml"
    novels = shipped_spaces()["novels"].replace("search: {trials: 30, seed: 0}", f"search: {{{written}}}")
    assert written in novels
    path.write_text(novels)
    return path
