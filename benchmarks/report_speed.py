"""How soon does a report open, and how large is it, as the search grows?

    python -m benchmarks.report_speed
    python -m benchmarks.report_speed results/quickstart --trials 25 2000 --repeats 5

The trials of a results folder are repeated until there are enough of them, with losses and costs that differ a little,
and the pages are opened in headless Chromium (its chromedriver and the extra `dev` are needed). The page of an empty
search is the yardstick: nearly all of its time is Plotly's own code.

page        megabytes beside Plotly's bundle, of which the page holds a copy
opens       seconds from the request to the end of the page's load event: then table and headline can be read
drawn       seconds to the first figure, the front
processor   seconds of processor time of the whole browser up to then: what a busy machine does not change

Figures are medians. The goal: 2,000 trials open in under 3 s, with at most 1 MB beside the bundle.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.overhead.processes import tree_seconds
from search.ledger.records import TrialRecord
from search.results.results import Results, load_results

LOADED = "return performance.getEntriesByType('navigation')[0].loadEventEnd"
DRAWN = "return document.querySelector('#front')?.querySelector('svg.main-svg') || !document.querySelector('#front')"
FLAGS = ("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "window-size=1280,1400")


@dataclass(frozen=True, kw_only=True)
class Opening:
    """One page, opened once; seconds."""

    opens: float
    drawn: float
    processor: float


def main() -> None:
    """Write the pages, open each several times in turn, and print one table."""
    parser = argparse.ArgumentParser(description="Size and opening time of reports.")
    parser.add_argument("results", nargs="?", default="results/reference-shakespeare", metavar="RESULTS")
    parser.add_argument("--trials", nargs="+", type=int, default=[0, 25, 2000], metavar="N")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="times that each page is opened")
    arguments = parser.parse_args()
    found = load_results(arguments.results)
    with TemporaryDirectory() as folder, browser() as driver:
        pages = {count: write_page(Path(folder), found, count) for count in arguments.trials}
        openings: dict[int, list[Opening]] = {count: [] for count in pages}
        for _ in range(arguments.repeats):
            for count, page in pages.items():
                openings[count].append(open_page(driver, page))
        Console().print(table_of({count: beside_bundle(page) for count, page in pages.items()}, openings))


def repeated(records: Sequence[TrialRecord], count: int) -> list[TrialRecord]:
    """So many trials, made from these in turn: losses differ by up to 10 %, and costs by up to a third."""
    generator = np.random.default_rng(0)
    found = []
    for number in range(count):
        record = records[number % len(records)]
        loss, cost = generator.uniform(0.95, 1.05), generator.uniform(0.85, 1.15)
        profile = {
            name: round(value * cost) if name.endswith("_bytes") and value else value
            for name, value in record.profile.items()
        }
        curve = tuple(replace(point, loss=point.loss * loss) for point in record.curve)
        changes: dict[str, Any] = {"number": number, "profile": profile, "curve": curve}
        found.append(replace(record, **changes, loss=None if record.loss is None else record.loss * loss))
    return found


def write_page(folder: Path, results: Results, count: int) -> Path:
    """The report of so many trials."""
    path = folder / f"{count}.html"
    replace(results, records=repeated(results.records, count)).write_report(path)
    return path


def beside_bundle(page: Path) -> int:
    """Bytes of a page that are not Plotly's code."""
    from plotly.offline import get_plotlyjs

    return page.stat().st_size - len(get_plotlyjs().encode())


@contextmanager
def browser() -> Iterator[Any]:
    """Headless Chromium; ends with one line where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    binary = next((path for path in map(shutil.which, names) if path), None)
    if binary is None or (chromedriver := shutil.which("chromedriver")) is None:
        sys.exit("error: no Chromium and chromedriver on this machine; install them")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in FLAGS:
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=chromedriver))
    try:
        driver.get("data:text/html,")
        yield driver
    finally:
        driver.quit()


def open_page(driver: Any, page: Path) -> Opening:
    """Open it in the running browser, until its first figure is drawn."""
    before, begun = tree_seconds(driver.service.process.pid), time.perf_counter()
    driver.get(page.as_uri())
    while not driver.execute_script(DRAWN):
        time.sleep(0.02)
    drawn = time.perf_counter() - begun
    spent = tree_seconds(driver.service.process.pid) - before
    return Opening(opens=driver.execute_script(LOADED) / 1000, drawn=drawn, processor=spent)


def table_of(sizes: dict[int, int], openings: dict[int, list[Opening]]) -> Table:
    """One row a page."""
    table = Table("trials", "page, MB", "opens, s", "drawn, s", "processor, s")
    for count, found in openings.items():
        figures = (median(getattr(each, name) for each in found) for name in ("opens", "drawn", "processor"))
        table.add_row(f"{count:,}", f"{sizes[count] / 1e6:.2f}", *(f"{figure:.2f}" for figure in figures))
    return table


if __name__ == "__main__":
    main()
