"""All figures together: what is in, what never is, how fast, and that the intervals hold what they promise."""

from __future__ import annotations

import math
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from cxrscan.scanner.metrics import BoolArray, FloatArray, summarise, summarise_subgroups

METRICS = [
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "accuracy",
    "balanced_accuracy",
    "f1",
    "mcc",
    "lr_positive",
    "lr_negative",
    "diagnostic_odds_ratio",
    "auc",
    "average_precision",
    "brier",
    "ece",
    "calibration_slope",
    "calibration_intercept",
]


@st.composite
def any_films(draw: st.DrawFn) -> tuple[BoolArray, FloatArray]:
    """From no film to a few, of one class or both, often tied or saturated."""
    n = draw(st.integers(0, 8))
    probs = st.one_of(st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.floats(0, 1))
    return draw(stn.arrays(np.bool_, n)), draw(stn.arrays(np.float64, n, elements=probs))


def draw_films(rng: np.random.Generator, n: int, d: float) -> tuple[BoolArray, FloatArray]:
    """Films of a binormal model of known truth, prevalence 0.6, with calibrated probabilities."""
    truth = rng.random(n) < 0.6
    log_odds = d * (rng.normal(0, 1, n) + d * truth - d / 2) + math.log(0.6 / 0.4)
    return truth, 1 / (1 + np.exp(-log_odds))


@given(any_films(), st.floats(0, 1))
def test_every_metric_is_there_finite_and_explained(case: tuple[BoolArray, FloatArray], threshold: float) -> None:
    summary = summarise(*case, threshold)
    assert list(summary.estimates) == METRICS
    assert (summary.n, summary.n_positive) == (case[0].size, case[0].sum())
    for estimate in summary.estimates.values():
        numbers = (estimate.value, estimate.low, estimate.high)
        assert all(number is None or math.isfinite(number) for number in numbers)
        assert (estimate.low is None) == (estimate.high is None) == bool(estimate.reason)
        if estimate.value is not None and estimate.low is not None and estimate.high is not None:
            assert estimate.low - 1e-9 <= estimate.value <= estimate.high + 1e-9


def test_subgroups_are_summaries_of_their_films_in_order() -> None:
    truth, prob = draw_films(np.random.default_rng(0), 100, 2.0)
    views = np.where(np.arange(100) < 70, "PA", "AP")
    ap, pa = summarise_subgroups(truth, prob, 0.5, list(views))
    assert (ap.value, pa.value) == ("AP", "PA")
    assert ap.summary == summarise(truth[70:], prob[70:], 0.5)
    assert pa.summary.n == 70


def test_subgroups_under_thirty_films_are_small() -> None:
    truth, prob = draw_films(np.random.default_rng(0), 59, 2.0)
    large, small = summarise_subgroups(truth, prob, 0.5, ["a"] * 30 + ["b"] * 29)
    assert (large.small, small.small) == (False, True)


def test_no_films_make_no_subgroup() -> None:
    assert summarise_subgroups(np.array([], dtype=np.bool_), np.array([]), 0.5, []) == ()


def test_a_hundred_thousand_films_take_less_than_two_seconds() -> None:
    truth, prob = draw_films(np.random.default_rng(0), 100_000, 2.0)
    start = time.process_time()
    summarise(truth, prob, 0.5)
    assert time.process_time() - start < 2


def test_a_summary_needs_neither_scipy_nor_scikit_learn() -> None:
    code = (
        "import sys, numpy as np; from cxrscan.scanner.metrics import summarise;"
        "summarise(np.array([True, False, True, False]), np.array([.9, .2, .4, .6]), .5);"
        "print(sorted({'scipy', 'sklearn', 'pandas', 'tensorflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.slow
@pytest.mark.parametrize(("n", "d"), [(624, 2.7), (624, 1.5), (150, 2.0)])
def test_the_intervals_cover_the_truth_in_93_to_97_percent_of_repetitions(n: int, d: float) -> None:
    rng = np.random.default_rng(2024)
    truth, prob = draw_films(rng, 2_000_000, d)
    population = summarise(truth, prob, 0.5).estimates
    covered: dict[str, list[bool]] = {name: [] for name in METRICS}
    for _ in range(3000):
        for name, estimate in summarise(*draw_films(rng, n, d), 0.5).estimates.items():
            true_value = population[name].value
            if estimate.low is not None and estimate.high is not None and true_value is not None:
                covered[name].append(estimate.low <= true_value <= estimate.high)
    assert not covered.pop("ece")  # has no interval
    shares = {name: float(np.mean(cover)) for name, cover in covered.items()}
    assert all(0.93 <= share <= 0.97 for share in shares.values()), shares


@pytest.mark.slow
def test_the_patient_intervals_cover_the_truth_where_film_intervals_do_not() -> None:
    from cxrscan.scanner.metrics import auc_delong, bootstrap_by_patient

    def draw(rng: np.random.Generator, n_patients: int) -> tuple[BoolArray, FloatArray, FloatArray]:
        patient = np.repeat(np.arange(n_patients), 4)
        truth = (rng.random(n_patients) < 0.6)[patient]
        score = rng.normal(0, 0.9, n_patients)[patient] + rng.normal(0, 0.4, patient.size) + 2 * truth - 1
        return truth, 1 / (1 + np.exp(-score)), patient

    rng = np.random.default_rng(5)
    population = auc_delong(*draw(rng, 250_000)[:2]).value
    assert population is not None
    hits = {"by patient": 0, "by film": 0}
    n_repetitions = 1000
    for _ in range(n_repetitions):
        truth, prob, patient = draw(rng, 150)
        by_patient = bootstrap_by_patient(truth, prob, 0.5, patient.astype(str), n_resamples=600)["auc"]
        for name, estimate in (("by patient", by_patient), ("by film", auc_delong(truth, prob))):
            assert estimate.low is not None
            assert estimate.high is not None
            hits[name] += estimate.low <= population <= estimate.high
    assert 0.93 <= hits["by patient"] / n_repetitions <= 0.97
    assert hits["by film"] / n_repetitions < 0.85
