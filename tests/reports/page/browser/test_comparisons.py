"""Readers beside the model, and what changed: the sections lead to their films."""

import pytest

from tests.reports.page.browser.pages import open_report, shown_names, status


def test_disagreements_are_listed_first(page, compared):
    open_report(page, compared)
    page.get_by_role("button", name="List disagreements first").click()
    assert shown_names(page) == ["PNEUMONIA/g.jpg", "NORMAL/a.jpg"]


def test_only_films_that_changed_are_shown(page, compared):
    open_report(page, compared)
    page.get_by_role("button", name="Show only these films").click()
    assert shown_names(page) == ["NORMAL/a.jpg", "notes.jpg"]
    assert status(page) == "2 of 12 files"
    page.click("#clear")
    assert status(page) == "12 of 12 files"


def test_reading_blind_hides_readers_and_changes(page, compared):
    open_report(page, compared, "#blind=1")
    assert (
        page.locator("#readers, #changes").evaluate_all("all => all.map(one => one.checkVisibility())") == [False] * 2
    )


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_hangs_over_the_edge(page, compared, width):
    page.set_viewport_size({"width": width, "height": 800})
    open_report(page, compared)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
