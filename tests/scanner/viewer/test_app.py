"""The viewer's page, driven without a browser."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import streamlit as st
from pydicom import uid
from streamlit.testing.v1 import AppTest

from cxrscan.reports.outputs import write_outputs
from cxrscan.reports.wording import percent_text
from cxrscan.scanner import NOTICE
from cxrscan.scanner.errors import HINTS
from cxrscan.scanner.evaluation.labels import LabelRequest
from cxrscan.scanner.model_bundle import load_bundle
from cxrscan.scanner.records import Film, ScanResult
from cxrscan.scanner.run import RunRequest, run
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.viewer import opening
from cxrscan.scanner.viewer.answer import row_csv
from cxrscan.scanner.viewer.decoding import film_source
from cxrscan.scanner.viewer.reading_list import write_reading_list
from tests.builders import PLANTED_IDS, PLANTED_NAME, dicom_film, encode, film_pixels, write_film

APP = Path(opening.__file__).with_name("app.py")
Upload = tuple[str, bytes, str]

FILM = film_pixels(1, height=480, width=560)
DEEP = FILM.astype(np.uint16) * 257


def dicom(**attributes: object) -> bytes:
    return dicom_film(FILM, PatientAge="003Y", **attributes)  # type: ignore[arg-type]


#: A film of every kind that is read in its own way.
KINDS: dict[str, bytes] = {
    "grey.jpg": encode(FILM, "JPEG", quality=95),
    "reduced.jpg": encode(film_pixels(2, height=1500, width=1700), "JPEG"),
    "colour.jpg": encode(cv2.cvtColor(FILM, cv2.COLOR_GRAY2RGB), "JPEG"),
    "eight.png": encode(FILM, "PNG"),
    "sixteen.png": encode(DEEP, "PNG"),
    "film.tiff": encode(DEEP, "TIFF"),
    "film.bmp": encode(FILM, "BMP"),
    "plain.dcm": dicom(),
    "inverted.dcm": dicom(PhotometricInterpretation="MONOCHROME1"),
    "compressed.dcm": dicom(syntax=uid.JPEG2000Lossless),
    "window.dcm": dicom_film(DEEP, WindowCenter=30000, WindowWidth=40000),
    "frames.dcm": dicom_film(np.stack([FILM, FILM[::-1]])),
}


@pytest.fixture
def open_viewer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AppTest]]:
    """Open the page as the command would, with the fields of an ``Opening``."""

    def start(**given: object) -> AppTest:
        monkeypatch.setattr(opening, "current", opening.Opening(**given))  # type: ignore[arg-type]
        return checked(AppTest.from_file(APP, default_timeout=60).run())

    yield start
    st.cache_resource.clear()


def checked(page: AppTest) -> AppTest:
    assert not page.exception, page.exception
    return page


def upload(page: AppTest, *names: str, **files: bytes) -> AppTest:
    """Upload films of KINDS and others, given as ``name__ending=bytes``."""
    chosen = {name: KINDS[name] for name in names} | {name.replace("__", "."): data for name, data in files.items()}
    page.file_uploader[0].set_value([(name, data, "") for name, data in chosen.items()])
    return checked(page.run())


def html(page: AppTest) -> str:
    return "\n".join(element.value for element in page.get("html") if "<style>" not in element.value)


def everything(page: AppTest) -> str:
    """All words on the page."""
    texts = [element.value for kind in (page.markdown, page.caption, page.error, page.warning) for element in kind]
    return "\n".join([html(page), *texts, *(str(radio.options) for radio in page.radio)])


def outcomes(page: AppTest) -> list[ScanResult]:
    return list(page.session_state["outcomes"].values())


# -- opening films


def test_the_empty_page_asks_for_films_and_shows_the_notice(open_viewer: Callable[..., AppTest]) -> None:
    page = open_viewer()
    assert len(page.file_uploader) == 1
    assert NOTICE in html(page)
    assert "cxr-call" not in html(page)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Rows of results.csv of a run over the films of every kind."""
    folder = tmp_path_factory.mktemp("kinds")
    for name, data in KINDS.items():
        (folder / name).write_bytes(data)
    tally = run(RunRequest(roots=(folder,), out=folder / "out", settings=ScanSettings(), n_workers=1), write_outputs)
    rows = csv.DictReader(io.StringIO(tally.outputs.csv.read_text(encoding="utf-8-sig"), newline=""))
    return {row["path"]: row for row in rows}


