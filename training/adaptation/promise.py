"""A threshold with a promise: with 95 % confidence it finds at least such a share of the films with pneumonia.

The (k + 1)-th smallest score of n positive films lies below the quantile 1 - s of all such scores, unless k or fewer
of n films fall below that quantile: a binomial probability, whatever the scores' distribution (Wilks 1941).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cxrscan.scanner.metrics import BoolArray, FloatArray
from cxrscan.training.adaptation.local_films import PatientIds

CONFIDENCE = 0.95
_MARGIN = 1e-3
"""Log-odds by which the threshold stays below the film that it rests on; a scan elsewhere differs by less."""


@dataclass(frozen=True, slots=True)
class Promise:
    """A threshold, and what may be said of it."""

    log_odds: float
    sensitivity: float
    """At least this share, with 95 % confidence."""
    n_positive: int
    """People with pneumonia that it rests on."""
    n_missed: int
    """Of these, how many lie below it."""


def positives_needed(sensitivity: float, n_missed: int) -> int:
    """Fewest positive films of which so many may be missed: 29, 46 and 61 for 0, 1 and 2 at a sensitivity of 0.90.

    Parameters
    ----------
    sensitivity
        Promised, strictly between 0 and 1.
    """
    n = n_missed + 1
    while _chance(n, n_missed, 1 - sensitivity) > 1 - CONFIDENCE:
        n += 1
    return n


def _chance(n: int, most: int, share: float) -> float:
    """Probability that at most so many of n films fall below a quantile."""
    return math.fsum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(most + 1))


def promised_threshold(
    truth: BoolArray, log_odds: FloatArray, patients: PatientIds, sensitivity: float
) -> Promise | None:
    """Highest threshold that these films allow a promise for; None where there are too few.

    Films of one person are no independent witnesses: of each the lowest positive film counts.

    Parameters
    ----------
    log_odds
        shape (N,), of films that had no part in making the model, or scored by one that had not seen them.
    """
    lowest = np.sort([log_odds[truth & (patients == each)].min() for each in np.unique(patients[truth])])
    n_missed = -1
    while _chance(len(lowest), n_missed + 1, 1 - sensitivity) <= 1 - CONFIDENCE and n_missed + 1 < len(lowest):
        n_missed += 1
    if n_missed < 0:
        return None
    return Promise(float(lowest[n_missed]) - _MARGIN, sensitivity, len(lowest), n_missed)
