"""The 2 x 2 table of one threshold; ``figures`` says what follows from its four counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cxrscan.scanner.metrics.arrays import BoolArray, FloatArray, check_films

NO_FILMS = "There is no film with a truth and a probability."
NO_POSITIVES = "There is no film with pneumonia."
NO_NEGATIVES = "There is no normal film."
ONE_CLASS = "There are only films of one class."
NO_CALLS = "No film was called positive."
ALL_CALLED = "Every film was called positive."


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """Counts of films by truth and call; positive is pneumonia."""

    tp: int
    """Pneumonia, called pneumonia."""
    fp: int
    """Normal, called pneumonia."""
    fn: int
    """Pneumonia, called normal."""
    tn: int
    """Normal, called normal."""

    @property
    def n(self) -> int:
        """All films."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def n_positive(self) -> int:
        """Films with pneumonia."""
        return self.tp + self.fn

    @property
    def n_negative(self) -> int:
        """Normal films."""
        return self.fp + self.tn


def confusion_matrix(truth: BoolArray, prob: FloatArray, threshold: float) -> ConfusionMatrix:
    """Count films by truth and call; a film is called positive when ``prob >= threshold``.

    Parameters
    ----------
    truth
        bool array, shape (N,), True for pneumonia.
    prob
        float array, shape (N,), probability of pneumonia in [0, 1].
    """
    check_films(truth, prob)
    called = prob >= threshold
    tp, n_called = int(np.sum(truth & called)), int(np.sum(called))
    n_positive = int(np.sum(truth))
    return ConfusionMatrix(tp, n_called - tp, n_positive - tp, truth.size - n_positive - n_called + tp)
