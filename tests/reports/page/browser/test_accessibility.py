"""axe-core finds nothing to object to in the report."""

import pytest

from tests.reports.page.browser.conftest import AXE_CORE
from tests.reports.page.browser.pages import open_report

VIEWS = {
    "gallery": ("", None),
    "table": ("#view=table&t=0.7&f.kind=jpeg&prevalence=0.2", None),
    "large view": ("", "button.frame"),
    "verdict menu": ("", "#verdicts summary"),
}


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(page, labelled, view, scheme, width):
    fragment, press = VIEWS[view]
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    open_report(page, labelled, fragment)
    if press:
        page.locator(press).first.click()
    page.evaluate(AXE_CORE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then(result => result.violations)")
    assert [(rule["id"], node["target"], node["failureSummary"]) for rule in found for node in rule["nodes"]] == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_in_studies(page, in_studies, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    open_report(page, in_studies)
    page.select_option("#study-show", "several")
    page.locator("#study-scroller tbody button").first.click()
    page.evaluate(AXE_CORE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run('#studies').then(result => result.violations)")
    assert [(rule["id"], node["target"], node["failureSummary"]) for rule in found for node in rule["nodes"]] == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_in_readers_and_changes(page, compared, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    open_report(page, compared)
    page.evaluate(AXE_CORE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({ include: ['#readers', '#changes'] }).then(result => result.violations)")
    assert [(rule["id"], node["target"], node["failureSummary"]) for rule in found for node in rule["nodes"]] == []
