"""An exported model, opened by transformers: the same logits to the bit, with msarch and on a machine without it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from support.small_models import small

from msarch.config import TrainingConfig
from msarch.config.candidate import Candidate
from msarch.config.corpus import CorpusConfig, TokenizerConfig
from msarch.config.variants import VARIANTS
from msarch.data.tokenizer import SEPARATOR, Tokenizer, byte_tokenizer, load_tokenizer, train_bpe
from msarch.errors import UserError
from msarch.generation import Decoder
from msarch.memory.candidate_profile import profile_candidate
from msarch.models.build import build_model
from msarch.models.language_model import LanguageModel
from msarch.training.checkpoint import write_tensors
from msarch.training.validation import Validation
from msarch.units import format_bytes
from search.export.card import model_card
from search.export.code import exported_code, flat_name, needed_modules
from search.export.export import export_model
from search.ledger.folder import CONFIG, trial_folder
from search.ledger.records import TrialRecord
from search.results.results import Results
from search.train.record import TOKENIZER, WEIGHTS, ModelRecord
from search.train.trained_model import TrainedModel, _of_trial, find_trained

TEXT = "a coarse and a fine scale, one after the other. "
WITHOUT_MSARCH = """
import json, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("msarch", "search"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], trust_remote_code=True)
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], trust_remote_code=True)
tokens = tokenizer(sys.argv[2], return_tensors="pt")
with torch.no_grad():
    torch.save(model(**tokens).logits, sys.argv[3])
model.save_pretrained(sys.argv[4])
again = AutoModelForCausalLM.from_pretrained(sys.argv[4], trust_remote_code=True)
with torch.no_grad():
    assert torch.equal(again(**tokens).logits, model(**tokens).logits)
