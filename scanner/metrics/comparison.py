"""Two models on the same films: differences with intervals, and paired tests."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from cxrscan.scanner.metrics.arrays import BoolArray, FloatArray, check_films
from cxrscan.scanner.metrics.confusion import NO_FILMS, NO_NEGATIVES, NO_POSITIVES, ONE_CLASS
from cxrscan.scanner.metrics.delong import auc_delong, structural_components
from cxrscan.scanner.metrics.intervals import binomial_tail, normal_estimate, undefined, wilson_interval
from cxrscan.scanner.records import Estimate


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """One figure of two models on the same films."""

    first: float | None
    second: float | None
    difference: Estimate
    """Second minus first."""
    p_value: float | None
    """Two-sided, of the hypothesis that there is no difference; None where there is no test."""


def compare_models(
    truth: BoolArray, probs: tuple[FloatArray, FloatArray], thresholds: tuple[float, float]
) -> dict[str, PairedDifference]:
    """Sensitivity, specificity and accuracy (McNemar) and AUC (DeLong) of two models; films taken as independent.

    Parameters
    ----------
    truth
        bool array, shape (N,), True for pneumonia.
    probs
        Of the first and the second model: float arrays, shape (N,), values in [0, 1].
    thresholds
        Of the first and the second model.
    """
    check_films(truth, *probs)
    first, second = ((prob >= threshold) == truth for prob, threshold in zip(probs, thresholds, strict=True))
    return {
        "sensitivity": compare_proportions(first[truth], second[truth], NO_POSITIVES),
        "specificity": compare_proportions(first[~truth], second[~truth], NO_NEGATIVES),
        "accuracy": compare_proportions(first, second, NO_FILMS),
        "auc": compare_auc(truth, *probs),
    }


def compare_proportions(first: BoolArray, second: BoolArray, nothing: str) -> PairedDifference:
    """Difference of two paired proportions: interval by Newcombe 1998 (paired, method 10), exact McNemar test.

    Parameters
    ----------
    first, second
        bool arrays, shape (N,): on which films each model is right.
    nothing
        Reason given when N is 0.
    """
    n = first.size
    if n == 0:
        return PairedDifference(None, None, undefined(nothing), None)
    both, only_first, only_second = (int(np.sum(cell)) for cell in (first & second, first & ~second, second & ~first))
    low, high = _newcombe_paired(both, only_second, only_first, n - both - only_first - only_second)
    difference = Estimate((only_second - only_first) / n, low, high)
    p_value = mcnemar_exact(only_first, only_second)
    return PairedDifference(float(first.mean()), float(second.mean()), difference, p_value)


def mcnemar_exact(n_only_first: int, n_only_second: int) -> float:
    """Two-sided p-value that the films on which just one model is right fall to either alike (McNemar 1947).

    Exact binomial; twice the smaller tail, at most 1.
    """
    return min(1.0, 2 * binomial_tail(max(n_only_first, n_only_second), n_only_first + n_only_second, 0.5))


def compare_auc(truth: BoolArray, first: FloatArray, second: FloatArray) -> PairedDifference:
    """Difference of two AUCs on the same films with the paired variance of DeLong et al. 1988, and its z-test."""
    check_films(truth, first, second)
    auc_first, auc_second = auc_delong(truth, first).value, auc_delong(truth, second).value
    if auc_first is None or auc_second is None:
        return PairedDifference(None, None, undefined(ONE_CLASS), None)
    value = auc_second - auc_first
    contrasts = [
        b - a for a, b in zip(structural_components(truth, first), structural_components(truth, second), strict=True)
    ]
    if min(contrast.size for contrast in contrasts) < 2:
        reason = "One film of a class has no spread; the interval needs two of each."
        return PairedDifference(auc_first, auc_second, Estimate(value, reason=reason), None)
    standard_error = math.sqrt(sum(float(contrast.var(ddof=1)) / contrast.size for contrast in contrasts))
    if standard_error == 0.0:
        reason = "Both models rank the films alike; no interval follows."
        return PairedDifference(auc_first, auc_second, Estimate(value, reason=reason), None)
    p_value = 2 * NormalDist().cdf(-abs(value) / standard_error)
    return PairedDifference(auc_first, auc_second, normal_estimate(value, standard_error, -1.0, 1.0), p_value)


def _newcombe_paired(both: int, only_second: int, only_first: int, neither: int) -> tuple[float, float]:
    """Square-and-add interval of p_second - p_first with the correlation of the pairs, method 10."""
    n = both + only_second + only_first + neither
    p_second, p_first = (both + only_second) / n, (both + only_first) / n
    second_low, second_high = wilson_interval(both + only_second, n)
    first_low, first_high = wilson_interval(both + only_first, n)
    phi = _newcombe_phi(both, only_second, only_first, neither)
    difference = p_second - p_first

    def distance(second: float, first: float) -> float:
        return math.sqrt(max(0.0, second**2 - 2 * phi * second * first + first**2))

    return (
        difference - distance(p_second - second_low, first_high - p_first),
        difference + distance(second_high - p_second, p_first - first_low),
    )


def _newcombe_phi(a: int, b: int, c: int, d: int) -> float:
    """Correlation of the pairs with Newcombe's continuity correction; 0 when a margin is empty."""
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if margins == 0:
        return 0.0
    covariance = float(a * d - b * c)
    if covariance > 0:
        covariance = max(covariance - (a + b + c + d) / 2, 0.0)
    return covariance / math.sqrt(margins)
