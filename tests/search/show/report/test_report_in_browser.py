"""The report in a real browser with the network switched off: hover, click, keyboard, theme, phone, print."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.browser import draw_all, errors, overflow, point_at, press_at, read_in_the_dark, wait_for
from support.confirmed_runs import runs_of

from search.ledger.metrics import metric
from search.ledger.records import TrialRecord
from search.results.confirm.confirmation import confirmation
from search.results.front import best, pareto_front

Maker = Callable[..., list[TrialRecord]]
Write = Callable[..., str]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the reports that several tests open."""
    return tmp_path_factory.mktemp("reports")


@pytest.fixture
def opened(
    make_records: Maker, write: Write, written: Path, tmp_path: Path, browser: Any
) -> Callable[..., list[TrialRecord]]:
    """`opened(count, **changes)`: a report in the browser, all its figures drawn if `drawn`; its records."""

    def open_report(count: int, drawn: bool = True, **changes: Any) -> list[TrialRecord]:
        records = make_records(count, seed=4)
        page = tmp_path / "report.html" if changes else written / f"{count}.html"
        if not page.exists():
            write(page, records, **changes)
        browser.get(page.as_uri())
        if drawn:
            draw_all(browser)
        return records

    return open_report


def test_it_renders_without_a_network(opened: Maker, browser: Any) -> None:
    records = opened(60)
    drawn = sum(record.state in ("complete", "pruned", "infeasible") for record in records)
    points = "return document.querySelectorAll('#front .scatterlayer path.point').length"
    assert browser.execute_script(points) == drawn + 1, "each trial, and a ring around the chosen one"
    for place in ("front", "variants", "growth", "importance", "curves", "parallel"):
        assert browser.find_elements("css selector", f"#{place} svg.main-svg"), place
    assert len(browser.find_elements("css selector", "#trials tbody tr")) == len(records)
    assert len(browser.find_elements("css selector", "#trials tr.front")) == len(pareto_front(records))
    assert overflow(browser) == 0 and errors(browser) == []
    requests = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in requests if m["method"] == "Network.requestWillBeSent"]
    own = [url for url in urls if not url.startswith("chrome:")]  # the browser's own first tab
    assert own and all(url.startswith(("file:", "data:", "blob:")) for url in own)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_search_that_has_hardly_begun_makes_sense(opened: Maker, browser: Any, count: int) -> None:
    opened(count)
    labels = [label.text for label in browser.find_elements("css selector", "#front .annotation-text")]
    assert labels.count("best") == min(count, 1) and "knee" not in labels
    assert browser.execute_script("return document.getElementById('chosen') !== null") == bool(count)
    assert errors(browser) == [] and overflow(browser) == 0


def test_the_table_sorts(opened: Maker, browser: Any) -> None:
    opened(60, drawn=False)

    def column() -> list[float]:
        script = (
            "const i = [...document.querySelectorAll('#trials thead th')].findIndex(h => h.innerText == 'perplexity');"
            "return [...document.querySelectorAll('#trials tbody tr')].map(row => row.children[i].innerText)"
        )
        return [float(text) if text else float("inf") for text in browser.execute_script(script)]

    head = next(h for h in browser.find_elements("css selector", "#trials thead button") if h.text == "perplexity")
    browser.execute_script("arguments[0].click()", head)
    assert column() == sorted(column())
    browser.execute_script("arguments[0].click()", head)
    known = [value for value in column() if value != float("inf")]
    assert known == sorted(known, reverse=True)
    assert column()[-1] == float("inf")  # absent figures stay last


def test_the_table_filters_and_exports_what_it_shows(opened: Maker, browser: Any, tmp_path: Path) -> None:
    front = pareto_front(opened(60, drawn=False))
    browser.find_element("css selector", "#only-front").click()
    assert browser.find_element("css selector", "#shown").text == f"{len(front)} of 60 trials"
    browser.find_element("css selector", "#export").click()
    path = tmp_path / "quickstart.csv"
    end = time.monotonic() + 30
    while not path.is_file() and time.monotonic() < end:
        time.sleep(0.05)
    rows = list(csv.DictReader(path.open()))
    by_number = {int(row["trial"]): row for row in rows}
    assert set(by_number) == {record.number for record in front}
    for record in front:
        row, model = by_number[record.number], record.candidate.model
        assert float(row["perplexity"]) == pytest.approx(metric(record, "perplexity"), rel=1e-6)
        assert (row["variant"], row["layers"], row["d_model"]) == (model.variant, model.layers, str(model.d_model))
        assert float(row["learning_rate"]) == pytest.approx(record.candidate.training.learning_rate, rel=1e-6)


