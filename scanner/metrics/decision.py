"""What a threshold is worth in use: net benefit, predictive values elsewhere, and abstaining."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cxrscan.scanner.metrics.arrays import BoolArray, FloatArray, check_films
from cxrscan.scanner.metrics.calibration import log_odds_of
from cxrscan.scanner.metrics.confusion import ALL_CALLED, NO_CALLS, NO_FILMS, ONE_CLASS, ConfusionMatrix
from cxrscan.scanner.metrics.intervals import undefined, wilson_interval
from cxrscan.scanner.records import Estimate

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class DecisionCurve:
    """Net benefit over threshold probabilities; calling no film positive has net benefit 0.

    Float arrays of equal length, in units of true positives per film.
    """

    thresholds: FloatArray
    model: FloatArray
    call_all: FloatArray
    """Of calling every film positive."""


@dataclass(frozen=True, slots=True)
class CoverageCurve:
    """Accuracy on the films that are trusted most, from few to all.

    Float arrays of equal length, one point for each distinct degree of trust.
    """

    coverage: FloatArray
    """Share of the films that are answered, rising to 1."""
    accuracy: FloatArray
    """Share of these that are called right."""
    trust: FloatArray
    """Least trust in an answered film; falls."""

    def accuracy_at(self, coverage: float) -> float:
        """Accuracy at the least coverage of the curve that reaches the given one, in (0, 1]."""
        return float(self.accuracy[np.searchsorted(self.coverage, coverage - _ROUNDING)])


def decision_curve(truth: BoolArray, prob: FloatArray, thresholds: FloatArray | None = None) -> DecisionCurve:
    """Net benefit TP/n - FP/n x t/(1-t) at threshold probabilities t (Vickers and Elkin 2006); empty without films.

    Parameters
    ----------
    truth
        bool array, shape (N,), True for pneumonia.
    prob
        float array, shape (N,), probability of pneumonia in [0, 1].
    thresholds
        float array, values in [0, 1); 0.00 to 0.99 in steps of 0.01 when not given.
    """
    check_films(truth, prob)
    if thresholds is None:
        thresholds = np.arange(100) / 100
    if not truth.size:
        return DecisionCurve(np.empty(0), np.empty(0), np.empty(0))
    odds = thresholds / (1 - thresholds)
    tp = _n_at_or_above(prob[truth], thresholds)
    fp = _n_at_or_above(prob[~truth], thresholds)
    prevalence = truth.mean()
    return DecisionCurve(thresholds, (tp - odds * fp) / truth.size, prevalence - odds * (1 - prevalence))


def _n_at_or_above(values: FloatArray, thresholds: FloatArray) -> FloatArray:
    return values.size - np.searchsorted(np.sort(values), thresholds, side="left").astype(np.float64)


def predictive_values_at(matrix: ConfusionMatrix, prevalence: float) -> tuple[Estimate, Estimate]:
    """PPV and NPV where another share of the films shows pneumonia, from sensitivity and specificity.

    By Bayes, the odds of being right are the prior odds times a likelihood ratio; the ratio's interval is
    Donner and Zou's (2012, MOVER-R) from the Wilson intervals of its two proportions, which holds at zero counts.

    Parameters
    ----------
    prevalence
        Share of films with pneumonia in the other setting, strictly between 0 and 1.
    """
    if not 0 < prevalence < 1:
        raise ValueError(f"prevalence must lie between 0 and 1, not {prevalence}")
    if not matrix.n_positive or not matrix.n_negative:
        nothing = undefined(ONE_CLASS if matrix.n else NO_FILMS)
        return nothing, nothing
    odds = max(prevalence, 1e-300) / (1 - prevalence)  # so that the inverse is a number, too
    ppv = _posterior(odds, (matrix.tp, matrix.n_positive), (matrix.fp, matrix.n_negative))
    npv = _posterior(1 / odds, (matrix.tn, matrix.n_negative), (matrix.fn, matrix.n_positive))
    return ppv or undefined(NO_CALLS), npv or undefined(ALL_CALLED)


def _posterior(prior_odds: float, right: tuple[int, int], wrong: tuple[int, int]) -> Estimate | None:
    """Probability of being right from the prior odds and two proportions (successes, n); None for a ratio of 0 / 0."""
    p, q = right[0] / right[1], wrong[0] / wrong[1]
    if p == q == 0:
        return None
    (p_low, p_high), (q_low, q_high) = wilson_interval(*right), wilson_interval(*wrong)
    # MOVER-R; each term a^2 - (a - limit)^2, written without the difference of squares.
    p_below, p_above = p_low * (2 * p - p_low), p_high * (2 * p - p_high)
    q_below, q_above = q_low * (2 * q - q_low), q_high * (2 * q - q_high)
    low = p_below / (p * q + math.sqrt(max(0.0, (p * q) ** 2 - p_below * q_above))) if p_below else 0.0
    high = (p * q + math.sqrt(max(0.0, (p * q) ** 2 - p_above * q_below))) / q_below if q_below else math.inf
    return Estimate(
        prior_odds * p / (prior_odds * p + q),
        prior_odds * low / (1 + prior_odds * low),
        1.0 if high == math.inf else prior_odds * high / (1 + prior_odds * high),
    )


def coverage_curve(
    truth: BoolArray, prob: FloatArray, threshold: float, trust: FloatArray | None = None
) -> CoverageCurve:
    """How accuracy rises when the least trusted films go unanswered (El-Yaniv and Wiener 2010); empty without films.

    Parameters
    ----------
    truth
        bool array, shape (N,), True for pneumonia.
    prob
        float array, shape (N,), probability of pneumonia in [0, 1].
    threshold
        A film is called positive when ``prob >= threshold``.
    trust
        float array, shape (N,), on any scale; the distance of probability and threshold in log-odds when not given.
    """
    check_films(truth, prob)
    if not truth.size:
        return CoverageCurve(np.empty(0), np.empty(0), np.empty(0))
    if trust is None:
        trust = np.abs(log_odds_of(prob) - log_odds_of(threshold))
    order = np.argsort(-trust, kind="stable")
    trust = trust[order]
    n_right = np.cumsum(((prob >= threshold) == truth)[order])
    last_of_tie = np.flatnonzero(np.append(trust[1:] != trust[:-1], True))
    n_answered = last_of_tie + 1.0
    return CoverageCurve(n_answered / truth.size, n_right[last_of_tie] / n_answered, trust[last_of_tie])
