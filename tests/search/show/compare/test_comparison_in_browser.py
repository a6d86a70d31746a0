"""The page of a comparison in a real browser with the network switched off: hover, legend, theme, phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.browser import draw_all, errors, overflow, point_at, press_at, read_in_the_dark, wait_for

from search.ledger.records import TrialRecord
from search.results.comparison import Comparison, compare_searches
from search.results.results import Results
from search.show.compare.page import write_comparison

Maker = Callable[..., list[TrialRecord]]


@pytest.fixture
def opened(make_records: Maker, tmp_path: Path, browser: Any) -> Comparison:
    """The page of two searches in the browser, its figure drawn."""
    pair = [Results(tmp_path / name, make_records(25, seed=seed), ("perplexity", "memory")) for seed, name in NAMES]
    comparison = compare_searches(pair)
    write_comparison(tmp_path / "comparison.html", comparison)
    browser.get((tmp_path / "comparison.html").as_uri())
    draw_all(browser)
    return comparison


NAMES = [(4, "narrow"), (5, "wide")]
PLOT = "document.getElementById('fronts')"


def test_it_shows_every_front(opened: Comparison, browser: Any) -> None:
    points = browser.find_elements("css selector", "#fronts .scatterlayer path.point")
    assert len(points) == sum(len(each.front) for each in opened.contenders)
    assert [row.text for row in browser.find_elements("css selector", "tbody th.text")[:2]] == ["narrow", "wide"]
    assert overflow(browser) == 0 and errors(browser) == []


def test_the_pointer_shows_a_model(opened: Comparison, browser: Any) -> None:
    cheapest = opened.contenders[0].front[0]
    point_at(browser, *place_of(browser, 0))
    text = wait_for(browser, "return document.querySelector('#fronts .hoverlayer')?.textContent ?? ''")
    assert f"trial {cheapest.number}" in text and cheapest.candidate.model.layers in text
    assert errors(browser) == []


def test_a_click_in_the_legend_hides_a_search(opened: Comparison, browser: Any) -> None:
    entries = browser.find_elements("css selector", "#fronts .legendtoggle")
    box = entries[1].rect  # after the front of all
    scrolled = browser.execute_script("arguments[0].scrollIntoView({block: 'center'}); return scrollY", entries[1])
    press_at(browser, box["x"] + 20, box["y"] - scrolled + box["height"] / 2)
    hidden = f"return {PLOT}.data.filter(trace => trace.visible === 'legendonly').map(trace => trace.name)"
    assert set(wait_for(browser, f"const names = (() => {{ {hidden} }})(); return names.length ? names : null")) == {
        "narrow"
    }


def test_it_follows_the_readers_theme(opened: Comparison, browser: Any) -> None:
    paper, plot = "return getComputedStyle(document.body).backgroundColor", f"return {PLOT}.layout.paper_bgcolor"
    assert (browser.execute_script(paper), browser.execute_script(plot)) == ("rgb(255, 255, 255)", "#ffffff")
    read_in_the_dark(browser)
    assert wait_for(browser, f"{plot} === '#14181f'")
    assert browser.execute_script(paper) == "rgb(20, 24, 31)" and errors(browser) == []


def test_it_fits_a_phone(opened: Comparison, browser: Any) -> None:
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    browser.refresh()
    draw_all(browser)
    assert overflow(browser) == 0 and errors(browser) == []


def place_of(browser: Any, index: int) -> tuple[float, float]:
    """Where the cheapest model of a search stands in the window, in pixels."""
    script = f"""
    {PLOT}.scrollIntoView({{block: "center"}});
    const plot = {PLOT}, box = plot.getBoundingClientRect(), layout = plot._fullLayout;
    const trace = plot.data.filter(each => each.mode === "markers")[{index}];
    return [box.left + layout.xaxis._offset + layout.xaxis.d2p(trace.x[0]),
            box.top + layout.yaxis._offset + layout.yaxis.d2p(trace.y[0])];
    """
    x, y = browser.execute_script(script)
    return x, y