def test_every_kind_of_film_gets_the_row_that_a_run_writes(
    open_viewer: Callable[..., AppTest], table: dict[str, dict[str, str]]
) -> None:
    page = upload(open_viewer(), *KINDS)
    spec = load_bundle(ScanSettings().model)
    run = opening.session_run(spec)
    for result in outcomes(page):
        (row,) = csv.DictReader(io.StringIO(row_csv(Film(result), run).decode("utf-8-sig"), newline=""))
        expected = table[result.name]
        assert float(row.pop("duration_ms")) > 0
        assert expected["status"] == "scored"
        assert row == {name: value for name, value in expected.items() if name != "duration_ms"}


@pytest.mark.parametrize("name", ["reduced.jpg", "sixteen.png", "film.tiff", "inverted.dcm", "frames.dcm"])
def test_every_kind_of_film_is_shown_with_its_answer_and_both_pictures(
    name: str, open_viewer: Callable[..., AppTest]
) -> None:
    page = upload(open_viewer(), name)
    (result,) = outcomes(page)
    assert f"Probability of pneumonia {percent_text(result.prob_pneumonia)}" in html(page).replace(
        "\N{NO-BREAK SPACE}", " "
    )
    assert [len(image.value) for image in page.image] == [1, 1]


def test_a_film_named_on_the_command_line_opens_at_once(open_viewer: Callable[..., AppTest]) -> None:
    page = open_viewer(film=film_source("plain.dcm", KINDS["plain.dcm"]))
    assert 'dir="auto">plain.dcm</h2>' in html(page)
    assert "cxr-call" in html(page)


def test_a_removed_film_is_forgotten(open_viewer: Callable[..., AppTest]) -> None:
    page = upload(open_viewer(), "grey.jpg", "eight.png")
    upload(page, "eight.png")
    assert [result.name for result in outcomes(page)] == ["eight.png"]
    page.file_uploader[0].set_value([])
    page.run()
    assert outcomes(page) == []
    assert "picture" not in page.session_state


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("cut.jpg", KINDS["grey.jpg"][:4000], "truncated"),
        ("empty.png", b"", "empty-file"),
        ("letter.jpg", b"Dear colleague, ![x](http://example.org/x.png)", "not-an-image"),
        ("damaged.dcm", bytes(128) + b"DICM" + b"\xff" * 50, "bad-dicom"),
        ("report.dcm", dicom_film(FILM, without=["PixelData"], SOPClassUID=uid.BasicTextSRStorage), "non-image-object"),
    ],
)
def test_a_bad_upload_is_a_sentence_with_code_and_hint(
    name: str, data: bytes, code: str, open_viewer: Callable[..., AppTest]
) -> None:
    page = upload(open_viewer(), **{name.replace(".", "__"): data})
    (problem,) = page.error
    assert f"`[{code}]`" in problem.value
    assert HINTS[code][:20] in problem.value.replace("\\", "")
    assert "cxr-call" not in html(page)


def test_bad_files_spare_their_neighbours(open_viewer: Callable[..., AppTest]) -> None:
    page = upload(
        open_viewer(), "grey.jpg", broken__jpg=b"x", drawing__png=encode(np.zeros((300, 300), np.uint8), "PNG")
    )
    assert [outcome.status for outcome in outcomes(page)] == ["scored", "failed", "rejected"]


# -- the answer


def test_a_caveat_of_the_gate_stands_before_the_prediction(open_viewer: Callable[..., AppTest]) -> None:
    page = upload(open_viewer(), oblique__dcm=dicom_film(FILM, ViewPosition="LLO"))
    order = [element.type for element in page.main if element.type in ("warning", "html")]
    bodies = [element.value for element in page.main if element.type in ("warning", "html")]
    call = next(i for i, body in enumerate(bodies) if "cxr-call" in body)
    assert "a view that the model was not trained on" in page.warning[0].value
    assert order.index("warning") < call


