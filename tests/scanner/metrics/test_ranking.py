"""ROC, precision-recall, AUC and average precision, held against scikit-learn, definitions and published data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from sklearn import metrics as sk

from cxrscan.scanner.metrics import (
    BoolArray,
    FloatArray,
    auc_delong,
    precision_recall_curve,
    roc_curve,
    youden_threshold,
)
from cxrscan.scanner.metrics.confusion import confusion_matrix
from cxrscan.scanner.metrics.curves import average_precision
from cxrscan.scanner.metrics.delong import structural_components


@st.composite
def films(draw: st.DrawFn, *, max_films: int = 40) -> tuple[BoolArray, FloatArray]:
    """Films of both classes whose probabilities are often tied."""
    n = draw(st.integers(2, max_films))
    truth = draw(stn.arrays(np.bool_, n))
    truth[:2] = [True, False]
    prob = draw(stn.arrays(np.float64, n, elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])))
    return truth, prob


def binormal(n_positive: int, n_negative: int, seed: int = 0) -> tuple[BoolArray, FloatArray]:
    rng = np.random.default_rng(seed)
    truth = np.repeat([True, False], [n_positive, n_negative])
    return truth, 1 / (1 + np.exp(-rng.normal(2.0 * truth - 1.0)))


@given(films())
def test_roc_curve_agrees_with_scikit_learn(case: tuple[BoolArray, FloatArray]) -> None:
    ours = roc_curve(*case)
    fpr, tpr, thresholds = sk.roc_curve(*case, drop_intermediate=False)
    np.testing.assert_allclose(ours.fpr, fpr)
    np.testing.assert_allclose(ours.tpr, tpr)
    np.testing.assert_allclose(ours.thresholds[1:], thresholds[1:])


@given(films())
def test_every_roc_point_is_what_its_threshold_does(case: tuple[BoolArray, FloatArray]) -> None:
    curve = roc_curve(*case)
    for fpr, tpr, threshold in zip(curve.fpr, curve.tpr, curve.thresholds, strict=True):
        matrix = confusion_matrix(*case, threshold)
        assert (fpr, tpr) == (matrix.fp / matrix.n_negative, matrix.tp / matrix.n_positive)


@given(films())
def test_precision_recall_curve_agrees_with_scikit_learn(case: tuple[BoolArray, FloatArray]) -> None:
    ours = precision_recall_curve(*case)
    precision, recall, thresholds = sk.precision_recall_curve(*case)
    np.testing.assert_allclose(ours.precision, precision[:-1][::-1])  # without their invented point at recall 0
    np.testing.assert_allclose(ours.recall, recall[:-1][::-1])
    np.testing.assert_allclose(ours.thresholds, thresholds[::-1])


@given(films())
def test_auc_and_average_precision_agree_with_scikit_learn(case: tuple[BoolArray, FloatArray]) -> None:
    assert auc_delong(*case).value == pytest.approx(sk.roc_auc_score(*case))
    assert average_precision(*case).value == pytest.approx(sk.average_precision_score(*case))


def wins(truth: BoolArray, prob: FloatArray) -> FloatArray:
    """DeLong's kernel by definition: 1, 1/2 or 0 for each positive film (row) and negative film (column)."""
    difference = prob[truth][:, np.newaxis] - prob[~truth][np.newaxis]
    return (np.sign(difference) + 1) / 2


@given(films())
def test_structural_components_agree_with_the_definition(case: tuple[BoolArray, FloatArray]) -> None:
    kernel = wins(*case)
    positives, negatives = structural_components(*case)
    np.testing.assert_allclose(positives, kernel.mean(axis=1), atol=1e-12)
    np.testing.assert_allclose(negatives, kernel.mean(axis=0), atol=1e-12)


def test_delong_agrees_with_the_published_standard_error_of_the_ct_ratings() -> None:
    # Hanley and McNeil 1982, table I: 109 CT images rated 1 to 5. Stata's manual ([R] roctab) gives, with
    # DeLong's standard error: area 0.8932, standard error 0.0307, interval 0.83295 to 0.95339.
    normal, abnormal = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    ratings = np.arange(5) / 4
    truth = np.repeat([False, True], [58, 51])
    prob = np.concatenate([np.repeat(ratings, normal), np.repeat(ratings, abnormal)])
    positives, negatives = structural_components(truth, prob)
    standard_error = math.sqrt(positives.var(ddof=1) / 51 + negatives.var(ddof=1) / 58)
    auc = auc_delong(truth, prob)
    assert auc.value == pytest.approx(0.8932, abs=5e-5)
    assert standard_error == pytest.approx(0.0307, abs=5e-5)
    assert positives.mean() - 1.959964 * standard_error == pytest.approx(0.83295, abs=5e-6)
    assert positives.mean() + 1.959964 * standard_error == pytest.approx(0.95339, abs=5e-6)
    assert auc.low is not None
    assert auc.high is not None
    logit = math.log(0.8931711 / 0.1068289)
    half = 1.959964 * standard_error / (0.8931711 * 0.1068289)
    assert math.log(auc.low / (1 - auc.low)) == pytest.approx(logit - half, rel=1e-5)
    assert math.log(auc.high / (1 - auc.high)) == pytest.approx(logit + half, rel=1e-5)


