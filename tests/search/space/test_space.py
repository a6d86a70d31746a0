"""A space draws candidates through Optuna, names its parameters, and says what it is."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import optuna
import pytest

from msarch import Candidate, UserError
from search.space.load import load_space
from search.space.space import Space
from search.space.writer import space_identity, space_yaml

DESIGN = """
corpus: {tokenizer: {bpe: 2048}}
model:
  context: 256
  d_model: {min: 64, max: 128, step: 32}
  d_head: 32
  variant:
    vanilla: {layers: "1..8@1"}
    top_down: {layers: ["1..6@4 1..4@1", "1..6@16 1..4@4 1..4@1"], d_model: {values: [32, 64]}}
    bottom_up: {layers: "0..2@1 1..6@4 1..4@1"}
    retina: {layers: "1..8@1", retina_factors: ["1 4 16"], retina_windows: ["64 16", "32 8"]}
training: {tokens: 2M, batch_size: 8, learning_rate: {min: 5e-4, max: 1e-2, log: true}}
limits: {memory: 256 MiB, parameters: 5M}
objectives: [perplexity, memory]
search: {sampler: tpe, pruner: pareto, trials: 40, seed: 3}
constraints: ["n_layers <= 6"]
points: [{variant: top_down, layers: "3@16 2@4 1@1", d_model: 64}]
"""


def written(folder: Path, text: str = DESIGN, *overrides: str) -> Space:
    path = folder / "design.yaml"
    path.write_text(text)
    return load_space(path, overrides)


def drawn(space: Space, count: int) -> list[tuple[dict[str, Any], Candidate]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    pairs = []
    for _ in range(count):
        trial = study.ask()
        candidate = space.suggest(trial)
        pairs.append((trial.params, candidate))
    return pairs


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return written(tmp_path)


def test_candidates_lie_within_the_space_and_warn_of_nothing(space: Space) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pairs = drawn(space, 60)
    assert {candidate.model.variant for _, candidate in pairs} == set(space.branches)
    for _, candidate in pairs:
        assert candidate.seed == 3 and candidate.model.vocab_size == 2048 == candidate.corpus.tokenizer.vocab_size
        assert candidate.model.d_head == 32
        assert candidate.training.validation_tokens == 16_000


def test_names_carry_branch_and_stage(space: Space) -> None:
    names = {name for params, _ in drawn(space, 80) for name in params}
    assert names >= {"variant", "learning_rate", "d_model", "top_down/d_model", "top_down/layers"}
    assert names >= {"top_down/16-4-1/layers@4", "bottom_up/1-4-1/layers@1", "bottom_up/1-4-1/layers@1.post"}
    assert not {"context", "tokens", "retina_factors", "retina/retina_factors"} & names  # single values are not asked


def test_a_value_in_a_branch_holds_there_only(space: Space) -> None:
    for params, candidate in drawn(space, 80):
        top_down = candidate.model.variant == "top_down"
        assert ("top_down/d_model" in params) == top_down and ("d_model" in params) != top_down
        assert candidate.model.d_model in ((32, 64) if top_down else (64, 96, 128))


def test_combinations_count_what_is_discrete(tmp_path: Path, space: Space) -> None:
    assert space.combinations() is None
    fixed = written(tmp_path, DESIGN, "training.learning_rate=1e-3")
    assert fixed.combinations() == 3 * 8 + 2 * (24 + 96) + 3 * 72 + 3 * 8 * 2


def test_the_grid_sampler_finds_exactly_the_combinations(tmp_path: Path) -> None:
    text = """
    model: {context: 64, d_model: {values: [32, 64]}, d_head: 16, variant: {
      vanilla: {layers: 1..2@1}, top_down: {layers: [1..2@4 1@1, 1..2@16 1@4 1@1]}}}
    training: {batch_size: 2, tokens: 1k}
    """
    space = written(tmp_path, text)
    study = optuna.create_study(sampler=optuna.samplers.BruteForceSampler())
    seen: set[str] = set()

    def objective(trial: optuna.Trial) -> float:
        seen.add(space.suggest(trial).digest())
        return 0.0

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study.optimize(objective, n_trials=100)
    assert len(seen) == len(study.trials) == space.combinations() == 2 * 2 + 2 * (2 + 2)


def test_alternatives_of_like_factors_get_names_of_their_own(tmp_path: Path) -> None:
    text = """
    model: {context: 64, d_model: 32, n_heads: 2, variant: {top_down: {layers: [1..2@4 1@1, 4..6@4 2@1]}}}
    training: {batch_size: 2, tokens: 1k}
    """
    names = {name for params, _ in drawn(written(tmp_path, text), 30) for name in params}
    assert names == {"top_down/layers", "top_down/4-1/layers@4", "top_down/4-1#2/layers@4"}


def test_tokens_per_step_stay_fixed_when_the_context_varies(tmp_path: Path) -> None:
    space = written(tmp_path, DESIGN, "model.context={values: [64, 256]}", "model.variant.retina.retina_windows=16 2")
    sizes = {(candidate.model.context, candidate.training.batch_size) for _, candidate in drawn(space, 40)}
    assert sizes == {(256, 8), (64, 32)}


def test_a_vocabulary_may_vary_under_bits_per_byte(tmp_path: Path) -> None:
    space = written(
        tmp_path, DESIGN, "corpus.tokenizer.bpe={values: [512, 2048]}", "objectives=[bits_per_byte, memory]"
    )
    for params, candidate in drawn(space, 20):
        assert params["tokenizer/bpe"] == candidate.model.vocab_size == candidate.corpus.tokenizer.vocab_size
    with pytest.raises(UserError, match="objectives: perplexity does not compare across vocabularies"):
        written(tmp_path, DESIGN, "corpus.tokenizer.bpe={values: [512, 2048]}")


def test_a_known_design_leads_to_that_design(space: Space) -> None:
    params = space.fixed_params(space.points[0])
    assert params["top_down/16-4-1/layers@16"] == 3 and params["top_down/d_model"] == 64
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(params)
    candidate = space.suggest(study.ask())
    assert (candidate.model.variant, candidate.model.layers, candidate.model.d_model) == (
        "top_down",
        "3@16 2@4 1@1",
        64,
    )


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"layers": "2@1"}, "'variant' is missing"),
        ({"variant": "topdown"}, "variant: unknown variant 'topdown', did you mean 'top_down'"),
        ({"variant": "vanilla", "layers": "9@1"}, r"layers: '9@1' is outside the space, which has '1..8@1'"),
        ({"variant": "vanilla", "d_model": 80}, "d_model: 80 is outside the space, which has 64 to 128 by 32"),
        ({"variant": "vanilla", "d_modle": 80}, "d_modle: unknown key 'd_modle', did you mean 'd_model'"),
        ({"variant": "vanilla", "learning_rate": 1.0}, "learning_rate: 1.0 is outside the space"),
        ({"variant": "vanilla", "retina_windows": "64 16"}, "retina_windows: unknown key"),
        ({"variant": "vanilla", "context": 128}, "context: 128 is outside the space, which has 256"),
    ],
)
def test_a_known_design_outside_the_space_is_refused(space: Space, point: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        space.fixed_params(point)


def test_violations_measure_each_constraint(space: Space) -> None:
    for _, candidate in drawn(space, 20):
        assert space.constraint_violations(candidate) == {"n_layers <= 6": candidate.model.n_layers - 6}


def test_what_is_recorded_loads_as_the_same_space(tmp_path: Path, space: Space) -> None:
    recorded = tmp_path / "space.yaml"
    recorded.write_text(space_yaml(space))
    assert space_identity(load_space(recorded)) == space_identity(space)


def test_the_identity_leaves_out_how_long_and_how_wide(tmp_path: Path, space: Space) -> None:
    same = written(tmp_path, DESIGN, "search.trials=8", "search.concurrent=2", "search.time_budget=10m")
    assert space_identity(same) == space_identity(space)
    assert space_identity(written(tmp_path, DESIGN, "search.resources.gpu=0.25")) == space_identity(space)
    for change in ("search.seed=4", "training.tokens=1M", "limits.memory=1GiB", "model.variant.vanilla.layers=1..9@1"):
        assert space_identity(written(tmp_path, DESIGN, change)) != space_identity(space)


def test_resources_are_recorded_as_they_were_written(tmp_path: Path, space: Space) -> None:
    assert "resources" not in space_yaml(space)
    chosen = written(tmp_path, DESIGN, "search.resources.gpu=0.25", "search.resources.cpu=2.0")
    assert "resources:\n    cpu: 2\n    gpu: 0.25\n" in space_yaml(chosen)
    assert written(tmp_path, space_yaml(chosen)).search.resources == chosen.search.resources


def test_a_recorded_space_has_no_absolute_paths_and_keeps_its_content(tmp_path: Path) -> None:
    own = written(tmp_path, DESIGN, f"corpus.train={tmp_path}/books/a.txt").with_content("abc")
    assert own.corpus.train == (f"{tmp_path}/books/a.txt",)
    recorded = space_yaml(own)
    assert str(tmp_path) not in recorded and "books/a.txt" in recorded and "content: abc" in recorded
    assert written(tmp_path, recorded).corpus.content == "abc"


def test_a_tokenizer_file_tells_its_vocabulary_and_is_found_beside_a_recorded_space(tmp_path: Path) -> None:
    from msarch.data.tokenizer import train_bpe

    elsewhere = tmp_path / "elsewhere" / "tokenizer.json"
    elsewhere.parent.mkdir()
    train_bpe(iter(["some words and more words " * 20]), 270).save(elsewhere)
    space = written(tmp_path, DESIGN, "corpus.tokenizer={file: " + str(elsewhere) + "}")
    assert drawn(space, 1)[0][1].model.vocab_size == 270
    (tmp_path / "space.yaml").write_text(space_yaml(space))
    elsewhere.rename(tmp_path / "tokenizer.json")
    assert drawn(load_space(tmp_path / "space.yaml"), 1)[0][1].model.vocab_size == 270


def test_reading_a_space_imports_nothing_heavy() -> None:
    code = (
        "import sys; from search.space.load import load_space; load_space('quickstart');"
        "print(*{'torch', 'optuna', 'ray', 'pandas', 'numpy', 'datasets'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def test_mup_wants_heads_of_one_width_where_the_width_varies(tmp_path: Path) -> None:
    mup = "model.parametrization={values: [standard, mup]}"
    assert {c.model.parametrization for _, c in drawn(written(tmp_path, DESIGN, mup), 30)} == {"standard", "mup"}
    text = DESIGN.replace("d_head: 32", "n_heads: 2")
    with pytest.raises(UserError, match=r"model\.n_heads: muP compares widths at one width of a head; write d_head"):
        written(tmp_path, text, mup)


def test_a_variant_that_reads_bytes_asks_for_them(tmp_path: Path) -> None:
    text = """corpus: {source: python-docs}
