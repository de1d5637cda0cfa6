"""The ladder: what so many labelled films allow, and fitting each rung."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cxrscan.scanner.metrics import FloatArray
from cxrscan.scanner.model_bundle import Calibration, ModelSpec, OperatingPoint
from cxrscan.scanner.records import Estimate
from cxrscan.training.adaptation.folds import patient_folds, splits
from cxrscan.training.adaptation.head import LinearHead, choose_head
from cxrscan.training.adaptation.local_films import LocalFilms
from cxrscan.training.adaptation.promise import Promise, positives_needed, promised_threshold
from cxrscan.training.calibrate import Scored, choose_operating_points, cross_entropy, fit_calibration, sigmoid

Rung = Literal["threshold", "recalibration", "head", "fine-tuning"]

PROMISE = "promise"
"""Name of the operating point whose sensitivity is promised."""
FEWEST: dict[Rung, int] = {"threshold": 10, "recalibration": 45, "head": 90, "fine-tuning": 90}
"""Films of each class that a rung needs."""
_WHAT: dict[Rung, str] = {
    "threshold": "thresholds of your own",
    "recalibration": "recalibrated probabilities",
    "head": "a new linear head on the network's embedding",
    "fine-tuning": "training of the network's last blocks (--fine-tune)",
}
N_PARTS = 3
"""Parts of the patients that a network is fine-tuned without in turn."""
_N_FOLDS = 4
_NO_HEAD = LinearHead(np.zeros(0), 1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Step:
    """A rung, and whether the labels allow it."""

    rung: Rung
    is_allowed: bool
    reason: str


def ladder(films: LocalFilms) -> tuple[Step, ...]:
    """Every rung with its reason, the lowest first."""
    return tuple(_step(rung, films) for rung in FEWEST)


def _step(rung: Rung, films: LocalFilms) -> Step:
    fewest = FEWEST[rung]
    more = [
        f"{fewest - n} more {name}"
        for n, name in ((films.n_positive, "with pneumonia"), (films.n_negative, "without"))
        if n < fewest
    ]
    has = f"{films.n_positive} with pneumonia and {films.n_negative} without"
    if more:
        return Step(rung, False, f"{_WHAT[rung]}: not without {' and '.join(more)}; labelled: {has}.")
    return Step(rung, True, f"{_WHAT[rung]}: {has} are enough.")


def promise_text(n_positive: int, sensitivity: float) -> str:
    """Which promise so many people with pneumonia allow, and what the next would need."""
    n_missed = 0
    while positives_needed(sensitivity, n_missed) <= n_positive:
        n_missed += 1
    needed = positives_needed(sensitivity, n_missed)
    if not n_missed:
        return (
            f"No promise of a sensitivity of {sensitivity:.2f}: that takes {needed} people with pneumonia, and there "
            f"are {n_positive}."
        )
    return (
        f"{n_positive} people with pneumonia allow the promise of a sensitivity of {sensitivity:.2f} (95 % confidence) "
        f"with {n_missed - 1} of them missed; {needed} would allow {n_missed}."
    )


@dataclass(frozen=True, slots=True)
class Tuned:
    """A fine-tuned network, and what others said of films that they had not seen."""

    graph: bytes = field(repr=False)
    """Content of ``model.tflite``."""
    out_of_fold: FloatArray
    """Shape (N,), log-odds on the scale of the graph; each of the network that was trained without this patient."""
    embeddings: npt.NDArray[np.float32]
    """Shape (N, C), of the graph."""
    heat_scale: float
    max_abs_difference: float
    """Between the graph's log-odds and Keras'."""
    gate: Mapping[str, Any] | None = field(default=None, repr=False)
    """``gate`` of ``model.json``, for the network's new features; None where the parent has none."""


@dataclass(frozen=True, slots=True)
class Adapted:
    """What a rung made of the labelled films."""

    rung: Rung
    head: LinearHead
    """That of the threshold and the recalibration leaves the parent's log-odds as they are."""
    temperature: float
    offset: float
    """Probability = sigmoid((log-odds + offset) / temperature)."""
    points: dict[str, OperatingPoint]
    """Their figures are of the films that chose them; ``measure`` has those of films that were held back."""
    promise: Promise | None
    tuned: Tuned | None = None
    """None for the other rungs."""

    @property
    def calibration(self) -> Calibration:
        """The same, as a bundle states it."""
        return Calibration(1.0 / self.temperature, self.offset / self.temperature)

    def log_odds(self, films: LocalFilms) -> FloatArray:
        """Shape (N,), uncalibrated."""
        return self.head.log_odds(films) if self.head.weights.size else films.log_odds

    def prob(self, films: LocalFilms) -> FloatArray:
        """Shape (N,), calibrated."""
        return sigmoid((self.log_odds(films) + self.offset) / self.temperature)


