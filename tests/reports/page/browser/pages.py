"""What the tests do on a page."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page


def open_report(page: Page, folder: Path, fragment: str = "") -> None:
    """Open a run's report from its file, by rising path where the fragment names no order."""
    if "sort=" not in fragment:
        fragment += "&sort=path" if fragment else "#sort=path"
    page.goto(f"file://{folder / 'report.html'}{fragment}")


def shown_names(page: Page) -> list[str]:
    """Names of the films in the list, in order."""
    return page.locator("#scroller .path").evaluate_all("found => found.map(path => path.title)")


def status(page: Page) -> str:
    """How many files are shown."""
    return page.locator("#status").inner_text()


def chip(page: Page, outcome: str):  # type: ignore[no-untyped-def]
    """The button that filters by an outcome."""
    return page.locator(f".chip.{outcome}")


def set_slider(page: Page, slider: str, value: float) -> None:
    """Move a slider as a hand would: its value, then an input event."""
    page.locator(slider).evaluate(
        "(field, value) => { field.value = value; field.dispatchEvent(new Event('input')); }", value
    )


def download(page: Page, button: str) -> bytes:
    """Press a button and return the file that it gives."""
    with page.expect_download() as caught:
        page.locator(button).click()
    return Path(caught.value.path()).read_bytes()


def fragment(page: Page) -> str:
    """The address's fragment, once the page has written it."""
    page.wait_for_timeout(400)
    return str(page.evaluate("location.hash"))