def test_a_rejected_film_is_shown_without_a_prediction(open_viewer: Callable[..., AppTest]) -> None:
    page = upload(open_viewer(), side__dcm=dicom_film(FILM, ViewPosition="LL"))
    assert "No prediction" in page.error[0].value
    assert "lateral view" in page.error[0].value
    assert "cxr-call" not in html(page)
    assert [len(image.value) for image in page.image] == [1]
    assert [slider.label for slider in page.slider if "Heat" in slider.label] == []


def test_the_call_follows_the_chosen_threshold(open_viewer: Callable[..., AppTest]) -> None:
    page = upload(open_viewer(), "grey.jpg")
    page.selectbox(key="threshold name").set_value("custom").run()
    for threshold, call in ((0.0, "PNEUMONIA"), (1.0, "NORMAL")):
        page.slider(key="threshold").set_value(threshold).run()
        assert f"<b>{call}</b>" in html(checked(page))


def test_the_threshold_of_the_command_line_is_the_first(open_viewer: Callable[..., AppTest]) -> None:
    name = list(load_bundle(ScanSettings().model).operating_points)[-1]
    assert open_viewer(threshold=name).selectbox(key="threshold name").value == name
    own = open_viewer(threshold="0.123")
    assert own.selectbox(key="threshold name").value == "custom"
    assert own.slider(key="threshold").value == 0.123


def test_the_model_card_is_one_click_away(open_viewer: Callable[..., AppTest]) -> None:
    page = open_viewer()
    next(button for button in page.button if button.label == "Model card").click().run()
    card = html(checked(page)).split("cxr-card")[1]
    spec = load_bundle(ScanSettings().model)
    assert all(name in card for name in spec.operating_points)
    assert spec.weights_sha256 in card


# -- the pictures


def test_sliders_draw_the_pictures_again_and_leave_the_network_alone(open_viewer: Callable[..., AppTest]) -> None:
    page = upload(open_viewer(), "plain.dcm")
    before, (scanned,) = [image.value for image in page.image], outcomes(page)
    by_label = {slider.label.split(",")[0].split(":")[0]: slider for slider in page.slider}
    by_label["Window"].set_value((20, 70))
    by_label["Zoom"].set_value(2.0)
    checked(page.run())
    after = [image.value for image in page.image]
    assert not set(map(str, before)) & set(map(str, after))
    assert outcomes(page)[0] is scanned


def test_zooming_in_brings_the_sliders_that_move_the_view(open_viewer: Callable[..., AppTest]) -> None:
    page = upload(open_viewer(), "plain.dcm")
    labels = {slider.label for slider in page.slider}
    next(slider for slider in page.slider if slider.label == "Zoom").set_value(4.0).run()
    assert {slider.label for slider in page.slider} - labels == {"Left to right, %", "Top to bottom, %"}


def test_a_sliders_step_moves_the_overlay_and_not_the_film(open_viewer: Callable[..., AppTest]) -> None:
    page = upload(open_viewer(), "plain.dcm")
    film, overlay = (image.value for image in page.image)
    page.slider(key="opacity").set_value(0).run()
    film_after, overlay_after = (image.value for image in checked(page).image)
    assert film_after == film
    assert overlay_after != overlay


# -- several films


def test_several_films_are_listed_with_their_answers_and_paged_through(open_viewer: Callable[..., AppTest]) -> None:
    page = upload(open_viewer(), "grey.jpg", "plain.dcm", "film.bmp")
    assert page.radio[0].options == ["grey\\.jpg", "plain\\.dcm", "film\\.bmp"]
    assert ">grey.jpg</h2>" in html(page)
    page.button(key="next").click().run()
    assert ">plain.dcm</h2>" in html(checked(page))
    page.number_input(key="page").set_value(3).run()
    assert ">film.bmp</h2>" in html(checked(page))
    assert page.button(key="next").disabled
    page.button(key="previous").click().run()
    assert ">plain.dcm</h2>" in html(checked(page))


