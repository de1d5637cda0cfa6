"""The 2 x 2 table of one threshold, and everything that follows from its four counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scanner.metrics.arrays import BoolArray, FloatArray, check_films
from scanner.metrics.intervals import (
    ProportionInterval,
    log_estimate,
    normal_quantile,
    proportion,
    undefined,
    wilson_interval,
)
from scanner.records import Estimate

NO_FILMS = "There is no film with a truth and a probability."
NO_POSITIVES = "There is no film with pneumonia."
NO_NEGATIVES = "There is no normal film."
ONE_CLASS = "There are only films of one class."
NO_CALLS = "No film was called positive."
ALL_CALLED = "Every film was called positive."


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """Counts of films by truth and call; positive is pneumonia."""

    tp: int
    """Pneumonia, called pneumonia."""
    fp: int
    """Normal, called pneumonia."""
    fn: int
    """Pneumonia, called normal."""
    tn: int
    """Normal, called normal."""

    @property
    def n(self) -> int:
        """All films."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def n_positive(self) -> int:
        """Films with pneumonia."""
        return self.tp + self.fn

    @property
    def n_negative(self) -> int:
        """Normal films."""
        return self.fp + self.tn


def confusion_matrix(truth: BoolArray, prob: FloatArray, threshold: float) -> ConfusionMatrix:
    """Count films by truth and call; a film is called positive when ``prob >= threshold``.

    Parameters
    ----------
    truth
        bool array, shape (N,), True for pneumonia.
    prob
        float array, shape (N,), probability of pneumonia in [0, 1].
    """
    check_films(truth, prob)
    called = prob >= threshold
    tp, n_called = int(np.sum(truth & called)), int(np.sum(called))
    n_positive = int(np.sum(truth))
    return ConfusionMatrix(tp, n_called - tp, n_positive - tp, truth.size - n_positive - n_called + tp)


def confusion_estimates(matrix: ConfusionMatrix, interval: ProportionInterval = wilson_interval) -> dict[str, Estimate]:
    """Everything that the four counts give, from sensitivity to the diagnostic odds ratio."""
    return {
        "sensitivity": proportion(matrix.tp, matrix.n_positive, NO_POSITIVES, interval),
        "specificity": proportion(matrix.tn, matrix.n_negative, NO_NEGATIVES, interval),
        "ppv": proportion(matrix.tp, matrix.tp + matrix.fp, NO_CALLS if matrix.n else NO_FILMS, interval),
        "npv": proportion(matrix.tn, matrix.tn + matrix.fn, ALL_CALLED if matrix.n else NO_FILMS, interval),
        "accuracy": proportion(matrix.tp + matrix.tn, matrix.n, NO_FILMS, interval),
        "balanced_accuracy": balanced_accuracy(matrix, interval),
        "f1": f1_score(matrix, interval),
        "mcc": matthews_correlation(matrix),
        "lr_positive": positive_likelihood_ratio(matrix),
        "lr_negative": negative_likelihood_ratio(matrix),
        "diagnostic_odds_ratio": diagnostic_odds_ratio(matrix),
    }


def balanced_accuracy(matrix: ConfusionMatrix, interval: ProportionInterval = wilson_interval) -> Estimate:
    """Mean of sensitivity and specificity, with the square-and-add interval (Newcombe 1998; Zou and Donner 2008)."""
    if not matrix.n_positive or not matrix.n_negative:
        return undefined(ONE_CLASS)
    sensitivity, specificity = matrix.tp / matrix.n_positive, matrix.tn / matrix.n_negative
    sensitivity_low, sensitivity_high = interval(matrix.tp, matrix.n_positive)
    specificity_low, specificity_high = interval(matrix.tn, matrix.n_negative)
    value = (sensitivity + specificity) / 2
    below = math.hypot(sensitivity - sensitivity_low, specificity - specificity_low) / 2
    above = math.hypot(sensitivity_high - sensitivity, specificity_high - specificity) / 2
    return Estimate(value, value - below, value + above)


