"""Net benefit, predictive values at another prevalence, and accuracy against coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cxrscan.scanner.metrics import ConfusionMatrix, coverage_curve, decision_curve, predictive_values_at
from cxrscan.scanner.metrics.confusion import confusion_matrix

TRUTH = np.array([True, True, True, False, False, False, False, False])
PROB = np.array([0.9, 0.6, 0.2, 0.7, 0.3, 0.2, 0.1, 0.05])

counts = st.integers(0, 60)


def test_net_benefit_follows_its_definition_at_every_threshold() -> None:
    curve = decision_curve(TRUTH, PROB)
    for threshold, model, call_all in zip(curve.thresholds, curve.model, curve.call_all, strict=True):
        matrix = confusion_matrix(TRUTH, PROB, threshold)
        odds = threshold / (1 - threshold)
        assert model == pytest.approx(matrix.tp / 8 - odds * matrix.fp / 8)
        assert call_all == pytest.approx(3 / 8 - odds * 5 / 8)


def test_calling_all_is_worth_nothing_where_the_threshold_is_the_prevalence() -> None:
    curve = decision_curve(TRUTH, PROB, np.array([3 / 8]))
    assert curve.call_all[0] == pytest.approx(0)


def test_at_their_own_prevalence_predictive_values_are_the_observed_ones() -> None:
    ppv, npv = predictive_values_at(ConfusionMatrix(tp=45, fp=8, fn=5, tn=92), 50 / 150)
    assert (ppv.value, npv.value) == pytest.approx((45 / 53, 92 / 97))


def test_predictive_values_follow_bayes() -> None:
    ppv, npv = predictive_values_at(ConfusionMatrix(tp=45, fp=8, fn=5, tn=92), 0.02)
    assert ppv.value == pytest.approx(0.9 * 0.02 / (0.9 * 0.02 + 0.08 * 0.98))
    assert npv.value == pytest.approx(0.92 * 0.98 / (0.92 * 0.98 + 0.1 * 0.02))


@given(st.builds(ConfusionMatrix, counts, counts, counts, counts), st.floats(0, 1, exclude_min=True, exclude_max=True))
@example(ConfusionMatrix(10, 2, 0, 12), 5e-324)
def test_predictive_values_lie_in_their_intervals(matrix: ConfusionMatrix, prevalence: float) -> None:
    for estimate in predictive_values_at(matrix, prevalence):
        if estimate.value is None:
            assert estimate.reason
            continue
        assert estimate.low is not None
        assert estimate.high is not None
        assert 0 <= estimate.low <= estimate.value + 1e-12
        assert estimate.value - 1e-12 <= estimate.high <= 1
        assert not math.isnan(estimate.low)


def test_without_false_positives_ppv_is_one_with_a_lower_bound() -> None:
    ppv, _ = predictive_values_at(ConfusionMatrix(tp=45, fp=0, fn=5, tn=92), 0.02)
    assert (ppv.value, ppv.high) == (1.0, 1.0)
    assert ppv.low is not None
    assert 0.1 < ppv.low < 0.5


def test_the_ratio_behind_predictive_values_agrees_with_the_log_interval_for_large_counts() -> None:
    matrix = ConfusionMatrix(tp=9000, fp=2000, fn=1000, tn=8000)
    ppv, _ = predictive_values_at(matrix, 0.5)
    half = 1.959964 * math.sqrt(1 / 9000 - 1 / 10000 + 1 / 2000 - 1 / 10000)
    low = 4.5 * math.exp(-half)
    assert ppv.low == pytest.approx(low / (1 + low), rel=1e-4)


@pytest.mark.parametrize("prevalence", [0.0, 1.0, -0.1])
def test_a_prevalence_outside_zero_to_one_is_refused(prevalence: float) -> None:
    with pytest.raises(ValueError, match="prevalence"):
        predictive_values_at(ConfusionMatrix(1, 1, 1, 1), prevalence)


def test_with_one_class_predictive_values_are_undefined() -> None:
    for estimate in predictive_values_at(ConfusionMatrix(tp=3, fp=0, fn=1, tn=0), 0.1):
        assert (estimate.value, "one class" in estimate.reason) == (None, True)


def test_the_surest_films_are_answered_first() -> None:
    truth = np.array([True, False, True, False])
    prob = np.array([0.99, 0.05, 0.45, 0.6])  # the two near the threshold are wrong
    curve = coverage_curve(truth, prob, 0.5)
    np.testing.assert_allclose(curve.coverage, [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(curve.accuracy, [1.0, 1.0, 2 / 3, 0.5])
    assert (np.diff(curve.trust) < 0).all()


def test_films_equally_far_from_the_threshold_are_answered_together() -> None:
    curve = coverage_curve(np.array([True, False, True]), np.array([0.8, 0.8, 0.6]), 0.5)
    np.testing.assert_allclose(curve.coverage, [2 / 3, 1.0])
    np.testing.assert_allclose(curve.accuracy, [0.5, 2 / 3])


def test_another_measure_of_trust_sets_other_films_aside() -> None:
    truth, prob = np.array([True, False, True]), np.array([0.9, 0.8, 0.6])
    curve = coverage_curve(truth, prob, 0.5, np.array([-1.0, -3.0, -2.0]))
    np.testing.assert_allclose(curve.accuracy, [1.0, 1.0, 2 / 3])
    assert [curve.accuracy_at(share) for share in (0.3, 2 / 3, 0.7, 1.0)] == pytest.approx([1, 1, 2 / 3, 2 / 3])


def test_full_coverage_has_the_accuracy_of_the_table() -> None:
    matrix = confusion_matrix(TRUTH, PROB, 0.25)
    curve = coverage_curve(TRUTH, PROB, 0.25)
    assert (curve.coverage[-1], curve.accuracy[-1]) == (1.0, (matrix.tp + matrix.tn) / matrix.n)


def test_without_films_the_curves_are_empty() -> None:
    truth, prob = np.array([], dtype=np.bool_), np.array([])
    assert decision_curve(truth, prob).model.size == 0
    assert coverage_curve(truth, prob, 0.5).coverage.size == 0
