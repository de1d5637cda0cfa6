"""Films in the band of ``--refer`` have a third call, the same in every output."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest

from cxrscan.reports.outputs import write_outputs
from cxrscan.reports.page.charts import coverage_chart
from cxrscan.reports.tables.columns import COLUMNS
from cxrscan.scanner.cli.options import parse_band
from cxrscan.scanner.decision import prediction
from cxrscan.scanner.evaluation.evaluate import collect_films
from cxrscan.scanner.evaluation.survey import survey_films
from cxrscan.scanner.render import render
from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.viewer import answer
from cxrscan.scanner.viewer.selection import outcomes_of
from tests.reports.films import INFO, large_run, run_of, scored, small_run

BAND = (0.31, 0.5)
REFERRED = ["NORMAL/c.jpg", "NORMAL/e.jpg", "PNEUMONIA/f.jpg", "PNEUMONIA/i.jpg"]
INFO_WITH_BAND = replace(INFO, refer=BAND)


def test_both_ends_belong_to_the_band_whatever_the_threshold() -> None:
    calls = {prob: prediction(scored("a", prob).result, 0.9, (0.4, 0.6)) for prob in (0.39, 0.4, 0.6, 0.61, 0.95)}
    assert calls == {0.39: "NORMAL", 0.4: "REFER", 0.6: "REFER", 0.61: "NORMAL", 0.95: "PNEUMONIA"}


def test_table_manifest_and_report_tell_of_the_same_films(tmp_path: Path) -> None:
    outputs = write_outputs(tmp_path, run_of(small_run(), INFO_WITH_BAND))
    with outputs.csv.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows if row["prediction"] == "REFER"] == REFERRED
    assert all(row["prob_pneumonia"] for row in rows if row["prediction"] == "REFER")
    document = json.loads(outputs.json.read_text(encoding="utf-8"))
    counts = document["counts"]
    assert (counts["n_scored"], counts["n_positive"], counts["n_referred"], counts["n_negative"]) == (9, 3, 4, 2)
    assert document["refer"] == list(BAND)
    assert document["evaluation"]["n_films"] == 5
    assert document["evaluation"]["referred"] == {"NORMAL": 2, "PNEUMONIA": 2}
    page = outputs.html.read_text(encoding="utf-8")
    assert "to be read by a person" in page
    assert "4 labelled files have no call but REFER (2 NORMAL, 2 PNEUMONIA)" in page
    assert '"refer":[0.31,0.5]' in page


def test_an_evaluation_leaves_referred_films_out_and_counts_them() -> None:
    films = collect_films(small_run(), {}, refer=BAND)
    assert len(films.names) == 5
    assert films.unscored == {"referred": 4, "failed": 1}


def test_the_viewer_calls_them_so_and_holds_them_against_no_label() -> None:
    film = scored("a.jpg", 0.4, "NORMAL")
    html = answer.call_html(film, INFO_WITH_BAND)
    assert "<b>REFER</b>" in html
    assert "from 31 to 50\N{NO-BREAK SPACE}% a reader is to read the film" in html
    assert "Labelled NORMAL." in html
    assert answer.in_short(film.result, 0.5, BAND) == "REFER, 40 % pneumonia"
    assert outcomes_of(film, 0.5, None, BAND) == {"referred"}
    assert 'class="cxr-bar refer"' in answer.bar_html(0.4, run_of([], INFO_WITH_BAND))


def test_a_report_rendered_again_keeps_changes_or_drops_the_band(tmp_path: Path) -> None:
    from dataclasses import asdict

    from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, read_document

    with Journal(tmp_path, create=True) as journal:
        journal.put("model", read_document(DEFAULT_BUNDLE))
        journal.put("run", asdict(replace(INFO_WITH_BAND, threshold_name="custom")))
        journal.start_session("test")
        journal.add_films(small_run())
    found = [
        render(tmp_path, write_outputs, refer=refer).counts.n_referred for refer in (None, (0.7, 0.72), None, "off")
    ]
    assert found == [4, 1, 1, 0]


@pytest.mark.parametrize("text", ["0.4", "0.6-0.4", "0.4-1.2", "a-b", "-0.1-0.5", "nan-nan"])
def test_a_band_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        parse_band(click.Context(click.Command("run")), click.Option(["--refer"]), text)


def test_a_band_is_read() -> None:
    context, option = click.Context(click.Command("run")), click.Option(["--refer"])
    assert [parse_band(context, option, text) for text in ("0.4-0.6", "off", None)] == [(0.4, 0.6), "off", None]


def test_the_chart_of_coverage_has_a_second_line_where_the_gate_measured() -> None:
    films = large_run(200)
    measured = [replace(film, result=replace(film.result, gate_distance=i / 100)) for i, film in enumerate(films)]
    lines = []
    for some in (films, measured):
        survey = survey_films(some, 0.5)
        (chart,) = coverage_chart(survey.truth, survey.prob, survey.distance, 0.5)
        lines.append(chart.svg.count("aside first: "))
        assert "200 labelled films" in chart.alt
    assert lines == [1, 2]
    none = np.array([], dtype=np.bool_), np.array([]), np.array([])
    assert coverage_chart(*none, 0.5) == ()


def test_newer_columns_stand_behind_the_others() -> None:
    names = [column.name for column in COLUMNS]
    assert names[names.index("gate_distance") :][:2] == ["gate_distance", "population"]
