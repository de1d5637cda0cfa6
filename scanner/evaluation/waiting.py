"""How long studies with pneumonia wait to be read, by a worklist and as they come: a simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxrscan.scanner.evaluation.worklist import Entry
from cxrscan.scanner.metrics import BoolArray, FloatArray
from cxrscan.scanner.metrics.intervals import CONFIDENCE
from cxrscan.scanner.records import POSITIVE, Estimate

N_SIMULATIONS = 500
_FEW = 10
"""Labelled studies of a class below which labels say too little to draw from."""
_LATE = 0.9

FIGURES = {
    "as_they_come": "Mean time until a study with pneumonia is read, as they come",
    "by_worklist": "The same by the worklist",
    "gain": "Gain",
    "late_as_they_come": "Time until 9 of 10 of them are read, as they come",
    "late_by_worklist": "The same by the worklist",
    "others_lose": "Mean time by which the other studies are read later",
}
"""Figure -> what it is; all in minutes."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Simulated times until studies are read."""

    prevalence: float
    minutes_per_study: float
    n_readers: int
    n_studies: int
    """On the list, all there when reading begins."""
    n_simulations: int
    basis: str
    """``labels``: classes are drawn from the run's labelled studies; ``probabilities``: as if each urgency were the
    chance of pneumonia."""
    figures: dict[str, Estimate]
    """Key of FIGURES -> minutes; mean of the simulations, and the range of 95 % of them."""


def simulate_waiting(
    entries: Sequence[Entry],
    *,
    prevalence: float,
    minutes_per_study: float,
    n_readers: int = 1,
    n_simulations: int = N_SIMULATIONS,
    seed: int = 0,
) -> Waiting:
    """Read a list of as many studies again and again, in a random order and by urgency.

    With ten and more labelled studies of both classes, each simulation draws patients anew and then its list from
    their studies, with the given prevalence. Else every study shows pneumonia by the chance that its urgency says.

    Parameters
    ----------
    entries
        At least one.
    prevalence
        Share of the studies that show pneumonia, in (0, 1).
    minutes_per_study, n_readers
        How fast they are read.
    """
    rng = np.random.default_rng(seed)
    labelled = [entry for entry in entries if entry.study.truth is not None]
    truth = np.array([entry.study.truth == POSITIVE for entry in labelled], dtype=np.bool_)
    has_labels = min(truth.sum(), (~truth).sum()) >= _FEW
    urgency = np.array([entry.urgency for entry in (labelled if has_labels else entries)], dtype=np.float64)
    patients = np.unique([e.study.patient or f"\0{e.study.name}" for e in labelled], return_inverse=True)[1]
    times = []
    for _ in range(n_simulations):
        if has_labels:
            drawn, ill = _drawn(urgency, truth, patients, len(entries), prevalence, rng)
        else:
            drawn, ill = urgency, rng.random(urgency.size) < urgency
        if 0 < ill.sum() < ill.size:
            times.append(_times(drawn, ill, minutes_per_study, n_readers, rng))
    return Waiting(
        prevalence,
        minutes_per_study,
        n_readers,
        len(entries),
        len(times),
        "labels" if has_labels else "probabilities",
        {name: _estimate([each[name] for each in times]) for name in FIGURES},
    )


def _drawn(
    urgency: FloatArray,
    truth: BoolArray,
    patients: NDArray[np.intp],
    n: int,
    prevalence: float,
    rng: np.random.Generator,
) -> tuple[FloatArray, BoolArray]:
    """A list of n studies: urgency, and whether they show pneumonia."""
    n_patients = int(patients.max()) + 1
    weights = np.bincount(rng.integers(n_patients, size=n_patients), minlength=n_patients)[patients].astype(np.float64)
    ill = np.arange(n) < rng.binomial(n, prevalence)
    drawn = np.empty(n)
    for side in (True, False):
        chances = np.where(truth == side, weights, 0.0)
        if not chances.any():  # no patient of the class was drawn
            chances = (truth == side).astype(np.float64)
        wanted = ill == side
        drawn[wanted] = rng.choice(urgency, int(wanted.sum()), p=chances / chances.sum())
    return drawn, ill


def _times(
    urgency: FloatArray, ill: BoolArray, minutes: float, n_readers: int, rng: np.random.Generator
) -> dict[str, float]:
    """Figures of one list."""
    by_chance = rng.permutation(urgency.size)
    as_they_come = _read_at(by_chance, minutes, n_readers)
    by_worklist = _read_at(np.lexsort((by_chance, -urgency)), minutes, n_readers)
    return {
        "as_they_come": float(as_they_come[ill].mean()),
        "by_worklist": float(by_worklist[ill].mean()),
        "gain": float(as_they_come[ill].mean() - by_worklist[ill].mean()),
        "late_as_they_come": float(np.quantile(as_they_come[ill], _LATE)),
        "late_by_worklist": float(np.quantile(by_worklist[ill], _LATE)),
        "others_lose": float(by_worklist[~ill].mean() - as_they_come[~ill].mean()),
    }


def _read_at(order: NDArray[np.intp], minutes: float, n_readers: int) -> FloatArray:
    """Minutes until each study has been read, of those that are read in an order."""
    found = np.empty(order.size)
    found[order] = (np.arange(order.size) // n_readers + 1) * minutes
    return found


def _estimate(values: Sequence[float]) -> Estimate:
    if not values:
        return Estimate(None, reason="No simulated list held studies of both kinds.")
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(np.mean(values)), float(low), float(high))
