"""Intervals and the figures of the 2 x 2 table, held against published examples, scikit-learn and scipy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaincinv
from sklearn import metrics as sk

from cxrscan.scanner.metrics import (
    BoolArray,
    ConfusionMatrix,
    FloatArray,
    clopper_pearson_interval,
    figure_estimates,
    wilson_interval,
)
from cxrscan.scanner.metrics.confusion import confusion_matrix
from cxrscan.scanner.records import Estimate

counts = st.integers(0, 60)
tables = st.builds(ConfusionMatrix, counts, counts, counts, counts)


def films_of(matrix: ConfusionMatrix) -> tuple[BoolArray, FloatArray]:
    """Films that make this table at threshold 0.5."""
    cells = [matrix.tp, matrix.fp, matrix.fn, matrix.tn]
    return np.repeat([True, False, True, False], cells), np.repeat([0.9, 0.9, 0.1, 0.1], cells)


# Newcombe 1998, Statistics in Medicine 17:857, table I.
@pytest.mark.parametrize(
    ("successes", "n", "wilson", "exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0000, 0.1611), (0.0000, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_proportion_intervals_agree_with_newcombes_table(
    successes: int, n: int, wilson: tuple[float, float], exact: tuple[float, float]
) -> None:
    assert wilson_interval(successes, n) == pytest.approx(wilson, abs=5e-5)
    assert clopper_pearson_interval(successes, n) == pytest.approx(exact, abs=5e-5)


@pytest.mark.parametrize(("interval", "method"), [(wilson_interval, "wilson"), (clopper_pearson_interval, "exact")])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@given(data=st.data())
def test_proportion_intervals_agree_with_scipy(
    interval: Callable[[int, int, float], tuple[float, float]], method: str, confidence: float, data: st.DataObject
) -> None:
    n = data.draw(st.integers(1, 3000))
    successes = data.draw(st.integers(0, n))
    theirs = scipy.stats.binomtest(successes, n).proportion_ci(confidence, method)
    assert interval(successes, n, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@pytest.mark.parametrize(("successes", "n"), [(1, 10**6), (400_000, 10**6), (999_999, 10**6)])
def test_exact_intervals_of_large_counts_agree_with_scipy(successes: int, n: int) -> None:
    theirs = (betaincinv(successes, n - successes + 1, 0.025), betaincinv(successes + 1, n - successes, 0.975))
    assert clopper_pearson_interval(successes, n) == pytest.approx(theirs, rel=1e-9, abs=0)


@pytest.mark.parametrize("interval", [wilson_interval, clopper_pearson_interval])
@given(n=st.integers(1, 500), data=st.data())
def test_proportion_intervals_hold_the_proportion_and_mirror(
    interval: Callable[[int, int], tuple[float, float]], n: int, data: st.DataObject
) -> None:
    successes = data.draw(st.integers(0, n))
    low, high = interval(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    assert interval(n - successes, n) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize("interval", [wilson_interval, clopper_pearson_interval])
def test_without_trials_the_interval_is_everything(interval: Callable[[int, int], tuple[float, float]]) -> None:
    assert interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "n"), [(2, 1), (-1, 1)])
def test_impossible_counts_are_refused(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="successes of"):
        wilson_interval(successes, n)


def test_a_film_at_the_threshold_is_called_positive() -> None:
    truth, prob = np.array([True, False, True, False]), np.array([0.3, 0.3, 0.29, 0.31])
    assert confusion_matrix(truth, prob, 0.3) == ConfusionMatrix(tp=1, fp=2, fn=1, tn=0)


@given(tables)
def test_the_table_of_films_is_the_table_that_made_them(matrix: ConfusionMatrix) -> None:
    assert confusion_matrix(*films_of(matrix), 0.5) == matrix


@pytest.mark.parametrize(
    ("truth", "prob"),
    [
        (np.array([True, False]), np.array([0.5])),
        (np.array([1, 0]), np.array([0.5, 0.5])),
        (np.array([True]), np.array([math.nan])),
        (np.array([True]), np.array([1.01])),
        (np.array([[True]]), np.array([[0.5]])),
    ],
)
def test_arrays_that_describe_no_films_are_refused(truth: BoolArray, prob: FloatArray) -> None:
    with pytest.raises(ValueError, match=r"truth|probabilities"):
        confusion_matrix(truth, prob, 0.5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@given(tables.filter(lambda m: m.n > 0))
def test_values_agree_with_scikit_learn_where_they_exist(matrix: ConfusionMatrix) -> None:
    truth, prob = films_of(matrix)
    called = prob >= 0.5
    theirs = {
        "sensitivity": sk.recall_score(truth, called, zero_division=math.nan),
        "specificity": sk.recall_score(~truth, ~called, zero_division=math.nan),
        "ppv": sk.precision_score(truth, called, zero_division=math.nan),
        "npv": sk.precision_score(~truth, ~called, zero_division=math.nan),
        "accuracy": sk.accuracy_score(truth, called),
        "f1": sk.f1_score(truth, called, zero_division=math.nan),
    }
    if 0 < matrix.n_positive < matrix.n:
        theirs["balanced_accuracy"] = sk.balanced_accuracy_score(truth, called)
        if matrix.fp and matrix.tn:
            theirs["lr_positive"], theirs["lr_negative"] = sk.class_likelihood_ratios(truth, called)
        if 0 < called.sum() < matrix.n:
            theirs["mcc"] = sk.matthews_corrcoef(truth, called)
    ours = figure_estimates(matrix)
    for name, value in theirs.items():
        if math.isnan(value):
            assert ours[name].value is None
        else:
            assert ours[name].value == pytest.approx(value, abs=1e-12)


@given(tables)
def test_no_figure_is_ever_nan_infinite_or_unexplained(matrix: ConfusionMatrix) -> None:
    for estimate in figure_estimates(matrix).values():
        check_sound(estimate)


def check_sound(estimate: Estimate) -> None:
    """Finite, the value inside its interval, a reason for whatever is missing."""
    numbers = (estimate.value, estimate.low, estimate.high)
    assert all(number is None or math.isfinite(number) for number in numbers)
    assert (estimate.low is None) == (estimate.high is None)
    assert (estimate.low is None) == bool(estimate.reason)
    if estimate.value is None:
        assert estimate.low is None
    elif estimate.low is not None and estimate.high is not None:
        assert estimate.low - 1e-12 <= estimate.value <= estimate.high + 1e-12


@given(tables)
def test_predictive_values_are_sensitivity_and_specificity_of_the_transposed_table(matrix: ConfusionMatrix) -> None:
    ours = figure_estimates(matrix)
    transposed = figure_estimates(ConfusionMatrix(matrix.tp, matrix.fn, matrix.fp, matrix.tn))
    for one, other in [("ppv", "sensitivity"), ("npv", "specificity")]:
        assert (ours[one].value, ours[one].low) == (transposed[other].value, transposed[other].low)


def test_log_intervals_follow_their_closed_forms() -> None:
    estimates = figure_estimates(ConfusionMatrix(tp=45, fp=8, fn=5, tn=92))
    lr, odds = estimates["lr_positive"], estimates["diagnostic_odds_ratio"]
    assert lr.value == pytest.approx(0.9 / 0.08)
    assert lr.low == pytest.approx(11.25 * math.exp(-1.959964 * math.sqrt(1 / 45 - 1 / 50 + 1 / 8 - 1 / 100)), rel=1e-6)
    assert odds.value == pytest.approx(45 * 92 / 40)
    assert odds.high == pytest.approx(103.5 * math.exp(1.959964 * math.sqrt(1 / 45 + 1 / 8 + 1 / 5 + 1 / 92)), rel=1e-6)


def test_odds_ratio_agrees_with_scipys_sample_odds_ratio() -> None:
    theirs = scipy.stats.contingency.odds_ratio([[45, 8], [5, 92]], kind="sample")
    interval = theirs.confidence_interval(0.95)
    ours = figure_estimates(ConfusionMatrix(tp=45, fp=8, fn=5, tn=92))["diagnostic_odds_ratio"]
    assert (ours.value, ours.low, ours.high) == pytest.approx((theirs.statistic, interval.low, interval.high))


def test_f1_interval_is_that_of_the_jaccard_index() -> None:
    f1 = figure_estimates(ConfusionMatrix(tp=30, fp=6, fn=4, tn=500))["f1"]
    low, high = wilson_interval(30, 40)
    assert (f1.low, f1.high) == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))


def test_mcc_variance_agrees_with_a_numerical_delta_method() -> None:
    cells = np.array([40.0, 9.0, 6.0, 70.0])

    def phi(p: FloatArray) -> float:
        tp, fp, fn, tn = p
        return float((tp * tn - fp * fn) / math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))

    p, step = cells / cells.sum(), 1e-6
    gradient = np.array([(phi(p + step * unit) - phi(p - step * unit)) / (2 * step) for unit in np.eye(4)])
    variance = float(p @ gradient**2 - (p @ gradient) ** 2) / cells.sum()
    mcc = figure_estimates(ConfusionMatrix(40, 9, 6, 70))["mcc"]
    assert mcc.low is not None
    assert mcc.high is not None
    half_width = (math.atanh(mcc.high) - math.atanh(mcc.low)) / 2
    assert half_width == pytest.approx(1.959964 * math.sqrt(variance) / (1 - phi(p) ** 2), rel=1e-5)


def test_exact_intervals_on_request_are_wider() -> None:
    matrix = ConfusionMatrix(tp=45, fp=8, fn=5, tn=92)
    score, exact = figure_estimates(matrix), figure_estimates(matrix, clopper_pearson_interval)
    low, high = exact["sensitivity"].low, exact["sensitivity"].high
    assert (low, high) == clopper_pearson_interval(45, 50)
    assert exact["balanced_accuracy"].low != score["balanced_accuracy"].low


@pytest.mark.parametrize(
    ("matrix", "name", "reason"),
    [
        (ConfusionMatrix(0, 0, 0, 0), "accuracy", "no film"),
        (ConfusionMatrix(0, 3, 0, 5), "sensitivity", "no film with pneumonia"),
        (ConfusionMatrix(3, 0, 5, 0), "specificity", "no normal film"),
        (ConfusionMatrix(0, 0, 5, 5), "ppv", "No film was called positive"),
        (ConfusionMatrix(5, 5, 0, 0), "npv", "Every film was called positive"),
        (ConfusionMatrix(5, 0, 0, 5), "lr_positive", "infinite"),
        (ConfusionMatrix(5, 5, 0, 0), "lr_negative", "infinite"),
        (ConfusionMatrix(5, 0, 0, 5), "diagnostic_odds_ratio", "infinite"),
        (ConfusionMatrix(0, 0, 0, 5), "f1", "No film is positive"),
        (ConfusionMatrix(0, 0, 5, 5), "mcc", "No film was called positive"),
        (ConfusionMatrix(5, 0, 5, 0), "balanced_accuracy", "one class"),
    ],
)
def test_undefined_figures_say_why(matrix: ConfusionMatrix, name: str, reason: str) -> None:
    estimate = figure_estimates(matrix)[name]
    assert estimate.value is None
    assert reason in estimate.reason


def test_a_perfect_table_has_an_mcc_of_one_without_interval() -> None:
    mcc = figure_estimates(ConfusionMatrix(5, 0, 0, 5))["mcc"]
    assert (mcc.value, mcc.low) == (1.0, None)
