"""What a drift adds to the report."""

from __future__ import annotations

from pathlib import Path

from cxrscan.reports.evaluation.drift import drift_text
from cxrscan.reports.outputs import write_outputs
from cxrscan.reports.page.drift import drift_view
from cxrscan.scanner.evaluation.drift import AspectDrift, Change, Drift
from cxrscan.scanner.records import Estimate
from tests.reports.films import run_of, small_run

DRIFT = Drift(
    reference="last month",
    n_reference=300,
    n_films=120,
    n_scored=1500,
    level=0.01,
    aspects=(
        AspectDrift("scores", 0.12, 0.002, (Change("log_odds", -1.0, 0.5, 0.75),)),
        AspectDrift("headers", 0.01, 0.6, (Change("view_position: AP", 0.2, 0.25, 0.05),)),
    ),
    cause="prevalence",
    prevalence=Estimate(0.5, 0.4, 0.6),
    reference_prevalence=0.2,
    n_needed=40,
    gaps=("Pictures are not compared: the run keeps no thumbnails.",),
)


def test_a_drift_is_told_in_sentences_and_a_table() -> None:
    view = drift_view(DRIFT)
    assert view.sentence.startswith("Another share of the films shows pneumonia.")
    assert view.notes == (
        "120 of 1,500 scored films, one of each patient, against 300 of last month.",
        "Share of films with pneumonia, as the scores suggest: 50.0 % (40.0\N{EN DASH}60.0); of the reference: 20.0 %.",
        "40 films show it in 4 of 5 samples.",
        "Pictures are not compared: the run keeps no thumbnails.",
    )
    assert view.table.rows[0][3] == "log odds \N{MINUS SIGN}1 \N{RIGHTWARDS ARROW} 0.5 (+0.8 SD)"
    assert view.table.rows[1] == ("DICOM headers", "0.010", "0.600", "")


def test_the_terminal_gets_plain_characters() -> None:
    assert drift_text(DRIFT).isascii()


def test_the_report_of_a_drift_tells_it_and_another_does_not(tmp_path: Path) -> None:
    page = write_outputs(tmp_path, run_of(small_run()), drift=DRIFT).html
    assert 'href="#drift"' in page.read_text(encoding="utf-8")
    write_outputs(tmp_path, run_of(small_run()))
    assert "drift-title" not in page.read_text(encoding="utf-8")
