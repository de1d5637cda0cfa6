"""The table of studies: choosing, sorting, and a patient's studies side by side."""

from playwright.sync_api import expect

from tests.reports.page.browser.conftest import write_studies
from tests.reports.page.browser.pages import open_report, set_slider, status
from tests.reports.page.browser.test_page import UNDER_32


def study_status(page):
    return page.locator("#study-status").inner_text()


def column(page, number):
    return page.locator(f"#study-scroller tbody tr:not([aria-hidden]) td:nth-child({number})").all_inner_texts()


def test_studies_are_searched_filtered_and_sorted(page, in_studies):
    open_report(page, in_studies)
    assert study_status(page) == "120 of 120 studies"
    page.select_option("#study-show", "several")
    assert all(" of " in text for text in column(page, 7))
    page.select_option("#study-sort", "patient")
    patients = column(page, 6)
    assert patients == sorted(patients)
    page.fill("#study-query", patients[0])
    assert set(column(page, 6)) == {patients[0]}
    page.fill("#study-query", "no such study")
    assert study_status(page) == "0 of 120 studies"


def test_the_longest_probability_leaves_its_bar_free(page, in_studies):
    open_report(page, in_studies)
    fits = "b => { b.textContent = '> 0.999'; return b.scrollWidth <= b.clientWidth; }"
    assert page.locator("#study-scroller .prob-cell b").first.evaluate(fits)


def test_calls_follow_the_threshold_that_is_explored(page, in_studies):
    open_report(page, in_studies)
    page.select_option("#study-show", "positive")
    before = column(page, 3)
    assert set(before) == {"PNEUMONIA"}
    set_slider(page, "#threshold", 1.0)
    assert set(column(page, 3)) == {"NORMAL"}


def test_a_patients_studies_stand_side_by_side_in_order_with_their_change(page, in_studies):
    open_report(page, in_studies)
    page.select_option("#study-show", "several")
    page.select_option("#study-sort", "patient")
    page.locator("#study-scroller tbody button").first.focus()
    page.keyboard.press("Enter")
    panel = page.locator("#follow-up")
    expect(panel).to_be_focused()
    expect(panel.locator("h3")).to_contain_text("by time of acquisition")
    days = panel.locator(".follow-name b").all_inner_texts()
    assert len(days) > 1
    assert days == sorted(days)
    expect(panel.locator(".change").first).to_contain_text("repeat")
    panel.locator("button.frame").first.click()
    expect(page.locator("dialog.viewer")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Close").click()
    expect(panel).to_be_hidden()


def test_a_studys_films_can_be_listed(page, in_studies):
    open_report(page, in_studies)
    page.locator("#study-scroller tbody button").first.click()
    n = page.locator("#follow-up [aria-current] button.frame").count()
    page.get_by_role("button", name="List its films").click()
    assert status(page) == f"{n} of 300 files"
    assert page.evaluate("document.activeElement.id") == "films"


def test_studies_fit_a_phone_and_a_finger(page, in_studies):
    page.set_viewport_size({"width": 390, "height": 844})
    open_report(page, in_studies)
    page.locator("#study-scroller tbody button").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(UNDER_32) == []


def test_paper_has_the_first_studies(page, in_studies):
    open_report(page, in_studies)
    rows = "document.querySelectorAll('#print-studies tbody tr').length"
    page.evaluate(f"addEventListener('beforeprint', () => {{ window.printed = {rows}; }})")
    page.pdf(format="A4")
    assert page.evaluate("window.printed") == 24
    assert page.evaluate(rows) == 0


def test_reading_blind_hides_what_the_model_says_of_studies(page, in_studies):
    open_report(page, in_studies, "#blind=1")
    expect(page.locator("#studies")).to_be_hidden()


def test_ten_thousand_studies_scroll_like_ten(page, tmp_path):
    open_report(page, write_studies(tmp_path, 10_000, 10_000))
    assert study_status(page) == "10,000 of 10,000 studies"
    page.locator("#study-scroller").evaluate("box => { box.scrollTop = box.scrollHeight; }")
    expect(page.locator("#study-scroller [aria-rowindex='10001']")).to_be_visible()
    assert page.locator("#study-scroller tbody tr").count() < 60