def test_the_best_trial_is_drawn_and_any_other_when_clicked(opened: Maker, browser: Any) -> None:
    records = opened(60)
    title = "return document.querySelector('#chosen h3').innerText"
    top = best(records)
    assert top is not None and browser.execute_script(title).startswith(f"Trial {top.number}: ")
    assert browser.find_elements("css selector", "#chosen svg.msarch-drawing")
    cheapest = pareto_front(records)[0]
    x, y = place_of(browser, cheapest.number)
    press_at(browser, x, y)
    wait_for(browser, f"{title}.startsWith('Trial {cheapest.number}: ')")
    ring = "const data = document.getElementById('front').data; return data[data.length - 1].x[0]"
    wait_for(browser, f"{ring} === {cheapest.profile['memory_bytes']}")
    assert errors(browser) == []


def test_the_pointer_shows_a_models_drawing(opened: Maker, browser: Any) -> None:
    cheapest = pareto_front(opened(60))[0]
    x, y = place_of(browser, cheapest.number)
    point_at(browser, x, y)
    text = wait_for(browser, "const card = document.getElementById('float'); return card.hidden ? '' : card.innerText")
    assert f"trial {cheapest.number}" in text and cheapest.candidate.model.layers in text
    assert browser.find_elements("css selector", "#float svg.msarch-drawing")


def place_of(browser: Any, number: int) -> tuple[float, float]:
    """Where a trial of the front stands in the window, in pixels."""
    browser.execute_script("document.getElementById('front').scrollIntoView({block: 'center'})")
    script = f"""
    const plot = document.getElementById("front"), box = plot.getBoundingClientRect(), layout = plot._fullLayout;
    const trace = plot.data.find(each => each.meta?.front && each.customdata.includes({number}));
    const at = trace.customdata.indexOf({number});
    return [box.left + layout.xaxis._offset + layout.xaxis.d2p(trace.x[at]),
            box.top + layout.yaxis._offset + layout.yaxis.d2p(trace.y[at])];
    """
    x, y = browser.execute_script(script)
    return x, y


def test_models_with_further_seeds_have_error_bars(
    make_records: Maker, write: Write, tmp_path: Path, browser: Any
) -> None:
    records = make_records(60, seed=4)
    losses = {record.number: record.loss or 0.0 for record in pareto_front(records)[:3]}
    runs = [run for r in records if (loss := losses.get(r.number)) for run in runs_of(r, loss + 0.02, loss - 0.02)]
    write(tmp_path / "report.html", records, confirmed=confirmation(records, ("perplexity", "memory"), runs))
    browser.get((tmp_path / "report.html").as_uri())
    draw_all(browser)
    assert len(browser.find_elements("css selector", "#front .errorbar path.yerror")) == len(losses)
    assert (
        "Bars reach one standard deviation up and down" in browser.find_element("css selector", "#front-caption").text
    )
    lengths = (
        "return document.getElementById('front').data.flatMap(trace => (trace.error_y?.array ?? []).map("
        "(up, i) => [Math.log(trace.y[i]), Math.log(1 + up / trace.y[i]),"
        " -Math.log(1 - trace.error_y.arrayminus[i] / trace.y[i])]))"
    )
    spread = 0.02 * 2**0.5  # of two losses that lie 0.04 nats apart
    bars = sorted(browser.execute_script(lengths))
    assert bars == [pytest.approx([loss, spread, spread]) for loss in sorted(losses.values())]
    assert errors(browser) == []


def test_a_long_table_is_written_in_part(opened: Maker, browser: Any) -> None:
    records = opened(310, drawn=False)
    rows = "return document.querySelectorAll('#trials tbody tr').length"
    assert browser.execute_script(rows) == 300
    more = browser.find_element("css selector", "#more")
    assert more.text == "Show all 310 rows"
    more.click()
    assert browser.execute_script(rows) == len(records) and not more.is_displayed()


