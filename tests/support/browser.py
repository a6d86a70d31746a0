"""What tests do with a page in a browser."""

from __future__ import annotations

import time
from typing import Any


def draw_all(browser: Any) -> None:
    """Figures are drawn when they come near the window."""
    browser.execute_script("document.querySelectorAll('.plot').forEach(plot => { plot.scrollIntoView(); })")
    drawn = "return [...document.querySelectorAll('.plot')].every(plot => plot.querySelector('svg.main-svg'))"
    scroll = "document.querySelector('.plot:not(.js-plotly-plot)')?.scrollIntoView()"
    wait_for(browser, f"{scroll}; {drawn}")
    browser.execute_script("scrollTo(0, 0)")


def wait_for(browser: Any, script: str, seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (found := browser.execute_script(script)):
        assert time.monotonic() < end, script
        time.sleep(0.05)
    return found


def errors(browser: Any) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser")]


def overflow(browser: Any) -> int:
    script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    return int(browser.execute_script(script))


def press_at(browser: Any, x: float, y: float) -> None:
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        where = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
        browser.execute_cdp_cmd("Input.dispatchMouseEvent", where)


def point_at(browser: Any, x: float, y: float) -> None:
    """Move the pointer to a place in the window, from a little outside."""
    for nearer in (30, 0):
        where = {"type": "mouseMoved", "x": x - nearer, "y": y - nearer}
        browser.execute_cdp_cmd("Input.dispatchMouseEvent", where)


def read_in_the_dark(browser: Any) -> None:
    """As a reader who prefers dark paper."""
    wanted = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)
