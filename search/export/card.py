"""The model card of an exported model, written from its record: nothing in it is typed by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from msarch.config.corpus import CorpusConfig, TokenizerConfig
from msarch.perplexity import format_perplexity, perplexity
from msarch.units import format_bytes, format_count
from search.show.drawing.text import draw_text
from search.train.trained_model import TrainedModel

_CARD = Path(__file__).with_name("card.md.jinja")


def model_card(trained: TrainedModel, *, on_its_own: bool) -> str:
    """The text of README.md.

    Args:
        on_its_own: whether the folder carries the code of the model.
    """
    model, training = trained.candidate.model, trained.candidate.training
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    return environment.from_string(_CARD.read_text(encoding="utf-8")).render(
        name=trained.source,
        model=model,
        training=training,
        seed=trained.candidate.seed,
        parameters=format_count(trained.profile["parameters"]),
        environment=trained.environment,
        drawing=draw_text(model),
        on_its_own=on_its_own,
        corpus=describe_corpus(trained.candidate.corpus),
        content=trained.candidate.corpus.content,
        tokenizer=describe_tokenizer(trained.candidate.corpus.tokenizer, model.vocab_size),
        last=trained.curve[-1],
        machine=_machine(trained.environment),
        qualities=_qualities(trained),
        ppl=lambda loss: format_perplexity(perplexity(loss)),
        validation_chose=trained.test is None,
        **_memory(trained),
        commands=trained.commands,
    )


def describe_corpus(corpus: CorpusConfig) -> str:
    """A corpus in words."""
    if corpus.source == "python-docs":
        return "the documentation that CPython ships"
    if corpus.source == "huggingface":
        return f"the Hugging Face data set {corpus.name}" + (f", {corpus.config}" if corpus.config else "")
    return "files " + ", ".join(f"`{pattern}`" for pattern in corpus.train)


def describe_tokenizer(tokenizer: TokenizerConfig, size: int) -> str:
    """A tokenizer in words."""
    if tokenizer.kind == "bytes":
        return "bytes of UTF-8"
    kind = "byte-level BPE trained on the training text" if tokenizer.kind == "bpe" else f"the file `{tokenizer.file}`"
    return f"{kind}, {size:,} tokens"


def _machine(environment: dict[str, Any]) -> str:
    gpus = environment.get("gpus") or []
    torch = environment.get("packages", {}).get("torch")
    parts = [", ".join(gpus) or environment.get("processor", "an unknown machine"), f"torch {torch}" if torch else ""]
    return ", ".join(part for part in parts if part)


def _qualities(trained: TrainedModel) -> list[tuple[str, float, float]]:
    last = trained.curve[-1]
    found = [(_validation(trained), last.loss, last.bits_per_byte)]
    return found + ([("test, all of it", *trained.test)] if trained.test is not None else [])


def _validation(trained: TrainedModel) -> str:
    """The split, and how much of it was read, where that was recorded."""
    targets = trained.validated
    if targets is None:
        return "validation"
    asked = trained.candidate.training.targets()
    return (
        f"validation, all of its {targets:,} tokens" if targets < asked else f"validation, its first {targets:,} tokens"
    )


def _memory(trained: TrainedModel) -> dict[str, str]:
    from msarch.memory.candidate_profile import profile_candidate
    from msarch.memory.inference import cache_bytes

    fused = replace(trained.candidate, training=replace(trained.candidate.training, attention="fused"))
    figures = profile_candidate(fused)  # a record of an earlier version may lack some
    exported = replace(trained.candidate.training, dtype="float32")  # whatever it was trained in
    return {
        "fused": format_bytes(figures["memory_bytes"]),
        "unfused": format_bytes(figures["memory_unfused_bytes"]),
        "cache": format_bytes(cache_bytes(trained.candidate.model, exported)),
    }
