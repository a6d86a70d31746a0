"""`msarch export` as a user types it, on the folder of a small training."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from support.commands import run_command

MODEL = {
    "model": {"variant": "vanilla", "layers": "1@1", "d_model": 16, "n_heads": 2, "vocab_size": 256, "context": 32},
    "training": {"tokens": 2000, "batch_size": 4, "validation_tokens": 1_000_000_000},
    "corpus": {"train": "text.txt", "tokenizer": "bytes"},
}


def test_a_trained_model_is_exported_and_mistakes_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSARCH_CACHE", str(tmp_path / "cache"))
    Path("text.txt").write_text("a coarse and a fine scale " * 600)
    Path("model.yaml").write_text(yaml.safe_dump(MODEL))
    status, said, _ = run_command(["train", "model.yaml", "--threads", "1"], monkeypatch, capfd)
    assert status == 0 and said.startswith("models/model: vanilla 1@1")
    status, said, _ = run_command(["export", "models/model", "--to", "out"], monkeypatch, capfd)
    assert status == 0 and said.startswith("wrote out: models/model, vanilla 1@1")
    assert {"README.md", "config.json", "modeling_msarch.py"} <= {path.name for path in Path("out").iterdir()}
    validated = [line for line in Path("out/README.md").read_text().splitlines() if line.startswith("| validation")]
    assert len(validated) == 1 and validated[0].startswith("| validation, all of its 779 tokens |")
    status, _, _ = run_command(["export", "models/model", "--to", "bare", "--no-code"], monkeypatch, capfd)
    assert status == 0 and not list(Path("bare").glob("*.py"))
    for arguments, message in (
        (["export", "models/model", "--to", "out"], "error: --to: out holds files already; name a new folder"),
        (["export", "models/model", "--to", "text.txt"], "error: --to: text.txt is not a folder: a file has that name"),
        (["export", "gone", "--to", "x"], "error: there is no results folder gone"),
        (["export", "models/model", "--trial", "3", "--to", "x"], "error: --trial: models/model is one model"),
        (["export", "models/model"], "error: "),
    ):
        status, _, error = run_command(arguments, monkeypatch, capfd)
        assert status == 2 and error.startswith(message) and len(error.splitlines()) == 1
