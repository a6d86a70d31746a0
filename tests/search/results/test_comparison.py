"""Searches side by side: who leads in which range of memory, one reference point, and what does not compare."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from msarch.config.corpus import CorpusConfig, TokenizerConfig
from msarch.errors import UserError
from search.ledger.records import TrialRecord
from search.results.comparison import compare_searches
from search.results.front import hypervolume
from search.results.results import Results

MIB = 2**20
PLANE = ("perplexity", "memory")
Maker = Callable[..., TrialRecord]
SearchMaker = Callable[..., Results]


@pytest.fixture
def search(make_record: Maker, tmp_path: Path) -> SearchMaker:
    """`search(name, (perplexity, MiB), ...)`: results with these complete trials; `corpus=`, `tokens=` change them."""

    def made(name: str, *points: tuple[float, float], corpus: CorpusConfig | None = None, **training: Any) -> Results:
        records = [make_record(number, *point) for number, point in enumerate(points)]
        return Results(tmp_path / name, [_with(record, corpus, training) for record in records], PLANE)

    return made


def _with(record: TrialRecord, corpus: CorpusConfig | None, training: dict[str, Any]) -> TrialRecord:
    candidate = record.candidate
    changed = replace(
        candidate,
        corpus=corpus or candidate.corpus,
        training=replace(candidate.training, **training) if training else candidate.training,
    )
    return replace(record, candidate=changed)


def ranges(searches: Sequence[Results], **options: str) -> list[tuple[float, float, tuple[str, ...]]]:
    found = compare_searches(searches, **options).ranges
    return [(each.low / MIB, each.high / MIB, each.leaders) for each in found]


def test_ranges_of_memory_say_who_leads(search: SearchMaker) -> None:
    one, two = search("one", (50, 10), (40, 40)), search("two", (45, 20), (42, 30))
    found = compare_searches([one, two])
    assert ranges([one, two]) == [(10, 20, ("one",)), (20, 40, ("two",)), (40, math.inf, ("one",))]
    alone, led, last = found.ranges
    assert alone.least is None and alone.most is None, "nothing else fits"
    assert led.least == pytest.approx(math.log(50 / 45)) and led.most == pytest.approx(math.log(50 / 42))
    assert last.least == last.most == pytest.approx(math.log(42 / 40))
    assert [each.best.number for each in found.ranges] == [0, 1, 1]


def test_each_share_is_of_the_logarithmic_range(search: SearchMaker) -> None:
    found = compare_searches([search("one", (50, 10), (40, 40)), search("two", (45, 20), (42, 30))])
    assert [each.share for each in found.contenders] == pytest.approx([0.5, 0.5])
    assert [[record.number for record in each.kept] for each in found.contenders] == [[0, 1], [0, 1]]


def test_equal_fronts_are_equal(search: SearchMaker) -> None:
    one, two = search("one", (50, 10), (40, 40)), search("two", (50, 10), (40, 40))
    found = compare_searches([one, two])
    assert ranges([one, two]) == [(10, math.inf, ("one", "two"))]
    assert found.ranges[0].most == 0 and [each.share for each in found.contenders] == [0, 0]
    assert found.contenders[0].hypervolume == found.contenders[1].hypervolume == found.together


def test_a_search_that_is_behind_everywhere_keeps_no_model(search: SearchMaker) -> None:
    found = compare_searches([search("one", (50, 10), (40, 40)), search("two", (51, 12), (40, 41))])
    assert [len(each.kept) for each in found.contenders] == [2, 0]
    assert found.contenders[0].hypervolume == found.together > found.contenders[1].hypervolume


def test_all_hypervolumes_have_one_reference_point(search: SearchMaker) -> None:
    searches = [search("one", (50, 10), (40, 40)), search("two", (45, 20), (42, 80))]
    found = compare_searches(searches)
    assert found.reference == {"perplexity": 1024, "memory": 80 * MIB}
    for each, results in zip(found.contenders, searches, strict=True):
        assert each.hypervolume == hypervolume(results.records, PLANE, reference=found.reference)


def test_three_searches_are_ahead_of_the_next_one(search: SearchMaker) -> None:
    found = compare_searches([search("a", (50, 10)), search("b", (45, 10)), search("c", (40, 10))])
    [only] = found.ranges
    assert only.leaders == ("c",) and only.least == pytest.approx(math.log(45 / 40))


def test_another_cost_can_be_chosen(search: SearchMaker) -> None:
    found = compare_searches([search("one", (50, 10)), search("two", (45, 20))], cost="parameters")
    assert found.plane == ("perplexity", "parameters")


def test_folders_of_one_name_are_named_by_their_paths(search: SearchMaker, tmp_path: Path) -> None:
    found = compare_searches([search("x/space", (50, 10)), search("y/space", (45, 20))])
    assert [each.name for each in found.contenders] == [str(tmp_path / "x/space"), str(tmp_path / "y/space")]


BPE = TokenizerConfig(vocab_size=512)
ELSEWHERE: list[tuple[dict[str, Any], str]] = [
    ({"corpus": CorpusConfig(content="another")}, "one and two have different corpora"),
    ({"corpus": CorpusConfig(train=("b/*.txt",))}, "one and two have different corpora"),
    ({"corpus": CorpusConfig(tokenizer=BPE)}, "one and two have different tokenizers"),
    ({"validation_tokens": 5000}, "one and two have different validation texts"),
]


@pytest.mark.parametrize(("changes", "clash"), ELSEWHERE)
def test_other_texts_compare_by_bits_per_byte_only(search: SearchMaker, changes: dict[str, Any], clash: str) -> None:
    pair = [search("one", (50, 10)), search("two", (45, 20), **changes)]
    with pytest.raises(UserError, match=rf"^{clash}, so their perplexities do not compare; use --by bits_per_byte$"):
        compare_searches(pair)
    found = compare_searches(pair, by="bits_per_byte")
    assert found.reference["bits_per_byte"] == 8.0 and len(found.ranges) == 2
    assert found.notes[0] == f"{clash}; a difference in bits per byte may come from that"


def with_bytes_a_token(results: Results, *tokenizers: tuple[int, int, float]) -> Results:
    """The same trials, each with its vocabulary's size, the target tokens of its validation, and its bytes a token."""
    records = []
    for record, (size, targets, length) in zip(results.records, tokenizers, strict=True):
        corpus = CorpusConfig(tokenizer=TokenizerConfig(vocab_size=size))
        assert record.loss is not None
        bits = record.loss / math.log(2) / length
        records.append(replace(_with(record, corpus, {"validation_tokens": targets}), bits_per_byte=bits))
    return replace(results, records=records)


