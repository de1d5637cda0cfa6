"""What only a browser shows: the upload itself, sliders, keys, downloads, and that all fits on the screen."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

from cxrscan.reports.wording import percent_text
from cxrscan.scanner import NOTICE
from tests.builders import dicom_film, encode, film_pixels

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

FILM = film_pixels(1, height=1200, width=1400)
#: More than 1 MB, beyond which a server would put an upload into a temporary file.
LARGE = dicom_film(FILM.astype(np.uint16) * 16, bits_stored=12, PatientAge="003Y")


def upload(page: Page, **files: bytes) -> None:
    chosen = [
        {"name": name.replace("__", "."), "mimeType": "application/octet-stream", "buffer": data}
        for name, data in files.items()
    ]
    page.set_input_files("input[type=file]", chosen)  # type: ignore[arg-type]


def pictures(page: Page) -> tuple[Locator, Locator]:
    film, overlay = page.get_by_role("img", name="Film", exact=True), page.get_by_role("img", name="Film with heat map")
    overlay.wait_for()
    return film, overlay


def test_an_uploaded_film_is_answered_beside_two_pictures_of_one_size(page: Page) -> None:
    upload(page, film__dcm=LARGE)
    page.locator(".cxr-call").wait_for()
    film, overlay = pictures(page)
    assert film.bounding_box() is not None
    sizes = [(box["width"], box["height"]) for box in (film.bounding_box(), overlay.bounding_box()) if box]
    assert sizes[0] == sizes[1]
    assert sizes[0][0] > 300
    notice = page.get_by_text(NOTICE).bounding_box()
    assert notice is not None
    assert 0 < notice["y"] < 900 - notice["height"]


def test_a_closed_page_takes_its_films_out_of_memory(browser: Browser, address: str) -> None:
    metrics = address.replace("/?", "/_stcore/metrics?")

    def held() -> int:
        lines = urlopen(metrics, timeout=30).read().decode().splitlines()
        return sum(int(line.split()[-1]) for line in lines if 'cache_type="UploadedFileManager"' in line)

    def wait_until(is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    wait_until(lambda: not held())  # films of earlier pages
    page = browser.new_page()
    page.goto(address)
    page.locator("input[type=file]").wait_for(state="attached")
    upload(page, film__dcm=LARGE)
    page.locator(".cxr-call").wait_for()
    wait_until(lambda: held() >= len(LARGE))
    page.close()
    wait_until(lambda: not held())


def test_the_opacity_slider_changes_the_overlay_and_not_the_film(page: Page) -> None:
    upload(page, film__dcm=LARGE)
    film, overlay = pictures(page)
    before = film.get_attribute("src"), overlay.get_attribute("src")
    page.get_by_role("slider", name="Heat map, % opacity").press("End")
    changed = "src => document.querySelector(\"img[alt='Film with heat map']\").getAttribute('src') !== src"
    page.wait_for_function(changed, arg=before[1])
    assert film.get_attribute("src") == before[0]
    assert overlay.get_attribute("src") != before[1]


def test_pictures_arrive_with_the_page_so_that_quick_paging_loses_none(page: Page) -> None:
    upload(page, film__dcm=LARGE)
    for picture in pictures(page):
        assert (picture.get_attribute("src") or "").startswith("data:")


def test_keys_page_through_several_films_and_a_bad_one_is_a_sentence(page: Page) -> None:
    upload(page, a__png=encode(FILM, "PNG"), b__jpg=b"no picture", c__dcm=LARGE)
    page.locator(".cxr-name", has_text="a.png").wait_for()
    page.get_by_text("c.dcm").last.wait_for()
    page.get_by_role("button", name="Next").wait_for()
    page.keyboard.press("ArrowRight")
    page.get_by_text("[not-an-image]").wait_for()
    page.keyboard.press("ArrowRight")
    page.locator(".cxr-name", has_text="c.dcm").wait_for()
    page.keyboard.press("ArrowLeft")
    page.get_by_text("[not-an-image]").wait_for()


def test_picture_and_row_can_be_downloaded(page: Page, tmp_path: Path) -> None:
    upload(page, film__dcm=LARGE)
    pictures(page)
    with page.expect_download() as picture:
        page.get_by_role("button", name="Annotated picture (PNG)").click()
    picture.value.save_as(tmp_path / "film.png")
    assert picture.value.suggested_filename == "film-cxrscan.png"
    with Image.open(tmp_path / "film.png") as annotated:
        assert annotated.width > 1800
    with page.expect_download() as table:
        page.get_by_role("button", name="Result (CSV)").click()
    table.value.save_as(tmp_path / "film.csv")
    (row,) = csv.DictReader(io.StringIO((tmp_path / "film.csv").read_text(encoding="utf-8-sig"), newline=""))
    assert (row["path"], row["status"]) == ("film.dcm", "scored")
    said = page.locator(".cxr-said").inner_text().replace("\N{NO-BREAK SPACE}", " ")
    assert f"Probability of pneumonia {percent_text(float(row['prob_pneumonia']))}" in said


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_within_its_width(narrow_page: Page, scheme: str) -> None:
    narrow_page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    upload(narrow_page, film__dcm=LARGE)
    film, _ = pictures(narrow_page)
    box = film.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 420
    assert narrow_page.evaluate("document.documentElement.scrollWidth") <= 420
    assert narrow_page.get_by_text(NOTICE).is_visible()
