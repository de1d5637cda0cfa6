"""Reading a run with the keyboard, on one screen, with enough contrast."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE_CORE = Path(os.environ.get("AXE_CORE", "axe.min.js"))


def verdicts(run_folder: Path) -> list[tuple[str, str]]:
    with (run_folder / "verdicts.csv").open(encoding="utf-8-sig", newline="") as file:
        return [(row["path"], row["verdict"]) for row in csv.DictReader(file)]


def settled(page: Page) -> None:
    """Wait until the page is whole."""
    page.get_by_role("button", name="Result (CSV)").wait_for()
    page.locator("[data-test-script-state=notRunning]").wait_for()


def test_keys_give_verdicts_and_change_the_picture_but_not_while_typing(run_page: Page, run_folder: Path) -> None:
    run_page.locator(".cxr-name", has_text="NORMAL/1.png").wait_for()
    settled(run_page)
    run_page.keyboard.press("u")
    run_page.locator("[data-testid=stBaseButton-primary]", has_text="Unsure").wait_for()
    assert verdicts(run_folder) == [("NORMAL/1.png", "unsure")]
    settled(run_page)
    run_page.keyboard.press("h")
    run_page.get_by_role("button", name="Heat map: contour at half").wait_for()
    run_page.get_by_label("Comment").press_sequentially("pnh")
    run_page.get_by_label("Comment").press("Enter")
    run_page.wait_for_timeout(1000)
    assert verdicts(run_folder) == [("NORMAL/1.png", "unsure")]
    assert run_page.get_by_role("button", name="Heat map: contour at half").is_visible()


def test_film_call_sliders_and_verdict_are_on_one_screen(run_page: Page) -> None:
    run_page.locator(".cxr-call").wait_for()
    for shown in (
        run_page.get_by_role("img", name="Film", exact=True),
        run_page.locator(".cxr-call"),
        run_page.get_by_role("slider", name="Zoom"),
        run_page.locator("[data-testid^=stBaseButton-]", has_text=re.compile("^Unsure")),
        run_page.get_by_label("Comment"),
    ):
        shown.wait_for()
        box = shown.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 900


@pytest.mark.skipif(not AXE_CORE.is_file(), reason="needs axe-core, named by AXE_CORE")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(run_page: Page, scheme: str) -> None:
    run_page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    settled(run_page)
    run_page.keyboard.press("i")
    run_page.locator("[data-testid=stBaseButton-primary]", has_text="Invert").wait_for()
    settled(run_page)
    run_page.evaluate(AXE_CORE.read_text(encoding="utf-8"))
    found = run_page.evaluate("axe.run().then(result => result.violations)")
    assert [(rule["id"], node["html"][:120], node["failureSummary"]) for rule in found for node in rule["nodes"]] == []