print(json.dumps(model.generate(**tokens, max_new_tokens=5, do_sample=False)[0].tolist()))
assert not any(name.split(".")[0] in ("msarch", "search") for name in sys.modules)
"""


def adds_tokens(tokenizer: Tokenizer, path: Path) -> Tokenizer:
    """The same vocabulary in a file that puts the separator around each text where special tokens are asked for."""
    tokenizer.save(path)
    raw = tokenizers.Tokenizer.from_file(str(path))
    raw.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"{SEPARATOR} $A {SEPARATOR}", special_tokens=[(SEPARATOR, 0)]
    )
    assert raw.encode("a").ids[0] == raw.encode("a").ids[-1] == 0
    raw.save(str(path))
    return load_tokenizer(path)


def trained_in(folder: Path, variant: str, tokenizer: Tokenizer, **options: Any) -> tuple[TrainedModel, LanguageModel]:
    """A model with random weights, as if it had been trained, and the model itself."""
    model = small(variant, VARIANTS[variant].example, vocab_size=tokenizer.vocab_size, **options)
    kind = TokenizerConfig(kind="bytes", vocab_size=256) if tokenizer.is_bytes else TokenizerConfig(vocab_size=300)
    corpus = CorpusConfig(train=("books/*.txt",), tokenizer=kind, content="3f1c0a9e5d7b2468")
    candidate = Candidate(model=model, training=TrainingConfig(batch_size=4, tokens=9600), corpus=corpus)
    built = build_model(model).eval()
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / WEIGHTS, dict(built.state_dict()), {})
    tokenizer.save(folder / TOKENIZER)
    trained = TrainedModel(
        name="results/books trial 7",
        source="books-0007",
        candidate=candidate,
        profile=profile_candidate(candidate),
        curve=(Validation(rung=5, step=50, tokens=9600, loss=2.0, bits_per_byte=1.5, seconds=3.0),),
        validated=256,
        test=(2.25, 1.625),
        environment={"msarch": "0.1.0", "processor": "a processor", "packages": {"torch": "2.13.0"}},
        weights=folder / WEIGHTS,
        tokenizer=folder / TOKENIZER,
        commands=("msarch train config.yaml --threads 1",),
    )
    return trained, built


@pytest.fixture(scope="module")
def bpe() -> Tokenizer:
    return train_bpe(iter([TEXT * 20, "the quick brown fox jumps over the lazy dog " * 20]), 270)


def opened(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    import msarch.hf  # noqa: F401  # registers the classes

    return AutoModelForCausalLM.from_pretrained(folder)


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_logits_are_ours_to_the_bit_and_it_generates(variant: str, tmp_path: Path) -> None:
    windows = {"retina_factors": (1, 4), "retina_windows": (8,)} if variant == "retina" else {}
    trained, ours = trained_in(tmp_path / "m", variant, byte_tokenizer(), positions="rotary", **windows)
    export_model(trained, tmp_path / "out")
    model = opened(tmp_path / "out")
    tokens = torch.randint(1, 256, (2, 40))  # transformers takes token 0, the end of a text, for padding
    with torch.no_grad():
        wanted = ours(tokens)
        assert torch.equal(model(tokens).logits, wanted)
        assert torch.equal(model(tokens, logits_to_keep=2).logits, wanted[:, -2:])
    expected = tokens[:, :7]
    for _ in range(5):
        with torch.no_grad():
            expected = torch.cat([expected, ours(expected)[:, -1:].argmax(-1)], 1)
    for cached in (True, False):
        found = model.generate(tokens[:, :7], max_new_tokens=5, do_sample=False, eos_token_id=None, use_cache=cached)
        assert torch.equal(found, expected)


def test_what_is_saved_again_opens_where_it_was_opened(tmp_path: Path) -> None:
    trained, _ = trained_in(tmp_path / "m", "top_down", byte_tokenizer())
    export_model(trained, tmp_path / "out")
    model = opened(tmp_path / "out")
    with torch.no_grad():
        model.model.embedding.weight.mul_(2)  # as if it had been tuned
    model.save_pretrained(tmp_path / "tuned")
    config = json.loads((tmp_path / "tuned" / "config.json").read_text())
    assert "auto_map" not in config, "it names files of code, and none are written"
    assert config["architecture"] == json.loads((tmp_path / "out" / "config.json").read_text())["architecture"]
    tokens = torch.randint(1, 256, (2, 40))
    with torch.no_grad():
        assert torch.equal(opened(tmp_path / "tuned")(tokens).logits, model(tokens).logits)


def test_generation_uses_our_cache_with_beams_too(tmp_path: Path) -> None:
    trained, ours = trained_in(tmp_path / "m", "top_down", byte_tokenizer(), positions="rotary")
    export_model(trained, tmp_path / "out")
    model, tokens = opened(tmp_path / "out"), torch.randint(1, 256, (2, 9))
    read: list[int] = []
    hook = model.model.embedding.register_forward_hook(lambda module, given, output: read.append(given[0].shape[1]))
    options = {"max_new_tokens": 8, "do_sample": False, "num_beams": 3, "eos_token_id": None}
    cached = model.generate(tokens, **options)
    assert read == [9, *[1] * 7], "a token is read once"
    hook.remove()
    assert torch.equal(cached, model.generate(tokens, **options, use_cache=False))
    with torch.no_grad():
        whole = ours(tokens)
        first = model(tokens[:, :5], use_cache=True)
        rest = model(tokens[:, 5:], past_key_values=first.past_key_values)
    assert torch.allclose(torch.cat([first.logits, rest.logits], 1), whole, atol=1e-5)


def test_a_loss_is_given_beside_a_cache_that_is_not_needed(tmp_path: Path) -> None:
    trained, _ = trained_in(tmp_path / "m", "top_down", byte_tokenizer())
    export_model(trained, tmp_path / "out", code=False)
    model, tokens = opened(tmp_path / "out"), torch.randint(1, 256, (1, 9))
    loss = model(tokens, labels=tokens).loss
    assert torch.equal(model(tokens, labels=tokens, use_cache=True).loss, loss)
    logits, cache = model(tokens, use_cache=True, return_dict=False)
    assert logits.shape == (1, 9, 256) and cache.get_seq_length() == 9
    with pytest.raises(ValueError, match="labels need all tokens in one pass; leave out past_key_values"):
        model(tokens[:, :1], labels=tokens[:, :1], past_key_values=cache)


def test_further_tokens_in_the_vocabulary_are_kept(tmp_path: Path) -> None:
    trained, _ = trained_in(tmp_path / "m", "hourglass", byte_tokenizer())
    export_model(trained, tmp_path / "out", code=False)
    model, tokens = opened(tmp_path / "out"), torch.randint(1, 256, (1, 9))
    model.resize_token_embeddings(300)
    model.save_pretrained(tmp_path / "larger")
    assert torch.equal(opened(tmp_path / "larger")(tokens).logits, model(tokens).logits)
    assert model.generate(tokens, max_new_tokens=3, do_sample=False, eos_token_id=None).shape == (1, 12)


def test_it_runs_where_msarch_cannot_be_imported(bpe: Tokenizer, tmp_path: Path) -> None:
    trained, ours = trained_in(tmp_path / "m", "top_down", bpe)
    export_model(trained, tmp_path / "out")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_MSARCH, "out", TEXT, "logits.pt", "saved again"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    tokens = torch.tensor([bpe.encode(TEXT)])
    with torch.no_grad():
        assert torch.equal(torch.load(tmp_path / "logits.pt"), ours(tokens))
    assert json.loads(done.stdout.splitlines()[-1])[: tokens.shape[1]] == tokens[0].tolist()
    assert (tmp_path / "saved again" / "modeling_msarch.py").is_file()


@pytest.mark.parametrize("kind", ["bpe", "bytes", "file"])
def test_the_tokenizer_gives_our_tokens_and_text_comes_back(kind: str, bpe: Tokenizer, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    ours = {"bpe": bpe, "bytes": byte_tokenizer(), "file": adds_tokens(bpe, tmp_path / "own.json")}[kind]
    trained, _ = trained_in(tmp_path / "m", "vanilla", ours)
    export_model(trained, tmp_path / "out")
    found = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert isinstance(found, PreTrainedTokenizerFast)
    # The letter that stands for byte 0 in a vocabulary of bytes, and a special token written out.
    for text in (TEXT, "Grüße,  \n\ttwo  spaces… 日本 🙂", "Āzija", "the end<|endoftext|>of text", ""):
        assert found(text)["input_ids"] == ours.encode(text)
        assert found.decode(found(text)["input_ids"]) == text
    assert (found.eos_token_id, found.bos_token_id, found.pad_token_id) == (0, 0, 0)
    assert found.decode([0, *ours.encode("a"), 0], skip_special_tokens=True) == "a"
    padded = found(["a", TEXT], return_tensors="pt", padding=True)
    assert padded["attention_mask"][0, 0] == 1 and padded["attention_mask"][0, -1] == 0


def test_padding_on_the_right_changes_nothing_and_on_the_left_is_refused(tmp_path: Path) -> None:
    trained, ours = trained_in(tmp_path / "m", "bottom_up", byte_tokenizer())
    export_model(trained, tmp_path / "out", code=False)
    model = opened(tmp_path / "out")
    tokens = torch.randint(1, 256, (1, 20))
    padded = torch.cat([tokens, torch.zeros(1, 12, dtype=torch.int64)], 1)
    mask = (torch.arange(32) < 20).long()[None]
    with torch.no_grad():
        assert torch.allclose(model(padded, attention_mask=mask).logits[:, :20], ours(tokens), atol=1e-5)
        with pytest.raises(ValueError, match="pad on the right"):
            model(padded.flip(1), attention_mask=mask.flip(1))
    with pytest.raises(ValueError, match="prompts of one batch must be equally long"):
        model.generate(padded, attention_mask=mask, max_new_tokens=2)


def test_trainer_fine_tunes_it(tmp_path: Path) -> None:
    from transformers import Trainer, TrainingArguments

    trained, _ = trained_in(tmp_path / "m", "top_down", byte_tokenizer())
    export_model(trained, tmp_path / "out")
    model = opened(tmp_path / "out")
    tokens = torch.tensor(list(TEXT.encode())[:48])
    rows = [{"input_ids": tokens, "labels": tokens} for _ in range(40)]
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "fine"),
        max_steps=10,
        per_device_train_batch_size=4,
        learning_rate=3e-3,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=rows)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 10 and losses[-1] < losses[0] - 0.3
    trainer.save_model(str(tmp_path / "fine"))
    again = opened(tmp_path / "fine")
    with torch.no_grad():
        assert torch.equal(again(tokens[None]).logits, model.eval()(tokens[None]).logits)


def test_the_code_needs_torch_numpy_and_transformers_alone() -> None:
    for variant in VARIANTS:
        code = exported_code(variant)
        needed = needed_modules("msarch.hf.modeling", VARIANTS[variant].model.partition(":")[0])
        assert code.keys() == {f"{flat_name(name)}.py" for name in needed}
        for name, source in code.items():
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.ImportFrom) and node.level:
                    assert f"{node.module}.py" in code, f"{name} imports {node.module}"
                elif isinstance(node, ast.Import | ast.ImportFrom):
                    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
                    tops = {each.split(".")[0] for each in names}
                    assert tops <= {"numpy", "torch", "transformers", *sys.stdlib_module_names}, (name, tops)


def test_the_card_says_what_was_recorded(tmp_path: Path) -> None:
    trained, _ = trained_in(tmp_path / "m", "top_down", byte_tokenizer())
    export_model(trained, tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    for said in (
        "# books-0007",
        "| validation, its first 256 tokens | 2.0000 | 7.389 | 1.5000 |",
        "| test, all of it | 2.2500 | 9.488 | 1.6250 |",
        "files `books/*.txt` (content hash `3f1c0a9e5d7b2468`)",
        "bytes of UTF-8",
        "9,600 tokens in 50 steps of 4 sequences",
        "a processor, torch 2.13.0",
        "2 layers",
        "with unfused attention",
        "trust_remote_code=True",
        "msarch train config.yaml --threads 1",
    ):
        assert said in card, card
    assert "{{" not in card and "{%" not in card


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (256, "| validation, its first 256 tokens | 2.0000 |"),
        (99, "| validation, all of its 99 tokens | 2.0000 |"),
        (None, "| validation | 2.0000 |"),
    ],
)
def test_the_card_says_over_how_many_tokens_it_was_judged(targets: int | None, said: str, tmp_path: Path) -> None:
    trained, _ = trained_in(tmp_path / "m", "top_down", byte_tokenizer())
    card = model_card(replace(trained, validated=targets), on_its_own=False)
    assert trained.candidate.training.targets() == 256 and said in card, card


def test_the_card_names_the_cache_that_the_exported_model_allocates(tmp_path: Path) -> None:
    trained, _ = trained_in(tmp_path / "m", "top_down", byte_tokenizer(), context=64)
    training = replace(trained.candidate.training, dtype="bfloat16")
    trained = replace(trained, candidate=replace(trained.candidate, training=training))
    export_model(trained, tmp_path / "out")
    held = Decoder(opened(tmp_path / "out").model).cache_bytes
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"| cache when generating, one sequence of the full context | {format_bytes(held)} |" in card, card


def test_a_folder_with_files_and_damaged_weights_are_refused(tmp_path: Path) -> None:
    trained, _ = trained_in(tmp_path / "m", "vanilla", byte_tokenizer())
    with pytest.raises(UserError, match=r"^--to: .*m holds files already; name a new folder"):
        export_model(trained, tmp_path / "m")
    trained.weights.write_bytes(trained.weights.read_bytes()[:100])
    with pytest.raises(UserError, match=r"model\.safetensors: is damaged"):
        export_model(trained, tmp_path / "out")
    assert not (tmp_path / "out").exists()  # so that the same command works once the model was trained again


def test_a_model_without_weights_says_which_command_makes_them(
    make_record: Callable[..., TrialRecord], tmp_path: Path
) -> None:
    results = Results(tmp_path / "books", [make_record(3, 60, 20)], ("perplexity", "memory"))
    with pytest.raises(UserError, match=r"trial 3 has kept no weights; train it again with: msarch train .*--trial 3"):
        _of_trial(results, results.records[0])
    weights = trial_folder(tmp_path / "books", 3) / WEIGHTS
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"")
    duplicate = replace(make_record(5, 60, 20), state="duplicate", twin=3, candidate=results.records[0].candidate)
    byte_tokenizer().save(tmp_path / "books" / TOKENIZER)
    model = replace(duplicate.candidate.model, vocab_size=256)
    assert (
        _of_trial(results, replace(duplicate, candidate=replace(duplicate.candidate, model=model))).weights == weights
    )


def test_a_training_that_has_not_ended_is_refused(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text("")
    ModelRecord(candidate="", device="cpu", threads=1, compiled=False).write(tmp_path)
    with pytest.raises(UserError, match="has not ended; continue it with the msarch train that began it"):
        find_trained(str(tmp_path))
