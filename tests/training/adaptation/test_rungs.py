"""The ladder takes what the labels allow, and what it gains is measured on people that it has not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, read_document, read_weights
from cxrscan.training.adaptation.baseline import baseline
from cxrscan.training.adaptation.bundle import Parent, adapted_bundle
from cxrscan.training.adaptation.forecast import forecast
from cxrscan.training.adaptation.measure import measure, measure_tuned
from cxrscan.training.adaptation.promise import promised_threshold
from cxrscan.training.adaptation.run import best_of
from cxrscan.training.adaptation.rungs import PROMISE, Tuned, adapt, adapt_tuned, allowed, ladder, promise_text
from tests.training.adaptation.films import PARENT, made_films


@pytest.mark.parametrize(
    ("n", "rungs"),
    [
        (18, ()),
        (20, ("threshold",)),
        (90, ("recalibration", "threshold")),
        (180, ("fine-tuning", "head", "recalibration", "threshold")),
    ],
)
def test_more_films_allow_more(n: int, rungs: tuple[str, ...]) -> None:
    steps = ladder(made_films(n))
    assert allowed(steps) == rungs
    assert all(" more " in step.reason for step in steps if not step.is_allowed)


def test_which_promise_the_labels_allow_is_told() -> None:
    assert "that takes 29 people with pneumonia, and there are 20" in promise_text(20, 0.90)
    assert "with 1 of them missed; 61 would allow 2" in promise_text(50, 0.90)
    assert "with 0 of them missed; 93 would allow 1" in promise_text(60, 0.95)


def test_a_threshold_leaves_probabilities_as_they_are() -> None:
    films = made_films(100)
    adapted = adapt("threshold", films, PARENT, 0.90)
    assert adapted.prob(films).tolist() == pytest.approx([PARENT.probability(each) for each in films.log_odds])
    assert adapted.promise is not None
    assert adapted.points[PROMISE].threshold < adapted.points["youden"].threshold


def test_recalibration_finds_a_shift_and_a_slope() -> None:
    films = made_films(400)
    shifted = replace(films, log_odds=films.log_odds * 3 + 4)
    mine, theirs = (adapt("recalibration", each, PARENT, 0.90) for each in (films, shifted))
    assert mine.prob(films) == pytest.approx(theirs.prob(shifted), abs=0.02)
    measured = measure("recalibration", shifted, PARENT, "youden", 0.90)
    assert measured.gain_of == "cross_entropy"
    assert measured.is_gain


def test_a_head_gains_where_there_is_something_to_learn_and_not_where_there_is_not() -> None:
    learns, knows = made_films(200, signal=1.0), made_films(200)
    assert measure("head", learns, PARENT, "youden", 0.90).is_gain
    calm = replace(
        knows, log_odds=(knows.log_odds - PARENT.calibration.offset) / PARENT.calibration.scale
    )  # calibrated as it is
    tried = [measure(rung, calm, PARENT, "youden", 0.90) for rung in ("head", "recalibration")]
    assert not any(each.is_gain for each in tried)
    assert best_of(tried) in tried


def test_a_promise_that_the_old_threshold_does_not_keep_is_a_gain_in_itself() -> None:
    films = made_films(120)
    low = replace(films, log_odds=films.log_odds - 3.0)
    measured = measure("threshold", low, PARENT, PROMISE, 0.90)
    assert measured.gain_of == "promise"
    assert measured.is_gain
    found = measured.after.figures(low.truth, PROMISE)["sensitivity"]
    assert found.value is not None
    assert found.value > 0.9


def test_a_figure_without_end_is_left_out_of_the_bundle() -> None:
    films = made_films(60)
    flat = replace(films, log_odds=films.log_odds * 1e-12)  # their calibration slope is beyond any bound
    parent = Parent(PARENT, read_document(DEFAULT_BUNDLE), read_weights(DEFAULT_BUNDLE))
    measured = measure("threshold", flat, PARENT, "youden", 0.90)
    before = adapted_bundle(parent, flat, measured, "here", forced=True).document["validation"]
    assert "calibration_slope" not in before["here, the same films before"]
    assert "brier" in before["here, the same films before"]


def test_what_the_view_alone_tells_is_shown() -> None:
    films = made_films(200, knows=0.0)
    rng = np.random.default_rng(0)
    views = [{"view": "AP" if ill != (rng.random() < 0.2) else "PA", "age": 50.0} for ill in films.truth]
    told = baseline(replace(films, circumstances=tuple(views)))
    assert told is not None
    assert told.known == ("view",)
    assert told.alone.value is not None
    assert 0.7 < told.alone.value < 0.9
    assert baseline(films) is None


def test_the_learning_curve_leads_up_where_there_is_more_to_learn() -> None:
    told = forecast(made_films(200, signal=0.1, knows=0.5))
    assert told is not None
    assert told.gain.value is not None
    assert 0 < told.gain.value < 0.2
    assert told.gain.low is not None
    assert told.gain.low <= told.gain.value
    assert forecast(made_films(60)) is None


def test_the_promise_of_fine_tuned_networks_rests_on_everybody() -> None:
    films = made_films(400)
    tuned = Tuned(b"", films.log_odds, films.embeddings, 1.0, 0.0)
    assert adapt_tuned(tuned, films, 0.9).promise == promised_threshold(
        films.truth, films.log_odds, films.patients, 0.9
    )
    few = made_films(100)
    assert adapt_tuned(Tuned(b"", few.log_odds, few.embeddings, 1.0, 0.0), few, 0.95).promise is None


def test_a_fine_tuned_network_that_tells_more_is_taken() -> None:
    films = made_films(400, knows=0.5)
    said = Tuned(b"", films.log_odds + np.where(films.truth, 2.0, -2.0), films.embeddings, 1.0, 0.0)
    tuned = measure_tuned(said, films, PARENT, "youden", 0.9)
    assert tuned.is_gain
    assert best_of([tuned, measure("recalibration", films, PARENT, "youden", 0.9)]).rung == "fine-tuning"