def f1_score(matrix: ConfusionMatrix, interval: ProportionInterval = wilson_interval) -> Estimate:
    """Harmonic mean of sensitivity and PPV.

    F1 = 2J / (1 + J) rises with the Jaccard index J = TP / (TP + FP + FN), a proportion of the films that
    are positive or called so; so J's interval carries over.
    """
    n = matrix.tp + matrix.fp + matrix.fn
    if n == 0:
        return undefined("No film is positive or called so." if matrix.n else NO_FILMS)
    value, low, high = (2 * j / (1 + j) for j in (matrix.tp / n, *interval(matrix.tp, n)))
    return Estimate(value, low, high)


def matthews_correlation(matrix: ConfusionMatrix) -> Estimate:
    """Correlation of truth and call (phi), with a Fisher-z interval.

    The variance is the delta method's for a 2 x 2 table (Bishop, Fienberg and Holland 1975, section 11.2).
    """
    n, n_called = matrix.n, matrix.tp + matrix.fp
    if not matrix.n_positive or not matrix.n_negative:
        return undefined(ONE_CLASS if n else NO_FILMS)
    if n_called in (0, n):
        return undefined(ALL_CALLED if n_called else NO_CALLS)
    row, column = matrix.n_positive * matrix.n_negative / n**2, n_called * (n - n_called) / n**2
    row_difference = (matrix.n_positive - matrix.n_negative) / n
    column_difference = (2 * n_called - n) / n
    scale = math.sqrt(row * column)
    phi = (matrix.tp * matrix.tn - matrix.fp * matrix.fn) / n**2 / scale
    if matrix.fp == matrix.fn == 0 or matrix.tp == matrix.tn == 0:
        return Estimate(round(phi), reason="Truth and call agree or differ on every film; no interval follows.")
    variance = (
        1
        - phi**2
        + phi * (1 + phi**2 / 2) * row_difference * column_difference / scale
        - 0.75 * phi**2 * (row_difference**2 / row + column_difference**2 / column)
    ) / n
    half = normal_quantile() * math.sqrt(max(variance, 0.0)) / (1 - phi**2)
    return Estimate(phi, math.tanh(math.atanh(phi) - half), math.tanh(math.atanh(phi) + half))


def positive_likelihood_ratio(matrix: ConfusionMatrix) -> Estimate:
    """Sensitivity / (1 - specificity), with the log interval of Simel, Samsa and Matchar 1991."""
    if matrix.n_negative and not matrix.fp:
        return undefined("No normal film was called positive: the ratio is infinite.")
    return _ratio_of_proportions(matrix.tp, matrix.fp, matrix)


def negative_likelihood_ratio(matrix: ConfusionMatrix) -> Estimate:
    """(1 - sensitivity) / specificity, with the log interval of Simel, Samsa and Matchar 1991."""
    if matrix.n_negative and not matrix.tn:
        return undefined("No normal film was called normal: the ratio is infinite.")
    return _ratio_of_proportions(matrix.fn, matrix.tn, matrix)


def _ratio_of_proportions(positives: int, negatives: int, matrix: ConfusionMatrix) -> Estimate:
    if not matrix.n_positive or not matrix.n_negative:
        return undefined(ONE_CLASS if matrix.n else NO_FILMS)
    value = (positives / matrix.n_positive) / (negatives / matrix.n_negative)
    if not positives:
        return Estimate(value, reason="A count of zero: no interval follows on the log scale.")
    variance = 1 / positives - 1 / matrix.n_positive + 1 / negatives - 1 / matrix.n_negative
    return log_estimate(value, math.sqrt(max(variance, 0.0)))


def diagnostic_odds_ratio(matrix: ConfusionMatrix) -> Estimate:
    """TP x TN / (FP x FN), with the log interval of Woolf 1955."""
    if not matrix.n_positive or not matrix.n_negative:
        return undefined(ONE_CLASS if matrix.n else NO_FILMS)
    if not matrix.fp or not matrix.fn:
        return undefined("There is no false positive or no false negative: the ratio is infinite or undefined.")
    value = matrix.tp * matrix.tn / (matrix.fp * matrix.fn)
    if not value:
        return Estimate(value, reason="A count of zero: no interval follows on the log scale.")
    return log_estimate(value, math.sqrt(1 / matrix.tp + 1 / matrix.tn + 1 / matrix.fp + 1 / matrix.fn))
