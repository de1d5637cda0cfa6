"""Brier score, ECE, reliability and recalibration, held against scikit-learn, scipy and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.optimize
import scipy.special
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from cxrscan.scanner.metrics import BoolArray, FloatArray, decompose_brier, reliability_curve, wilson_interval
from cxrscan.scanner.metrics.calibration import (
    brier_score,
    calibration_intercept,
    calibration_slope,
    expected_calibration_error,
    log_odds_of,
)


@st.composite
def films(draw: st.DrawFn) -> tuple[BoolArray, FloatArray]:
    n = draw(st.integers(1, 50))
    return draw(stn.arrays(np.bool_, n)), draw(stn.arrays(np.float64, n, elements=st.floats(0, 1)))


def calibrated(n: int, *, slope: float = 1.0, shift: float = 0.0, seed: int = 0) -> tuple[BoolArray, FloatArray]:
    """Films whose true log-odds are ``shift + slope`` times what the model says."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(0, 2, n)
    return rng.random(n) < scipy.special.expit(shift + slope * log_odds), scipy.special.expit(log_odds)


@given(films())
def test_brier_score_agrees_with_scikit_learn(case: tuple[BoolArray, FloatArray]) -> None:
    assert brier_score(*case).value == pytest.approx(brier_score_loss(*case), abs=1e-12)


@given(films())
def test_reliability_bins_agree_with_scikit_learn(case: tuple[BoolArray, FloatArray]) -> None:
    truth, prob = case
    assume(np.abs(prob * 10 - np.rint(prob * 10)).min() > 1e-9)  # scikit-learn counts edges to the lower bin
    bins = reliability_curve(truth, prob)
    observed, mean_prob = calibration_curve(truth, prob, n_bins=10)
    np.testing.assert_allclose([b.observed for b in bins], observed)
    np.testing.assert_allclose([b.mean_prob for b in bins], mean_prob, rtol=1e-12)


@given(films())
def test_every_film_is_in_one_bin_that_holds_its_probability(case: tuple[BoolArray, FloatArray]) -> None:
    truth, prob = case
    bins = reliability_curve(truth, prob, n_bins=7)
    assert sum(b.n for b in bins) == truth.size
    for b in bins:
        inside = (prob >= b.low) & ((prob < b.high) | (b.high == 1))
        assert (b.n, round(b.observed * b.n)) == (inside.sum(), truth[inside].sum())
        assert b.interval == wilson_interval(truth[inside].sum(), b.n)


def test_a_probability_on_an_edge_belongs_to_the_bin_above() -> None:
    edges = np.arange(11) / 10
    bins = reliability_curve(np.ones(11, dtype=np.bool_), edges)
    assert [b.n for b in bins] == [1] * 9 + [2]
    assert [b.low for b in bins] == edges[:-1].tolist()


def test_expected_calibration_error_follows_its_definition() -> None:
    truth = np.array([False, True, True, True])
    prob = np.array([0.12, 0.18, 0.91, 0.93])
    # bins: [0.1, 0.2) says 0.15 and sees 0.5; [0.9, 1] says 0.92 and sees 1
    assert expected_calibration_error(truth, prob).value == pytest.approx((2 * 0.35 + 2 * 0.08) / 4)


@given(films())
def test_brier_decomposition_adds_up(case: tuple[BoolArray, FloatArray]) -> None:
    parts = decompose_brier(*case)
    assert parts is not None
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.within_bins
    assert total == pytest.approx(brier_score(*case).value, abs=1e-12)
    assert min(parts.reliability, parts.resolution, parts.uncertainty) >= 0


def test_brier_decomposition_of_constant_bins_hides_nothing() -> None:
    truth = np.array([True, False, False, False, True, True, True, False])
    parts = decompose_brier(truth, np.repeat([0.25, 0.85], 4))
    assert parts is not None
    assert parts.within_bins == pytest.approx(0, abs=1e-15)
    assert parts.reliability == pytest.approx((0 + 0.1**2) / 2)
    assert parts.resolution == pytest.approx(0.25**2)
    assert parts.uncertainty == 0.25


