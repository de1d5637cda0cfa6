"""From log-odds to probabilities that mean something, and to thresholds that hold elsewhere.

Both are fitted on the *shifted* validation films. Plain ones are too easy: with a specificity near 1 almost any
threshold looks right on them, and what is read off them (0.003 or 0.1) ruins the specificity in the next hospital.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

from scanner.metrics import BoolArray, FloatArray, summarise
from scanner.model_bundle import OperatingPoint

TARGET = 0.95
"""Sensitivity of ``sens95`` and specificity of ``spec95``."""


def sigmoid(logits: FloatArray) -> FloatArray:
    """Probability from log-odds, without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -logits)), dtype=np.float64)


def cross_entropy(truth: BoolArray, logits: FloatArray) -> float:
    """Mean binary cross-entropy in nats."""
    return float(np.mean(np.logaddexp(0.0, np.where(truth, -logits, logits))))


def fit_temperature(truth: BoolArray, logits: FloatArray) -> float:
    """Find the temperature with the smallest cross-entropy, between 1/20 and 20 (Guo et al. 2017).

    Parameters
    ----------
    truth
        bool array, shape (N,).
    logits
        float64 array, shape (N,), log-odds of pneumonia.
    """
    found = minimize_scalar(
        lambda log_t: cross_entropy(truth, logits / np.exp(log_t)),
        bounds=(-np.log(20.0), np.log(20.0)),
        method="bounded",
    )
    return float(np.exp(found.x))


def choose_operating_points(truth: BoolArray, prob: FloatArray, data: str) -> dict[str, OperatingPoint]:
    """Choose the thresholds ``youden``, ``sens95``, ``spec95`` and ``half``.

    Parameters
    ----------
    truth
        bool array, shape (N,), both classes present.
    prob
        float64 array, shape (N,), calibrated probability of pneumonia.
    data
        Which films these are, for the record.
    """
    # Candidates lie half-way between neighbouring films on the scale of the log-odds.
    logits = np.unique(np.log(np.clip(prob, 1e-9, 1 - 1e-9)) - np.log1p(-np.clip(prob, 1e-9, 1 - 1e-9)))
    candidates = sigmoid(np.concatenate([[logits[0]], (logits[1:] + logits[:-1]) / 2]))
    positives, negatives = np.sort(prob[truth]), np.sort(prob[~truth])
    sensitivity = 1 - np.searchsorted(positives, candidates, side="left") / positives.size
    specificity = np.searchsorted(negatives, candidates, side="left") / negatives.size
    youden = sensitivity + specificity
    best = np.flatnonzero(youden >= youden.max() - 1e-12)
    chosen = {
        "youden": (candidates[best[best.size // 2]], "largest sum of sensitivity and specificity"),
        "sens95": (candidates[np.flatnonzero(sensitivity >= TARGET)[-1]], "highest threshold with sensitivity 0.95"),
        "spec95": (
            candidates[np.flatnonzero(specificity >= TARGET)[0]] if np.any(specificity >= TARGET) else 1.0,
            "lowest threshold with specificity 0.95",
        ),
        "half": (0.5, "probability 0.5"),
    }
    points = {}
    for name, (threshold, rule) in chosen.items():
        figures = summarise(truth, prob, float(threshold)).estimates
        points[name] = OperatingPoint(
            name, float(threshold), rule, data, figures["sensitivity"], figures["specificity"]
        )
    return points
