"""Settings and the browser for all tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# A busy machine makes single examples slow; time is measured where a test is about time.
settings.register_profile("cxrscan", deadline=None)
settings.load_profile("cxrscan")

if hasattr(signal, "SIGHUP"):  # started by nohup, programs under test would inherit that they ignore it
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for what in chromium.not_collected:
        terminalreporter.write_line(f"not collected: {what}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests: Playwright runs once per thread."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.CHROMIUM, args=chromium.FLAGS)
        yield browser
        browser.close()
