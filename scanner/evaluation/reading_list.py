"""Which films to read next: those that a model learns most from, few as they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxrscan.scanner.metrics import FloatArray

_SHARES = np.array([1, 2, 3, 3, 4]) / 13
"""Of the list, for each fifth of the films by score, the lowest first: films with pneumonia are rare, and lie high."""
_LEAST_WEIGHT = 0.3
"""Weight of a film that the model is sure of; 1 is that of one at the threshold."""


def choose_films(log_odds: FloatArray, features: FloatArray, at: float, n: int, *, seed: int = 0) -> NDArray[np.intp]:
    """Choose films that differ from each other, at all heights of the score, those near the threshold first.

    The films are parted into fifths by their score, and drawn from these in turn, from the higher ones more often.
    Within a fifth, a film's chance is its weight times its distance from the nearest film chosen so far, much as in
    k-means++ (Arthur and Vassilvitskii 2007); the weight falls from 1 at the threshold to 0.3. So no two are alike.

    Parameters
    ----------
    log_odds
        float array, shape (N,).
    features
        float array, shape (N, K), finite; each column counts alike.
    at
        Log-odds of the threshold.
    n
        Films wanted; all N where there are no more.

    Returns
    -------
    Indices in the order of choice, so that the first m of n are a good choice of m; the same seed gives the same.
    """
    rng = np.random.default_rng(seed)
    scaled = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-6)
    weights = _weights(log_odds, at)
    strata = _strata(log_odds)
    # Distance from the nearest film chosen; before the first it counts for nothing.
    distances = np.ones(log_odds.size)
    left = np.ones(log_odds.size, dtype=np.bool_)
    chosen: list[int] = []
    while len(chosen) < min(n, log_odds.size):
        candidates = left & (strata == _next_stratum(strata[chosen], strata[left]))
        chances = np.where(candidates, weights * distances, 0.0)
        if chances.sum() <= 0:  # only copies of chosen films are left
            chances = candidates.astype(np.float64)
        pick = int(rng.choice(log_odds.size, p=chances / chances.sum()))
        near = np.linalg.norm(scaled - scaled[pick], axis=1)
        distances = np.minimum(distances, near) if chosen else near
        left[pick] = False
        chosen.append(pick)
    return np.array(chosen, dtype=np.intp)


def _weights(log_odds: FloatArray, at: float) -> FloatArray:
    """4 q (1 - q) for the probability q that the threshold would make 0.5 of."""
    half = np.clip((log_odds - at) / 2, -50, 50)
    return np.asarray(np.maximum(np.cosh(half) ** -2, _LEAST_WEIGHT))


def _strata(log_odds: FloatArray) -> NDArray[np.intp]:
    """Fifth in which each film lies, 0 for the lowest scores."""
    ranks = np.argsort(np.argsort(log_odds, kind="stable"), kind="stable")
    return ranks * _SHARES.size // max(1, log_odds.size)


def _next_stratum(chosen: NDArray[np.intp], left: NDArray[np.intp]) -> int:
    """The fifth that is furthest behind its share, of those that have films left."""
    there = np.bincount(left, minlength=_SHARES.size) > 0
    behind = _SHARES * (chosen.size + 1) - np.bincount(chosen, minlength=_SHARES.size)
    return int(np.where(there, behind, -np.inf).argmax())