def test_a_film_picked_from_the_list_comes_to_the_front(open_viewer: Callable[..., AppTest]) -> None:
    page = upload(open_viewer(), "grey.jpg", "plain.dcm", "film.bmp")
    page.radio[0].set_value(page.radio[0].options[2]).run()
    assert ">film.bmp</h2>" in html(checked(page))
    assert page.number_input(key="page").value == 3


def test_a_film_that_is_added_comes_to_the_front(open_viewer: Callable[..., AppTest]) -> None:
    page = open_viewer(film=film_source("first.dcm", KINDS["plain.dcm"]))
    upload(page, "film.bmp")
    assert ">film.bmp</h2>" in html(page)


# -- privacy


def test_identifiers_are_shown_when_asked_for_and_names_never(open_viewer: Callable[..., AppTest]) -> None:
    page = upload(open_viewer(), "plain.dcm")
    assert not [value for value in PLANTED_IDS.values() if value in everything(page)]
    assert "CHEST" in html(page)
    next(toggle for toggle in page.toggle if toggle.label == "Show identifiers").set_value(True).run()
    assert all(value in html(checked(page)) for value in PLANTED_IDS.values())
    assert PLANTED_NAME.split("^")[0] not in everything(page)


def test_names_and_headers_cannot_become_markup(open_viewer: Callable[..., AppTest]) -> None:
    hostile = "<img src=x onerror=alert(1)>[x](http://example.org) $a$ :red[b].dcm"
    page = open_viewer()
    film = dicom_film(FILM, Manufacturer="<script>alert(2)</script>")
    page.file_uploader[0].set_value([(hostile, film, ""), ("other.dcm", KINDS["plain.dcm"], "")])
    checked(page.run())
    assert "<img" not in html(page)
    assert "<script" not in html(page)
    assert "&lt;img" in html(page)
    assert page.radio[0].options[0].startswith("\\<img")
    assert "\\[x\\]\\(http\\:" in page.radio[0].options[0]


# -- a finished run


@pytest.fixture
def finished_run(tmp_path: Path) -> Path:
    """A labelled run over five films, one of them broken, at a threshold that calls all pneumonia."""
    films = tmp_path / "films"
    for number, label in enumerate(("NORMAL", "NORMAL", "PNEUMONIA", "PNEUMONIA")):
        write_film(films / label / f"{number}.png", seed=number, height=300, width=320)
    (films / "NORMAL" / "broken.jpg").write_bytes(b"x")
    request = RunRequest(
        roots=(films,),
        out=tmp_path / "out",
        settings=ScanSettings(),
        n_workers=1,
        labels=LabelRequest("folders"),
        threshold="0",
    )
    return run(request, write_outputs).outputs.csv.parent


def heading(page: AppTest) -> str:
    return html(page).split('dir="auto">')[1].split("<")[0]


def through(page: AppTest) -> list[str]:
    """Names of all films, paged through from the first."""
    names = [heading(page)]
    while not page.button(key="next").disabled:
        page.button(key="next").click().run()
        names.append(heading(checked(page)))
    return names


def test_a_run_begins_with_its_worst_errors(open_viewer: Callable[..., AppTest], finished_run: Path) -> None:
    page = open_viewer(run=finished_run)
    names = through(page)
    assert {names[0], names[1]} == {"NORMAL/0.png", "NORMAL/1.png"}
    assert names[4] == "NORMAL/broken.jpg"
    assert "empty" not in html(page)
    assert "`[not-an-image]`" in page.error[0].value


def test_a_runs_film_says_what_the_label_says(open_viewer: Callable[..., AppTest], finished_run: Path) -> None:
    assert "Labelled NORMAL: a false positive." in html(open_viewer(run=finished_run))


def test_filters_choose_the_films_of_a_run(open_viewer: Callable[..., AppTest], finished_run: Path) -> None:
    page = open_viewer(run=finished_run)
    page.text_input(key="search").set_value("pneumonia/").run()
    assert sorted(through(checked(page))) == ["PNEUMONIA/2.png", "PNEUMONIA/3.png"]
    page.text_input(key="search").set_value("")
    page.pills(key="show").set_value(["fp"]).run()
    assert sorted(through(checked(page))) == ["NORMAL/0.png", "NORMAL/1.png"]
    page.text_input(key="search").set_value("nothing like this").run()
    assert "No film" in checked(page).info[0].value


