"""`msarch export`: a trained model as a folder for other programs."""

from __future__ import annotations

from pathlib import Path

from search.cli.notes import print_notes
from search.show.terminal.console import print_line


def export(source: str, trial: str | None, to: Path, *, code: bool) -> None:
    """Write the folder, then say what is in it."""
    from search.export.export import export_model
    from search.train.trained_model import find_trained

    trained = find_trained(source, trial)
    print_notes(trained.notes)
    export_model(trained, to, code=code)
    model = trained.candidate.model
    how = "trust_remote_code=True, or after import msarch.hf" if code else "import msarch.hf"
    print_line(f"wrote {to}: {trained.name}, {model.variant} {model.layers}")
    print_line(f"transformers loads it with {how}; README.md is its model card")
