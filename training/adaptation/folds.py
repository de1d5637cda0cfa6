"""Parts of the films that keep patients apart, so that nobody is measured on people whom it was fitted on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cxrscan.scanner.metrics import BoolArray
from cxrscan.training.adaptation.local_films import IndexArray, PatientIds


def patient_folds(truth: BoolArray, patients: PatientIds, n_folds: int, seed: int) -> IndexArray:
    """Deal out patients to folds, those with pneumonia and those without evenly, the ones with most films first.

    Returns
    -------
    Fold of each film, shape (N,).
    """
    names, of_film, n_films = np.unique(patients, return_inverse=True, return_counts=True)
    is_ill = np.bincount(of_film, weights=truth) > 0
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.lexsort((-n_films[shuffled], ~is_ill[shuffled]))]
    folds = np.empty(len(names), dtype=np.intp)
    folds[order] = np.arange(len(names)) % n_folds
    return np.asarray(folds[of_film], dtype=np.intp)


def splits(folds: IndexArray) -> Iterator[tuple[IndexArray, IndexArray]]:
    """Films to fit on and films to measure on, for each fold."""
    for fold in np.unique(folds):
        yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
