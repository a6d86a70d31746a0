"""`msarch compare`: what it prints and writes, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from support.command_line import msarch
from support.commands import Here
from support.made_up_table import COMBINATIONS, made_up_table


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the searches `vanilla`, `both`, and `bpe`, which has another tokenizer."""
    place = tmp_path_factory.mktemp("compare")
    designs = {"vanilla": COMBINATIONS[:24], "both": COMBINATIONS[18:42]}
    for name, chosen in designs.items():
        shutil.move(made_up_table(place, chosen), place / name)
    shutil.move(made_up_table(place, COMBINATIONS[:6], "corpus.tokenizer={bpe: 512}"), place / "bpe")
    return place


def test_the_table_draws_the_fronts_and_says_who_leads(here: Here) -> None:
    done = here("compare", "vanilla", "both")
    assert (done.returncode, done.stderr) == (0, "")
    plot, rest = done.stdout.split("A vanilla, B both\n")
    assert plot.startswith("validation perplexity against training memory") and "A" in plot and "B" in plot
    lines = [line.split() for line in rest.splitlines()]
    assert ["all", "together"] in [line[:2] for line in lines]
    assert "leads in" in rest and rest.rstrip().endswith("MiB.") and "and more" in rest


def test_without_characters_for_a_plot_the_tables_stay(place: Path) -> None:
    done = msarch("compare", "vanilla", "both", cwd=place, PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and done.stdout.startswith("search")


def test_json_and_csv_hold_the_same_ranges(here: Here) -> None:
    as_json, as_csv = (here("compare", "vanilla", "both", "--format", kind) for kind in ("json", "csv"))
    found, rows = json.loads(as_json.stdout), list(csv.DictReader(io.StringIO(as_csv.stdout)))
    assert [each["name"] for each in found["searches"]] == ["vanilla", "both"]
    assert found["hypervolume_together"] >= max(each["hypervolume"] for each in found["searches"])
    assert len(rows) == len(found["ranges"]) > 1 and found["ranges"][-1]["to_memory_bytes"] is None
    assert [row["leaders"].split("; ") for row in rows] == [each["leaders"] for each in found["ranges"]]
    assert [float(row["perplexity"]) for row in rows] == [each["perplexity"] for each in found["ranges"]]


def test_the_page_stands_alone(here: Here, place: Path) -> None:
    shutil.copytree(place / "both", place / "<b>both", dirs_exist_ok=True)
    done = here("compare", "vanilla", "<b>both", "--html", "page.html")
    assert done.returncode == 0 and done.stderr == "wrote page.html\n"
    text = (place / "page.html").read_text()
    assert "Who leads where" in text and "&lt;b&gt;both" in text and "<b>both" not in text
    assert "default-src 'none'" in text and "src=" not in text.split("<body>")[1]


def test_other_tokenizers_compare_by_bits_per_byte(here: Here) -> None:
    done = here("compare", "vanilla", "bpe", "--by", "bits_per_byte")
    assert done.returncode == 0 and "bits per byte" in done.stdout
    [note] = done.stderr.splitlines()
    assert note.startswith("note: vanilla and bpe have different tokenizers; a difference in bits per byte")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["vanilla"], "error: RESULTS: compares 2 to 14 searches, got 1"),
        (["vanilla", "nowhere"], "error: there is no results folder nowhere; there are: "),
        (["vanilla", "./vanilla"], "error: RESULTS: vanilla is given twice"),
        (
            ["vanilla", "bpe"],
            "error: vanilla and bpe have different tokenizers, so their perplexities do not compare; use",
        ),
        (["vanilla", "both", "--by", "loss"], "error: --by: unknown quality 'loss'"),
        (["vanilla", "both", "--cost", "cach"], "error: --cost: unknown cost 'cach', did you mean 'cache'?"),
        (["vanilla", "both", "--cost", "cache"], "error: vanilla has no complete trial with perplexity and cache"),
        (["vanilla", "both", "--format", "xml"], "error: --format: unknown format 'xml'. Legal: csv, json, table"),
        (["vanilla", "both", "--html", "page.pdf"], "error: --html: 'page.pdf' must end in .html"),
        (["vanilla", "both", "--html", "no/page.html"], "error: cannot write no/page.html: there is no folder no"),
    ],
)
def test_a_mistake_is_one_line(here: Here, arguments: list[str], line: str) -> None:
    done = here("compare", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(line) and done.stderr.count("\n") == 1, done.stderr
