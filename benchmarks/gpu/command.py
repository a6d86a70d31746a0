"""Everything that needs a GPU, in one run of at most eight minutes.

    python -m benchmarks.gpu --tokens tokens.npy
    python -m benchmarks.gpu --device cpu --quick       everything in small, to see that it works

It needs torch 2.9 or newer, numpy, safetensors, pyyaml, and of this project the folders `msarch/` and `benchmarks/`;
nothing else. Three parts, each with its share of the time. It reports what did not fit and what could not be done:

memory      predicted against measured memory of models of 10 to 500 million parameters, all variants
speed       training speed in bfloat16 with torch.compile and without, and the share of the GPU's peak
headline    14 vanilla layers against 30 multi-scale ones on equal tokens; only with a file of tokens

The file of tokens is a .npy, or bare uint16. One line makes it from text, with this project installed in full:

    python -c "import numpy as np; from msarch import *; from msarch.data.token_set import prepare_tokens as p; \
np.save('tokens.npy', p(CorpusConfig(source='files', train=('books/*.txt',), \
tokenizer=TokenizerConfig(kind='bpe', vocab_size=30000))).train)"

Everything is written to one JSON file, and printed as one table.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu import headline, memory, speed
from msarch import ModelConfig, TrainingConfig, __version__
from msarch.training.device import make_deterministic

SHARES = {"memory": 0.45, "speed": 0.2, "headline": 0.35}


@dataclass
class Report:
    """What is printed and written: lines for people, figures for programs."""

    lines: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def add(self, part: str, lines: list[str], figures: Any, seconds: float) -> None:
        """One part's outcome."""
        self.lines += [f"{part} ({seconds:.0f} s)", *lines]
        self.figures[part] = {"seconds": round(seconds, 1), "found": figures, "lines": lines}
        print("\n".join([f"{part} ({seconds:.0f} s)", *lines]), flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the parts that were asked for; 0, or 2 where nothing could be run."""
    options = parse(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        print("no NVIDIA GPU here; `--device cpu --quick` runs every part in small")
        return 2
    make_deterministic(options.device, torch.get_num_threads())  # so that a step here is the step of a trial
    report = Report(figures={"environment": environment(options)})
    print("  ".join(f"{name} {value}" for name, value in report.figures["environment"].items()), flush=True)
    parts: dict[str, Callable[[argparse.Namespace, float], tuple[list[str], Any]]]
    parts = {"memory": run_memory, "speed": run_speed, "headline": run_headline}
    end = time.monotonic() + 60 * options.minutes
    for place, name in enumerate(options.parts):
        rest = sum(SHARES[other] for other in options.parts[place:])
        seconds = max(0.0, end - time.monotonic()) * SHARES[name] / rest
        began = time.monotonic()
        lines, figures = attempt(partial(parts[name], options, seconds))
        report.add(name, lines, figures, time.monotonic() - began)
    options.out.write_text(json.dumps(report.figures, indent=1) + "\n", encoding="utf-8")
    print(f"written to {options.out}")
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="All measurements that need a GPU, in one run.")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny models, seconds instead of minutes")
    parser.add_argument("--minutes", type=float, default=8.0, help="time in all (default 8)")
    parser.add_argument("--parts", nargs="+", choices=tuple(SHARES), default=list(SHARES))
    parser.add_argument("--tokens", type=Path, help="a file of tokens, .npy or bare uint16, for the headline")
    parser.add_argument("--backend", help="of torch.compile (default inductor; aot_eager with --quick)")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), help="the JSON file (default gpu.json)")
    return parser.parse_args(arguments)


def environment(options: argparse.Namespace) -> dict[str, str]:
    """What it ran on."""
    found = {"msarch": __version__, "torch": torch.__version__, "python": platform.python_version()}
    found["deterministic"] = ("off", "warn", "error")[torch.get_deterministic_debug_mode()]
    if options.device == "cuda":
        found |= {"gpu": torch.cuda.get_device_name(), "cuda": str(torch.version.cuda)}
        found["memory"] = f"{torch.cuda.get_device_properties(0).total_memory / 2**30:.0f} GiB"
    return {**found, "device": options.device}


def attempt(run: Callable[[], tuple[list[str], Any]]) -> tuple[list[str], Any]:
    """A part's outcome. A part that fails reports it, and the others still run."""
    try:
        return run()
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        return [f"  failed: {type(error).__name__}: {reason}"], None


def run_memory(options: argparse.Namespace, seconds: float) -> tuple[list[str], Any]:
    """Predicted against measured memory."""
    if options.device == "cpu":
        found = memory.measure_all(memory.draw_tiny(), seconds=seconds, device="cpu")
        verdict = f"  {len(found)} tiny candidates: a count on real tensors takes the place of a GPU's measurement"
    else:
        free = int(0.8 * torch.cuda.mem_get_info()[0])
        drawn = memory.draw_for_gpu(5 if options.quick else 60, most_bytes=free)
        found = memory.measure_all(drawn, seconds=seconds)
        verdict = "  " + memory.judge(found)[0]
    lines = [*memory.rows(found), verdict]
    lost = sum(each.measured is None for each in found)
    return lines + ([f"  {lost} ran out of memory"] if lost else []), [each.to_json() for each in found]


def run_speed(options: argparse.Namespace, seconds: float) -> tuple[list[str], Any]:
    """Training speed with torch.compile and without."""
    backend = options.backend or ("aot_eager" if options.quick else "inductor")
    backends = [None] if options.no_compile else [None, backend]
    common: dict[str, Any] = {"d_model": 512, "n_heads": 8, "vocab_size": 30_000, "context": 1024}
    layers, training = headline.MODELS, TrainingConfig(batch_size=32, dtype="bfloat16")
    if options.quick:
        common = {"d_model": 32, "n_heads": 1, "vocab_size": 512, "context": 64}
        layers, training = (("vanilla", "1@1"), ("top_down", "1@4 1@1")), TrainingConfig(batch_size=2, dtype="bfloat16")
    found, end = [], time.monotonic() + seconds
    skipped = []
    for chosen in backends:
        for variant, allocation in layers:
            if time.monotonic() > end:
                skipped.append(f"{variant} {'compiled' if chosen else 'eager'}")
                continue
            model = ModelConfig(variant=variant, layers=allocation, **common)
            found.append(
                speed.measure_speed(
                    model,
                    training,
                    device=options.device,
                    backend=chosen,
                    seconds=0.1 if options.quick else seconds / 12,
                )
            )
    lines = speed.rows(found) + ([f"  no time for {', '.join(skipped)}"] if skipped else [])
    if options.no_compile:
        lines.append("  torch.compile was left out")
    return [*lines, f"  {peak_known(options.device)}"], speed.to_json(found)


def peak_known(device: str) -> str:
    """The source of the peak that shares refer to."""
    if device != "cuda":
        return "no share of a peak on the CPU"
    name = torch.cuda.get_device_name()
    peak = speed.peak_of(name)
    return f"peak {peak[0]:g} TFLOP/s in bfloat16 ({peak[1]})" if peak else f"the peak of {name} is not known here"


def run_headline(options: argparse.Namespace, seconds: float) -> tuple[list[str], Any]:
    """Fourteen vanilla layers against thirty multi-scale ones."""
    if options.tokens is None:
        return ["  skipped: no --tokens FILE was given"], None
    tokens = headline.read_tokens(options.tokens)
    small: dict[str, Any] = {"d_model": 16, "context": 64, "batch_size": 2, "learning_rate": 1e-2, "steps": 40}
    size = small if options.quick else {}
    found = headline.compare(tokens, device=options.device, seconds=seconds, **size)
    return headline.rows(found), headline.to_json(found)