def test_average_precision_variance_agrees_with_numerical_derivatives_by_weight() -> None:
    truth, prob = binormal(30, 40)
    prob = prob.round(1)  # ties

    def value(weights: FloatArray) -> float:
        return float(sk.average_precision_score(truth, prob, sample_weight=weights))

    ones, step = np.ones(truth.size), 1e-5
    slopes = [(value(ones + step * unit) - value(ones - step * unit)) / (2 * step) for unit in np.eye(truth.size)]
    estimate = average_precision(truth, prob)
    assert estimate.value is not None
    assert estimate.low is not None
    logit_half = math.log(estimate.value / (1 - estimate.value)) - math.log(estimate.low / (1 - estimate.low))
    expected = 1.959964 * math.sqrt(np.sum(np.square(slopes))) / (estimate.value * (1 - estimate.value))
    assert logit_half == pytest.approx(expected, rel=1e-5)


@given(films())
def test_calling_the_classes_the_other_way_round_mirrors_the_auc(case: tuple[BoolArray, FloatArray]) -> None:
    truth, prob = case
    auc, mirrored = auc_delong(truth, prob), auc_delong(~truth, prob)
    assert auc.value is not None
    assert mirrored.value == pytest.approx(1 - auc.value)
    if auc.low is not None:
        assert mirrored.high == pytest.approx(1 - auc.low)


def test_without_any_ranking_the_auc_is_a_half() -> None:
    truth = np.array([True, True, False, False])
    auc = auc_delong(truth, np.full(4, 0.7))
    assert (auc.value, auc.low) == (0.5, None)
    assert auc.reason


def test_a_perfect_ranking_has_an_auc_of_one_without_interval() -> None:
    truth, prob = np.array([True, True, False, False]), np.array([0.9, 0.8, 0.2, 0.1])
    for estimate in (auc_delong(truth, prob), average_precision(truth, prob)):
        assert (estimate.value, estimate.low) == (1.0, None)
        assert estimate.reason


@pytest.mark.parametrize("truth", [np.array([True, True]), np.array([False, False]), np.array([], dtype=np.bool_)])
def test_with_one_class_or_none_there_is_no_auc_and_no_curve(truth: BoolArray) -> None:
    prob = np.linspace(0.2, 0.8, truth.size)
    assert auc_delong(truth, prob).value is None
    assert auc_delong(truth, prob).reason
    assert roc_curve(truth, prob).fpr.size == 0
    assert youden_threshold(truth, prob) is None


def test_one_film_of_a_class_gives_an_auc_without_interval() -> None:
    auc = auc_delong(np.array([True, False, False]), np.array([0.5, 0.6, 0.1]))
    assert (auc.value, auc.low) == (0.5, None)
    assert "two of each" in auc.reason


def test_without_positive_films_there_is_no_precision_recall_curve() -> None:
    truth, prob = np.array([False, False]), np.array([0.1, 0.2])
    assert precision_recall_curve(truth, prob).recall.size == 0
    assert average_precision(truth, prob).value is None


def test_curves_hold_finite_numbers_only() -> None:
    curve = roc_curve(np.array([True, False]), np.array([1.0, 0.0]))
    assert np.isfinite(curve.thresholds).all()
    assert confusion_matrix(np.array([True, False]), np.array([1.0, 0.0]), curve.thresholds[0]).tp == 0


@given(films(max_films=15))
def test_no_threshold_beats_youdens(case: tuple[BoolArray, FloatArray]) -> None:
    truth, prob = case
    chosen = youden_threshold(truth, prob)
    assert chosen is not None

    def index(threshold: float) -> float:
        matrix = confusion_matrix(truth, prob, threshold)
        return matrix.tp / matrix.n_positive + matrix.tn / matrix.n_negative - 1

    assert index(chosen) >= max(index(threshold) for threshold in prob) - 1e-12
