"""A model trained in its own folder: it resumes to the bit after a stop at any step, and refuses another's folder."""

from __future__ import annotations

import csv
import errno
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from support.small_models import small

from msarch.config import TrainingConfig
from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig, TokenizerConfig
from msarch.data.token_set import TokenSet, prepare_tokens
from msarch.errors import UserError
from msarch.training.checkpoint import read_tensors
from msarch.training.compiling import compile_layers
from msarch.training.file_names import BEFORE_DECAY, FILE
from msarch.training.trainer import Trainer
from msarch.training.validation import Validation, write_curve
from search.ledger.folder import CONFIG
from search.run.event_files import EVENTS
from search.space.config_file import read_config
from search.train.events import EventFiles
from search.train.folder import Settings
from search.train.record import METRICS, RECORD, TOKENIZER, WEIGHTS, ModelRecord, read_record
from search.train.start import Start, check_origin, find_start, with_fitting_tokenizer
from search.train.train import Observer, train_model

SETTINGS = Settings(device="cpu", threads=1, compiled=False)


class Killed(BaseException):
    """Ends a training as a kill does: nothing is written on the way out."""


class Recorder:
    """Remembers the validations; ends the training after a step, or breaks off at once."""

    def __init__(self, kill_after: int = 0) -> None:
        self.points: list[Validation] = []
        self.messages: list[str] = []
        self.began_at: tuple[int, str] | None = None
        self._kill_after = kill_after

    def began(self, trainer: Trainer, begun_from: str) -> None:
        self.began_at = (trainer.step, begun_from)

    def message(self, text: str) -> None:
        self.messages.append(text)

    def stepped(self, trainer: Trainer) -> None:
        if trainer.step == self._kill_after:
            raise Killed

    def validated(self, trainer: Trainer, point: Validation) -> None:
        self.points.append(point)


@pytest.fixture
def tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TokenSet:
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("a coarse and a fine scale " * 900)
    return prepare_tokens(CorpusConfig(train=("text.txt",), tokenizer=TokenizerConfig(kind="bytes", vocab_size=256)))


def start_of(tokens: TokenSet, **training: Any) -> Start:
    values: dict[str, Any] = {"batch_size": 4, "tokens": 4 * 48 * 30, "rungs": (0.25, 0.5, 1.0), "warmup": 0.1}
    corpus = CorpusConfig(
        train=("text.txt",), tokenizer=TokenizerConfig(kind="bytes", vocab_size=256), content=tokens.content
    )
    model = small("top_down", "1@4 1@1", vocab_size=256, dropout=0.1)
    candidate = Candidate(model=model, training=TrainingConfig(**values | training), corpus=corpus)
    return Start(name="m", candidate=candidate, corpus=corpus)


def run(
    start: Start, folder: str, tokens: TokenSet, observers: Sequence[Observer] = (), seconds: float = 300.0
) -> ModelRecord:
    return train_model(start, Path(folder), tokens, SETTINGS, observers, checkpoint_seconds=seconds)


def same_weights(one: str, other: str) -> bool:
    first, second = (read_tensors(Path(folder) / WEIGHTS)[0] for folder in (one, other))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_it_leaves_everything_that_is_needed_to_use_the_model(tokens: TokenSet) -> None:
    record = run(start_of(tokens), "m", tokens)
    names = {path.name for path in Path("m").glob("[!.]*")}
    assert names == {CONFIG, RECORD, TOKENIZER, WEIGHTS, METRICS, "environment.json"}
    assert read_record(Path("m")) == record and record.state == "complete" and record.test is not None
    assert [point.rung for point in record.curve] == [0, 1, 2]
    assert read_config(Path("m") / CONFIG) == start_of(tokens).candidate
    assert record.profile["parameters"] == sum(t.numel() for t in read_tensors(Path("m") / WEIGHTS)[0].values())


def test_killed_after_any_steps_the_same_call_ends_with_the_same_bits(tokens: TokenSet) -> None:
    """With a checkpoint after every step, and with those of the rungs alone; 24 is where the decay begins."""
    start, whole = start_of(tokens, schedule="wsd"), Recorder()
    run(start, "whole", tokens, [whole])
    for folder, seconds in (("often", 0.0), ("seldom", 300.0)):
        for step in (1, 8, 11, 24, 30):
            seen = Recorder(kill_after=step)
            with pytest.raises(Killed):
                run(start, folder, tokens, [seen], seconds)
        again = Recorder()
        record = run(start, folder, tokens, [again], seconds)
        assert again.began_at == (29 if folder == "often" else 15, "")
        assert same_weights("whole", folder)
        assert [point.loss for point in record.curve] == [point.loss for point in whole.points]
        assert (Path(folder) / BEFORE_DECAY).is_file() and not (Path(folder) / FILE).exists()


