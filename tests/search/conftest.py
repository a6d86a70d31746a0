"""A copy of a small search; and records as a search leaves them, made up from a seed: every state, all variants."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.commands import Here

from msarch.config import ModelConfig, TrainingConfig
from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig
from msarch.training.validation import Validation
from msarch.units import format_bytes
from search.ledger.records import TrialRecord, TrialState

MIB = 2**20
LIMIT = 90 * MIB
BYTES_PER_TOKEN = 2.6
LAYERS = {
    "vanilla": ["1@1", "2@1", "4@1", "6@1", "8@1"],
    "top_down": ["2@4 1@1", "4@4 2@1", "6@4 2@1", "4@16 4@4 2@1"],
    "bottom_up": ["0@1 2@4 1@1", "1@1 4@4 1@1", "2@1 6@4 2@1"],
    "retina": ["2@1", "4@1", "6@1"],
}
RecordMaker = Callable[..., list[TrialRecord]]


@pytest.fixture(scope="module")
def place(small_search: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text, a space and the results of its search, for the tests of one file to write into."""
    return shutil.copytree(small_search, tmp_path_factory.mktemp("searched") / "place")


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    """`here(*arguments)`: a command of ours in `place`, in this process."""
    return Here(place, monkeypatch, capfd)


@pytest.fixture
def make_records() -> RecordMaker:
    """`make_records(count, seed=0)`: what a search with a limit of 90 MiB leaves; `state=` forces one state."""
    return made_records


@pytest.fixture
def make_record() -> Callable[..., TrialRecord]:
    """`make_record(number, perplexity, memory_mib, state="complete", **fields)`: one trial with chosen figures."""
    return made_record


def made_records(count: int, seed: int = 0, state: TrialState | None = None) -> list[TrialRecord]:
    random_ = random.Random(seed)
    records: list[TrialRecord] = []
    for number in range(count):
        candidate = _candidate(random_)
        profile = _profile(candidate)
        kind: TrialState = state or _state(random_, number, profile["memory_bytes"])
        records.append(_record(number, kind, candidate, profile, random_, records))
    return records


def made_record(number: int, perplexity: float, memory_mib: float, **fields: Any) -> TrialRecord:
    candidate = fields.pop("candidate", None) or _candidate(random.Random(number))
    loss = math.log(perplexity)
    given: dict[str, Any] = {
        "state": "complete",
        "profile": _profile(candidate) | {"memory_bytes": round(memory_mib * MIB)},
        "loss": loss,
        "bits_per_byte": loss / math.log(2) / BYTES_PER_TOKEN,
        "curve": _curve(candidate, loss, 0.0, 6),
    }
    return TrialRecord(number=number, candidate=candidate, **(given | fields))


def _candidate(random_: random.Random) -> Candidate:
    variant = random_.choice(list(LAYERS))
    windows = {"retina_factors": (1, 4, 16), "retina_windows": (64, 16)}
    retina: dict[str, Any] = windows if variant == "retina" else {}
    d_model = random_.choice([48, 64, 80, 96, 112, 128])
    model = ModelConfig(
        variant=variant,
        layers=random_.choice(LAYERS[variant]),
        d_model=d_model,
        n_heads=d_model // 16,
        vocab_size=1024,
        context=256,
        **retina,
    )
    rate = 10 ** random_.uniform(-3.3, -2.0)
    return Candidate(
        model=model, training=TrainingConfig(batch_size=8, learning_rate=rate), corpus=CorpusConfig(), seed=0
    )


def _profile(candidate: Candidate) -> dict[str, Any]:
    model = candidate.model
    positions = sum(stage.layers / stage.factor for stage in model.stages)
    tokens = candidate.training.batch_size * model.context
    parameters = 12 * model.d_model**2 * model.n_layers + model.vocab_size * model.d_model
    memory = 16 * parameters + round(tokens * model.d_model * 4 * (14 * positions + 12))
    return {
        "memory_bytes": memory,
        "memory_unfused_bytes": memory + round(tokens * model.context * model.n_heads * 8 * positions),
        "cache_bytes": round(8 * model.context * model.d_model * positions),
        "parameters": parameters,
        "parameters_embedding": model.vocab_size * model.d_model,
        "flops_per_token": 6 * (parameters - model.vocab_size * model.d_model) + 12 * model.d_model * model.context,
    }


def _state(random_: random.Random, number: int, memory: int) -> TrialState:
    if memory > LIMIT:
        return "infeasible"
    drawn = random_.random()
    if number >= 8 and drawn < 0.3:
        return "pruned"
    return "duplicate" if drawn > 0.97 else "failed" if drawn > 0.95 else "complete"


def _loss(candidate: Candidate, random_: random.Random) -> float:
    gain = {"vanilla": 0.0, "top_down": 0.09, "bottom_up": 0.02, "retina": 0.05}[candidate.model.variant]
    depth = math.log(1 + candidate.model.n_layers)
    rate = 0.06 * (math.log10(candidate.training.learning_rate) + 2.5) ** 2
    return 5.75 - 0.17 * depth - 0.24 * math.log(candidate.model.d_model) - gain + rate + random_.gauss(0, 0.015)


def _curve(candidate: Candidate, loss: float, slow: float, rungs: int) -> tuple[Validation, ...]:
    training = candidate.training
    points = []
    for rung, share in enumerate(training.rungs[:rungs]):
        now = loss + (6.7 - loss) * 0.09 * (share**-0.6 - 1) * (1 + slow)
        bits, tokens = now / math.log(2) / BYTES_PER_TOKEN, round(share * training.tokens)
        points.append(
            Validation(rung=rung, step=tokens // 2048, tokens=tokens, loss=now, bits_per_byte=bits, seconds=20 * share)
        )
    return tuple(points)


def _record(
    number: int,
    state: TrialState,
    candidate: Candidate,
    profile: dict[str, Any],
    random_: random.Random,
    earlier: list[TrialRecord],
) -> TrialRecord:
    loss, slow = _loss(candidate, random_), random_.uniform(0, 0.5)
    complete = [record for record in earlier if record.state == "complete"]
    if state == "infeasible":
        violation = f"memory: {format_bytes(profile['memory_bytes'])} > {format_bytes(LIMIT)}"
        return TrialRecord(number=number, state=state, candidate=candidate, profile=profile, violation=violation)
    if state == "duplicate" and complete:
        twin = random_.choice(complete)
        return TrialRecord(
            number=number,
            state=state,
            candidate=twin.candidate,
            profile=twin.profile,
            twin=twin.number,
            loss=twin.loss,
            bits_per_byte=twin.bits_per_byte,
        )
    if state == "failed":
        error = "the loss is not finite at step 41"
        return TrialRecord(number=number, state=state, candidate=candidate, profile=profile, error=error, seconds=2.0)
    if state in ("pruned", "running"):
        curve = _curve(candidate, loss + 0.2, slow, random_.randint(2, 4))
        return TrialRecord(
            number=number, state=state, candidate=candidate, profile=profile, curve=curve, seconds=curve[-1].seconds
        )
    return TrialRecord(
        number=number,
        state="complete",
        candidate=candidate,
        profile=profile,
        loss=loss,
        seconds=20.0,
        bits_per_byte=loss / math.log(2) / BYTES_PER_TOKEN,
        curve=_curve(candidate, loss, slow, 6),
    )
