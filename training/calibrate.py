"""From log-odds to probabilities that mean something, and to thresholds that hold elsewhere.

Both are fitted on plain and shifted validation films together. Plain ones alone are too easy: with a specificity near 1
almost any threshold looks right on them, and what is read off them (0.003 or 0.1) ruins the specificity elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

from scanner.metrics import BoolArray, FloatArray, wilson_interval
from scanner.model_bundle import OperatingPoint
from scanner.records import Estimate

TARGET = 0.95
"""Sensitivity of ``sens95`` and specificity of ``spec95``."""
_CLIP = 1e-9
_MAX_LOG_TEMPERATURE = float(np.log(20.0))


def sigmoid(logits: FloatArray) -> FloatArray:
    """Probability from log-odds, without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -logits)), dtype=np.float64)


def cross_entropy(truth: BoolArray, logits: FloatArray) -> float:
    """Mean binary cross-entropy in nats, both classes counting the same."""
    losses = np.logaddexp(0.0, np.where(truth, -logits, logits))
    return float(losses[truth].mean() + losses[~truth].mean()) / 2


def fit_calibration(truth: BoolArray, logits: FloatArray) -> tuple[float, float]:
    """Find the temperature T and the offset b for which sigmoid((logit + b) / T) has the smallest cross-entropy.

    Platt 1999 with both classes counting the same, as in training: a probability speaks of a film of which nothing
    else is known. T stays between 1/20 and 20, because films that are separated perfectly ask for 0.

    Parameters
    ----------
    truth
        bool array, shape (N,).
    logits
        float64 array, shape (N,), log-odds of pneumonia.

    Returns
    -------
    Temperature and offset.
    """
    scale = float(np.std(logits)) or 1.0  # brings both unknowns to the same size
    found = minimize(
        lambda x: cross_entropy(truth, (logits + x[1] * scale) / np.exp(x[0])),
        x0=(0.0, 0.0),
        bounds=((-_MAX_LOG_TEMPERATURE, _MAX_LOG_TEMPERATURE), (-10.0, 10.0)),
        method="L-BFGS-B",
    )
    return float(np.exp(found.x[0])), float(found.x[1] * scale)


def choose_operating_points(truth: BoolArray, probs: Sequence[FloatArray], data: str) -> dict[str, OperatingPoint]:
    """Choose the thresholds ``youden``, ``sens95``, ``spec95`` and ``half``.

    Sensitivity and specificity are those of the worse of several copies of the films.

    Parameters
    ----------
    truth
        bool array, shape (N,), both classes present.
    probs
        float64 arrays, shape (N,): calibrated probability of pneumonia, one array for each copy.
    data
        Which films these are, for the record.
    """
    # Candidates lie half-way between neighbouring films on the scale of the log-odds.
    clipped = np.clip(np.concatenate(probs), _CLIP, 1 - _CLIP)
    logits = np.unique(np.log(clipped) - np.log1p(-clipped))
    candidates = np.append(sigmoid(np.concatenate([logits[:1], (logits[1:] + logits[:-1]) / 2])), 1.0)
    sensitivity = np.min([_share_at_or_above(prob[truth], candidates) for prob in probs], axis=0)
    specificity = np.min([1 - _share_at_or_above(prob[~truth], candidates) for prob in probs], axis=0)
    youden = sensitivity + specificity
    best = np.flatnonzero(youden >= youden.max() - 1e-12)
    chosen = {
        "youden": (candidates[best[best.size // 2]], "largest sum of sensitivity and specificity"),
        "sens95": (candidates[np.flatnonzero(sensitivity >= TARGET)[-1]], "highest threshold with sensitivity 0.95"),
        "spec95": (candidates[np.flatnonzero(specificity >= TARGET)[0]], "lowest threshold with specificity 0.95"),
        "half": (0.5, "probability 0.5"),
    }
    return {
        name: OperatingPoint(
            name,
            float(threshold),
            rule,
            data,
            sensitivity=_worst([int(np.sum(prob[truth] >= threshold)) for prob in probs], int(truth.sum())),
            specificity=_worst([int(np.sum(prob[~truth] < threshold)) for prob in probs], int((~truth).sum())),
        )
        for name, (threshold, rule) in chosen.items()
    }


def _share_at_or_above(prob: FloatArray, thresholds: FloatArray) -> FloatArray:
    return np.asarray(1 - np.searchsorted(np.sort(prob), thresholds, side="left") / prob.size)


def _worst(successes: Sequence[int], n: int) -> Estimate:
    k = min(successes)
    return Estimate(k / n, *wilson_interval(k, n))
