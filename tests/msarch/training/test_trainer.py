"""Training real, tiny models: reproducible to the bit, restorable, and honest about failure."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from support.small_models import CONFIGS, label, small
from support.small_runs import candidate, token_set, trained, weights

from msarch import Candidate, ModelConfig, TrainingConfig
from msarch.config.variants import VARIANTS
from msarch.layers.resampling import CausalUpsample
from msarch.models.causality import CausalityError
from msarch.training.adamw import AdamW
from msarch.training.checkpoint import read_tensors
from msarch.training.file_names import BEFORE_DECAY, FILE
from msarch.training.schedule import learning_rate, with_budget
from msarch.training.trainer import NonFiniteLossError, Trainer

ROOT = Path(__file__).parents[3]
# One of each variant, with its options; a third of all configurations in `make test-slow`.
LEARNING = [[c for c in CONFIGS if c.variant == variant][-1] for variant in VARIANTS]


@pytest.mark.parametrize(
    "config",
    [*LEARNING, *(pytest.param(c, marks=pytest.mark.slow) for c in CONFIGS[::3] if c not in LEARNING)],
    ids=label,
)
def test_training_learns_and_the_same_seed_gives_the_same_bits(config: ModelConfig, tmp_path: Path) -> None:
    tokens = token_set(tmp_path)
    one, two = (trained(Trainer(candidate(config, learning_rate=1e-2), tokens)) for _ in range(2))
    assert one.curve[-1].loss < math.log(61) - 0.5
    assert [point.loss for point in one.curve] == [point.loss for point in two.curve]
    assert torch.equal(weights(one), weights(two))


LEAN = """
import sys
from pathlib import Path
from support.small_runs import candidate, token_set
from msarch.training.trainer import Trainer
trainer = Trainer(candidate(), token_set(Path.cwd()))
trainer.advance()
assert trainer.step
assert "torch._dynamo" not in sys.modules
"""


def test_a_training_does_not_wait_for_the_import_of_torchs_compiler(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests")))}
    subprocess.run([sys.executable, "-c", LEAN], cwd=tmp_path, env=environment, check=True)


def test_an_update_is_torchs_own_to_the_bit() -> None:
    torch.manual_seed(0)
    tensors, results = (torch.randn(7, 5), torch.randn(5)), []
    for kind in (torch.optim.AdamW, AdamW):
        parameters = [torch.nn.Parameter(tensor.clone()) for tensor in tensors]
        optimizer = kind(parameters, lr=1e-2, weight_decay=0.1, fused=True)
        for step in range(1, 4):
            optimizer.zero_grad(set_to_none=True)
            torch.stack([(parameter**2).sum() * step for parameter in parameters]).sum().backward()
            optimizer.step()
        results.append([*parameters, *(value for state in optimizer.state.values() for value in state.values())])
    assert all(map(torch.equal, *results)) and len(results[0]) == 2 + 2 * 3


def test_another_seed_gives_another_model(tmp_path: Path) -> None:
    tokens = token_set(tmp_path)
    one, two = (Trainer(replace(candidate(), seed=seed), tokens) for seed in (0, 1))
    assert not torch.equal(weights(one), weights(two))


def test_rungs_fall_where_the_budget_says(tmp_path: Path) -> None:
    trainer = trained(Trainer(candidate(), token_set(tmp_path)))
    assert [point.step for point in trainer.curve] == [1, 2, 5, 10, 20, 40]
    assert trainer.curve[-1].tokens == 48 * 4 * 40
    assert trainer.curve[-1].bits_per_byte == pytest.approx(trainer.curve[-1].loss / math.log(2) / 2)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_restored_run_ends_with_the_bits_of_an_uninterrupted_one(dtype: str, tmp_path: Path) -> None:
    tokens = token_set(tmp_path)
    whole = trained(Trainer(candidate(dtype=dtype), tokens))
    first = Trainer(candidate(dtype=dtype), tokens)
    for _ in range(4):
        first.advance()
    first.save(tmp_path / "checkpoint")
    second = Trainer(candidate(dtype=dtype), tokens)
    assert second.restore(tmp_path / "checkpoint")
    assert second.step == 10
    trained(second)
    assert torch.equal(weights(whole), weights(second))
    assert [point.loss for point in whole.curve] == [point.loss for point in second.curve]
    assert second.curve[-1].seconds > first.curve[-1].seconds


def test_a_checkpoint_that_is_absent_damaged_or_of_another_candidate_is_not_restored(tmp_path: Path) -> None:
    tokens = token_set(tmp_path)
    trainer = Trainer(candidate(), tokens)
    assert not trainer.restore(tmp_path / "nowhere") and trainer.passed_over == ""
    trainer.advance()
    trainer.save(tmp_path)
    other, file = Trainer(candidate(learning_rate=1e-4), tokens), tmp_path / FILE
    assert not other.restore(tmp_path) and other.passed_over == f"{file} is of another training"
    file.write_bytes(file.read_bytes()[:200])
    again = Trainer(candidate(), tokens)
    assert not again.restore(tmp_path) and again.passed_over == f"{file} is damaged"


def test_weights_are_saved_with_their_candidate(tmp_path: Path) -> None:
    trainer = Trainer(candidate(), token_set(tmp_path))
    trainer.save_weights(tmp_path / "model.safetensors")
    tensors, metadata = read_tensors(tmp_path / "model.safetensors")
    assert Candidate.from_dict(metadata["candidate"]) == trainer.candidate
    assert all(torch.equal(tensors[name], value) for name, value in trainer.model.state_dict().items())
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_loss_that_is_not_finite_names_its_step(tmp_path: Path) -> None:
    trainer = Trainer(candidate(rungs=(0.25, 1.0)), token_set(tmp_path))
    trainer.advance()
    with torch.no_grad():
        trainer.model.final_norm.weight.fill_(math.nan)
    with pytest.raises(NonFiniteLossError, match="training loss is not finite at step 11") as caught:
        trainer.advance()
    assert caught.value.step == 11


def test_a_model_that_sees_ahead_is_not_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def leak(self: CausalUpsample, padded: torch.Tensor, length: int, passed: int = 0) -> torch.Tensor:
        return torch.cat([padded, padded[:, -1:]], 1)[:, 1:].repeat_interleave(self.factor, 1)[:, :length]

    monkeypatch.setattr(CausalUpsample, "forward", leak)
    with pytest.raises(CausalityError, match="sees ahead"):
        Trainer(candidate(), token_set(tmp_path))


def test_validation_judges_all_contexts_on_the_same_targets(tmp_path: Path) -> None:
    tokens = token_set(tmp_path)
    for context in (16, 48):
        trainer = Trainer(candidate(small("vanilla", "1@1", context=context)), tokens)
        assert trainer.evaluate("validation", 501).targets == 501
        assert trainer.evaluate("test", 10**9).targets == 1_999


def test_the_mean_loss_is_that_of_each_token_alone(tmp_path: Path) -> None:
    tokens = token_set(tmp_path)
    trainer = Trainer(candidate(), tokens)
    inputs, targets = (torch.from_numpy(tokens.validation[a : a + 100].astype(np.int64)) for a in (0, 1))
    losses = []
    with torch.no_grad():
        for start in range(0, 100, 48):
            logits = trainer.model(inputs[None, start : start + 48])[0]
            losses.append(torch.nn.functional.cross_entropy(logits, targets[start : start + 48], reduction="none"))
    assert trainer.evaluate("validation", 100).loss == pytest.approx(torch.cat(losses).mean().item(), rel=1e-5)


def test_the_learning_rate_rises_then_follows_a_cosine() -> None:
    training = TrainingConfig(batch_size=1, learning_rate=1.0, warmup=0.1, final_learning_rate=0.1)
    rates = [learning_rate(training, step, 100) for step in range(100)]
    assert rates[0] == 0.1 and rates[9] == 1.0
    assert all(a >= b for a, b in pairwise(rates[9:]))
    assert rates[55] == pytest.approx(0.55, abs=0.01) and rates[-1] == pytest.approx(0.1, abs=0.01)


def test_a_wsd_schedule_is_constant_and_decays_over_the_last_fifth() -> None:
    training = TrainingConfig(batch_size=1, learning_rate=1.0, warmup=0.1, final_learning_rate=0.1, schedule="wsd")
    rates = [learning_rate(training, step, 100) for step in range(100)]
    assert rates[0] == 0.1 and set(rates[9:81]) == {1.0}
    assert rates[90] == pytest.approx(0.55) and rates[-1] == pytest.approx(0.145)


def test_a_wsd_run_continued_from_before_its_decay_ends_with_the_bits_of_an_undisturbed_one(tmp_path: Path) -> None:
    """With a warm-up, which is a share of the budget: the longer run warms up as many steps as the first did."""
    tokens = token_set(tmp_path)
    config = small("top_down", "1@4 1@1", dropout=0.1)
    first = Trainer(candidate(config, schedule="wsd", warmup=0.2), tokens)

    def keep() -> None:
        if first.decays_next:
            first.save(tmp_path, BEFORE_DECAY)

    while not first.finished:
        first.advance(keep)
    longer = with_budget(
        first.candidate.training, config.context, replace(first.candidate.training, tokens=48 * 4 * 60)
    )
    wanted = replace(first.candidate, training=longer)
    continued = Trainer(wanted, tokens)
    assert continued.restore(tmp_path, BEFORE_DECAY) and continued.step == 32
    trained(continued)
    undisturbed = trained(Trainer(wanted, tokens))
    assert torch.equal(weights(continued), weights(undisturbed))
    whole = {point.rung: point.loss for point in undisturbed.curve}
    assert {point.rung: point.loss for point in continued.curve} == {5: whole[5]}
    shorter_warmup = replace(wanted, training=replace(longer, warmup=0.01))
    assert not Trainer(shorter_warmup, tokens).restore(tmp_path, BEFORE_DECAY)


def test_a_checkpoint_between_rungs_continues_with_the_same_bits(tmp_path: Path) -> None:
    tokens = token_set(tmp_path)
    config = small("top_down", "1@4 1@1", dropout=0.1)
    first = Trainer(candidate(config), tokens)

    def save() -> None:
        if first.step == 17:
            first.save(tmp_path)

    while not first.finished:
        first.advance(save)
    second = Trainer(candidate(config), tokens)
    assert second.restore(tmp_path) and second.step == 17 and [point.rung for point in second.curve] == [0, 1, 2, 3]
    trained(second)
    assert torch.equal(weights(first), weights(second))
    assert [point.loss for point in first.curve] == [point.loss for point in second.curve]
    assert second.curve[-1].seconds > second.curve[3].seconds


def test_a_wsd_run_is_continued_to_a_larger_budget_from_before_its_decay(tmp_path: Path) -> None:
    tokens = token_set(tmp_path)
    small_budget, large_budget = (
        candidate(schedule="wsd", tokens=48 * 4 * steps, warmup=0.0, rungs=(0.25, 0.5, 1.0)) for steps in (40, 80)
    )
    first = Trainer(small_budget, tokens)
    for rung in range(3):
        first.advance()
        first.save(tmp_path / str(rung))
    longer = Trainer(large_budget, tokens)
    assert longer.restore(tmp_path / "1") and longer.step == 20 and longer.curve == []
    trained(longer)
    assert torch.equal(weights(longer), weights(trained(Trainer(large_budget, tokens))))
    assert not Trainer(large_budget, tokens).restore(tmp_path / "2"), "its learning rate has decayed"
    other = candidate(schedule="wsd", tokens=48 * 4 * 80, warmup=0.0, rungs=(0.25, 0.5, 1.0), learning_rate=1e-2)
    assert not Trainer(other, tokens).restore(tmp_path / "1")
    cosine = Trainer(candidate(tokens=48 * 4 * 80, warmup=0.0, rungs=(0.25, 0.5, 1.0)), tokens)
    assert not cosine.restore(tmp_path / "1")


def test_the_same_bits_in_another_process(tmp_path: Path) -> None:
    here = trained(Trainer(candidate(), token_set(tmp_path)))
    program = (
        "import sys, json; sys.path[:0] = json.loads(sys.argv[1])\n"
        "from pathlib import Path; from support.small_runs import *\n"
        "trainer = trained(Trainer(candidate(), token_set(Path('.'))))\n"
        "print(json.dumps([point.loss for point in trainer.curve]))"
    )
    paths = json.dumps(sys.path)
    done = subprocess.run([sys.executable, "-c", program, paths], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [point.loss for point in here.curve]