def test_a_verdict_is_written_beside_the_run_and_comes_back(
    open_viewer: Callable[..., AppTest], finished_run: Path
) -> None:
    page = open_viewer(run=finished_run)
    name = heading(page)
    page.text_input(key="reader").set_value("Dr. R.")
    page.text_input(key=f"comment {name}").set_value("=motion").run()
    (row,) = csv.DictReader(io.StringIO((finished_run / "verdicts.csv").read_text(encoding="utf-8-sig"), newline=""))
    assert (row["path"], row["comment"], row["reader"], row["prediction"]) == (name, "'=motion", "Dr. R.", "PNEUMONIA")
    st.cache_resource.clear()
    again = open_viewer(run=finished_run)
    assert again.text_input(key=f"comment {name}").value == "=motion"
    assert again.text_input(key="reader").value == "Dr. R."


def shortcuts(page: AppTest) -> dict[str, str]:
    return {button.label: button.proto.shortcut for button in page.button if button.proto.shortcut}


def test_keys_are_those_of_the_report(open_viewer: Callable[..., AppTest], finished_run: Path) -> None:
    found = shortcuts(open_viewer(run=finished_run))
    assert {name: found[name] for name in ("Pneumonia", "No pneumonia", "Unsure", "Invert", "Reset")} == {
        "Pneumonia": "p",
        "No pneumonia": "n",
        "Unsure": "u",
        "Invert": "i",
        "Reset": "0",
    }
    assert (found["Previous"], found["Next"], found["Heat map: colours"]) == ("left", "right", "h")


def test_a_verdict_is_given_changed_and_taken_back(open_viewer: Callable[..., AppTest], finished_run: Path) -> None:
    def sheet() -> list[str]:
        text = (finished_run / "verdicts.csv").read_text(encoding="utf-8-sig")
        return [row["verdict"] for row in csv.DictReader(io.StringIO(text, newline=""))]

    page = open_viewer(run=finished_run)
    for key, kept in (("pneumonia", ["pneumonia"]), ("unsure", ["unsure"]), ("unsure", [])):
        page.button(key=f"read {key}").click().run()
        assert sheet() == kept
        chosen = [
            button.key for button in checked(page).button if button.proto.type == "primary" and button.key != "outline"
        ]
        assert chosen == [f"read {one}" for one in kept]


def test_blind_reading_shows_what_was_hidden_after_the_verdict(
    open_viewer: Callable[..., AppTest], finished_run: Path
) -> None:
    page = open_viewer(run=finished_run)
    page.toggle(key="blind").set_value(True).run()
    assert "cxr-call" not in html(checked(page))
    page.button(key="read no-pneumonia").click().run()
    assert "cxr-call" in html(checked(page))


def test_a_run_can_begin_with_any_film(open_viewer: Callable[..., AppTest], finished_run: Path) -> None:
    page = open_viewer(run=finished_run, first="PNEUMONIA/3.png")
    assert heading(page) == "PNEUMONIA/3.png"
    page.button(key="previous").click().run()
    assert heading(checked(page)) != "PNEUMONIA/3.png"


def test_the_heat_map_is_coloured_outlined_or_off_and_stays_so(
    open_viewer: Callable[..., AppTest], finished_run: Path
) -> None:
    page = open_viewer(run=finished_run)
    coloured = str(page.image[1].value)
    assert "none</span><i" in html(page)
    page.button(key="turn heat").click().run()
    assert str(checked(page).image[1].value) != coloured
    assert "none</span><i" not in html(page)
    assert not [slider for slider in page.slider if "Heat" in slider.label]
    page.button(key="turn heat").click().run()
    assert len(checked(page).image) == 1
    page.button(key="next").click().run()
    assert len(checked(page).image) == 1
    page.button(key="reset").click().run()
    assert len(checked(page).image) == 2


def test_a_film_is_inverted(open_viewer: Callable[..., AppTest]) -> None:
    page = upload(open_viewer(), "plain.dcm")
    before = str(page.image[0].value)
    page.button(key="invert").click().run()
    assert str(checked(page).image[0].value) != before
    page.button(key="invert").click().run()
    assert str(checked(page).image[0].value) == before