model:
  context: 64
  d_model: 32
  d_head: 16
  variant: {spacebyte: {layers: "1@1 2@4 1@1"}}
training: {tokens: 8k, batch_size: 8, learning_rate: 1e-3}
"""
    (tmp_path / "space.yaml").write_text(text)
    with pytest.raises(UserError, match=r"space.yaml:6: model.variant.spacebyte: spacebyte reads bytes"):
        load_space(tmp_path / "space.yaml")
    assert load_space(tmp_path / "space.yaml", ["corpus.tokenizer=bytes"]).branches["spacebyte"]


def test_a_pool_that_is_a_layer_with_attention_wants_one_in_every_alternative(tmp_path: Path) -> None:
    text = """
    model:
      context: 64
      d_model: 32
      n_heads: 2
      variant: {top_down: {layers: [1@4 1@1, 0..1+2ff@4 1@1], pool: {values: [average, query_only]}}}
    training: {batch_size: 2, tokens: 1k}
    """
    with pytest.raises(UserError, match=r"top_down\.pool\.values\[1\]: query_only pooling is the first"):
        written(tmp_path, text)
    assert written(tmp_path, text.replace("0..1+2ff", "1+2ff"))


def test_the_default_strategy_takes_the_place_of_a_grid_on_the_command_line() -> None:
    """As docs/faq.md advises where a search is slow."""
    assert load_space("reference-shakespeare").search.strategy == "prune"
    found = load_space("reference-shakespeare", ["search.sampler=", "search.pruner="])
    assert found.search.strategy == "front"
