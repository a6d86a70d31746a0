"""The drawings of the documents: ``python -m search.show.drawing.files docs/architectures``, or with ``--check``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from msarch.config import ModelConfig
from msarch.config.variants import VARIANTS
from msarch.errors import UserError
from search.show.drawing.svg import draw_svg

_SHOWN: dict[str, dict[str, object]] = {
    "vanilla": {"layers": "6@1"},
    "top_down": {"layers": "12@16 9@4 9@1"},
    "bottom_up": {"layers": "4@1 9@4 12@16 5@1"},
    "retina": {"layers": "6@1", "context": 128, "retina_factors": (1, 4, 16), "retina_windows": (16, 4)},
    "hourglass": {"layers": "2@1 1@2 4@4 1@2 2@1"},
    "spacebyte": {"layers": "2@1 6@5 2@1", "context": 320},
}
"""What is drawn of each variant; of one that is not here, its example."""


def drawings() -> dict[str, str]:
    """The drawing of each variant, by the name of its file."""
    return {f"{name}.svg": draw_svg(_model(name)) for name in VARIANTS}


def _model(variant: str) -> ModelConfig:
    shown = _SHOWN.get(variant, {"layers": VARIANTS[variant].example})
    vocab_size = 256 if VARIANTS[variant].reads_bytes else 2048
    values: dict[str, Any] = {"d_model": 64, "n_heads": 4, "vocab_size": vocab_size, "context": 256, **shown}
    return ModelConfig(variant=variant, **values)


def main(arguments: list[str]) -> int:
    """Writes the drawings into a folder, or with ``--check`` tells whether it holds them."""
    folder, check = Path(arguments[0] if arguments else ""), arguments[1:] == ["--check"]
    if not arguments or arguments[1:] not in ([], ["--check"]):
        raise UserError("usage: python -m search.show.drawing.files docs/architectures [--check]")
    made = drawings()
    if check:
        stale = [name for name, text in made.items() if not _holds(folder / name, text)]
        if stale:
            sys.stderr.write(f"out of date: {', '.join(stale)}; run: python -m search.show.drawing.files {folder}\n")
        return 1 if stale else 0
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
