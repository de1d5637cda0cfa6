"""How well readers agree beyond chance: the kappas of Cohen and of Fleiss.

Both are 1 minus a ratio: disagreement as observed over disagreement as chance would give it. They differ in what chance
is: Cohen's lets each reader favour categories of their own, Fleiss' takes the readers as drawn from many.
Intervals come from the jackknife over patients (films of one patient resemble each other), on the ratio's log scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cxrscan.scanner.metrics.arrays import FloatArray
from cxrscan.scanner.metrics.bootstrap import ONE_PATIENT, PatientIds
from cxrscan.scanner.metrics.intervals import normal_quantile, undefined
from cxrscan.scanner.records import Estimate

Calls = NDArray[np.intp]
"""shape (N, R): category, from 0, that each of R readers put each of N films in."""

NO_FILM = "No film was read by all of them."
ONE_CATEGORY = "All calls are of one category, so that chance agrees as often as the readers."
ALL_AGREE = "They agree on every film; the jackknife has no spread to go by."
_TINY = 1e-12


def cohen_kappa(calls: Calls, patients: PatientIds) -> Estimate:
    """Agreement of two readers beyond chance, unweighted (Cohen 1960, 10.1177/001316446002000104).

    Parameters
    ----------
    calls
        int array, shape (N, 2).
    patients
        str array, shape (N,): whose film it is. A film of an unknown patient needs a name of its own.

    Returns
    -------
    Kappa in [-1, 1] with its 95 % interval; undefined without a film, and where only one category was used.

    Raises
    ------
    ValueError
        Other than two readers, or the arrays do not describe the same films.
    """
    if calls.ndim != 2 or calls.shape[1] != 2:
        raise ValueError(f"calls of two readers have not the shape {calls.shape}")
    return _kappa(calls, patients, lambda chosen: (chosen[..., 0, :] * chosen[..., 1, :]).sum(axis=-1))


def fleiss_kappa(calls: Calls, patients: PatientIds) -> Estimate:
    """Agreement of several readers beyond chance (Fleiss 1971, 10.1037/h0031619).

    Parameters
    ----------
    calls
        int array, shape (N, R), R >= 2.
    patients
        As for ``cohen_kappa``, whose returns and errors these are, too.
    """
    return _kappa(calls, patients, lambda chosen: (chosen.mean(axis=-2) ** 2).sum(axis=-1))


def observed_agreement(calls: Calls) -> float:
    """Share of pairs of readers and films that agree, in [0, 1]; NaN without a film."""
    return float(_agreeing(_one_hot(calls)).mean()) if len(calls) else math.nan


def _kappa(calls: Calls, patients: PatientIds, chance: Callable[[FloatArray], FloatArray]) -> Estimate:
    """Kappa for an agreement by chance that follows from each reader's share of each category, shape (..., R, K)."""
    if calls.ndim != 2 or calls.shape[1] < 2 or patients.shape != calls.shape[:1]:
        raise ValueError(f"calls of shape {calls.shape}, but {patients.size} films")
    if not len(calls):
        return undefined(NO_FILM)
    chosen = _one_hot(calls)
    names, index = np.unique(patients, return_inverse=True)
    # For each patient: films, those agreed on, and how often each reader chose each category.
    parts = [np.ones(len(calls)), _agreeing(chosen), *chosen.reshape(len(calls), -1).T]
    sums = np.stack([np.bincount(index, weights=part) for part in parts], axis=-1)

    def disagreement(sums: FloatArray) -> FloatArray:
        """Observed over expected disagreement, shape (...)."""
        n, agreed = sums[..., 0], sums[..., 1]
        shares = (sums[..., 2:] / n[..., np.newaxis]).reshape(*sums.shape[:-1], *chosen.shape[1:])
        by_chance = 1 - chance(shares)
        return np.where(by_chance > _TINY, (1 - agreed / n) / np.maximum(by_chance, _TINY), np.nan)

    total = sums.sum(axis=0)
    ratio = float(disagreement(total))
    if math.isnan(ratio):
        return undefined(ONE_CATEGORY)
    if len(names) < 2:
        return Estimate(1 - ratio, reason=ONE_PATIENT)
    if ratio < _TINY:
        return Estimate(1.0, reason=ALL_AGREE)
    without = disagreement(total - sums)
    without = np.where(np.isnan(without), ratio, without)  # a patient without whom only one category is left
    spread = math.sqrt((len(names) - 1) / len(names) * float(((without - without.mean()) ** 2).sum()))
    factor = math.exp(normal_quantile() * spread / ratio)
    return Estimate(1 - ratio, max(-1.0, 1 - ratio * factor), 1 - ratio / factor)


def _one_hot(calls: Calls) -> FloatArray:
    """Mark each call, shape (N, R, K): 1 where reader r put film n in category k."""
    return np.asarray(np.eye(int(calls.max(initial=0)) + 1)[calls])


def _agreeing(chosen: FloatArray) -> FloatArray:
    """Share of the pairs of readers that agree, for each film."""
    n_readers = chosen.shape[1]
    votes = chosen.sum(axis=1)
    return np.asarray((votes * (votes - 1)).sum(axis=1) / (n_readers * (n_readers - 1)))
