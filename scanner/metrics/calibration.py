"""Do the probabilities mean what they say? Brier score, reliability, recalibration."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cxrscan.scanner.metrics.arrays import BoolArray, FloatArray, check_films
from cxrscan.scanner.metrics.confusion import NO_FILMS, ONE_CLASS
from cxrscan.scanner.metrics.intervals import logit_estimate, normal_estimate, undefined, wilson_interval
from cxrscan.scanner.records import Estimate

N_BINS = 10
"""Bins of equal width for the reliability diagram and the ECE."""
_CLIP = 1e-7
"""Probabilities are kept this far from 0 and 1, where their log-odds end; float32 sigmoids saturate there."""
_INTERCEPT_BOUND = 64.0
"""Beyond any log-odds that can be missing: 16 at the clip, and the logarithm of the number of films."""
_MAX_STEPS = 100
_TOLERANCE = 1e-10

SEPARATED = "The probabilities separate the classes: the slope is infinite."


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The films whose probability lies in [low, high); the last bin includes 1."""

    low: float
    high: float
    mean_prob: float
    observed: float
    """Share of the films with pneumonia."""
    n: int
    interval: tuple[float, float]
    """95 % Wilson interval of ``observed``."""


def reliability_curve(truth: BoolArray, prob: FloatArray, n_bins: int = N_BINS) -> tuple[ReliabilityBin, ...]:
    """Predicted against observed frequency in bins of equal width; bins without films are left out.

    Parameters
    ----------
    truth
        bool array, shape (N,), True for pneumonia.
    prob
        float array, shape (N,), probability of pneumonia in [0, 1].
    """
    check_films(truth, prob)
    index = np.searchsorted(np.arange(1, n_bins) / n_bins, prob, side="right")
    counts = np.bincount(index, minlength=n_bins)
    sums = np.bincount(index, weights=prob, minlength=n_bins)
    positives = np.bincount(index, weights=truth, minlength=n_bins)
    return tuple(
        ReliabilityBin(
            low=b / n_bins,
            high=(b + 1) / n_bins,
            mean_prob=float(sums[b] / n),
            observed=float(positives[b] / n),
            n=n,
            interval=wilson_interval(int(positives[b]), n),
        )
        for b, n in enumerate(counts.tolist())
        if n
    )


@dataclass(frozen=True, slots=True)
class BrierDecomposition:
    """Parts of the Brier score over bins of equal width (Murphy 1973; Stephenson et al. 2008).

    ``brier = reliability - resolution + uncertainty + within_bins``.
    """

    reliability: float
    """Squared distance of predicted from observed frequency; 0 is ideal."""
    resolution: float
    """Squared distance of the bins' observed frequency from the prevalence; larger is better."""
    uncertainty: float
    """Prevalence x (1 - prevalence): the score of always saying the prevalence."""
    within_bins: float
    """What the bins hide: the spread of the probabilities inside them; near 0 for narrow bins."""


def decompose_brier(truth: BoolArray, prob: FloatArray, n_bins: int = N_BINS) -> BrierDecomposition | None:
    """Split the Brier score into calibration and discrimination; None without films."""
    bins = reliability_curve(truth, prob, n_bins)
    if not bins:
        return None
    prevalence = float(truth.mean())
    reliability = sum(b.n * (b.mean_prob - b.observed) ** 2 for b in bins) / truth.size
    resolution = sum(b.n * (b.observed - prevalence) ** 2 for b in bins) / truth.size
    uncertainty = prevalence * (1 - prevalence)
    brier = float(np.mean((prob - truth) ** 2))
    return BrierDecomposition(reliability, resolution, uncertainty, brier - reliability + resolution - uncertainty)


def expected_calibration_error(truth: BoolArray, prob: FloatArray, n_bins: int = N_BINS) -> Estimate:
    """Mean distance of predicted from observed frequency over bins of equal width, weighted by films.

    Without an interval: the figure is biased upwards in small sets, so that no symmetric interval holds.
    """
    bins = reliability_curve(truth, prob, n_bins)
    if not bins:
        return undefined(NO_FILMS)
    value = sum(b.n * abs(b.observed - b.mean_prob) for b in bins) / truth.size
    return Estimate(value, reason="Biased upwards in small sets; no interval is given.")