def test_a_verdict_that_cannot_be_kept_is_told(open_viewer: Callable[..., AppTest], finished_run: Path) -> None:
    page = open_viewer(run=finished_run)
    (finished_run / "verdicts.csv").mkdir()  # stands where the sheet is to be written
    page.text_input(key=f"comment {heading(page)}").set_value("blurred").run()
    assert "`[verdicts-unreadable]`" in checked(page).error[0].value


def test_a_film_that_is_gone_is_shown_as_the_runs_small_picture(
    open_viewer: Callable[..., AppTest], finished_run: Path
) -> None:
    page = open_viewer(run=finished_run)
    assert not [caption for caption in page.caption if "original" in caption.value]
    for film in (finished_run.parent / "films").rglob("*.png"):
        film.write_bytes(KINDS["eight.png"])  # another film under the same name
    page.button(key="next").click().run()
    assert [caption for caption in checked(page).caption if "original" in caption.value]
    assert len(page.image) == 2


def test_a_folder_that_is_no_run_is_told(open_viewer: Callable[..., AppTest], tmp_path: Path) -> None:
    assert "`[not-a-run]`" in open_viewer(run=tmp_path).error[0].value


# -- a reading list


def write_list(run_folder: Path, *numbers: int) -> Path:
    names = [f"{'NORMAL' if number < 2 else 'PNEUMONIA'}/{number}.png" for number in numbers]
    write_reading_list(run_folder / "queue.csv", [(name, "") for name in names])
    return run_folder / "queue.csv"


def rows_of(sheet: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(sheet.read_text(encoding="utf-8-sig"), newline="")))


def test_a_reading_list_is_read_blind_and_stays_so(open_viewer: Callable[..., AppTest], finished_run: Path) -> None:
    page = open_viewer(run=finished_run, queue=write_list(finished_run, 3, 0), reader="anna")
    assert through(page) == ["Blind reading", "Blind reading"]
    page.button(key="previous").click().run()
    for verdict in ("pneumonia", None):
        if verdict:
            page.button(key=f"read {verdict}").click().run()
        told = everything(checked(page))
        assert not any(word in told for word in ("cxr-call", "PNEUMONIA", "NORMAL", "3.png", "Threshold", "Labelled"))
    (row,) = rows_of(finished_run / "verdicts-anna.csv")
    assert (row["path"], row["verdict"], row["reader"], row["blind"]) == ("PNEUMONIA/3.png", "pneumonia", "anna", "yes")
    assert not (finished_run / "verdicts.csv").exists()


def test_of_a_file_that_could_not_be_read_a_blind_reader_gets_no_row_with_its_label(
    open_viewer: Callable[..., AppTest], finished_run: Path
) -> None:
    write_reading_list(finished_run / "queue.csv", [("NORMAL/broken.jpg", "")])
    page = open_viewer(run=finished_run, queue=finished_run / "queue.csv")
    assert "NORMAL" not in everything(page)
    assert not page.get("download_button")


def test_each_reader_begins_with_the_first_film_that_they_have_not_read(
    open_viewer: Callable[..., AppTest], finished_run: Path
) -> None:
    queue = write_list(finished_run, 3, 0, 1)
    page = open_viewer(run=finished_run, queue=queue, reader="anna")
    page.button(key="read unsure").click().run()
    page.button(key="next unread").click().run()
    assert page.number_input(key="page").value == 2
    st.cache_resource.clear()
    assert open_viewer(run=finished_run, queue=queue, reader="anna").number_input(key="page").value == 2
    ben = open_viewer(run=finished_run, queue=queue, reader="ben")
    assert ben.number_input(key="page").value == 1
    assert not [button for button in ben.button if button.proto.type == "primary"]


def test_a_list_of_other_films_is_told(open_viewer: Callable[..., AppTest], finished_run: Path) -> None:
    queue = finished_run / "other.csv"
    write_reading_list(queue, [("elsewhere.png", "")])
    assert "`[queue-unfit]`" in open_viewer(run=finished_run, queue=queue).error[0].value