def adapt(rung: Rung, films: LocalFilms, parent: ModelSpec, sensitivity: float, *, seed: int = 0) -> Adapted:
    """Fit a rung.

    Parameters
    ----------
    films
        Of both classes.
    sensitivity
        What the threshold with a promise is to find.
    """
    head, scores = _NO_HEAD, films.log_odds
    temperature, offset = temperature_and_offset(parent.calibration)
    if rung == "head":
        chosen = choose_head(films, seed=seed)
        head, scores = chosen.head, chosen.out_of_fold
        temperature, offset = temperature_and_offset(fit_calibration([Scored(films.truth, scores)]))
    elif rung == "recalibration":
        temperature, offset = _recalibrate(films, parent, seed)
    promise = promised_threshold(films.truth, scores, films.patients, sensitivity)
    return _finished(rung, films, head, scores, (temperature, offset), promise)


def adapt_tuned(tuned: Tuned, films: LocalFilms, sensitivity: float) -> Adapted:
    """Probabilities and thresholds of a fine-tuned network, from what was said of films held back."""
    scores = tuned.out_of_fold
    calibration = temperature_and_offset(fit_calibration([Scored(films.truth, scores)]))
    promise = promised_threshold(films.truth, scores, films.patients, sensitivity)
    return replace(_finished("fine-tuning", films, _NO_HEAD, scores, calibration, promise), tuned=tuned)


def _finished(
    rung: Rung,
    films: LocalFilms,
    head: LinearHead,
    scores: FloatArray,
    calibration: tuple[float, float],
    promise: Promise | None,
) -> Adapted:
    """Choose the thresholds on scores of films held back."""
    temperature, offset = calibration
    prob = sigmoid((scores + offset) / temperature)
    points = choose_operating_points([Scored(films.truth, prob)], f"{films.n} films of this site")
    if promise is not None:
        points[PROMISE] = _promise_point(promise, float(sigmoid(np.array((promise.log_odds + offset) / temperature))))
    return Adapted(rung, head, temperature, offset, points, promise)


def _promise_point(promise: Promise, threshold: float) -> OperatingPoint:
    rule = (
        f"sensitivity of at least {promise.sensitivity:g} with 95 % confidence: {promise.n_missed} of "
        f"{promise.n_positive} people with pneumonia missed"
    )
    return OperatingPoint(PROMISE, threshold, rule, f"{promise.n_positive} people", Estimate(None), Estimate(None))


def _recalibrate(films: LocalFilms, parent: ModelSpec, seed: int) -> tuple[float, float]:
    """Temperature and offset: the offset alone unless a slope of its own does better on films held back."""
    temperature_then, _ = temperature_and_offset(parent.calibration)
    ways = (lambda part: (temperature_then, _offset(part, temperature_then)), _both)
    losses = []
    for way in ways:
        said = np.empty(films.n)
        for fitted, held in splits(patient_folds(films.truth, films.patients, _N_FOLDS, seed)):
            temperature, offset = way(films.part(fitted))
            said[held] = (films.log_odds[held] + offset) / temperature
        losses.append(cross_entropy(films.truth, said))
    return ways[int(np.argmin(losses))](films)


def _both(films: LocalFilms) -> tuple[float, float]:
    return temperature_and_offset(fit_calibration([Scored(films.truth, films.log_odds)]))


def temperature_and_offset(calibration: Calibration) -> tuple[float, float]:
    """The same calibration as sigmoid((log-odds + offset) / temperature)."""
    return 1.0 / calibration.scale, calibration.offset / calibration.scale


def _offset(films: LocalFilms, temperature: float) -> float:
    """Log-odds to add to each film, at a given temperature."""
    from scipy.optimize import minimize_scalar

    low, high = np.quantile(films.log_odds, [0.0, 1.0])
    reach = float(high - low) + 20.0 * temperature
    found = minimize_scalar(
        lambda offset: cross_entropy(films.truth, (films.log_odds + offset) / temperature),
        bounds=(-float(high) - reach, -float(low) + reach),
        method="bounded",
    )
    return float(found.x)


def allowed(steps: Sequence[Step]) -> tuple[Rung, ...]:
    """Rungs that the labels allow, the highest first."""
    return tuple(step.rung for step in reversed(steps) if step.is_allowed)