def test_slope_agrees_with_scikit_learns_unpenalised_regression() -> None:
    truth, prob = calibrated(400, slope=0.6, shift=0.4)
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(log_odds_of(prob)[:, np.newaxis], truth)
    slope = calibration_slope(truth, prob)
    assert slope.value == pytest.approx(theirs.coef_[0, 0], rel=1e-5)


def test_slope_interval_is_walds() -> None:
    truth, prob = calibrated(400, slope=0.6, shift=0.4)
    x = log_odds_of(prob)

    def minus_log_likelihood(beta: FloatArray) -> float:
        signed = np.where(truth, 1, -1) * (beta[0] + beta[1] * x)
        return float(np.logaddexp(0, -signed).sum())

    fit = scipy.optimize.minimize(minus_log_likelihood, [0.0, 1.0])
    hessian = np.empty((2, 2))
    for i, a in enumerate(np.eye(2) * 1e-3):
        for j, b in enumerate(np.eye(2) * 1e-3):
            corners = [minus_log_likelihood(fit.x + s * a + t * b) * s * t for s in (1, -1) for t in (1, -1)]
            hessian[i, j] = sum(corners) / 4e-6
    standard_error = math.sqrt(np.linalg.inv(hessian)[1, 1])
    slope = calibration_slope(truth, prob)
    assert slope.low is not None
    assert slope.high is not None
    assert (slope.high - slope.low) / 2 == pytest.approx(1.959964 * standard_error, rel=1e-3)


def test_intercept_makes_expected_and_observed_positives_agree() -> None:
    truth, prob = calibrated(300, shift=-0.8)
    intercept = calibration_intercept(truth, prob)
    assert intercept.value is not None
    corrected = scipy.special.expit(log_odds_of(prob) + intercept.value)
    assert corrected.sum() == pytest.approx(truth.sum(), abs=1e-6)
    standard_error = 1 / math.sqrt(np.sum(corrected * (1 - corrected)))
    assert intercept.high == pytest.approx(intercept.value + 1.959964 * standard_error, rel=1e-5)


def test_an_overconfident_model_has_a_slope_below_one() -> None:
    slope = calibration_slope(*calibrated(2000, slope=0.5))
    assert slope.low is not None
    assert slope.high is not None
    assert slope.low < 0.5 < slope.high < 1


def test_saturated_probabilities_leave_everything_finite() -> None:
    truth = np.array([True, False, True, False, True, False])
    prob = np.array([1.0, 0.0, 0.0, 1.0, 0.5, 0.4])
    for estimate in (calibration_slope(truth, prob), calibration_intercept(truth, prob), brier_score(truth, prob)):
        assert estimate.value is not None
        assert math.isfinite(estimate.value)


def test_far_miscalibration_is_still_fitted() -> None:
    truth, prob = np.repeat([True, False], [3, 97]), np.full(100, 0.999999)
    intercept = calibration_intercept(truth, prob)
    assert intercept.value == pytest.approx(math.log(3 / 97) - math.log(999999), rel=1e-6)


@pytest.mark.parametrize(
    ("truth", "prob", "reason"),
    [
        ([True, True], [0.2, 0.9], "one class"),
        ([True, False, True, False], [0.9, 0.1, 0.8, 0.2], "infinite"),
        ([True, False, True, False], [0.1, 0.9, 0.1, 0.9], "infinite"),
        ([True, False, True, False], [0.5, 0.2, 0.9, 0.5], "infinite"),
        ([True, False], [0.4, 0.4], "equal"),
    ],
)
def test_a_slope_that_does_not_exist_says_why(truth: list[bool], prob: list[float], reason: str) -> None:
    slope = calibration_slope(np.array(truth), np.array(prob))
    assert slope.value is None
    assert reason in slope.reason


def test_without_films_nothing_is_defined() -> None:
    truth, prob = np.array([], dtype=np.bool_), np.array([])
    assert reliability_curve(truth, prob) == ()
    assert decompose_brier(truth, prob) is None
    for estimate in (brier_score(truth, prob), expected_calibration_error(truth, prob)):
        assert (estimate.value, bool(estimate.reason)) == (None, True)


def test_one_film_has_a_brier_score_without_interval() -> None:
    score = brier_score(np.array([True]), np.array([0.7]))
    assert score.value == pytest.approx(0.09)
    assert score.low is None
