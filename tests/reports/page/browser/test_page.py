"""The page as a whole: hostile names, paper, phone, theme, keyboard, ten thousand films."""

import re

import pytest
from playwright.sync_api import expect

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.evaluation.evaluate import collect_films, evaluate
from cxrscan.scanner.run_record import Run
from tests.reports.films import HOSTILE_NAMES, INFO, MODEL, large_run, render, run_of
from tests.reports.page.browser.pages import open_report, set_slider, shown_names, status


def test_hostile_names_are_shown_as_they_are_and_run_nothing(page, hostile):
    open_report(page, hostile)
    assert sorted(shown_names(page)) == sorted(HOSTILE_NAMES)
    assert page.locator("h1").inner_text() == HOSTILE_NAMES[0]
    page.locator("button.frame").first.click()
    for _ in HOSTILE_NAMES:
        page.keyboard.press("ArrowRight")
    page.click("dialog [aria-label=Close]")
    page.click("[data-view=table]")
    assert sorted(shown_names(page)) == sorted(HOSTILE_NAMES)


def test_on_paper_the_films_of_the_selection_follow(page, labelled):
    open_report(page, labelled, "#show=fp,fn")
    count = "document.querySelectorAll('#print-films li').length"
    page.evaluate(f"addEventListener('beforeprint', () => {{ window.printed = {count}; }})")
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF")
    assert page.evaluate("window.printed") == 2
    assert page.evaluate(count) == 0


@pytest.mark.parametrize("evaluated", [False, True])
def test_a_printed_report_has_at_most_five_pages(page, tmp_path, evaluated):
    films = large_run(624)
    evaluation = evaluate(collect_films(films, {}, ("gate",)), Run(INFO, MODEL), prevalences=(0.02, 0.1))
    write_outputs(tmp_path, run_of(films), evaluation=evaluation if evaluated else None)
    open_report(page, tmp_path)
    paper = page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) <= 5


UNDER_32 = """[...document.querySelectorAll("button, select, summary, input, textarea, .sections a")]
  .map(control => control.type === "checkbox" || control.type === "file" ? control.closest("label") : control)
  .filter(control => control.checkVisibility({ visibilityProperty: true }))
  .map(control => [control.outerHTML.slice(0, 80), control.getBoundingClientRect()])
  .filter(([, box]) => box.width && (box.height < 32 || box.width < 24))
  .map(([text, box]) => `${text} ${box.height}`)"""


@pytest.mark.parametrize("view", ["gallery", "table"])
def test_a_finger_finds_every_control(page, labelled, view):
    page.set_viewport_size({"width": 390, "height": 844})
    open_report(page, labelled, f"#t=0.7&f.kind=jpeg&prevalence=0.2&show=fn&view={view}")
    page.click("#verdicts summary")
    page.locator("details.folded").evaluate_all("all => all.forEach(one => { one.open = true; })")
    assert page.evaluate(UNDER_32) == []
    page.click("#verdicts summary")
    page.locator("button.frame").first.click()
    assert page.evaluate(UNDER_32) == []


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_hangs_over_the_edge(page, labelled, width):
    page.set_viewport_size({"width": width, "height": 800})
    open_report(page, labelled, "#t=0.7&f.kind=j&prevalence=0.1")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_theme_follows_the_system_until_the_reader_chooses(page, labelled):
    page.emulate_media(color_scheme="dark")
    open_report(page, labelled)
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.click("#theme")
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "light"


def test_the_first_tab_stop_leads_to_the_films(page, labelled):
    open_report(page, labelled)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "films"


def test_section_links_keep_the_bookmarked_view(page, labelled):
    open_report(page, labelled, "#show=failed")
    page.get_by_role("link", name="Methods").click()
    assert "show=failed" in page.evaluate("location.hash")
    assert status(page) == "2 of 12 files"


def test_the_methods_text_can_be_copied(page, labelled):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_report(page, labelled)
    page.click("[data-copy=methods-text]")
    expect(page.locator("[data-copy=methods-text]")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith("Chest radiographs were scored with cxrscan")


def test_an_empty_run_is_a_whole_page(page, tmp_path):
    render(tmp_path, [])
    open_report(page, tmp_path)
    assert status(page) == "0 of 0 files"


def test_ten_thousand_films_open_filter_and_scroll(page, many):
    open_report(page, many)
    assert status(page) == "10,000 of 10,000 files"
    page.fill("#query", "film 0123")
    assert status(page) == "11 of 10,000 files"
    page.click("#clear")
    page.locator("#scroller").evaluate("box => { box.scrollTop = box.scrollHeight; }")
    expect(page.locator("#scroller .film-card").last).to_have_attribute("aria-posinset", "10000")
    assert page.locator("#scroller .film-card").count() < 100
    set_slider(page, "#threshold", 0.9)
    page.click("[data-view=table]")
    assert page.locator("#scroller tbody tr").count() < 100
    assert page.locator("table.films").get_attribute("aria-rowcount") == "10001"