@pytest.mark.parametrize("lost", ["last record", "last curve"])
def test_stopped_between_its_last_checkpoint_and_what_follows_it_trains_nothing_again(
    lost: str, tokens: TokenSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, write, whole = start_of(tokens), ModelRecord.write, Recorder()

    def fail_at_the_end(record: ModelRecord, folder: Path) -> None:
        if record.state == "complete":
            raise Killed
        write(record, folder)

    def fail_on_a_full_disk(path: Path, curve: Sequence[Validation]) -> None:
        if len(curve) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_curve(path, curve)

    with monkeypatch.context() as patched:
        if lost == "last record":
            patched.setattr(ModelRecord, "write", fail_at_the_end)
        else:
            patched.setattr("search.train.train.write_curve", fail_on_a_full_disk)
        with pytest.raises((Killed, OSError)):
            run(start, "m", tokens)
    again = Recorder()
    record = run(start, "m", tokens, [again])
    assert record.state == "complete" and again.points == []
    third = Recorder()
    assert run(start, "m", tokens, [third]) == record and third.began_at is None
    run(start, "whole", tokens, [whole])
    assert [point.loss for point in record.curve] == [point.loss for point in whole.points]
    with (Path("m") / METRICS).open(newline="") as file:
        assert [float(row["loss"]) for row in csv.DictReader(file)] == [point.loss for point in whole.points]


def test_on_from_before_the_decay_it_equals_an_undisturbed_run(tokens: TokenSet) -> None:
    run(start_of(tokens, schedule="wsd"), "short", tokens)
    start = find_start("short", None, ["training.tokens=8640"])
    assert start.continued is not None and start.obstacle == ""
    seen = Recorder()
    record = run(start, "longer", tokens, [seen])
    assert seen.began_at == (24, "short") and (record.begun_from, record.begun_at) == ("short", 24)
    undisturbed = find_start("longer/config.yaml", None, [])
    assert undisturbed.candidate == start.continued and undisturbed.origin is None
    run(undisturbed, "undisturbed", tokens, [seen])
    assert seen.began_at == (0, "") and same_weights("longer", "undisturbed")


@pytest.mark.parametrize("overrides", [[], ["training.tokens=8640"], ["training.validation_tokens=300"]])
def test_validations_as_large_as_the_training_asks_for_need_no_note(overrides: list[str], tokens: TokenSet) -> None:
    run(start_of(tokens, validation_tokens=256), "short", tokens)
    assert find_start("short", None, overrides).validation_note == ""


def test_a_long_training_on_the_few_validation_tokens_of_a_short_one_is_noted(tokens: TokenSet) -> None:
    run(start_of(tokens, validation_tokens=256), "short", tokens)
    assert find_start("short", None, ["training.tokens=20M"]).validation_note == (
        "each validation takes 256 tokens, as in short; --set training.validation_tokens=0 takes 0.8 % of the budget, "
        "160,000"
    )
    remedied = find_start("short", None, ["training.tokens=20M", "training.validation_tokens=0"])
    assert remedied.candidate.training.targets() == 160_000 and remedied.validation_note == ""
    assert find_start("short", None, ["training.tokens=20M", "training.validation_tokens=300"]).validation_note == ""


def test_a_run_that_was_begun_from_a_checkpoint_resumes_when_that_is_gone(tokens: TokenSet) -> None:
    run(start_of(tokens, schedule="wsd"), "short", tokens)
    overrides = ["training.tokens=8640"]
    run(find_start("short", None, overrides), "whole", tokens)
    with pytest.raises(Killed):
        run(find_start("short", None, overrides), "longer", tokens, [Recorder(kill_after=26)])
    (Path("short") / BEFORE_DECAY).unlink()
    start = find_start("short", None, overrides)
    assert "kept no checkpoint" in start.obstacle
    seen = Recorder()
    run(start, "longer", tokens, [seen])
    assert seen.began_at == (24, "short") and same_weights("longer", "whole")


def spoil(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def test_a_checkpoint_that_is_lost_is_told(tokens: TokenSet) -> None:
    start, whole = start_of(tokens), Recorder()
    run(start, "whole", tokens, [whole])
    assert whole.messages == []
    with pytest.raises(Killed):
        run(start, "m", tokens, [Recorder(kill_after=20)])
    spoil(Path("m") / FILE)
    seen = Recorder(kill_after=20)
    with pytest.raises(Killed):
        run(start, "m", tokens, [seen])
    assert seen.began_at == (0, "")
    assert seen.messages == [f"{Path('m') / FILE} is damaged; trains from the beginning"]
    (Path("m") / FILE).unlink()
    seen = Recorder()
    run(start, "m", tokens, [seen])
    assert seen.began_at == (0, "") and same_weights("whole", "m")
    assert seen.messages == [f"{Path('m') / FILE} is gone; trains from the beginning"]
    (Path("m") / WEIGHTS).unlink()
    with pytest.raises(Killed):
        run(start, "m", tokens, [Recorder(kill_after=1)])
    record = read_record(Path("m"))
    assert (record.state, record.curve, record.test) == ("training", (), None)
    run(start, "m", tokens)
    (Path("m") / WEIGHTS).unlink()
    seen = Recorder()
    run(start, "m", tokens, [seen])
    assert seen.messages == [f"{Path('m') / FILE} is gone; trains from the beginning"] and same_weights("whole", "m")


def test_a_lost_checkpoint_of_a_run_begun_from_another_is_told(tokens: TokenSet) -> None:
    run(start_of(tokens, schedule="wsd"), "short", tokens)
    start = find_start("short", None, ["training.tokens=8640"])
    for origin, message in ((True, "trains again on from short"), (False, "trains from the beginning")):
        with pytest.raises(Killed):
            run(start, "longer", tokens, [Recorder(kill_after=26)])
        spoil(Path("longer") / FILE)
        if not origin:
            (Path("short") / BEFORE_DECAY).unlink()
        seen = Recorder(kill_after=26)
        with pytest.raises(Killed):
            run(start, "longer", tokens, [seen])
        assert seen.messages == [f"{Path('longer') / FILE} is damaged; {message}"]
        assert seen.began_at == ((24, "short") if origin else (0, ""))
        record = read_record(Path("longer"))
        assert (record.begun_from, record.begun_at) == seen.began_at[::-1]


def test_a_damaged_checkpoint_of_another_training_is_refused_before_anything_is_made(tokens: TokenSet) -> None:
    run(start_of(tokens, schedule="wsd"), "short", tokens)
    start = find_start("short", None, ["training.tokens=8640"])
    spoil(Path("short") / BEFORE_DECAY)
    refused = rf"^{Path('short') / BEFORE_DECAY}: is damaged; to train from the beginning, remove it"
    with pytest.raises(UserError, match=refused):
        run(start, "longer", tokens)
    assert not list(Path("longer").glob("[!.]*"))
    with pytest.raises(UserError, match=refused):
        check_origin(start)


@pytest.mark.parametrize(
    ("schedule", "override", "obstacle"),
    [
        ("cosine", "training.tokens=8640", "only wsd can be continued"),
        ("wsd", "training.tokens=100", "was trained on more tokens"),
        ("wsd", "model.dropout=0.2", "more than the budget was changed"),
        ("wsd", "training.warmup=0.2", "more than the budget was changed"),
    ],
)
def test_what_cannot_be_trained_on_begins_at_the_beginning_and_says_why(
    schedule: str, override: str, obstacle: str, tokens: TokenSet
) -> None:
    run(start_of(tokens, schedule=schedule), "short", tokens)
    start = find_start("short", None, [override])
    assert obstacle in start.obstacle and start.continued is None


def test_another_training_is_refused_in_a_line_that_names_the_difference(tokens: TokenSet) -> None:
    run(start_of(tokens), "m", tokens)
    with pytest.raises(UserError, match=r"^--to: m holds another training: training.clip is 1.0 there and 0.5 here"):
        run(start_of(tokens, clip=0.5), "m", tokens)
    compiled = replace(SETTINGS, compiled=True)
    with pytest.raises(UserError, match="was begun otherwise; leave out --compile"):
        train_model(start_of(tokens), Path("m"), tokens, compiled)
    (Path("m") / RECORD).write_text("{}")
    with pytest.raises(UserError, match=r"^m/record.json: is damaged"):
        run(start_of(tokens), "m", tokens)


def test_a_failure_of_the_compiler_is_one_line(tokens: TokenSet, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*inputs: torch.Tensor) -> None:
        raise RuntimeError("view size is not compatible")

    def compile_badly(model: torch.nn.Module) -> None:
        compile_layers(model, lambda graph, inputs: fail)

    monkeypatch.setattr("msarch.training.trainer.compile_layers", compile_badly)
    expected = r"^torch.compile failed \(view size is not compatible\); use another folder and leave out --compile"
    with pytest.raises(UserError, match=expected):
        train_model(start_of(tokens), Path("m"), tokens, replace(SETTINGS, compiled=True))


def test_another_error_of_a_compiled_training_stays_what_it_is(
    tokens: TokenSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(trainer: Trainer) -> None:
        raise RuntimeError("no compiler had a part in it")

    monkeypatch.setattr(Trainer, "_update", fail)
    with pytest.raises(RuntimeError, match="no compiler had a part in it"):
        train_model(start_of(tokens), Path("m"), tokens, replace(SETTINGS, compiled=True))


def test_a_folder_with_other_files_is_left_alone(tokens: TokenSet) -> None:
    Path("mine").mkdir()
    (Path("mine") / CONFIG).write_text("mine")
    with pytest.raises(UserError, match=r"^--to: mine holds other files \(config.yaml\); name a new folder"):
        run(start_of(tokens), "mine", tokens)
    assert (Path("mine") / CONFIG).read_text() == "mine"


def test_the_same_text_in_another_place_is_the_same_training(tokens: TokenSet) -> None:
    start = start_of(tokens)
    with pytest.raises(Killed):
        run(start, "m", tokens, [Recorder(kill_after=20)])
    moved = replace(start.candidate, corpus=replace(start.candidate.corpus, train=("elsewhere/text.txt",)))
    seen = Recorder()
    run(replace(start, candidate=moved), "m", tokens, [seen])
    assert seen.began_at == (15, "")


def test_a_loss_that_runs_away_is_told_in_a_line(tokens: TokenSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msarch.training.trainer.training_step", lambda *arguments: torch.tensor(float("nan")))
    with pytest.raises(UserError, match=r"not finite at step 1; train with a lower rate .*learning_rate=0.0003$"):
        run(start_of(tokens), "m", tokens)


def test_a_lower_rate_is_written_plainly(tokens: TokenSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msarch.training.trainer.training_step", lambda *arguments: torch.tensor(float("nan")))
    start = start_of(tokens)
    training = replace(start.candidate.training, learning_rate=1000.0)
    with pytest.raises(UserError, match=r"learning_rate=100$"):
        run(replace(start, candidate=replace(start.candidate, training=training)), "m", tokens)


@pytest.mark.parametrize(("size", "kind"), [(256, "bytes"), (2048, "bpe"), (1024, "bpe")])
def test_a_model_alone_gets_a_tokenizer_of_its_vocabulary(size: int, kind: str, tmp_path: Path) -> None:
    model = {"variant": "vanilla", "layers": "1@1", "d_model": 32, "n_heads": 2, "vocab_size": size, "context": 32}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(model))
    start = find_start(str(tmp_path / "small.yaml"), None, [])
    tokenizer = start.candidate.corpus.tokenizer
    assert (start.name, tokenizer.kind, tokenizer.vocab_size) == ("small", kind, size)
    (tmp_path / "0.5B").mkdir()
    (tmp_path / "0.5B" / CONFIG).write_text(yaml.safe_dump(model))
    assert find_start(str(tmp_path / "0.5B"), None, []) == replace(start, name="0.5B")
    with pytest.raises(UserError, match=r"^model.vocab_size: a byte-level vocabulary has at least 257 tokens"):
        with_fitting_tokenizer(
            Candidate(model=small("vanilla", "1@1", vocab_size=99), training=start.candidate.training)
        )


def test_event_files_hold_losses_and_hide_what_a_killed_run_wrote_too_far(tokens: TokenSet) -> None:
    from tensorboardX.proto.event_pb2 import Event

    start = start_of(tokens)
    with pytest.raises(Killed):
        run(start, "m", tokens, [EventFiles(Path("m")), Recorder(kill_after=20)])
    events = EventFiles(Path("m"))
    record = run(start, "m", tokens, [events])
    events.close()
    found: list[Any] = []
    for path in sorted((Path("m") / EVENTS).iterdir(), key=lambda path: path.stat().st_mtime_ns):
        content = path.read_bytes()
        while content:
            length = int.from_bytes(content[:8], "little")  # then a sum, the event, another sum
            found.append(Event.FromString(content[12 : 12 + length]))
            content = content[16 + length :]
    begun = [event.step for event in found if event.HasField("session_log")]
    assert begun[-1] == 16, "TensorBoard drops the points of this step and later ones that an earlier file holds"
    losses = {e.step: v.simple_value for e in found for v in e.summary.value if v.tag == "validation/loss"}
    assert losses == pytest.approx({point.step: point.loss for point in record.curve})
    assert any(v.tag == "training/loss" for e in found for v in e.summary.value)


def test_a_record_is_json_that_anybody_reads(tokens: TokenSet) -> None:
    run(start_of(tokens), "m", tokens)
    values = json.loads((Path("m") / RECORD).read_text())
    assert values["state"] == "complete" and values["curve"][-1]["tokens"] == 4 * 48 * 30
