"""Two models on the same films, held against published intervals, scipy and the definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from cxrscan.scanner.metrics import BoolArray, FloatArray, compare_models
from cxrscan.scanner.metrics.comparison import compare_auc, compare_proportions, mcnemar_exact


def paired(both: int, only_first: int, only_second: int, neither: int) -> tuple[BoolArray, BoolArray]:
    cells = [both, only_first, only_second, neither]
    return np.repeat([True, True, False, False], cells), np.repeat([True, False, True, False], cells)


def two_models(n: int = 120, seed: int = 0) -> tuple[BoolArray, FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.6
    shared = rng.normal(0, 1, n) + 1.5 * truth
    first, second = (1 / (1 + np.exp(-(shared + rng.normal(0, s, n) - 0.75))) for s in (1.0, 0.3))
    return truth, first, second


# Altman et al. 2000, Statistics with Confidence, table 6.2; Fagerland, Lydersen and Laake 2014,
# BMC Medical Research Methodology 14:133, airway data of Bentur et al.
@pytest.mark.parametrize(
    ("cells", "difference", "interval"),
    [
        ((14, 0, 5, 22), 0.122, (0.011, 0.226)),
        ((1, 7, 1, 12), -0.286, (-0.507, -0.026)),
    ],
)
def test_paired_interval_agrees_with_published_examples(
    cells: tuple[int, int, int, int], difference: float, interval: tuple[float, float]
) -> None:
    comparison = compare_proportions(*paired(*cells), "")
    assert comparison.difference.value == pytest.approx(difference, abs=5e-4)
    assert (comparison.difference.low, comparison.difference.high) == pytest.approx(interval, abs=5e-4)


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_mcnemar_agrees_with_scipys_binomial_test(only_first: int, only_second: int) -> None:
    n = only_first + only_second
    theirs = scipy.stats.binomtest(only_first, n, 0.5).pvalue if n else 1.0
    assert mcnemar_exact(only_first, only_second) == pytest.approx(theirs, rel=1e-9, abs=0)


@given(*[st.integers(0, 40)] * 4)
def test_swapping_the_models_mirrors_the_difference(both: int, one: int, other: int, neither: int) -> None:
    first, second = paired(both, one, other, neither)
    there, back = compare_proportions(first, second, "none"), compare_proportions(second, first, "none")
    if first.size == 0:
        assert (there.difference.value, there.difference.reason, there.p_value) == (None, "none", None)
        return
    assert there.difference.value is not None
    assert there.difference.low is not None
    assert there.difference.high is not None
    assert -1 <= there.difference.low <= there.difference.value <= there.difference.high <= 1
    assert (back.difference.low, back.difference.high) == pytest.approx((-there.difference.high, -there.difference.low))
    assert there.p_value == back.p_value


def test_paired_delong_agrees_with_the_definition() -> None:
    truth, first, second = two_models()

    def kernel(prob: FloatArray) -> FloatArray:
        return (np.sign(prob[truth][:, np.newaxis] - prob[~truth][np.newaxis]) + 1) / 2

    a, b = kernel(first), kernel(second)
    positive_covariance = np.cov(a.mean(axis=1), b.mean(axis=1)) / truth.sum()
    negative_covariance = np.cov(a.mean(axis=0), b.mean(axis=0)) / (~truth).sum()
    covariance = positive_covariance + negative_covariance
    standard_error = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    value = b.mean() - a.mean()
    comparison = compare_auc(truth, first, second)
    assert (comparison.first, comparison.second) == pytest.approx((a.mean(), b.mean()))
    assert comparison.difference.value == pytest.approx(value)
    assert comparison.difference.low == pytest.approx(value - 1.959964 * standard_error, abs=1e-7)
    assert comparison.p_value == pytest.approx(2 * scipy.stats.norm.sf(abs(value) / standard_error))


def test_models_that_rank_alike_have_no_auc_difference_to_test() -> None:
    truth, first, _ = two_models()
    comparison = compare_auc(truth, first, first**2)
    assert (comparison.difference.value, comparison.difference.low, comparison.p_value) == (0.0, None, None)
    assert "alike" in comparison.difference.reason


def test_one_film_of_a_class_gives_a_difference_without_test() -> None:
    truth = np.array([True, False, False])
    comparison = compare_auc(truth, np.array([0.9, 0.1, 0.2]), np.array([0.1, 0.05, 0.2]))
    assert (comparison.difference.value, comparison.difference.low, comparison.p_value) == (-0.5, None, None)


def test_models_are_compared_each_at_its_own_threshold() -> None:
    truth = np.array([True, True, False, False])
    first, second = np.array([0.9, 0.3, 0.2, 0.1]), np.array([0.9, 0.3, 0.2, 0.1])
    comparison = compare_models(truth, (first, second), (0.5, 0.15))
    sensitivity, specificity, accuracy = (comparison[name] for name in ("sensitivity", "specificity", "accuracy"))
    assert (sensitivity.first, sensitivity.second) == (0.5, 1.0)
    assert (specificity.first, specificity.second) == (1.0, 0.5)
    assert accuracy.difference.value == 0.0


def test_one_class_leaves_the_other_figures_undefined_with_a_reason() -> None:
    truth = np.array([True, True])
    comparison = compare_models(truth, (np.array([0.2, 0.8]), np.array([0.9, 0.8])), (0.5, 0.5))
    assert comparison["sensitivity"].difference.value == 0.5
    for name in ("specificity", "auc"):
        assert comparison[name].difference.value is None
        assert comparison[name].difference.reason
