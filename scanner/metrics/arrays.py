"""The arrays that every metric takes: what is true, and how probable the model finds it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


def check_films(truth: BoolArray, *probs: FloatArray) -> None:
    """Refuse arrays that do not describe the same films.

    Parameters
    ----------
    truth
        bool array, shape (N,), True for pneumonia.
    probs
        float arrays, shape (N,), values in [0, 1].

    Raises
    ------
    ValueError
        The shapes differ, the truth is not boolean, or a probability lies outside [0, 1] or is NaN.
    """
    if truth.ndim != 1 or truth.dtype != np.bool_:
        raise ValueError(f"truth must be a boolean vector, not {truth.dtype} of shape {truth.shape}")
    for prob in probs:
        if prob.shape != truth.shape:
            raise ValueError(f"{truth.size} truths, but probabilities of shape {prob.shape}")
        if not np.all((prob >= 0) & (prob <= 1)):
            raise ValueError("probabilities must lie in [0, 1]")
