"""A generator walks the schema and breaks every key: each break is one line that names the file and the key."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml

from msarch import UserError
from msarch.config.variants import VARIANTS
from search.space.load import load_space
from search.space.schema.corpus import CorpusSpec
from search.space.schema.fields import Spec
from search.space.schema.limits import LIMITS_SCHEMA
from search.space.schema.model import BRANCHES, MODEL_SCHEMA, TRAINING_SCHEMA, VARIANTS_SCHEMA
from search.space.schema.search import SearchSettings
from search.space.schema.space import SpaceSpec
from search.space.space import Space
from search.space.writer import space_identity, space_yaml

SOUND: dict[str, Any] = {
    "corpus": {"train": "books/*.txt", "validation": "dev.txt", "tokenizer": {"bpe": 512}},
    "model": {
        "context": 64,
        "d_model": {"min": 32, "max": 64, "step": 16},
        "d_head": 16,
        "variant": {
            "vanilla": {"layers": "1..4@1"},
            "top_down": {"layers": ["1..4@4 1..2@1", "1..2@16 1..4@4 1..2@1"], "d_model": {"values": [32, 64]}},
            "bottom_up": {"layers": "0..1@1 1..4@4 1..2@1"},
            "retina": {"layers": "1..4@1", "retina_factors": "1 4 16", "retina_windows": ["16 4", "8 2"]},
            "hourglass": {"layers": "1@1 1..4@4 1@1"},
        },
    },
    "training": {"tokens": "100k", "batch_size": 4, "learning_rate": {"min": 1e-3, "max": 1e-2, "log": True}},
    "limits": {"memory": "256 MiB"},
    "objectives": ["perplexity", "memory"],
    "search": {"trials": 4, "seed": 0},
    "constraints": ["n_layers <= 6"],
    "points": [{"variant": "vanilla", "layers": "2@1"}],
}
SECTIONS: dict[str, type[Spec]] = {
    "": SpaceSpec,
    "corpus": CorpusSpec,
    "model": MODEL_SCHEMA,
    "model.variant": VARIANTS_SCHEMA,
    "training": TRAINING_SCHEMA,
    "limits": LIMITS_SCHEMA,
    "search": SearchSettings,
    **{f"model.variant.{name}": branch for name, branch in BRANCHES.items() if not VARIANTS[name].reads_bytes},
}
WRONG_TYPES: tuple[Any, ...] = (True, [[]], {"mni": 1}, {"values": []}, {"values": 3}, {"values": [None]})
WORDS = ("a b", "-1", "1..2", "")
Malformed = tuple[str, str, dict[str, Any]]
"""What was done, the key that the error must name, and the whole space."""


def changed(path: str, value: Any) -> dict[str, Any]:
    """SOUND with the key at `path` set."""
    space = copy.deepcopy(SOUND)
    *above, last = path.split(".")
    mapping = space
    for part in above:
        mapping = mapping.setdefault(part, {})
    mapping[last] = value
    return space


def without(path: str) -> dict[str, Any]:
    """SOUND without the key at `path`."""
    space = copy.deepcopy(SOUND)
    *above, last = path.split(".")
    mapping = space
    for part in above:
        mapping = mapping[part]
    del mapping[last]
    return space


def legal(path: str, value: Any) -> bool:
    """Values that look wrong and are not: any file or data set may have any name, words are words."""
    name = path.rpartition(".")[2]
    free = {"train", "validation", "test", "column", "huggingface", "config", "content"}
    return name in free and isinstance(value, str) and bool(value.strip())


def walk() -> Iterator[Malformed]:
    """Every key of every section: wrong types, wrong words, out of range, misspelt.

    One schema reads a key in all branches: the first that has it stands for them.
    """
    in_branches: set[str] = set()
    for section, spec in SECTIONS.items():
        prefix = f"{section}." if section else ""
        keys = set(spec.model_fields)
        if section.startswith("model.variant."):
            keys -= in_branches
            in_branches |= keys
        for key in sorted(keys):
            path = prefix + key
            for value in (*WRONG_TYPES, *WORDS):
                if not legal(path, value):
                    yield f"{path} = {value!r}", path, changed(path, value)
            yield f"{path} without a value", path, changed(path, None)
            yield f"{path} misspelt", prefix + key + "x", changed(prefix + key + "x", 1)
            if documented_value(spec, key) in ("whole number", "number", "count", "size"):
                yield f"{path} negative", path, changed(path, -1)
                yield f"{path} endless", path, changed(path, 1e300)
                yield f"{path} reversed", path, changed(path, {"min": 9, "max": 3})
                yield f"{path} half a range", path, changed(path, {"min": 9})
        if section:
            yield f"{section} is a word", section, changed(section, "word")
            yield f"{section} is a list", section, changed(section, [1])


def documented_value(spec: type[Spec], key: str) -> str:
    """What the schema documents as the value for a key."""
    extra: Any = spec.model_fields[key].json_schema_extra
    return str(extra["value"])


MISSING = [
    "model",
    "training",
    "model.variant",
    "model.context",
    "model.d_model",
    "model.d_head",
    "training.batch_size",
    "model.variant.vanilla.layers",
    "model.variant.retina.retina_factors",
    "model.variant.retina.retina_windows",
]

# A table: the formatter would give each of a case's values a line.
CROSSED: list[tuple[str, Any, str, str]] = [
    ("model.d_head", 24, "model.d_head", "heads of width 24 do not divide d_model 32"),
    ("model.d_model", {"min": 32, "max": 64, "step": 8}, "model.d_head", "heads of width 16 do not divide d_model 40"),
    ("model.d_model", {"min": 32, "max": 100, "step": 16}, "model.d_model.step", "do not meet max 100"),
    ("model.d_model", {"min": 32, "max": 64, "log": 3}, "model.d_model.log", "true or false"),
    ("model.d_model", {"min": 32, "max": 64, "log": True, "step": 16}, "model.d_model.step", "has no step"),
    ("model.d_model", [32, 64], "model.d_model", "write {values: [32, 64]}"),
    ("model.d_model", {"values": [32, 32]}, "model.d_model.values[1]", "is given twice"),
    ("model.d_model", {"values": [32, "x"]}, "model.d_model.values[1]", "'x' is not a count"),
    ("model.n_heads", 2, "model.n_heads", "leave one of the two out"),
    ("model.vocab_size", 2, "model.vocab_size", "follows from corpus.tokenizer"),
    ("model.context", {"values": [48, 64]}, "model.context", "do not make a whole number of sequences of 48"),
    ("model.variant.top_down.layers", "1..2@1 1..4@4", "model.variant.top_down.layers", "mean '1..4@4 1..2@1'?"),
    (
        "model.variant.top_down.layers",
        ["1@4 1@1", "1@1 1@4 1..3@16"],
        "model.variant.top_down.layers[1]",
        "did you mean '1..3@16 1@4 1@1'?",
    ),
    ("model.variant.top_down.layers", "1@6 1@4 1@1", "model.variant.top_down.layers", "6 is not a multiple of 4"),
    ("model.variant.top_down.layers", "0..4@4 1@1", "model.variant.top_down.layers", "0@4 runs no layer"),
    ("model.variant.top_down.layers", "4..1@4 1@1", "model.variant.top_down.layers", "did you mean '1..4@4'?"),
    ("model.variant.top_down.layers", ["1@4 1@1", "1@4 1@1"], "model.variant.top_down.layers[1]", "is given twice"),
    ("model.variant.top_down.layers", "1@64 1@1", "model.variant.top_down.layers", "use a smaller factor"),
    ("model.variant.vanilla.layers", "1..8@4", "model.variant.vanilla.layers", "did you mean '1..8@1'?"),
    ("model.variant.vanilla.layers", "0..8@1", "model.variant.vanilla.layers", "at least one layer"),
    ("model.variant.vanilla.layers", "1-8@1", "model.variant.vanilla.layers", "'1-8@1' is not a stage"),
    ("model.variant.vanilla.retina_windows", "8 2", "model.variant.vanilla.retina_windows", "unknown key"),
    ("model.variant.vanila", {"layers": "1@1"}, "model.variant.vanila", "did you mean 'vanilla'?"),
    ("model.variant.retina.retina_factors", "1 4 6", "model.variant.retina.retina_factors", "6 is not a multiple of 4"),
    ("model.variant.retina.retina_windows", "16", "model.variant.retina.retina_windows", "one window"),
    ("model.variant.retina.retina_windows", ["16 4", "8"], "model.variant.retina.retina_windows[1]", "one window"),
    ("training.tokens", "2X", "training.tokens", "'2X' is not a count"),
    ("training.batch_size", 2.5, "training.batch_size", "must be a whole number, got 2.5"),
    ("training.learning_rate", {"min": 0, "max": 1, "log": True}, "training.learning_rate.min", "starts above 0"),
    ("training.learning_rate", {"values": [1e-3, 0]}, "training.learning_rate.values[1]", "must be above 0"),
    ("training.attention", "flash", "training.attention", "unknown attention 'flash'"),
    ("training.rungs", {"values": ["0.5 1", "1"]}, "training.rungs", "the same for every candidate"),
    ("training.rungs", [0.5, 0.25], "training.rungs", "end at 1"),
    ("training.betas", [0.9], "training.betas", "list of 2 numbers"),
    ("training.betas", 0.9, "training.betas", "list of 2 numbers"),
    ("training.betas", "high", "training.betas", "list of 2 numbers"),
    ("training.betas", "0.9 high", "training.betas", "must be a number"),
    ("search.seed", "abc", "search.seed", "must be a whole number of at least 0, got 'abc'"),
    ("limits.memory", "1 Gib", "limits.memory", "'1 Gib' is not a size"),
    ("limits.memory", 0, "limits.memory", "must be above 0"),
    ("limits.time", "1h", "limits.time", "unknown key 'time'"),
    ("objectives", ["perplexity"], "objectives", "must be two or three"),
    ("objectives", ["memory", "cache"], "objectives", "add perplexity or bits_per_byte"),
    ("objectives", ["perplexity", "bits_per_byte"], "objectives", "what a model costs"),
    ("objectives", ["perplexity", "memroy"], "objectives[1]", "did you mean 'memory'?"),
    ("objectives", ["perplexity", "perplexity"], "objectives[1]", "is given twice"),
    ("search.sampler", "tpr", "search.sampler", "did you mean 'tpe'?"),
    ("search.sampler", "grid", "search.sampler", "training.learning_rate has none"),
    ("search.strategy", "fron", "search.strategy", "did you mean 'front'?"),
    ("search", {"strategy": "front", "pruner": "none"}, "search.pruner", "has no effect in the strategy front"),
    ("search", {"sampler": "tpe", "checkpoints": 9}, "search.checkpoints", "has no effect in the strategy prune"),
    ("model.variant.retina", None, "model.variant.retina", "'layers' is missing"),
    ("search.time_budget", None, "search.time_budget", "got nothing"),
    ("search.time_budget", "10x", "search.time_budget", "'10x' is not a duration"),
    ("search.resources", 2, "search.resources", "must be a mapping with cpu, gpu, got 2"),
    ("search.resources", {"gpus": 1}, "search.resources.gpus", "did you mean 'gpu'?"),
    ("search.resources.gpu", 1.5, "search.resources.gpu", "above 1 must be a whole number"),
    ("search.resources.gpu", -1, "search.resources.gpu", "must be a share of a GPU from 0.01 to 1"),
    ("search.resources.gpu", "half", "search.resources.gpu", "must be a number"),
    ("search.resources.cpu", 0, "search.resources.cpu", "must be a number of cores from 0.01"),
    ("search.resources.cpu", [1, 2], "search.resources.cpu", "must be a constant"),
    ("constraints", ["n_layers < 3"], "constraints[0]", "<=, >= or =="),
    ("constraints", ["n_layer <= 3"], "constraints[0]", "did you mean 'n_layers'?"),
    ("constraints", ["__import__('os') <= 1"], "constraints[0]", "only names, numbers"),
    ("constraints", ["1 <= 2"], "constraints[0]", "names no parameter"),
    ("constraints", ["d_model / n_heads <= 2"], "constraints[0]", "divide by a number"),
    ("points", [{"variant": "vanilla", "layers": "9@1"}], "points[0].layers", "outside the space"),
    ("points", [{"layers": "2@1"}], "points[0]", "'variant' is missing"),
    ("corpus.source", "python-docs", "corpus.train", "another corpus"),
    ("corpus.source", "pythn-docs", "corpus.source", "did you mean 'python-docs'?"),
    ("corpus.config", "x", "corpus.config", "no effect"),
    ("corpus.tokenizer", {"bpe": 100}, "corpus.tokenizer.bpe", "at least 257"),
    ("corpus.tokenizer", {"bpe": 512, "file": "x"}, "corpus.tokenizer", "got both"),
    ("corpus.tokenizer", {"file": "nowhere.json"}, "corpus.tokenizer.file", "nowhere.json"),
    ("corpus.tokenizer", "byte", "corpus.tokenizer", "did you mean 'bytes'?"),
]


SCALARS: tuple[Any, ...] = (None, True, 0, 1, 3, 16, 64, 1e-3, 1e300, 10**15, "", "x", "1 2", "2M")
ALLOCATIONS = ("4@1", "1..3@4 1@1", "0..0@1", "1@1 1@1")
LISTS: tuple[Any, ...] = ([], [1], ["1 4"], {"values": [16, 32]})
RANGES = ({"min": 1, "max": 4}, {"min": 16, "max": 64, "step": 16})
ODD: tuple[Any, ...] = ("bytes", "a\nb", {"min": 1, "max": 10**15}, {"min": 0.1, "max": 0.9})
ELSEWHERE: tuple[Any, ...] = ({"bpe": {"values": [300, 400]}}, "unfused", {"a": {"b": 1}})
JUNK = (*SCALARS, *ALLOCATIONS, *LISTS, *RANGES, *ODD, *ELSEWHERE)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key and item of a space, as the steps that lead to it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from paths(item, (*path, key))


def mutate(space: Any, generator: random.Random) -> None:
    """Deletes, adds or replaces one key or item anywhere."""
    *above, last = generator.choice(list(paths(space)))
    holder = space
    for step in above:
        holder = holder[step]
    chance = generator.random()
    if chance < 0.15:
        del holder[last]
    elif chance < 0.25 and isinstance(holder, dict):
        holder[generator.choice(["n_heads", "context", "rungs", "values", "min", "retina_windows", "betas"])] = 3
    else:
        holder[last] = copy.deepcopy(generator.choice(JUNK))


def dump(space: object) -> str:
    """YAML, by the library in C where there is one: thousands of spaces are written here."""
    return str(yaml.dump(space, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False))


def refusal(folder: Path, space: object) -> UserError:
    path = folder / "space.yaml"
    path.write_text(dump(space))
    with pytest.raises(UserError) as raised:
        load_space(path)
    told = str(raised.value)
    assert "\n" not in told and told.startswith(f"{path}:"), told
    assert not any(word in told for word in ("pydantic", "Input should", "Traceback", "NoneType", "<class", "Values("))
    return raised.value


def loaded_or_refused(path: Path) -> Space | UserError:
    try:
        return load_space(path)
    except UserError as error:
        return error


def test_the_sound_space_is_sound(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(SOUND))
    assert load_space(tmp_path / "space.yaml").name == "space"


def test_every_break_of_every_key_is_told_in_one_line_with_its_key(tmp_path: Path) -> None:
    broken = list(walk())
    assert len(broken) >= 200
    for what, key, space in broken:
        error = refusal(tmp_path, space)
        assert error.key == key or error.key.startswith((f"{key}.", f"{key}[")), f"{what}: {error}"
        assert error.line > 0, f"{what}: {error}"


@pytest.mark.parametrize("path", MISSING)
def test_a_missing_key_is_named_under_its_section(tmp_path: Path, path: str) -> None:
    error = refusal(tmp_path, without(path))
    section, _, key = path.rpartition(".")
    assert error.key.startswith(section) and key in str(error)


@pytest.mark.parametrize(("path", "value", "key", "message"), CROSSED)
def test_what_does_not_fit_together_is_told_with_the_remedy(
    tmp_path: Path, path: str, value: Any, key: str, message: str
) -> None:
    error = refusal(tmp_path, changed(path, value))
    assert error.key == key
    assert message in error.message


@pytest.mark.parametrize("space", [None, [], "word", 3, {}, {"model": None}])
def test_a_file_that_is_no_mapping_of_sections_is_refused(tmp_path: Path, space: object) -> None:
    refusal(tmp_path, space)


def test_random_damage_is_either_refused_in_one_line_or_harmless(tmp_path: Path) -> None:
    generator, path = random.Random(0), tmp_path / "space.yaml"
    harmless = 0
    for _ in range(400):
        space = copy.deepcopy(SOUND)
        for _ in range(generator.choice([1, 1, 2, 3])):
            mutate(space, generator)
        path.write_text(dump(space))
        loaded = loaded_or_refused(path)
        if isinstance(loaded, UserError):
            assert "\n" not in str(loaded) and loaded.file
            continue
        harmless += 1
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        for point in loaded.points:
            study.enqueue_trial(loaded.fixed_params(point))
        for _ in range(3):
            loaded.constraint_violations(loaded.suggest(study.ask()))
        (tmp_path / "again.yaml").write_text(space_yaml(loaded))
        assert space_identity(load_space(tmp_path / "again.yaml")) == space_identity(loaded)
    assert harmless > 10
