"""From log-odds to probabilities that mean something, and to thresholds that hold elsewhere.

Each population gets a calibration of its own, for the same share of films with pneumonia, and a classifier that finds
the population of a film: the classifier on training films, all else on validation films, plain and shifted ones
together. Plain ones alone are too easy: with a specificity near 1 almost any threshold looks right on them, and what is
read off them (0.003 or 0.1) ruins the specificity elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from cxrscan.scanner.calibration import PopulationFinder, root
from cxrscan.scanner.metrics import BoolArray, FloatArray, wilson_interval
from cxrscan.scanner.model_bundle import Calibration, OperatingPoint
from cxrscan.scanner.packed_arrays import FloatArray as Embeddings
from cxrscan.scanner.records import Estimate, Predictions

TARGET = 0.95
"""Sensitivity of ``sens95`` and specificity of ``spec95``."""
_CLIP = 1e-9
_MAX_LOG_TEMPERATURE = float(np.log(20.0))
_INVERSE_REGULARISATION = 0.1  # of the classifier that tells populations apart; they differ in much


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


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What makes probabilities of a network's answers."""

    prior: float
    """Share of films with pneumonia that the probabilities assume."""
    calibrations: Mapping[str, Calibration]
    """Population -> its calibration."""
    finder: PopulationFinder | None
    """Tells the populations apart; None where there is one only."""

    def probabilities(self, said: Predictions) -> FloatArray:
        """Probability of pneumonia of each film, as the scanner computes it; float64, shape (N,)."""
        populations = self.populations(said)
        both = zip(said.logits.astype(np.float64), populations, strict=True)
        return np.array([self.calibrations[population].probability(logit) for logit, population in both])

    def populations(self, said: Predictions) -> list[str]:
        """Population that each film is taken for."""
        if self.finder is None:
            return [next(iter(self.calibrations))] * len(said.logits)
        return [self.finder.find(embedding) for embedding in said.embeddings]

    def to_document(self) -> dict[str, Any]:
        """Content of ``calibration`` in ``model.json``."""
        document = {
            "prior": self.prior,
            "populations": {name: asdict(calibration) for name, calibration in self.calibrations.items()},
        }
        return document if self.finder is None else document | {"finder": self.finder.to_document()}


def fit_finder(embeddings: Embeddings, populations: Sequence[str]) -> PopulationFinder | None:
    """Learn to tell populations apart by what the network makes of training films; None where there is one only.

    Parameters
    ----------
    embeddings
        shape (N, C).
    populations
        Of each film.
    """
    from sklearn.linear_model import LogisticRegression  # of the extra `train`; adapting a model does without

    names = tuple(dict.fromkeys(populations))
    if len(names) < 2:
        return None
    numbers = np.array([names.index(name) for name in populations])
    classifier = LogisticRegression(C=_INVERSE_REGULARISATION, class_weight="balanced", max_iter=1000)
    classifier.fit(root(embeddings), numbers)
    rows = np.column_stack([classifier.coef_, classifier.intercept_])
    rows = np.vstack([-rows, rows]) / 2 if len(names) == 2 else rows
    return PopulationFinder.from_document(names, PopulationFinder(names, rows.astype(np.float32)).to_document())


def cross_entropy(truth: BoolArray, logits: FloatArray, prior: float = 0.5) -> float:
    """Mean binary cross-entropy in nats, as if a share ``prior`` of the films were positive."""
    losses = np.logaddexp(0.0, np.where(truth, -logits, logits))
    return float(prior * losses[truth].mean() + (1 - prior) * losses[~truth].mean())


def error_at_prior(truth: BoolArray, prob: FloatArray, prior: float) -> float:
    """Expected calibration error in ten bins of equal width, as if a share ``prior`` of the films were positive."""
    weights = np.where(truth, prior / truth.mean(), (1 - prior) / (1 - truth.mean())) / truth.size
    bins = np.minimum((prob * 10).astype(np.intp), 9)
    return float(np.abs(np.bincount(bins, weights * (truth - prob))).sum())


def fit_calibration(copies: Sequence[Scored], prior: float = 0.5) -> Calibration:
    """Find the calibration with the smallest cross-entropy, as if a share ``prior`` of the films were positive.

    Platt 1999. Copies count the same. The scale stays between 1/20 and 20, because films that are separated perfectly
    ask for infinity.

    Parameters
    ----------
    copies
        Their scores are log-odds of pneumonia.
    """
    scale = float(np.std(np.concatenate([copy.scores for copy in copies]))) or 1.0  # both unknowns of the same size

    def loss(x: FloatArray) -> float:
        losses = [cross_entropy(copy.truth, (copy.scores + x[1] * scale) / np.exp(x[0]), prior) for copy in copies]
        return sum(losses) / len(losses)

    found = minimize(
        loss,
        x0=(0.0, 0.0),
        bounds=((-_MAX_LOG_TEMPERATURE, _MAX_LOG_TEMPERATURE), (-10.0, 10.0)),
        method="L-BFGS-B",
    )
    slope = float(np.exp(-found.x[0]))
    return Calibration(slope, slope * float(found.x[1] * scale))


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
