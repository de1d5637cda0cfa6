"""The large view of a film and the reader's verdicts."""

import csv
import io
import subprocess

import pytest
from playwright.sync_api import expect

from tests.reports.films import HOSTILE_NAMES
from tests.reports.page.browser.pages import chip, download, open_report, set_slider, shown_names, status


def title(page) -> str:
    return str(page.locator("#viewer-title .path").get_attribute("title"))


def open_film(page, number: int) -> None:
    page.locator("button.frame").nth(number).click()


def close_film(page) -> None:
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).not_to_be_visible()
    while page.evaluate("history.state"):  # the page's policy forbids that Playwright polls by itself
        page.wait_for_timeout(20)


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


def test_a_film_opens_side_by_side_with_its_heat_map(page, labelled):
    open_report(page, labelled)
    open_film(page, 3)
    assert title(page) == "NORMAL/d.jpg"
    assert page.locator("dialog .film img").count() == 2
    assert page.locator("dialog .film canvas").count() == 1
    assert "False positive" in page.locator("dialog .result").inner_text()


def test_arrow_keys_go_through_the_selection(page, labelled):
    open_report(page, labelled, "#show=tp&sort=-prob_pneumonia")
    open_film(page, 0)
    seen = [title(page)]
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "Home", "End"):
        page.keyboard.press(key)
        seen.append(title(page))
    assert [name[-5] for name in seen] == list("hgffghf")


def test_escape_closes_and_gives_the_focus_back(page, labelled):
    open_report(page, labelled)
    page.locator("button.frame").nth(2).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("NORMAL/c.jpg")


def test_a_failed_file_shows_its_reason_and_what_to_do(page, labelled):
    open_report(page, labelled, "#show=failed&q=notes")
    open_film(page, 0)
    text = page.locator("dialog .result").inner_text()
    assert "The content is not a picture in any known format." in text
    assert "remove or rename it" in text


def test_verdicts_survive_a_reload_and_can_be_filtered(page, labelled):
    open_report(page, labelled)
    open_film(page, 0)
    page.keyboard.press("p")
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Unsure").click()
    page.get_by_label("Comment").fill("faint, = perhaps")
    close_film(page)
    page.reload()
    chip(page, "pneumonia").click()
    assert shown_names(page) == ["NORMAL/a.jpg"]
    chip(page, "unsure").click()
    assert status(page) == "2 of 12 files"


def test_letters_typed_into_the_comment_are_no_verdict(page, labelled):
    open_report(page, labelled)
    open_film(page, 0)
    page.get_by_label("Comment").press_sequentially("pun")
    assert page.locator("dialog [aria-pressed=true]").count() == 0


def test_the_sheet_is_exported_and_imported_elsewhere(page, browser, labelled, tmp_path):
    open_report(page, labelled)
    open_film(page, 6)
    page.keyboard.press("p")
    page.get_by_label("Comment").fill('=1+1, "quoted"\nsecond line')
    page.keyboard.press("Escape")
    page.click("#verdicts summary")
    page.fill("#reader", "EP")
    page.press("#reader", "Tab")
    data = download(page, "#export")
    assert [(row["path"], row["verdict"], row["comment"], row["reader"], row["prediction"]) for row in rows(data)] == [
        ("PNEUMONIA/g.jpg", "pneumonia", '\'=1+1, "quoted"\nsecond line', "EP", "PNEUMONIA")
    ]
    sheet = tmp_path / "verdicts.csv"
    sheet.write_bytes(data)
    elsewhere = browser.new_page()
    open_report(elsewhere, labelled)
    elsewhere.click("#verdicts summary")
    elsewhere.set_input_files("#import", sheet)
    expect(elsewhere.locator("#verdict-message")).to_have_text("1 verdict taken over.")
    assert rows(download(elsewhere, "#export")) == rows(data)
    elsewhere.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "This file has no columns path and verdict."),
        (
            "path,verdict\nnowhere.jpg,unsure\nNORMAL/a.jpg,maybe\nNORMAL/b.jpg,unsure\n",
            "1 verdict taken over; 2 rows left out",
        ),
    ],
)
def test_a_foreign_sheet_is_told_about(page, labelled, tmp_path, text, message):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(text)
    open_report(page, labelled)
    page.click("#verdicts summary")
    page.set_input_files("#import", sheet)
    expect(page.locator("#verdict-message")).to_contain_text(message)


def test_a_verdict_stays_on_the_call_and_threshold_it_was_given_on(page, browser, labelled, tmp_path):
    open_report(page, labelled, "#show=fn")
    open_film(page, 0)
    page.keyboard.press("n")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="fewer misses").click()
    page.click("#verdicts summary")
    data = download(page, "#export")
    (row,) = rows(data)
    assert (row["verdict"], row["prediction"], row["threshold"]) == ("no-pneumonia", "NORMAL", "0.5000")
    sheet = tmp_path / "verdicts.csv"
    sheet.write_bytes(data)
    elsewhere = browser.new_page()
    open_report(elsewhere, labelled, "#t=0.25")
    elsewhere.click("#verdicts summary")
    elsewhere.set_input_files("#import", sheet)
    expect(elsewhere.locator("#verdict-message")).to_have_text("1 verdict taken over.")
    assert rows(download(elsewhere, "#export")) == [row]
    chip(elsewhere, "no-pneumonia").click()
    open_film(elsewhere, 0)
    expect(elsewhere.locator("dialog .given")).to_contain_text("when the call was NORMAL, at the threshold 0.5000")
    elsewhere.close()


