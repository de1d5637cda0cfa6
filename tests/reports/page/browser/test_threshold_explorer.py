"""Moving the threshold in the report."""

import numpy as np
import pytest

from cxrscan.reports.page.view import build_view
from cxrscan.reports.tables.columns import COLUMNS
from cxrscan.reports.wording import figure_text, interval_text
from cxrscan.scanner.evaluation.survey import survey_films
from cxrscan.scanner.metrics import predictive_values_at, summarise
from tests.reports.films import INFO, RUN, render, scored
from tests.reports.page.browser.pages import chip, open_report, set_slider

NOTHING = "\N{EN DASH}"
RNG = np.random.default_rng(5)
TRUTH = RNG.random(80) < 0.6
PROB = np.round(1 / (1 + np.exp(-RNG.normal(np.where(TRUTH, 1.5, -1.5), 1.5))), 3)


@pytest.fixture(scope="module")
def eighty(tmp_path_factory):
    films = [
        scored(f"{i:02d}.jpg", float(prob), "PNEUMONIA" if truth else "NORMAL")
        for i, (truth, prob) in enumerate(zip(TRUTH, PROB, strict=True))
    ]
    return render(tmp_path_factory.mktemp("eighty"), films).html.parent


def figures(page) -> dict[str, tuple[str, str]]:
    rows = page.locator("[id^=metric-]").evaluate_all(
        "rows => rows.map(row => [row.id, ...['.value', '.interval'].map(cell => row.querySelector(cell).textContent)])"
    )
    return {key.removeprefix("metric-"): (value, interval) for key, value, interval in rows}


def expected(threshold: float) -> dict[str, tuple[str, str]]:
    films = [scored("a", float(p), "PNEUMONIA" if t else "NORMAL") for t, p in zip(TRUTH, PROB, strict=True)]
    survey = survey_films(films, threshold)
    view = build_view(survey, summarise(TRUTH, PROB, threshold), RUN, COLUMNS)
    assert view.performance is not None
    shown = (*view.performance.at_threshold, *view.performance.overall)
    return {
        metric.key: (metric.value, metric.interval or ("undefined" if metric.value == NOTHING else "no interval"))
        for metric in shown
    }


def set_threshold(page, threshold: float) -> None:
    page.fill("#threshold-number", str(threshold))
    page.press("#threshold-number", "Enter")


def test_every_figure_and_interval_is_what_python_computes(page, eighty):
    open_report(page, eighty)
    for threshold in (0.0, 0.02, 0.25, 0.371, 0.5, 0.75, 0.98, 1.0, float(PROB[7])):
        set_threshold(page, threshold)
        assert figures(page) == expected(threshold)


def test_the_matrix_and_the_calls_follow_the_slider(page, eighty):
    open_report(page, eighty)
    set_slider(page, "#threshold", 0.8)
    called = PROB >= 0.8
    assert page.locator("#n-tp").inner_text() == str(int((TRUTH & called).sum()))
    assert page.locator("#n-fn").inner_text() == str(int((TRUTH & ~called).sum()))
    assert page.locator("#n-fp").inner_text() == str(int((~TRUTH & called).sum()))
    assert chip(page, "positive").locator("b").inner_text() == str(int(called.sum()))
    first = page.locator(".film-card").first
    assert first.locator(".badge").inner_text() == ("PNEUMONIA" if called[0] else "NORMAL")


def test_the_marks_follow_on_the_curve_and_the_histogram(page, eighty):
    open_report(page, eighty)
    assert page.locator("[data-chart=roc] .moved").get_attribute("visibility") == "hidden"
    set_slider(page, "#threshold", 0.8)
    mark = page.locator("[data-chart=roc] .moved")
    origin, unit = (
        [float(part) for part in page.locator("[data-chart=roc]").get_attribute(name).split()]
        for name in ("data-origin", "data-unit")
    )
    x = origin[0] + unit[0] * (PROB[~TRUTH] >= 0.8).mean()
    y = origin[1] - unit[1] * (PROB[TRUTH] >= 0.8).mean()
    at = mark.get_attribute("transform").removeprefix("translate(").removesuffix(")").split()
    assert [float(part) for part in at] == pytest.approx([x, y])
    assert page.locator("[data-chart=histogram] .moved").get_attribute("visibility") == "visible"


def test_the_page_keeps_saying_which_threshold_the_run_used(page, eighty):
    open_report(page, eighty)
    assert not page.locator("#strip").is_visible()
    set_slider(page, "#threshold", 0.8)
    assert "the run used 0.50 (balanced)" in page.locator("#exploring").inner_text()
    assert "looks better than it is" in page.locator("#exploring").inner_text()
    page.get_by_role("button", name="Back to 0.50").click()
    assert figures(page) == expected(0.5)
    assert not page.locator("#strip").is_visible()


def test_an_operating_point_is_one_press_away(page, eighty):
    open_report(page, eighty)
    page.get_by_role("button", name="fewer misses 0.25").click()
    assert figures(page) == expected(0.25)


def test_ppv_and_npv_are_worked_out_for_another_prevalence(page, eighty):
    open_report(page, eighty)
    page.fill("#prevalence", "10")
    for threshold in (0.0, 0.5, 0.98, 1.0):
        set_threshold(page, threshold)
        shown = figures(page)
        table = summarise(TRUTH, PROB, threshold).confusion
        for key, estimate in zip(("ppv", "npv"), predictive_values_at(table, 0.1), strict=True):
            interval = interval_text(estimate, "share") or "undefined"
            assert shown[key] == (figure_text(estimate.value, "share"), interval)
        assert shown["sensitivity"] == expected(threshold)["sensitivity"]
    headline = page.locator("#headline-ppv").inner_text()
    ppv, _ = predictive_values_at(summarise(TRUTH, PROB, INFO.threshold).confusion, 0.1)
    assert headline.splitlines() == [
        "PPV at 10.0 % pneumonia",
        figure_text(ppv.value, "share"),
        interval_text(ppv, "share"),
    ]


def test_a_cell_of_the_matrix_leads_to_its_films(page, eighty):
    open_report(page, eighty)
    page.locator(".cell.fn").click()
    assert page.locator("#status").inner_text() == f"{int((TRUTH & (PROB < 0.5)).sum())} of 80 files"


def test_without_labels_the_threshold_moves_the_calls(page, without_labels):
    open_report(page, without_labels)
    set_slider(page, "#threshold", 0.95)
    assert (
        page.locator("#called").inner_text()
        == "Called PNEUMONIA: 1 of 9 films (3 others not scored or to be read by a person)."
    )
    assert page.locator(".chip.tp").count() == 0
