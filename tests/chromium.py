"""A real Chromium for the tests of pages. Where there is none, or no Playwright, they are not collected."""

from __future__ import annotations

import importlib.util
import shutil

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
IS_THERE = CHROMIUM is not None and importlib.util.find_spec("playwright") is not None
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

not_collected: list[str] = []
"""What the end of the test run says is missing, and why."""


def ignored(what: str) -> list[str]:
    """Return ``collect_ignore_glob`` for a folder of tests that need the browser."""
    if IS_THERE:
        return []
    not_collected.append(f"{what} in a browser: needs Chromium on the PATH, and Playwright")
    return ["test_*.py"]
