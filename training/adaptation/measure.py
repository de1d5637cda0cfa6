"""Before and after on films that the adapting did not see: nested cross-validation over patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cxrscan.scanner.metrics import (
    BoolArray,
    FloatArray,
    bootstrap_difference_by_patient,
    clopper_pearson_interval,
    compare_models,
    summarise,
    wilson_interval,
)
from cxrscan.scanner.metrics.calibration import log_odds_of
from cxrscan.scanner.metrics.intervals import normal_estimate
from cxrscan.scanner.model_bundle import ModelSpec
from cxrscan.scanner.records import Estimate
from cxrscan.training.adaptation.folds import patient_folds, splits
from cxrscan.training.adaptation.head import class_weights
from cxrscan.training.adaptation.local_films import LocalFilms
from cxrscan.training.adaptation.promise import CONFIDENCE
from cxrscan.training.adaptation.rungs import N_PARTS, PROMISE, Adapted, Rung, Tuned, adapt, adapt_tuned
from cxrscan.training.calibrate import cross_entropy, sigmoid

N_FOLDS = 5
_HALF = 0.5
FIGURES = ("auc", "sensitivity", "specificity", "balanced_accuracy", "brier", "calibration_slope", "ece")


@dataclass(frozen=True, slots=True)
class HeldBack:
    """What a model says of the films, none of which it was fitted on."""

    prob: FloatArray
    """shape (N,)."""
    called: Mapping[str, BoolArray]
    """Operating point -> films called positive, shape (N,)."""

    def figures(self, truth: BoolArray, point: str) -> dict[str, Estimate]:
        """Figures with intervals; those of the 2 x 2 table at an operating point."""
        ranked = summarise(truth, self.prob, _HALF).estimates
        called = summarise(truth, self.called[point].astype(np.float64), _HALF).estimates
        of_calls = ("sensitivity", "specificity", "balanced_accuracy")
        return {key: (called if key in of_calls else ranked)[key] for key in FIGURES}


@dataclass(frozen=True, slots=True)
class Measured:
    """A rung's before and after."""

    rung: Rung
    adapted: Adapted
    """Fitted on all films."""
    point: str
    """The operating point that becomes the default one."""
    before: HeldBack
    after: HeldBack
    gain_of: str
    """``cross_entropy``, ``balanced_accuracy``, ``specificity`` or ``promise``."""
    gain: Estimate
    """After minus before, so that more is better; interval by patients."""
    auc_gain: Estimate
    """AUC after minus before; DeLong's paired interval, or by patients where some have several films."""
    loss: float
    """Cross-entropy after, both classes counting the same."""

    @property
    def is_gain(self) -> bool:
        """Whether the interval of the gain holds no loss."""
        return self.gain.low is not None and self.gain.low > 0


def measure(rung: Rung, films: LocalFilms, parent: ModelSpec, point: str, sensitivity: float) -> Measured:
    """Adapt without each fifth of the patients in turn, and measure on these.

    Parameters
    ----------
    point
        The operating point that becomes the default: ``youden`` or ``promise``.
    """
    whole = adapt(rung, films, parent, sensitivity)
    prob = np.empty(films.n)
    # Where four fifths of the people with pneumonia are too few for a promise, that of all of them stands.
    thresholds = {name: np.full(films.n, chosen.threshold) for name, chosen in whole.points.items()}
    for number, (fitted, held) in enumerate(splits(patient_folds(films.truth, films.patients, N_FOLDS, 0))):
        adapted = adapt(rung, films.part(fitted), parent, sensitivity, seed=number + 1)
        prob[held] = adapted.prob(films.part(held))
        for name in thresholds.keys() & adapted.points.keys():
            thresholds[name][held] = adapted.points[name].threshold
    return _measured(whole, films, parent, prob, thresholds, point, sensitivity)


