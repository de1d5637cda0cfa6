"""Intervals that know that films of one patient resemble each other: bootstrap by patient.

Whole patients are drawn with replacement (Field and Welsh 2007), each resample being a vector of how often every
patient was drawn. All resamples are computed at once from these counts; no film is copied.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cxrscan.scanner.metrics.arrays import BoolArray, FloatArray, check_films
from cxrscan.scanner.metrics.calibration import brier_score
from cxrscan.scanner.metrics.confusion import confusion_matrix
from cxrscan.scanner.metrics.curves import average_precision
from cxrscan.scanner.metrics.delong import auc_delong
from cxrscan.scanner.metrics.figures import figure_estimates, figure_values
from cxrscan.scanner.metrics.intervals import CONFIDENCE, undefined
from cxrscan.scanner.records import Estimate

N_RESAMPLES = 2000
_CHUNK_CELLS = 1 << 18
"""Resamples x films that are computed at once: 2 MB per array stay in the processor's cache."""
_MIN_DEFINED = 0.95
"""Share of resamples in which a figure must be defined for its quantiles to mean anything."""
_NO_SPREAD = 1e-12
"""Differences between resamples that are only rounding."""

ONE_PATIENT = "Resampling needs films of two patients."

PatientIds = NDArray[np.str_]


def bootstrap_by_patient(
    truth: BoolArray,
    prob: FloatArray,
    threshold: float,
    patients: PatientIds,
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Figures of the 2 x 2 table, AUC, average precision and Brier score with intervals clustered by patient.

    Parameters
    ----------
    truth
        bool array, shape (N,), True for pneumonia.
    prob
        float array, shape (N,), probability of pneumonia in [0, 1].
    threshold
        A film is called positive when ``prob >= threshold``.
    patients
        str array, shape (N,): whose film it is. A film of an unknown patient needs a name of its own.
    n_resamples, seed
        The same seed gives the same intervals.

    Returns
    -------
    The film-level values with percentile intervals; keys as in ``Summary.estimates``.
    """
    check_films(truth, prob)
    values = _values(truth, prob, threshold)
    if np.unique(patients).size < 2:
        return {name: _without_interval(value, ONE_PATIENT) for name, value in values.items()}
    resamples = _resampled(truth, prob, threshold, patients, n_resamples, seed)
    return {name: _percentile_estimate(value, resamples[name]) for name, value in values.items()}


def bootstrap_difference_by_patient(
    truth: BoolArray,
    probs: tuple[FloatArray, FloatArray],
    thresholds: tuple[float, float],
    patients: PatientIds,
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Second minus first of two models on the same films, with intervals clustered by patient.

    Both models meet the same resamples, so what they share cancels out. Otherwise as ``bootstrap_by_patient``.
    """
    check_films(truth, *probs)
    first, second = (_values(truth, prob, threshold) for prob, threshold in zip(probs, thresholds, strict=True))
    values = {name: _difference(first[name], second[name]) for name in first}
    if np.unique(patients).size < 2:
        return {name: _without_interval(value, ONE_PATIENT) for name, value in values.items()}
    a, b = (
        _resampled(truth, prob, threshold, patients, n_resamples, seed)
        for prob, threshold in zip(probs, thresholds, strict=True)
    )
    return {name: _percentile_estimate(value, b[name] - a[name]) for name, value in values.items()}


def _values(truth: BoolArray, prob: FloatArray, threshold: float) -> dict[str, Estimate]:
    return figure_estimates(confusion_matrix(truth, prob, threshold)) | {
        "auc": auc_delong(truth, prob),
        "average_precision": average_precision(truth, prob),
        "brier": brier_score(truth, prob),
    }


def _difference(a: Estimate, b: Estimate) -> Estimate:
    if a.value is None or b.value is None:
        return undefined(a.reason if a.value is None else b.reason)
    return Estimate(b.value - a.value)


def _without_interval(estimate: Estimate, reason: str) -> Estimate:
    return Estimate(estimate.value, reason=reason if estimate.value is not None else estimate.reason)


def _percentile_estimate(estimate: Estimate, resamples: FloatArray) -> Estimate:
    defined = resamples[~np.isnan(resamples)]
    if estimate.value is None or defined.size < _MIN_DEFINED * resamples.size:
        return _without_interval(estimate, "Undefined in more than 5 % of the resamples.")
    low, high = np.quantile(defined, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    if high - low < _NO_SPREAD:
        return _without_interval(estimate, "The resamples show no spread; the interval film by film says more.")
    return Estimate(estimate.value, float(low), float(high))


def _resampled(
    truth: BoolArray, prob: FloatArray, threshold: float, patients: PatientIds, n_resamples: int, seed: int
) -> dict[str, FloatArray]:
    """Every figure in every resample, shape (n_resamples,); NaN where it is undefined."""
    order = np.argsort(-prob, kind="stable")
    truth, prob = truth[order], prob[order]
    _, patient_index = np.unique(patients[order], return_inverse=True)
    starts = np.flatnonzero(np.diff(prob, prepend=np.inf))
    n_patients = int(patient_index.max()) + 1
    # Sums over each patient's films, for all that does not depend on the order of the films.
    addends = np.stack(
        [truth & (prob >= threshold), prob >= threshold, truth, np.ones_like(truth), (prob - truth) ** 2]
    )
    sums = np.stack([np.bincount(patient_index, weights=row, minlength=n_patients) for row in addends], axis=1)
    parts = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for draws in _draws(n_patients, truth.size, n_resamples, seed):
            tp, n_called, n_positive, n, loss = (draws @ sums).T
            weights = draws[:, patient_index]
            parts.append(
                _table_figures(tp, n_called, n_positive, n)
                | _ranking_figures(weights, weights * truth, starts)
                | {"brier": loss / n}
            )
    resamples = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in resamples.items()}


def _draws(n_patients: int, n_films: int, n_resamples: int, seed: int) -> Iterator[FloatArray]:
    """How often each patient was drawn, in chunks of shape (resamples, n_patients)."""
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_CELLS // n_films)
    for start in range(0, n_resamples, chunk):
        n = min(chunk, n_resamples - start)
        drawn = rng.integers(n_patients, size=(n, n_patients)) + n_patients * np.arange(n)[:, np.newaxis]
        yield np.bincount(drawn.ravel(), minlength=n * n_patients).reshape(n, n_patients).astype(np.float64)


def _table_figures(tp: FloatArray, called: FloatArray, n_positive: FloatArray, n: FloatArray) -> dict[str, FloatArray]:
    """Return the figures of many 2 x 2 tables."""
    fp, fn = called - tp, n_positive - tp
    return figure_values({"tp": tp, "fp": fp, "fn": fn, "tn": n - called - fn})


def _ranking_figures(weights: FloatArray, positive: FloatArray, starts: NDArray[np.intp]) -> dict[str, FloatArray]:
    """AUC and average precision of weighted films, sorted by falling probability; ``starts`` begin the ties."""
    if starts.size < weights.shape[1]:
        positive = np.add.reduceat(positive, starts, axis=1)
        weights = np.add.reduceat(weights, starts, axis=1)
    tp, called = positive.cumsum(axis=1), weights.cumsum(axis=1)
    n_positive = tp[:, -1]
    n_negative = called[:, -1] - n_positive
    # Negative films above each positive one: pairs ranked the wrong way; ties count half.
    lost = np.einsum("ij,ij->i", positive, called - tp - (weights - positive) / 2)
    precision = tp / np.maximum(called, 1)
    return {
        "auc": 1 - lost / (n_positive * n_negative),
        "average_precision": np.einsum("ij,ij->i", positive, precision) / n_positive,
    }
