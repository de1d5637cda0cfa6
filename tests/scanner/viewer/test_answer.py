"""What was found, in words and HTML."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from cxrscan.reports.page.view import model_card
from cxrscan.reports.tables.columns import COLUMNS
from cxrscan.scanner.records import Estimate, FilmAttributes, Skip
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.viewer import answer
from tests.reports.films import INFO, MODEL, RUN, failed, rejected, scored

WITH_ECE = replace(MODEL, validation={"a": {"ece": Estimate(0.03)}, "b": {"ece": Estimate(0.1)}})


def sentences(prob: float, threshold: float = 0.5, name: str = "balanced") -> str:
    info = replace(INFO, threshold=threshold, threshold_name=name)
    return " ".join(answer.certainty(prob, Run(info, WITH_ECE))).replace("\N{NO-BREAK SPACE}", " ")


def test_a_call_says_how_it_follows_from_the_probability_and_no_confidence() -> None:
    html = answer.call_html(scored("a.jpg", 0.632), replace(INFO, threshold=0.6697)).replace("\N{NO-BREAK SPACE}", " ")
    assert "Probability of pneumonia 63 % · below the threshold of 67 %" in html
    assert "confidence" not in html
    assert "Not reliable" not in html


def test_a_caveat_stands_beside_the_number() -> None:
    html = answer.call_html(scored("a.jpg", 0.99, warns=("inverted",)), INFO)
    assert "Not reliable for this film: Inverted." in html


@pytest.mark.parametrize(("prob", "is_close"), [(0.41, True), (0.59, True), (0.39, False), (0.61, False)])
def test_a_call_is_close_when_the_threshold_is_nearer_than_the_calibration_error(prob: float, is_close: bool) -> None:
    assert ("close call" in sentences(prob)) == is_close
    assert "off by 0.10 on average" in sentences(prob)


def test_the_operating_point_brings_its_validation_figures_and_an_own_threshold_none() -> None:
    assert "90.0 % (80.0–95.0) of the validation films with pneumonia" in sentences(0.5)
    assert "validation films with pneumonia" not in sentences(0.5, 0.123, "custom")


def test_a_model_without_calibration_figures_says_nothing_of_them() -> None:
    assert len(answer.certainty(0.5, RUN)) == 1


def test_the_gate_speaks_in_sentences_by_its_verdict() -> None:
    assert answer.gate_answer(scored("a.jpg", 0.5).result).level == "success"
    warned = answer.gate_answer(scored("a.jpg", 0.5, warns=("adult", "low-resolution")).result)
    assert (warned.level, len(warned.sentences)) == ("warning", 2)
    assert answer.gate_answer(rejected("a.png", "colour-picture").result).level == "error"


@pytest.mark.parametrize(
    ("prob", "truth", "words"),
    [
        (0.9, "PNEUMONIA", "a true positive"),
        (0.9, "NORMAL", "a false positive"),
        (0.1, "PNEUMONIA", "a false negative"),
        (0.1, "NORMAL", "a true negative"),
    ],
)
def test_the_label_is_held_against_the_call(prob: float, truth: str, words: str) -> None:
    assert words in answer.truth_text(scored("a.jpg", prob, truth), 0.5)


def test_without_label_or_score_nothing_is_held_against_anything() -> None:
    assert answer.truth_text(scored("a.jpg", 0.5), 0.5) == ""
    assert answer.truth_text(rejected("a.png", "blank", truth="NORMAL"), 0.5) == "Labelled NORMAL."


def test_a_list_entry_says_what_came_of_a_file() -> None:
    assert answer.in_short(scored("a.jpg", 0.934).result, 0.5) == "PNEUMONIA, 93 % pneumonia"
    assert answer.in_short(rejected("a.png", "blank").result, 0.5) == "rejected"
    assert answer.in_short(failed("a.png").result, 0.5) == "failed"
    assert answer.in_short(Skip("a.dcm", "The DICOM object is no picture."), 0.5) == "no film"


def test_the_bar_marks_the_probability_and_every_operating_point() -> None:
    bar = answer.bar_html(0.4, RUN)
    assert 'class="fill" style="width:40.00%"' in bar
    assert re.findall(r'class="point( used)?" style="left:([\d.]+)%', bar) == [(" used", "50.00"), ("", "25.00")]
    assert 'class="cxr-bar normal"' in bar


def test_the_bar_marks_an_own_threshold_too() -> None:
    bar = answer.bar_html(0.4, Run(replace(INFO, threshold=0.3, threshold_name="custom"), MODEL))
    assert 'class="point used" style="left:30.00%' in bar
    assert "pneumonia" in bar


def test_no_mark_of_the_bar_crosses_a_name() -> None:
    points = {
        name: replace(MODEL.operating_points["balanced"], name=name, threshold=at)
        for name, at in (("a", 0.41), ("b", 0.5), ("c", 0.575), ("d", 0.13), ("e", 0.99))
    }
    bar = answer.bar_html(0.4, replace(RUN, model=replace(MODEL, operating_points=points)))
    marks = re.findall(r'point[ a-z]*" style="left:([\d.]+)%;height:([\d.]+)rem', bar)
    names = re.findall(r'name[ a-z]*" style="left:([\d.]+)%;top:([\d.]+)rem">([^<]+)', bar)
    for left, height in marks:
        for start, top, text in names:
            is_inside = float(start) + 0.5 < float(left) < float(start) + 2.1 * len(text)
            assert not (is_inside and float(height) > float(top) + 0.1), (left, text)


def test_the_table_shows_what_is_stated_and_escapes_it() -> None:
    film = scored("a.dcm", 0.5, attributes=FilmAttributes(modality="DX", manufacturer="<b>ACME</b>"))
    rows = answer.header_rows(film, RUN)
    assert rows == [("Modality", "DX"), ("Manufacturer", "<b>ACME</b>")]
    assert "&lt;b&gt;ACME&lt;/b&gt;" in answer.table_html(rows, "Header")


def test_no_identifier_is_among_the_rows_shown_at_once() -> None:
    film = scored("a.dcm", 0.5, attributes=FilmAttributes(modality="DX", ids=(("patient_id", "4711"),)))
    rows = answer.header_rows(film, RUN) + answer.file_rows(film, RUN)
    assert "4711" not in str(rows)
    assert answer.id_rows(film.result.attributes.ids) == [("Patient ID", "4711")]


def test_the_row_has_the_columns_of_a_runs_table() -> None:
    heading, row, end = answer.row_csv(scored("=1.jpg", 0.5), RUN).decode("utf-8-sig").split("\r\n")
    assert heading == ",".join(column.name for column in COLUMNS)
    assert row.startswith("'=1.jpg,scored,PNEUMONIA,0.5000,0.5000,")
    assert end == ""


def test_a_rejected_film_has_no_prediction_in_its_annotated_picture() -> None:
    heading, footing = answer.result_lines(rejected("a.png", "blank"), RUN)
    assert heading[0].startswith("No prediction")
    assert "PNEUMONIA" not in " ".join(heading)
    assert "toy 1.0" in footing[0]


def test_the_model_card_names_limits_points_and_weights() -> None:
    card = answer.model_card_html(model_card(RUN))
    for text in (*MODEL.limits, *MODEL.operating_points, MODEL.weights_sha256, "(in use)"):
        assert text in card


@pytest.mark.parametrize("text", ["**b**", "[a](http://x)", "$x$", ":red[x]", "<b>", "`c`", "a\n# b", "1. x", "&amp;"])
def test_no_text_can_become_markdown(text: str) -> None:
    escaped = answer.plain_markdown(text)
    assert re.sub(r"\\[!-/:-@\[-`{-~]", "", escaped).strip().replace(" ", "").isalnum() or escaped.startswith("\\")
    assert not re.search(r"(?<!\\)[*_`$\[\]<>#:&]", escaped)


def test_a_label_of_a_film_never_becomes_markup() -> None:
    film = scored("a.jpg", 0.9, "<img src=x onerror=alert(1)>")
    assert "<img" not in answer.call_html(film, INFO)


def test_regions_are_told_unless_the_film_is_called_normal() -> None:
    film = scored("a.dcm", 0.9, attributes=FilmAttributes(pixel_spacing_mm=(0.2, 0.1)))
    assert "right lower: 62\N{NO-BREAK SPACE}% of the heat, 27 x 60 mm" in answer.regions_html(film, RUN)
    assert "if the film is not mirrored" in answer.regions_html(scored("a.jpg", 0.9, warns=("mirrored",)), RUN)
    assert answer.regions_html(scored("a.jpg", 0.4), RUN) == ""
    assert answer.regions_html(rejected("a.png", "blank"), RUN) == ""
