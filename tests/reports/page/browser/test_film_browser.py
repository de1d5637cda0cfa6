"""Search, filter, sort, bookmark and download in the report."""

import csv
import io

import pytest
from playwright.sync_api import expect

from tests.reports.films import render, scored, small_run
from tests.reports.page.browser.pages import chip, download, fragment, open_report, set_slider, shown_names, status


def test_every_file_is_shown_in_order_of_its_path(page, labelled):
    open_report(page, labelled)
    assert status(page) == "12 of 12 files"
    assert shown_names(page)[0] == "NORMAL/a.jpg"
    assert len(shown_names(page)) == 12


def test_the_highest_probability_comes_first_and_files_without_one_last(page, labelled):
    page.goto(f"file://{labelled / 'report.html'}")
    assert shown_names(page)[:2] == ["PNEUMONIA/h.jpg", "PNEUMONIA/g.jpg"]
    assert set(shown_names(page)[-3:]) == {"PNEUMONIA/j.jpg", "drawing.png", "notes.jpg"}
    assert page.evaluate("scrollY") == 0


def test_a_link_to_some_films_leads_to_them(page, labelled):
    page.goto(f"file://{labelled / 'report.html'}#show=fn")
    expect(page.locator("#scroller")).to_be_in_viewport()
    assert page.evaluate("document.activeElement.id") == "films"


def test_a_long_name_is_cut_in_the_middle(page, tmp_path):
    names = [f"a folder/film of a patient with a very long name {i}-0001.jpg" for i in (1, 2)]
    render(tmp_path, [scored(name, 0.5) for name in names])
    open_report(page, tmp_path)
    for tail, name in zip(page.locator(".film-card .tail").all(), names, strict=True):
        assert tail.inner_text() == name[-14:]
        assert tail.evaluate("part => part.scrollWidth <= part.clientWidth + 1")


def test_search_finds_names_and_reasons(page, labelled):
    open_report(page, labelled)
    page.fill("#query", "g.jpg pneumonia")
    assert shown_names(page) == ["PNEUMONIA/g.jpg"]
    page.fill("#query", "low-resolution")
    assert shown_names(page) == ["NORMAL/c.jpg"]


def test_outcomes_add_up_and_the_caveat_narrows_them(page, labelled):
    open_report(page, labelled)
    chip(page, "fp").click()
    assert shown_names(page) == ["NORMAL/d.jpg"]
    chip(page, "fn").click()
    chip(page, "failed").click()
    assert shown_names(page) == ["NORMAL/d.jpg", "PNEUMONIA/i.jpg", "PNEUMONIA/j.jpg", "notes.jpg"]
    page.click("#clear")
    chip(page, "positive").click()
    chip(page, "warned").click()
    assert shown_names(page) == ["PNEUMONIA/h.jpg"]
    assert status(page) == "1 of 12 files"


def test_chips_count_what_they_would_show(page, labelled):
    open_report(page, labelled)
    chip(page, "warned").click()
    assert chip(page, "positive").inner_text() == "PNEUMONIA1"
    assert chip(page, "negative").inner_text() == "NORMAL1"


@pytest.mark.parametrize(
    ("outcome", "names"),
    [
        ("rejected", ["drawing.png"]),
        ("failed", ["notes.jpg", "PNEUMONIA/j.jpg"]),
        ("warned", ["NORMAL/c.jpg", "PNEUMONIA/h.jpg"]),
    ],
)
def test_files_of_an_outcome(page, labelled, outcome, names):
    open_report(page, labelled)
    chip(page, outcome).click()
    assert sorted(shown_names(page)) == sorted(names)


def test_a_range_of_probabilities(page, labelled):
    open_report(page, labelled)
    set_slider(page, "#low-slide", 0.3)
    set_slider(page, "#high-slide", 0.6)
    assert shown_names(page) == ["NORMAL/c.jpg", "NORMAL/e.jpg", "PNEUMONIA/f.jpg", "PNEUMONIA/i.jpg"]
    page.click("#clear")
    assert status(page) == "12 of 12 files"


def test_filters_by_text_and_by_number_of_any_column_combine(page, labelled):
    open_report(page, labelled)
    page.select_option("#add-filter", "kind")
    page.get_by_label("Format contains").fill("png")
    assert shown_names(page) == ["drawing.png"]
    page.get_by_label("Remove the filter on Format").click()
    page.select_option("#add-filter", "size_bytes")
    page.get_by_label("Size (bytes) from").fill("600")
    chip(page, "tp").click()
    assert shown_names(page) == ["PNEUMONIA/f.jpg", "PNEUMONIA/g.jpg", "PNEUMONIA/h.jpg"]


