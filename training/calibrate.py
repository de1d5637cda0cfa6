"""From log-odds to probabilities that mean something, and to thresholds that hold elsewhere.

Both are fitted on plain and shifted validation films together. Plain ones alone are too easy: with a specificity near 1
almost any threshold looks right on them, and what is read off them (0.003 or 0.1) ruins the specificity elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Scored:
    """Films of one population in one copy, plain or shifted, and what the network says of them."""

    truth: BoolArray
    """shape (N,), both classes present."""
    scores: FloatArray
    """float64, shape (N,): log-odds, or calibrated probability of pneumonia."""


def cross_entropy(truth: BoolArray, logits: FloatArray) -> float:
    """Mean binary cross-entropy in nats, both classes counting the same."""
    losses = np.logaddexp(0.0, np.where(truth, -logits, logits))
    return float(losses[truth].mean() + losses[~truth].mean()) / 2


def fit_calibration(copies: Sequence[Scored]) -> tuple[float, float]:
    """Find the temperature T and the offset b for which sigmoid((logit + b) / T) has the smallest cross-entropy.

    Platt 1999 with both classes counting the same, as in training: a probability speaks of a film of which nothing
    else is known. Copies and populations count the same, too. T stays between 1/20 and 20, because films that are
    separated perfectly ask for 0.

    Parameters
    ----------
    copies
        Their scores are log-odds of pneumonia.

    Returns
    -------
    Temperature and offset.
    """
    scale = float(np.std(np.concatenate([copy.scores for copy in copies]))) or 1.0  # both unknowns of the same size

    def loss(x: FloatArray) -> float:
        losses = [cross_entropy(copy.truth, (copy.scores + x[1] * scale) / np.exp(x[0])) for copy in copies]
        return sum(losses) / len(losses)

    found = minimize(
        loss,
        x0=(0.0, 0.0),
        bounds=((-_MAX_LOG_TEMPERATURE, _MAX_LOG_TEMPERATURE), (-10.0, 10.0)),
        method="L-BFGS-B",
    )
    return float(np.exp(found.x[0])), float(found.x[1] * scale)


def choose_operating_points(copies: Sequence[Scored], data: str) -> dict[str, OperatingPoint]:
    """Choose the thresholds ``youden``, ``sens95``, ``spec95`` and ``half``.

    Sensitivity and specificity are those of the worst of the copies and populations.

    Parameters
    ----------
    copies
        Their scores are calibrated probabilities of pneumonia.
    data
        Which films these are, for the record.
    """
    # Candidates lie half-way between neighbouring films on the scale of the log-odds.
    clipped = np.clip(np.concatenate([copy.scores for copy in copies]), _CLIP, 1 - _CLIP)
    logits = np.unique(np.log(clipped) - np.log1p(-clipped))
    between = sigmoid((logits[1:] + logits[:-1]) / 2)
    candidates = np.concatenate([[0.0], sigmoid(logits[:1]), between, [1.0]])
    sensitivity = np.min([_share_at_or_above(copy.scores[copy.truth], candidates) for copy in copies], axis=0)
    specificity = np.min([1 - _share_at_or_above(copy.scores[~copy.truth], candidates) for copy in copies], axis=0)
    youden = sensitivity + specificity
    best = np.flatnonzero(youden >= youden.max() - 1e-12)
    specific = np.append(np.flatnonzero(specificity >= TARGET), candidates.size - 1)
    chosen = {
        "youden": (candidates[best[best.size // 2]], "largest sum of sensitivity and specificity"),
        "sens95": (candidates[np.flatnonzero(sensitivity >= TARGET)[-1]], "highest threshold with sensitivity 0.95"),
        "spec95": (candidates[specific[0]], "lowest threshold with specificity 0.95"),
        "half": (0.5, "probability 0.5"),
    }
    return {
        name: OperatingPoint(
            name,
            float(threshold),
            rule,
            data,
            sensitivity=_worst([copy.scores[copy.truth] >= threshold for copy in copies]),
            specificity=_worst([copy.scores[~copy.truth] < threshold for copy in copies]),
        )
        for name, (threshold, rule) in chosen.items()
    }


def _share_at_or_above(prob: FloatArray, thresholds: FloatArray) -> FloatArray:
    return np.asarray(1 - np.searchsorted(np.sort(prob), thresholds, side="left") / prob.size)


def _worst(successes: Sequence[BoolArray]) -> Estimate:
    worst = min(successes, key=lambda each: float(each.mean()))
    k, n = int(worst.sum()), worst.size
    return Estimate(k / n, *wilson_interval(k, n))