def test_a_film_is_read_blind_before_anything_is_told(page, labelled):
    open_report(page, labelled, "#show=fn&sort=-prob_pneumonia")
    page.click("#verdicts summary")
    page.check("#blind")
    page.click("#verdicts summary")
    assert status(page) == "12 of 12 files"
    assert not page.locator(".film-card .caption").first.is_visible()
    open_film(page, 3)
    dialog = page.locator("dialog")
    told = dialog.inner_text() + "".join(
        dialog.locator("[aria-label]").evaluate_all("all => all.map(x => x.ariaLabel)")
    )
    assert not any(word in told for word in ("NORMAL", "PNEUMONIA", "0.7", "d.jpg"))
    assert dialog.locator("canvas").count() == 0
    page.keyboard.press("n")
    assert "False positive" in dialog.inner_text()
    assert dialog.locator("canvas").count() == 1
    page.keyboard.press("Escape")
    page.click("#verdicts summary")
    (row,) = rows(download(page, "#export"))
    assert (row["path"], row["verdict"], row["blind"]) == ("NORMAL/d.jpg", "no-pneumonia", "yes")


def test_the_original_is_a_command_to_copy_and_no_link(page, labelled, hostile):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_report(page, labelled)
    open_film(page, 3)
    page.get_by_role("button", name="Copy").last.click()
    expect(page.locator("dialog .original button")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == f'cxrscan view "{labelled}" --film "NORMAL/d.jpg"'
    open_report(page, hostile)
    for number in range(len(HOSTILE_NAMES)):
        open_film(page, number)
        command = page.locator("dialog .original code").inner_text()
        said = subprocess.run(["bash", "-c", f"cxrscan() {{ printf '%s\\n' $#; }}; {command}"], capture_output=True)
        assert (said.stdout, said.stderr) in ((b"2\n", b""), (b"4\n", b""))
        close_film(page)
    assert page.locator("a[href]:not([href^='#'])").count() == 0


def test_the_whole_card_opens_the_film_and_back_leads_to_the_list(page, labelled):
    open_report(page, labelled)
    page.locator(".film-card .caption").first.click()
    assert title(page) == "NORMAL/a.jpg"
    page.go_back()
    expect(page.locator("dialog")).not_to_be_visible()
    assert page.url.split("#")[0].endswith("report.html")
    page.locator(".film-card .caption").nth(1).click()
    close_film(page)
    assert status(page) == "12 of 12 files"


def test_a_film_is_zoomed_windowed_and_inverted(page, labelled):
    open_report(page, labelled)
    open_film(page, 0)
    film = page.locator("dialog .film").first
    style = "part => [getComputedStyle(part).transform, getComputedStyle(part.querySelector('img')).filter]"
    assert film.evaluate(style) == ["matrix(1, 0, 0, 1, 0, 0)", "none"]
    page.keyboard.press("+")
    page.keyboard.press("i")
    transform, grey = film.evaluate(style)
    assert transform.startswith("matrix(1.25, 0, 0, 1.25")
    assert grey == "invert(1)"
    set_slider(page, "dialog [data-key=black]", 20)
    set_slider(page, "dialog [data-key=white]", 70)
    # 20 % becomes black and 70 % white: a slope of 2.
    assert film.evaluate(style)[1] == "brightness(1.11111) contrast(1.8) invert(1)"
    page.keyboard.press("ArrowRight")
    assert film.evaluate(style)[1].startswith("brightness")
    page.keyboard.press("0")
    assert film.evaluate(style) == ["matrix(1, 0, 0, 1, 0, 0)", "none"]


def test_regions_are_outlined_until_the_reader_wants_the_film_alone(page, labelled):
    open_report(page, labelled)
    open_film(page, 6)  # PNEUMONIA/g.jpg
    outlines = page.locator("dialog .outlines .over")
    assert outlines.count() == 2
    assert page.locator("dialog .outline-number").all_inner_texts() == ["1", "2"]
    box, film = outlines.first.bounding_box(), page.locator("dialog .film img").first.bounding_box()
    assert abs((box["x"] - film["x"]) / film["width"] - 150 / 1200) < 0.01
    assert abs((box["y"] + box["height"] - film["y"]) / film["height"] - 800 / 1000) < 0.01
    assert page.locator("dialog .regions li").first.inner_text() == "right lower: 62 % of the heat"
    page.keyboard.press("o")
    assert outlines.count() == 0
    page.get_by_label("Outline regions").check()
    assert outlines.count() == 2


def test_a_film_that_is_called_normal_has_no_region_at_any_threshold(page, labelled):
    open_report(page, labelled, "#t=0.95")
    open_film(page, 6)
    assert page.locator("dialog .outlines").count() == 0
    assert page.locator("dialog .regions").count() == 0
    close_film(page)
    open_report(page, labelled, "#t=0.32")
    page.reload()
    open_film(page, 8)  # PNEUMONIA/i.jpg, which the run called NORMAL
    assert page.locator("dialog .outlines .over").count() == 2


def test_the_heat_map_is_coloured_outlined_or_off_and_says_how_strong_it_is(page, labelled):
    open_report(page, labelled, "#show=tp")
    open_film(page, 2)
    dialog = page.locator("dialog")
    assert "Heat: strong." in dialog.inner_text()
    page.keyboard.press("h")
    outline = """canvas => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, i) => i % 4 === 3 && value > 0).length / (data.length / 4);
    }"""
    assert 0 < dialog.locator("canvas.contour").evaluate(outline) < 0.05
    page.keyboard.press("h")
    assert dialog.locator("canvas").count() == 0
    assert "The heat map is off." in dialog.inner_text()
    page.keyboard.press("h")
    close_film(page)
    open_report(page, labelled, "#q=a.jpg")
    open_film(page, 0)
    assert "Heat: none on this film." in dialog.inner_text()
