"""Intervals clustered by patient, held against a bootstrap that copies films and asks scikit-learn."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sk

from cxrscan.scanner.metrics import (
    BoolArray,
    FloatArray,
    bootstrap_by_patient,
    bootstrap_difference_by_patient,
    summarise,
)

FILMS_PER_PATIENT = 3


def clustered_films(n_patients: int = 40, seed: int = 0) -> tuple[BoolArray, FloatArray, NDArray[np.str_]]:
    """Films of patients who share their class and part of their probability; probabilities are tied here and there."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n_patients), FILMS_PER_PATIENT)
    truth = (np.arange(n_patients) % 2 == 0)[patient]
    log_odds = rng.normal(0, 1.5, n_patients)[patient] + rng.normal(0, 0.5, patient.size) + 2.0 * truth - 1.0
    return truth, (1 / (1 + np.exp(-log_odds))).round(2), np.char.add("p", patient.astype(str))


def test_intervals_are_those_of_copied_films() -> None:
    truth, prob, patients = clustered_films(12)
    n_resamples = 200
    drawn = np.random.default_rng(7).integers(12, size=(n_resamples, 12))
    ids, index = np.unique(patients, return_inverse=True)
    films_of = [np.flatnonzero(index == i) for i in range(ids.size)]
    figures: dict[str, list[float]] = {"auc": [], "average_precision": [], "brier": [], "f1": [], "mcc": [], "ppv": []}
    for resample in drawn:
        films = np.concatenate([films_of[i] for i in resample])
        t, p = truth[films], prob[films]
        figures["auc"].append(sk.roc_auc_score(t, p))
        figures["average_precision"].append(sk.average_precision_score(t, p))
        figures["brier"].append(sk.brier_score_loss(t, p))
        figures["f1"].append(sk.f1_score(t, p >= 0.5))
        figures["mcc"].append(sk.matthews_corrcoef(t, p >= 0.5))
        figures["ppv"].append(sk.precision_score(t, p >= 0.5))
    ours = bootstrap_by_patient(truth, prob, 0.5, patients, n_resamples=n_resamples, seed=7)
    for name, values in figures.items():
        assert (ours[name].low, ours[name].high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))


def test_values_are_those_of_the_film_level() -> None:
    truth, prob, patients = clustered_films()
    film_level = summarise(truth, prob, 0.5).estimates
    for name, estimate in bootstrap_by_patient(truth, prob, 0.5, patients, n_resamples=50).items():
        assert estimate.value == film_level[name].value


def test_more_films_of_the_same_patients_add_no_certainty() -> None:
    truth, prob, patients = clustered_films()
    once = bootstrap_by_patient(truth, prob, 0.5, patients)
    copies = [np.repeat(array, 5) for array in (truth, prob)]
    many = bootstrap_by_patient(copies[0], copies[1], 0.5, np.repeat(patients, 5))
    for name, estimate in once.items():
        assert (many[name].low, many[name].high) == pytest.approx((estimate.low, estimate.high))


def test_like_films_of_a_patient_widen_the_interval() -> None:
    truth, prob, patients = clustered_films()
    by_patient = bootstrap_by_patient(truth, prob, 0.5, patients)["auc"]
    by_film = bootstrap_by_patient(truth, prob, 0.5, np.arange(truth.size).astype(str))["auc"]
    assert by_patient.low is not None
    assert by_film.low is not None
    assert by_patient.low < by_film.low - 0.01


def test_the_seed_decides_the_intervals() -> None:
    films = clustered_films()

    def auc(seed: int) -> float | None:
        return bootstrap_by_patient(films[0], films[1], 0.5, films[2], n_resamples=100, seed=seed)["auc"].low

    assert auc(1) == auc(1)
    assert auc(1) != auc(2)


def test_a_model_differs_from_itself_by_nothing() -> None:
    truth, prob, patients = clustered_films()
    for estimate in bootstrap_difference_by_patient(truth, (prob, prob), (0.5, 0.5), patients).values():
        assert (estimate.value, estimate.low) == (0.0, None)
        assert "no spread" in estimate.reason


def test_a_better_model_differs_upwards() -> None:
    truth, prob, patients = clustered_films(80)
    better = np.clip(prob + 0.15 * (truth - 0.5), 0, 1)
    difference = bootstrap_difference_by_patient(truth, (prob, better), (0.5, 0.5), patients)
    for name in ("auc", "sensitivity", "accuracy"):
        low = difference[name].low
        assert low is not None
        assert low > 0
    assert difference["brier"].high is not None
    assert difference["brier"].high < 0


def test_figures_undefined_in_many_resamples_have_no_interval() -> None:
    truth = np.array([True, False, False, False, False])
    prob = np.array([0.9, 0.1, 0.2, 0.3, 0.8])
    sensitivity = bootstrap_by_patient(truth, prob, 0.5, np.array(list("abcde")))["sensitivity"]
    assert (sensitivity.value, sensitivity.low) == (1.0, None)
    assert "resamples" in sensitivity.reason


def test_without_any_error_there_is_no_false_certainty() -> None:
    truth = np.tile([True, False], 20)
    estimates = bootstrap_by_patient(truth, np.where(truth, 0.9, 0.1), 0.5, np.arange(40).astype(str))
    for name in ("sensitivity", "specificity", "auc"):
        assert (estimates[name].value, estimates[name].low) == (1.0, None)
        assert estimates[name].reason


def test_one_patient_gives_values_without_intervals() -> None:
    truth, prob = np.array([True, False]), np.array([0.8, 0.3])
    estimate = bootstrap_by_patient(truth, prob, 0.5, np.array(["a", "a"]))["accuracy"]
    assert (estimate.value, estimate.low) == (1.0, None)
    assert "two patients" in estimate.reason


def test_without_films_the_reason_is_kept() -> None:
    none = np.array([])
    accuracy = bootstrap_by_patient(none.astype(np.bool_), none, 0.5, none.astype(str))["accuracy"]
    assert (accuracy.value, "no film" in accuracy.reason) == (None, True)


def test_two_thousand_resamples_of_624_films_take_less_than_two_seconds() -> None:
    truth, prob, patients = clustered_films(208)
    start = time.process_time()
    bootstrap_by_patient(truth, prob, 0.5, patients, n_resamples=2000)
    assert time.process_time() - start < 2
