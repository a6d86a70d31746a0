"""`msarch train`: one model trained in a folder of its own, from the beginning or on from where a search left it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from msarch.errors import UserError
from msarch.machine import usable_cores
from msarch.perplexity import format_perplexity, perplexity
from msarch.units import format_bytes, format_count
from search.cli.notes import print_notes
from search.cli.text_warnings import text_warnings_to
from search.show.terminal.console import print_line
from search.show.terminal.training_display import TrainingDisplay
from search.train.record import WEIGHTS, is_model_folder, read_record
from search.train.start import Start, check_origin, find_start

if TYPE_CHECKING:
    from msarch.data.token_set import TokenSet
    from search.train.record import ModelRecord
    from search.train.train import Observer

MODELS = Path("models")
"""Where models go by default."""


def train(
    source: str,
    trial: str | None,
    overrides: Sequence[str],
    *,
    to: Path | None,
    threads: int | None,
    compiled: bool,
    tensorboard: bool,
    dry_run: bool,
) -> None:
    """Train, then say what came of it."""
    start = find_start(source, trial, overrides)
    folder = to or MODELS / start.name
    begun = is_model_folder(folder)  # then its settings stay as they are
    print_notes((*start.notes, *([start.validation_note] if start.validation_note and not begun else [])))
    if dry_run:
        _describe(start, folder, compiled)
        return
    if begun and threads is not None:
        _note_threads(folder, threads)
    with TrainingDisplay(folder.name) as display, text_warnings_to(display.message), ExitStack() as stack:
        from search.train.folder import Settings
        from search.train.train import train_model

        if start.obstacle and not begun:
            display.message(f"trains from the beginning: {start.obstacle}")
        observers: list[Observer] = [display]
        if tensorboard:
            from search.train.events import EventFiles

            observers.append(stack.enter_context(closing(EventFiles(folder))))
        start, tokens = _with_text(start, display)
        settings = Settings(device=_device(), threads=threads or usable_cores(), compiled=compiled)
        options = [*(["--compile"] if compiled else []), *(["--tensorboard"] if tensorboard else [])]
        try:
            record = train_model(start, folder, tokens, settings, observers)
        except KeyboardInterrupt:
            display.message(f"interrupted; continue with: {_command(source, trial, overrides, folder, options)}")
            raise
    _show(folder, start, record, tokens)


def _with_text(start: Start, display: TrainingDisplay) -> tuple[Start, TokenSet]:
    """The tokens, and the start with the content of its text. Raises UserError where they do not fit the model."""
    from msarch.data.token_set import check_length
    from search.results.reproduce import open_corpus

    tokens = open_corpus(start.corpus)
    model, training = start.candidate.model, start.candidate.training
    if tokens.vocab_size != model.vocab_size:
        raise UserError(
            f"the model has a vocabulary of {model.vocab_size:,}, the tokenizer of this corpus one of "
            f"{tokens.vocab_size:,}; set model.vocab_size, or name another corpus.tokenizer",
            key="model.vocab_size",
        )
    targets = tokens.targets_in("validation", training.targets())
    if targets < training.targets():
        display.message(f"validation takes all of its {targets:,} tokens, fewer than {training.targets():,}")
    check_length(tokens, model.context, max(1, targets))
    corpus = replace(start.candidate.corpus, content=tokens.content)
    return start.naming(corpus), tokens


def _note_threads(folder: Path, threads: int) -> None:
    recorded = read_record(folder).threads
    if recorded != threads:
        print_line(
            f"--threads {threads} has no effect: the training in {folder} was begun with {recorded}, and another "
            "number gives other bits",
            error=True,
        )


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _describe(start: Start, folder: Path, compiled: bool) -> None:
    import yaml

    from search.train.folder import check_continues, chosen_candidate

    if is_model_folder(folder):
        check_continues(folder, start, compiled)
        ended = read_record(folder).state == "complete" and (folder / WEIGHTS).is_file()
        done = f"the training in {folder} has ended; nothing is left to train"
        print_line(done if ended else f"continues the training in {folder}")
    elif start.origin is not None:
        check_origin(start)
        print_line(f"trains from the beginning: {start.obstacle}" if start.obstacle else f"on from {start.origin.name}")
    print_line(yaml.safe_dump(chosen_candidate(start, None).to_dict(), sort_keys=False).rstrip())


def _show(folder: Path, start: Start, record: ModelRecord, tokens: TokenSet) -> None:
    last = record.curve[-1]
    print_line(
        f"{folder}: {start.candidate.model.variant} {start.candidate.model.layers}, "
        f"{format_count(record.profile['parameters'])} parameters, trained on {last.tokens:,} tokens"
    )
    validated = tokens.targets_in("validation", start.candidate.training.targets())
    print_line(_quality("validation", last.loss, last.bits_per_byte, validated))
    if record.test is not None and tokens.test is not None:
        print_line(_quality("test", *record.test, tokens.targets_in("test", len(tokens.test))))
    print_line(f"memory of a training step: {format_bytes(record.profile['memory_bytes'])}")


def _quality(split: str, loss: float, bits_per_byte: float, targets: int) -> str:
    quality = format_perplexity(perplexity(loss))
    figures = f"loss {loss:.4f} nats, perplexity {quality}, {bits_per_byte:.4f} bits per byte"
    return f"{split}: {figures}, over {targets:,} tokens"


def _command(source: str, trial: str | None, overrides: Sequence[str], folder: Path, options: Sequence[str]) -> str:
    words = ["msarch", "train", source, *(["--trial", trial] if trial else [])]
    for override in overrides:
        words += ["--set", override]
    return shlex.join([*words, *options, "--to", str(folder)])