def brier_score(truth: BoolArray, prob: FloatArray) -> Estimate:
    """Mean squared distance of probability and truth (Brier 1950); the interval is symmetric on the logit scale."""
    check_films(truth, prob)
    if not truth.size:
        return undefined(NO_FILMS)
    losses = (prob - truth) ** 2
    value = float(losses.mean())
    spread = float(losses.std(ddof=1)) if truth.size > 1 else 0.0
    if spread == 0.0:
        return Estimate(value, reason="The films show no spread; no interval follows.")
    return logit_estimate(value, spread / math.sqrt(truth.size))


def calibration_slope(truth: BoolArray, prob: FloatArray) -> Estimate:
    """Slope of a logistic regression of the truth on the log-odds (Cox 1958); 1 is ideal, below 1 overconfident.

    The interval is Wald's, from the observed information.
    """
    check_films(truth, prob)
    if not truth.any() or truth.all():
        return undefined(ONE_CLASS)
    log_odds = log_odds_of(prob)
    spread = float(log_odds.std())
    if np.ptp(log_odds) == 0:
        return undefined("All probabilities are equal: there is no slope.")
    positives, negatives = log_odds[truth], log_odds[~truth]
    if positives.min() >= negatives.max() or positives.max() <= negatives.min():
        return undefined(SEPARATED)
    try:
        slope, standard_error = _fit_slope((log_odds - log_odds.mean()) / spread, truth)
    except np.linalg.LinAlgError:  # overlap so slight that the likelihood is flat in floating point
        return undefined(SEPARATED)
    return normal_estimate(slope / spread, standard_error / spread)


def calibration_intercept(truth: BoolArray, prob: FloatArray) -> Estimate:
    """Calibration in the large: log-odds to add to every film so that expected and observed positives agree.

    Intercept of a logistic regression with the log-odds as offset, slope fixed at 1 (Van Calster et al. 2019);
    0 is ideal, above 0 means that the model expects too few positives. The interval is Wald's.
    """
    check_films(truth, prob)
    if not truth.any() or truth.all():
        return undefined(ONE_CLASS)
    log_odds, n_positive = log_odds_of(prob), int(truth.sum())
    low, high = -_INTERCEPT_BOUND, _INTERCEPT_BOUND
    while (middle := (low + high) / 2) not in (low, high):  # bisection cannot fail, Newton's steps can
        low, high = (middle, high) if _expit(log_odds + middle).sum() < n_positive else (low, middle)
    expected = _expit(log_odds + middle)
    return normal_estimate(middle, 1 / math.sqrt(np.sum(expected * (1 - expected))))


def log_odds_of(prob: FloatArray | float) -> FloatArray:
    """Log-odds of probabilities, finite also at 0 and 1."""
    clipped = np.clip(prob, _CLIP, 1 - _CLIP)
    return np.asarray(np.log(clipped) - np.log1p(-clipped), dtype=np.float64)


def _fit_slope(x: FloatArray, truth: BoolArray) -> tuple[float, float]:
    """Slope of a logistic regression with intercept, and its standard error, by Newton steps from 0.

    A step is halved until the likelihood rises, so that a maximum is reached wherever there is one.
    """
    design = np.column_stack([np.ones_like(x), x])
    coefficients = np.zeros(2)
    likelihood = _log_likelihood(design @ coefficients, truth)
    for _ in range(_MAX_STEPS):
        expected = _expit(design @ coefficients)
        information = design.T @ (design * (expected * (1 - expected))[:, np.newaxis])
        step = np.linalg.solve(information, design.T @ (truth - expected))
        if np.abs(step).max() < _TOLERANCE * (1 + np.abs(coefficients).max()):
            return float(coefficients[1]), math.sqrt(np.linalg.inv(information)[1, 1])
        while (new := _log_likelihood(design @ (coefficients + step), truth)) < likelihood - _TOLERANCE:
            step /= 2
        coefficients, likelihood = coefficients + step, new
    raise np.linalg.LinAlgError("no maximum found")


def _log_likelihood(log_odds: FloatArray, truth: BoolArray) -> float:
    return -float(np.logaddexp(0.0, np.where(truth, -log_odds, log_odds)).sum())


def _expit(log_odds: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-np.logaddexp(0.0, -log_odds)), dtype=np.float64)