def test_every_point_can_be_reached_by_keyboard(opened: Maker, browser: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    opened(25, drawn=False)
    first, second = browser.find_elements("css selector", "#trials .pick")[:2]
    first.send_keys(Keys.ARROW_DOWN)
    assert browser.execute_script("return document.activeElement") == second
    second.send_keys(Keys.ENTER)
    number = second.text
    assert second.get_attribute("aria-expanded") == "true"
    assert browser.execute_script("return document.querySelector('#chosen h3').innerText").startswith(
        f"Trial {number}:"
    )
    inside = browser.find_element("css selector", "#trials tr.inside")
    assert f"Trial {number}" in inside.text
    second.send_keys(Keys.ESCAPE)
    assert not browser.find_elements("css selector", "#trials tr.inside")
    marked = browser.find_elements("css selector", "#trials tr[aria-current]")
    assert [row.find_element("css selector", ".pick").text for row in marked] == [number]


def test_the_cost_can_be_switched(opened: Maker, browser: Any) -> None:
    records = opened(60)
    title = "return document.getElementById('front').layout.xaxis.title.text"
    assert browser.execute_script(title) == "training memory"
    browser.execute_script("document.querySelector('input[value=flops_per_token]').click()")
    assert browser.execute_script(title) == "FLOPs per token"
    xs = (
        "const traces = document.getElementById('front').data.filter(each => each.meta?.front);"
        "return Object.fromEntries(traces.flatMap(trace => trace.customdata.map((n, i) => [n, trace.x[i]])))"
    )
    by_number = {record.number: record for record in records}
    drawn = {int(number): x for number, x in browser.execute_script(xs).items()}
    front = {record.number for record in pareto_front(records, ("perplexity", "flops_per_token"))}
    assert set(drawn) == front
    for number, x in drawn.items():
        assert x == pytest.approx(metric(by_number[number], "flops_per_token"), rel=1e-6)
    tables = "return [...document.querySelectorAll('.scroll[data-cost]')].filter(each => !each.hidden).length"
    assert browser.execute_script(tables) == 1
    assert "not reproducible" in browser.find_element("css selector", ".switch").text
    assert errors(browser) == []


def test_a_cost_without_a_table_hides_the_figure_of_variants(
    make_records: Maker, write: Write, tmp_path: Path, browser: Any
) -> None:
    records = [replace(each, profile=each.profile | {"step_seconds": 0.0}) for each in make_records(30, seed=4)]
    write(tmp_path / "report.html", records, objectives=("perplexity", "step_time", "memory"))
    browser.get((tmp_path / "report.html").as_uri())
    shown = [browser.find_element("id", "variants").is_displayed()]
    for cost in ("memory", "step_time", "memory"):
        browser.execute_script(f"document.querySelector('input[value={cost}]').click()")
        shown.append(browser.find_element("id", "variants").is_displayed())
    draw_all(browser)
    title = "return document.getElementById('variants').layout.xaxis.title.text"
    assert shown == [False, True, False, True] and browser.execute_script(title) == "training memory"
    assert errors(browser) == []


def test_it_follows_the_readers_theme(opened: Maker, browser: Any) -> None:
    opened(25)
    paper = "return getComputedStyle(document.body).backgroundColor"
    plot = "return document.getElementById('front').layout.paper_bgcolor"
    assert (browser.execute_script(paper), browser.execute_script(plot)) == ("rgb(255, 255, 255)", "#ffffff")
    read_in_the_dark(browser)
    assert wait_for(browser, f"{plot} === '#14181f'")
    assert browser.execute_script(paper) == "rgb(20, 24, 31)"
    drawing = "return getComputedStyle(document.querySelector('.msarch-drawing .paper')).fill"
    assert browser.execute_script(drawing) == "rgb(20, 24, 31)"


def test_it_fits_a_phone(make_records: Maker, write: Write, tmp_path: Path, browser: Any) -> None:
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    write(tmp_path / "report.html", make_records(25, seed=4))
    browser.get((tmp_path / "report.html").as_uri())
    draw_all(browser)
    assert overflow(browser) == 0
    for plot in ("front", "variants", "curves", "growth"):
        assert overlapping(browser, plot) == [], plot


def overlapping(browser: Any, plot: str) -> Sequence[str]:
    """Pairs of texts of a figure that lie over each other: ticks, titles of axes, entries of the legend."""
    script = f"""
    const texts = [...document.querySelectorAll("#{plot} :is(.xtick, .ytick, .xtitle, .legendtext) ")]
      .map(node => node.matches("text") ? node : node.querySelector("text")).filter(Boolean);
    const titles = [...document.querySelectorAll("#{plot} .annotation-text")].filter(node => !/best|knee|limit/.test(
      node.textContent));
    const boxes = [...texts, ...titles].map(node => [node.textContent, node.getBoundingClientRect()]);
    const apart = (a, b) => a.right <= b.left + 1 || a.bottom <= b.top + 1;
    const over = (a, b) => !apart(a, b) && !apart(b, a);
    return boxes.flatMap(([one, a], i) =>
      boxes.slice(i + 1).filter(([, b]) => over(a, b)).map(([two]) => one + "|" + two));
    """
    found: list[str] = browser.execute_script(script)
    return found


def test_it_prints(opened: Maker, browser: Any) -> None:
    opened(25)
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(printed["data"]) > 50_000
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    sheet = {"width": 480, "height": 700, "deviceScaleFactor": 1, "mobile": False}  # A5 within its margins
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sheet)
    right = "return document.querySelector('#trials').getBoundingClientRect().right"
    assert browser.execute_script(right) <= 480, "the table's last columns are on the paper"
    assert errors(browser) == []


def test_plotlys_code_may_stand_beside_it(opened: Maker, browser: Any, tmp_path: Path) -> None:
    opened(25, bundle="beside")
    assert (tmp_path / "report.html").stat().st_size < 500_000
    assert len(list(tmp_path.glob("plotly-*.min.js"))) == 1
    assert browser.find_elements("css selector", "#front svg.main-svg") and errors(browser) == []
