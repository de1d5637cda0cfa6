"""A real Chromium for the report. Where there is none, or no Playwright, these tests are not collected.

The accessibility test needs axe-core besides: ``AXE_CORE`` names its ``axe.min.js`` (``npm pack axe-core``).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.reports.films import HOSTILE_NAMES, large_run, render, scored, small_run, unlabelled

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE_CORE = Path(os.environ.get("AXE_CORE", "axe.min.js"))
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

missing = []
collect_ignore_glob: list[str] = []
collect_ignore: list[str] = []
if CHROMIUM is None or importlib.util.find_spec("playwright") is None:
    missing.append("the report in a browser: needs Chromium on the PATH, and Playwright")
    collect_ignore_glob.append("test_*.py")
if not AXE_CORE.is_file():
    missing.append("accessibility: needs axe-core, named by AXE_CORE")
    collect_ignore.append("test_accessibility.py")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for what in missing:
        terminalreporter.write_line(f"not collected: {what}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails its test when anything is requested from a network or goes wrong in the console."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(10_000)
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", lambda dialog: trouble.append(f"dialog: {dialog.message}"))
    page.on(
        "request",
        lambda it: None if it.url.startswith(("file:", "data:", "blob:")) else trouble.append(f"request: {it.url}"),
    )
    yield page
    context.close()
    assert trouble == []


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small labelled run."""
    return render(tmp_path_factory.mktemp("labelled"), small_run()).html.parent


@pytest.fixture(scope="session")
def without_labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the same run without labels."""
    return render(tmp_path_factory.mktemp("unlabelled"), unlabelled(small_run())).html.parent


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run whose names try to become code."""
    films = [scored(name, 0.9) for name in sorted(HOSTILE_NAMES)]
    return render(tmp_path_factory.mktemp("hostile"), films, title=HOSTILE_NAMES[0]).html.parent


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of 10,000 films."""
    return render(tmp_path_factory.mktemp("many"), large_run(10_000)).html.parent