UNLIKE = "; a difference in bits per byte may come from that"


@pytest.mark.parametrize(
    ("several", "other", "clashes"),
    [
        (((512, 5000, 2.0), (1024, 4000, 2.5)), (512, 5000, 2.0), ["the trials of one have different tokenizers"]),
        (((512, 5000, 2.0), (1024, 3999, 2.5)), (2048, 3334, 3.0), ["the trials of one have different tokenizers"]),
        (
            ((512, 5000, 2.0), (1024, 5000, 2.5)),
            (512, 5000, 2.0),
            ["the trials of one have different tokenizers", "the trials of one have different validation texts"],
        ),
        (
            ((512, 5000, 2.0), (512, 5000, 2.0)),
            (1024, 5000, 2.5),
            ["one and two have different tokenizers", "one and two have different validation texts"],
        ),
    ],
)
def test_vocabularies_are_judged_on_one_text_where_it_has_as_many_bytes(
    search: SearchMaker,
    several: tuple[tuple[int, int, float], ...],
    other: tuple[int, int, float],
    clashes: list[str],
) -> None:
    one = with_bytes_a_token(search("one", (50, 10), (40, 40)), *several)
    two = with_bytes_a_token(search("two", (45, 20)), other)
    found = compare_searches([one, two], by="bits_per_byte")
    assert list(found.notes) == [clash + UNLIKE for clash in clashes]


def test_the_same_text_elsewhere_compares(search: SearchMaker) -> None:
    texts = [CorpusConfig(train=(f"{place}/*.txt",), content="same") for place in ("a", "b")]
    found = compare_searches([search("one", (50, 10), corpus=texts[0]), search("two", (45, 20), corpus=texts[1])])
    assert found.notes == ()


def test_other_budgets_of_training_are_noted(search: SearchMaker) -> None:
    longer = {"tokens": 4_000_000, "validation_tokens": 1000}
    pair = [search("one", (50, 10), tokens=1_000_000, validation_tokens=1000), search("two", (45, 20), **longer)]
    [note] = compare_searches(pair).notes
    assert note == "models are trained on different numbers of tokens: 1M in one, 4M in two"


@pytest.mark.parametrize(
    ("names", "options", "line"),
    [
        (["one"], {}, "RESULTS: compares 2 to 14 searches, got 1"),
        (["one", "one"], {}, "one is given twice; name each search once"),
        (["one", "none"], {}, "none has no complete trial with perplexity and memory"),
        (["one", "two"], {"by": "loss"}, "--by: unknown quality 'loss'"),
        (["one", "two"], {"cost": "memroy"}, "--cost: unknown cost 'memroy', did you mean 'memory'?"),
    ],
)
def test_what_cannot_be_compared(search: SearchMaker, names: list[str], options: dict[str, str], line: str) -> None:
    points = {"one": [(50, 10)], "two": [(45, 20)], "none": []}
    with pytest.raises(UserError) as caught:
        compare_searches([search(name, *points[name]) for name in names], **options)
    assert line in str(caught.value)
