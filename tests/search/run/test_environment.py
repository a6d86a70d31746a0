"""What is recorded of an environment, and what is added where a search goes on in another one."""

from __future__ import annotations

import json
from pathlib import Path

from search.run.environment import describe_environment, write_environment


def test_it_names_versions_processor_and_commit_but_no_paths(tmp_path: Path) -> None:
    found = describe_environment()
    assert found["packages"]["torch"] and found["processor"] and found["cores"] >= 1
    assert str(Path.home()) not in json.dumps(found)


def test_a_later_environment_adds_what_differs_once(tmp_path: Path) -> None:
    first = {"python": "3.11.1", "cores": 2}
    write_environment(tmp_path, first)
    write_environment(tmp_path, first)
    assert json.loads((tmp_path / "environment.json").read_text()) == first
    for _ in range(2):
        write_environment(tmp_path, {"python": "3.12.0", "cores": 2})
    assert json.loads((tmp_path / "environment.json").read_text()) == {**first, "later": [{"python": "3.12.0"}]}
