"""The table schema."""

from dataclasses import replace
from pathlib import Path

import pytest

from cxrscan.reports.tables.columns import COLUMNS, columns_of, data_dictionary, format_cell
from cxrscan.reports.tables.study_file import study_dictionary
from cxrscan.scanner.decision import prediction
from cxrscan.scanner.records import FilmAttributes
from tests.reports.films import INFO, RUN, failed, rejected, scored

DOCS = Path(__file__).parents[3] / "docs"


def test_the_published_columns_keep_their_order():
    published = [
        "path",
        "status",
        "prediction",
        "prob_pneumonia",
        "threshold",
        "truth",
        "gate",
        "gate_reasons",
        "error_code",
        "error_message",
        "kind",
        "width_px",
        "height_px",
        "view_position",
        "patient_sex",
        "patient_age_years",
        "sha256",
        "model",
        "duration_ms",
    ]
    assert [column.name for column in COLUMNS][: len(published)] == published


def test_the_data_dictionary_in_the_docs_is_the_schema():
    assert (DOCS / "columns.md").read_text(encoding="utf-8") == data_dictionary() + "\n" + study_dictionary()


def test_a_probability_at_the_threshold_is_pneumonia():
    assert prediction(scored("a", 0.5).result, 0.5) == "PNEUMONIA"
    assert prediction(scored("a", 0.49999999).result, 0.5) == "NORMAL"


def test_rejected_and_failed_files_have_no_prediction():
    assert prediction(rejected("a", "blank").result, 0.5) is None
    assert prediction(failed("a").result, 0.5) is None


def test_a_rejected_film_shows_no_probability_even_if_it_has_one():
    result = replace(rejected("a", "blank").result, prob_pneumonia=0.9)
    assert prediction(result, 0.5) is None


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("prob_pneumonia", 0.123456, "0.1235"),
        ("duration_ms", 12.25, "12.3"),
        ("patient_age_years", 4.0, "4.0"),
        ("width_px", 12, "12"),
        ("truth", None, ""),
    ],
)
def test_cells_are_written_in_one_precision(name, value, text):
    column = next(column for column in COLUMNS if column.name == name)
    assert format_cell(column, value) == text


def test_identifiers_become_columns_of_their_own():
    film = scored("a", 0.5, attributes=FilmAttributes(ids=(("patient_id", "x1"),)))
    column = columns_of(["patient_id"], INFO)[-1]
    assert (column.name, column.value(film, RUN)) == ("patient_id", "x1")
    assert column.value(scored("b", 0.5), RUN) is None