def test_columns_in_which_all_films_agree_are_not_offered_as_filters(page, labelled):
    open_report(page, labelled)
    offered = page.locator("#add-filter option").evaluate_all("all => all.map(option => option.value)")
    assert {"kind", "width_px", "truth", "error_code"} <= set(offered)
    assert not {"model", "threshold", "patient_sex", "manufacturer"} & set(offered)


def test_sorting_puts_empty_cells_last_in_both_directions(page, labelled):
    open_report(page, labelled, "#view=table")
    page.get_by_role("columnheader", name="Probability").get_by_role("button").click()
    falling = shown_names(page)
    assert falling[:2] == ["PNEUMONIA/h.jpg", "PNEUMONIA/g.jpg"]
    page.get_by_role("columnheader", name="Probability").get_by_role("button").click()
    rising = shown_names(page)
    assert rising[:2] == ["NORMAL/a.jpg", "NORMAL/b.jpg"]
    assert set(falling[-3:]) == set(rising[-3:]) == {"PNEUMONIA/j.jpg", "drawing.png", "notes.jpg"}
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("Probability")


def test_a_view_can_be_bookmarked(page, browser, labelled):
    open_report(page, labelled)
    page.fill("#query", "jpg")
    chip(page, "fn").click()
    chip(page, "fp").click()
    page.select_option("#add-filter", "width_px")
    page.get_by_label("Width from").fill("100")
    page.select_option("#sort", "prob_pneumonia")
    page.click("[data-view=table]")
    page.fill("#threshold-number", "0.6")
    page.press("#threshold-number", "Enter")
    bookmark = fragment(page)
    names = shown_names(page)
    assert names == ["NORMAL/d.jpg", "PNEUMONIA/f.jpg", "PNEUMONIA/i.jpg"]
    page.goto("about:blank")
    open_report(page, labelled, bookmark)
    assert shown_names(page) == names
    assert page.input_value("#query") == "jpg"
    assert page.input_value("#threshold-number") == "0.6"


def test_a_fragment_that_makes_no_sense_is_harmless(page, labelled):
    open_report(page, labelled, "#show=nothing,__proto__&p=9..x&f.__proto__=a&sort=-constructor&t=7&view=<b>&heat=NaN")
    assert status(page) == "12 of 12 files"


def test_another_fragment_changes_the_view_at_once(page, labelled):
    open_report(page, labelled)
    page.evaluate("location.hash = '#show=failed'")
    expect(page.locator("#status")).to_have_text("2 of 12 files")


def test_the_whole_download_is_results_csv_byte_for_byte(page, labelled):
    open_report(page, labelled)
    assert download(page, "#download") == (labelled / "results.csv").read_bytes()


def test_what_is_filtered_and_sorted_is_what_is_downloaded(page, labelled):
    open_report(page, labelled, "#show=tp&sort=-prob_pneumonia")
    rows = list(csv.DictReader(io.StringIO(download(page, "#download").decode("utf-8-sig"))))
    assert [row["path"] for row in rows] == ["PNEUMONIA/h.jpg", "PNEUMONIA/g.jpg", "PNEUMONIA/f.jpg"]


def test_hostile_names_are_neutralised_in_the_download_too(page, hostile):
    open_report(page, hostile)
    assert download(page, "#download") == (hostile / "results.csv").read_bytes()


def test_nothing_found_is_said(page, labelled):
    open_report(page, labelled)
    page.fill("#query", "no such film")
    assert status(page) == "0 of 12 files"


def test_the_heat_map_is_toggled_on_all_films_at_once(page, labelled):
    open_report(page, labelled)
    opacity = "getComputedStyle(document.querySelector('.film canvas')).opacity"
    set_slider(page, "#heat", 90)
    assert page.evaluate(opacity) == "0.9"
    page.uncheck("#heat-on")
    assert page.evaluate(opacity) == "0"
    page.check("#heat-on")
    assert page.evaluate(opacity) == "0.9"


def test_the_heat_map_is_hottest_where_the_map_is(page, labelled):
    open_report(page, labelled, "#show=tp")
    brightest = page.evaluate(
        """() => {
          const canvas = document.querySelector(".film canvas");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let best = -1, at = 0;
          for (let i = 0; i < data.length; i += 4) {
            const light = (data[i] + data[i + 1] + data[i + 2]) * data[i + 3];
            if (light > best) { best = light; at = i / 4; }
          }
          return [at % canvas.width / canvas.width, Math.floor(at / canvas.width) / canvas.height];
        }"""
    )
    assert brightest == pytest.approx([4.5 / 7, 3.5 / 7], abs=0.05)


def test_pictures_beside_the_report_are_loaded(page, tmp_path):
    render(tmp_path, small_run(), embed="none")
    open_report(page, tmp_path)
    for picture in page.locator(".film img").all():
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("image => image.naturalWidth") == 56
