"""A linear head on the embedding that stays near the parent's answer: log-odds = a x parent's + w . embedding + b.

Ridge logistic regression (le Cessie and van Houwelingen 1992), both classes counting the same as in training. The
penalty holds the weights of the embedding; with a large one nothing but a recalibration of the parent is left. So a
few films move the answer little, and many move it far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxrscan.scanner.metrics import BoolArray, FloatArray
from cxrscan.training.adaptation.folds import patient_folds, splits
from cxrscan.training.adaptation.local_films import LocalFilms
from cxrscan.training.calibrate import cross_entropy

PENALTIES = (1e3, 3e3, 1e4, 3e4, 1e5)
"""Of the squared weights, embedding in units of its channels' mean standard deviation, films' weights 1 on average."""
_N_FOLDS = 4
_MAX_ITERATIONS = 200
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class LinearHead:
    """What makes the new log-odds of a film out of the parent's and its embedding."""

    weights: npt.NDArray[np.float64]
    """shape (C,)."""
    parent: float
    """Share of the parent's log-odds."""
    bias: float

    def log_odds(self, films: LocalFilms) -> FloatArray:
        """Shape (N,), uncalibrated."""
        return np.asarray(self.parent * films.log_odds + films.embeddings @ self.weights + self.bias)


def class_weights(truth: BoolArray) -> FloatArray:
    """Weights with a mean of 1 that let both classes count the same; shape (N,)."""
    share = truth.mean()
    return np.asarray(np.where(truth, 0.5 / share, 0.5 / (1 - share)), dtype=np.float64)


def fit_heads(films: LocalFilms, penalties: Sequence[float] = PENALTIES) -> list[LinearHead]:
    """Fit a head for each penalty; the films hold both classes."""
    from scipy.optimize import minimize

    embeddings = films.embeddings.astype(np.float64)
    mean, scale = embeddings.mean(axis=0), float(embeddings.std(axis=0).mean()) + _TINY
    parent_mean, parent_scale = float(films.log_odds.mean()), float(films.log_odds.std()) + _TINY
    # As many coordinates as there are films say all that a ridge penalty can tell apart.
    centred = (embeddings - mean) / scale
    squares, left = np.linalg.eigh(centred @ centred.T)
    sizes = np.sqrt(np.maximum(squares, _TINY))
    design = np.column_stack([left * sizes, (films.log_odds - parent_mean) / parent_scale, np.ones(films.n)])
    sign, weight = np.where(films.truth, 1.0, -1.0), class_weights(films.truth)
    heads, start = [], np.zeros(design.shape[1])
    for penalty in sorted(penalties, reverse=True):
        ridge = np.append(np.full(len(sizes), penalty), [1.0, 0.0])

        def loss(x: FloatArray, ridge: FloatArray = ridge) -> tuple[float, FloatArray]:
            margin = sign * (design @ x)
            value = weight @ np.logaddexp(0.0, -margin) + 0.5 * ridge @ x**2
            slope = -weight * sign * np.exp(-np.logaddexp(0.0, margin))
            return float(value), slope @ design + ridge * x

        start = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _MAX_ITERATIONS}).x
        weights, parent = centred.T @ (left @ (start[:-2] / sizes)) / scale, float(start[-2]) / parent_scale
        heads.append(LinearHead(weights, parent, float(start[-1] - weights @ mean - parent * parent_mean)))
    return [heads[sorted(penalties, reverse=True).index(penalty)] for penalty in penalties]


@dataclass(frozen=True, slots=True)
class ChosenHead:
    """The head of the best penalty, and what heads that had not seen a film said of it."""

    head: LinearHead
    out_of_fold: FloatArray
    """Shape (N,), log-odds."""


def choose_head(films: LocalFilms, *, seed: int = 0) -> ChosenHead:
    """Choose the penalty by cross-validation over patients, then fit on all films."""
    said = np.empty((len(PENALTIES), films.n))
    for fitted, held in splits(patient_folds(films.truth, films.patients, _N_FOLDS, seed)):
        for row, head in zip(said, fit_heads(films.part(fitted)), strict=True):
            row[held] = head.log_odds(films.part(held))
    best = int(np.argmin([cross_entropy(films.truth, row) for row in said]))
    return ChosenHead(fit_heads(films, PENALTIES[best : best + 1])[0], said[best])
