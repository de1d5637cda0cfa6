"""ROC and precision-recall curves over every threshold, and average precision."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cxrscan.scanner.metrics.arrays import BoolArray, FloatArray, check_films
from cxrscan.scanner.metrics.confusion import NO_POSITIVES
from cxrscan.scanner.metrics.intervals import logit_estimate, undefined
from cxrscan.scanner.records import Estimate


@dataclass(frozen=True, slots=True)
class RocCurve:
    """Points from (0, 0) to (1, 1), one for each distinct probability; empty when a class is missing.

    Float arrays of equal length; thresholds fall. The first lies just above the highest probability,
    so that no film is called positive there.
    """

    fpr: FloatArray
    """1 - specificity."""
    tpr: FloatArray
    """Sensitivity."""
    thresholds: FloatArray


@dataclass(frozen=True, slots=True)
class PrecisionRecallCurve:
    """Points of rising recall, one for each distinct probability; empty without positive films.

    Float arrays of equal length; thresholds fall. There is no invented point at recall 0.
    """

    precision: FloatArray
    """Positive predictive value."""
    recall: FloatArray
    """Sensitivity."""
    thresholds: FloatArray


def roc_curve(truth: BoolArray, prob: FloatArray) -> RocCurve:
    """Sensitivity against 1 - specificity.

    Parameters
    ----------
    truth
        bool array, shape (N,), True for pneumonia.
    prob
        float array, shape (N,), probability of pneumonia in [0, 1].
    """
    thresholds, tp, fp = _counts_by_threshold(truth, prob)
    if not thresholds.size or not tp[-1] or not fp[-1]:
        return RocCurve(np.empty(0), np.empty(0), np.empty(0))
    above = np.nextafter(thresholds[0], np.inf)
    return RocCurve(
        np.concatenate([[0.0], fp / fp[-1]]),
        np.concatenate([[0.0], tp / tp[-1]]),
        np.concatenate([[above], thresholds]),
    )


def precision_recall_curve(truth: BoolArray, prob: FloatArray) -> PrecisionRecallCurve:
    """Positive predictive value against sensitivity; takes what ``roc_curve`` takes."""
    thresholds, tp, fp = _counts_by_threshold(truth, prob)
    if not thresholds.size or not tp[-1]:
        return PrecisionRecallCurve(np.empty(0), np.empty(0), np.empty(0))
    return PrecisionRecallCurve(tp / (tp + fp), tp / tp[-1], thresholds)


def average_precision(truth: BoolArray, prob: FloatArray) -> Estimate:
    """Area under the precision-recall steps; the interval is symmetric on the logit scale.

    The variance is the infinitesimal jackknife's (Efron 1982, chapter 6): the sum of squared derivatives by
    the weight of each film. It takes the share of positive films as drawn with the films, not as fixed.
    """
    thresholds, tp, fp = _counts_by_threshold(truth, prob)
    if not thresholds.size or not tp[-1]:
        return undefined(NO_POSITIVES)
    positives, called, n_positive = np.diff(tp, prepend=0.0), tp + fp, tp[-1]
    value = min(1.0, float(np.sum(positives * tp / called) / n_positive))
    # A film called at threshold k raises the precision at k and all lower thresholds if it is positive, else lowers it.
    gain = _sum_from_here(positives * fp / called**2) + tp / called - value
    loss = _sum_from_here(positives * tp / called**2)
    variance = float(np.sum(positives * gain**2 + (np.diff(called, prepend=0.0) - positives) * loss**2)) / n_positive**2
    if value == 1.0 or variance == 0.0:
        return Estimate(value, reason="The ranks show no spread; no interval follows.")
    return logit_estimate(value, math.sqrt(variance))


def _sum_from_here(values: FloatArray) -> FloatArray:
    """Sum of each value and all after it."""
    return np.asarray(values[::-1].cumsum()[::-1], dtype=np.float64)


def youden_threshold(truth: BoolArray, prob: FloatArray) -> float | None:
    """Threshold with the largest sensitivity + specificity - 1 on these very films (Youden 1950), or None.

    Chosen and measured on the same films, so its figures are too good; for exploration only. Of several, the highest.
    """
    curve = roc_curve(truth, prob)
    if not curve.thresholds.size:
        return None
    # The first point calls no film positive; as a threshold it would be a number that no film reached.
    return float(curve.thresholds[1:][np.argmax((curve.tpr - curve.fpr)[1:])])


def _counts_by_threshold(truth: BoolArray, prob: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Distinct probabilities, falling, with the true and false positives at each."""
    check_films(truth, prob)
    order = np.argsort(-prob, kind="stable")
    truth, prob = truth[order], prob[order]
    last_of_tie = np.flatnonzero(np.append(np.diff(prob) != 0, True)) if prob.size else np.empty(0, dtype=np.intp)
    tp = np.cumsum(truth, dtype=np.float64)[last_of_tie]
    return prob[last_of_tie], tp, last_of_tie + 1.0 - tp
