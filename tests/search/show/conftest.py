"""A real browser with the network switched off, to open pages in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
_FLAGS = (
    "headless",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "disable-dev-shm-usage",
    "window-size=1280,2000",
    "host-resolver-rules=MAP * ~NOTFOUND",
)


@pytest.fixture(scope="session")
def _browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for all tests."""
    if BROWSER is None or DRIVER is None:
        pytest.skip("no Chromium and chromedriver on this machine: pages are not tested in a browser")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*_FLAGS, f"user-data-dir={tmp_path_factory.mktemp('browser') / 'profile'}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def browser(_browser: Any, tmp_path: Path) -> Iterator[Any]:
    """A window of its own, offline and with nothing in its logs, that saves what is downloaded in `tmp_path`."""
    first = _browser.current_window_handle
    _browser.switch_to.new_window("window")
    _browser.set_network_conditions(offline=True, latency=0, throughput=0)
    _browser.execute_cdp_cmd("Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    for log in ("browser", "performance"):
        _browser.get_log(log)
    yield _browser
    _browser.close()
    _browser.switch_to.window(first)