def measure_tuned(tuned: Tuned, films: LocalFilms, parent: ModelSpec, point: str, sensitivity: float) -> Measured:
    """Measure fine-tuned networks on the patients that each did without; those of the others calibrate them."""
    whole = adapt_tuned(tuned, films, sensitivity)
    prob = np.empty(films.n)
    thresholds = {name: np.full(films.n, chosen.threshold) for name, chosen in whole.points.items()}
    for fitted, held in splits(patient_folds(films.truth, films.patients, N_PARTS, 0)):
        others = adapt_tuned(replace(tuned, out_of_fold=tuned.out_of_fold[fitted]), films.part(fitted), sensitivity)
        prob[held] = sigmoid((tuned.out_of_fold[held] + others.offset) / others.temperature)
        for name in thresholds.keys() & others.points.keys():
            thresholds[name][held] = others.points[name].threshold
    return _measured(whole, films, parent, prob, thresholds, point, sensitivity)


def _measured(
    whole: Adapted,
    films: LocalFilms,
    parent: ModelSpec,
    prob: FloatArray,
    thresholds: Mapping[str, FloatArray],
    point: str,
    sensitivity: float,
) -> Measured:
    """Hold probabilities of films held back against those of the parent."""
    rung = whole.rung
    was = sigmoid(parent.calibration.scale * films.log_odds + parent.calibration.offset)
    called_then = was >= parent.operating_points[parent.default_operating_point].threshold
    before = HeldBack(was, dict.fromkeys(thresholds, called_then))
    after = HeldBack(prob, {name: prob >= each for name, each in thresholds.items()})
    gain_of, gain = _gain(rung, films, before, after, point, sensitivity)
    auc_gain = differences(films, (was, prob))["auc"]
    loss = cross_entropy(films.truth, log_odds_of(prob))
    return Measured(rung, whole, point, before, after, gain_of, gain, auc_gain, loss)


def _gain(
    rung: Rung, films: LocalFilms, before: HeldBack, after: HeldBack, point: str, sensitivity: float
) -> tuple[str, Estimate]:
    if rung != "threshold":
        return "cross_entropy", _entropy_gain(films, before.prob, after.prob)
    calls = before.called[point].astype(np.float64), after.called[point].astype(np.float64)
    if point != PROMISE:
        return "balanced_accuracy", differences(films, calls)["balanced_accuracy"]
    found, n = int(before.called[point][films.truth].sum()), films.n_positive
    low, _ = clopper_pearson_interval(found, n, 2 * CONFIDENCE - 1)
    if low < sensitivity:
        return "promise", Estimate(sensitivity - low, sensitivity - low, sensitivity - low)
    return "specificity", differences(films, calls)["specificity"]


def differences(films: LocalFilms, probs: tuple[FloatArray, FloatArray]) -> dict[str, Estimate]:
    """Figure -> second minus first, with intervals by patient; DeLong's for the AUC where each patient has one film."""
    found = bootstrap_difference_by_patient(films.truth, probs, (_HALF, _HALF), films.patients)
    if films.n_patients == films.n:
        found["auc"] = compare_models(films.truth, probs, (_HALF, _HALF))["auc"].difference
    return found


def _entropy_gain(films: LocalFilms, before: FloatArray, after: FloatArray) -> Estimate:
    """Cross-entropy before minus after, both classes counting the same; standard error from sums by patient."""
    lost = [np.logaddexp(0.0, np.where(films.truth, -1, 1) * log_odds_of(prob)) for prob in (before, after)]
    gains = class_weights(films.truth) * (lost[0] - lost[1])
    value = float(gains.mean())
    _, of_film = np.unique(films.patients, return_inverse=True)
    sums = np.bincount(of_film, weights=gains - value)
    return normal_estimate(value, float(np.sqrt((sums**2).sum())) / films.n)


def share_estimate(called: BoolArray) -> Estimate:
    """Share of films with its interval."""
    return Estimate(float(called.mean()), *wilson_interval(int(called.sum()), called.size))
