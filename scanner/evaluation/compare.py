"""Two runs over the same films: which one is better, by how much, and on which films they part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cxrscan.scanner.errors import LabelError
from cxrscan.scanner.evaluation.evaluate import LabelledFilms
from cxrscan.scanner.metrics import PairedDifference, bootstrap_difference_by_patient, compare_models
from cxrscan.scanner.records import NEGATIVE, POSITIVE, Estimate


@dataclass(frozen=True, slots=True)
class ChangedFilm:
    """A film that the two runs call differently."""

    name: str
    truth: str
    first_prob: float
    second_prob: float
    first_call: str
    second_call: str

    @property
    def better(self) -> bool:
        """Whether the second run is the one that is right."""
        return self.second_call == self.truth


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs, measured on the labelled films that both scored."""

    n: int
    n_positive: int
    n_patients: int
    n_first_only: int
    """Labelled films that only the first run scored; left out."""
    thresholds: tuple[float, float]
    differences: Mapping[str, PairedDifference]
    """Metric -> both values, second minus first, and the paired test; films taken as independent."""
    by_patient: Mapping[str, Estimate]
    """Metric -> second minus first with an interval clustered by patient; empty when every patient has one film."""
    changed: tuple[ChangedFilm, ...]


def compare_runs(
    first: LabelledFilms, second_probs: Mapping[str, float], thresholds: tuple[float, float]
) -> Comparison:
    """Compare a second run with a first on the films that both scored.

    Parameters
    ----------
    first
        The first run's labelled films.
    second_probs
        Film -> the second run's probability.
    thresholds
        Of the first and the second run.

    Raises
    ------
    LabelError
        ``runs-disjoint``.
    """
    shared = np.array([name in second_probs for name in first.names], dtype=np.bool_)
    if not shared.any():
        raise LabelError("runs-disjoint", "No labelled film was scored by both runs.")
    names = [name for name in first.names if name in second_probs]
    truth, patients = first.truth[shared], first.patients[shared]
    probs = (first.prob[shared], np.array([second_probs[name] for name in names], dtype=np.float64))
    n_patients = int(np.unique(patients).size)
    clustered = n_patients < truth.size
    called = [prob >= threshold for prob, threshold in zip(probs, thresholds, strict=True)]
    return Comparison(
        n=truth.size,
        n_positive=int(truth.sum()),
        n_patients=n_patients,
        n_first_only=int((~shared).sum()),
        thresholds=thresholds,
        differences=compare_models(truth, probs, thresholds),
        by_patient=bootstrap_difference_by_patient(truth, probs, thresholds, patients) if clustered else {},
        changed=tuple(
            ChangedFilm(
                names[i],
                _class(truth[i]),
                float(probs[0][i]),
                float(probs[1][i]),
                _class(called[0][i]),
                _class(called[1][i]),
            )
            for i in np.flatnonzero(called[0] != called[1])
        ),
    )


def _class(positive: np.bool_) -> str:
    return POSITIVE if positive else NEGATIVE
