"""Area under the ROC curve and its variance (DeLong, DeLong and Clarke-Pearson 1988).

The structural components come from midranks in O(n log n) (Sun and Xu 2014).
"""

from __future__ import annotations

import math

import numpy as np

from cxrscan.scanner.metrics.arrays import BoolArray, FloatArray, check_films
from cxrscan.scanner.metrics.confusion import ONE_CLASS
from cxrscan.scanner.metrics.intervals import logit_estimate, undefined
from cxrscan.scanner.records import Estimate


def auc_delong(truth: BoolArray, prob: FloatArray) -> Estimate:
    """AUC with DeLong's variance; the interval is symmetric on the logit scale (Pepe 2003, section 5.2).

    On the probability scale the interval would pass 1 and cover too little for a good model.

    Parameters
    ----------
    truth
        bool array, shape (N,), True for pneumonia.
    prob
        float array, shape (N,), probability of pneumonia in [0, 1].
    """
    check_films(truth, prob)
    if not truth.any() or truth.all():
        return undefined(ONE_CLASS)
    positives, negatives = structural_components(truth, prob)
    value = float(positives.mean())
    if min(positives.size, negatives.size) < 2:
        return Estimate(value, reason="One film of a class has no spread; the interval needs two of each.")
    variance = float(positives.var(ddof=1) / positives.size + negatives.var(ddof=1) / negatives.size)
    if variance == 0.0 or value in (0.0, 1.0):
        return Estimate(value, reason="The ranks show no spread; no interval follows.")
    return logit_estimate(value, math.sqrt(variance))


def structural_components(truth: BoolArray, prob: FloatArray) -> tuple[FloatArray, FloatArray]:
    """For each film, the share of the other class that ranks on the right side of it; ties count half.

    Returns
    -------
    Components of the positive films, shape (n_positive,), and of the negative ones, shape (n_negative,);
    the mean of either is the AUC.
    """
    ranks = _midranks(prob)
    n_positive = int(truth.sum())
    n_negative = truth.size - n_positive
    positives = (ranks[truth] - _midranks(prob[truth])) / n_negative
    negatives = 1.0 - (ranks[~truth] - _midranks(prob[~truth])) / n_positive
    return positives, negatives


def _midranks(values: FloatArray) -> FloatArray:
    """Rank from 1; ties share the mean of their ranks."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[group], dtype=np.float64)
