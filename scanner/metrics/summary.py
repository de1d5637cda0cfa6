"""All figures of one set of films at one threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cxrscan.scanner.metrics.arrays import BoolArray, FloatArray
from cxrscan.scanner.metrics.calibration import (
    brier_score,
    calibration_intercept,
    calibration_slope,
    expected_calibration_error,
)
from cxrscan.scanner.metrics.confusion import ConfusionMatrix, confusion_matrix
from cxrscan.scanner.metrics.curves import average_precision
from cxrscan.scanner.metrics.delong import auc_delong
from cxrscan.scanner.metrics.figures import figure_estimates
from cxrscan.scanner.metrics.intervals import ProportionInterval, wilson_interval
from cxrscan.scanner.records import Estimate

SMALL_SUBGROUP = 30
"""Fewer films than this say little; tables and charts grey them."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How well the model does on labelled films."""

    n: int
    """Films with a truth and a probability."""
    n_positive: int
    """Those with pneumonia."""
    threshold: float
    """Probability at or above which a film is called pneumonia."""
    confusion: ConfusionMatrix
    estimates: dict[str, Estimate]
    """Metric -> figure with its 95 % interval, film by film."""


def summarise(
    truth: BoolArray, prob: FloatArray, threshold: float, *, interval: ProportionInterval = wilson_interval
) -> Summary:
    """Every figure with its 95 % interval; films are taken as independent.

    Parameters
    ----------
    truth
        bool array, shape (N,), True for pneumonia.
    prob
        float array, shape (N,), probability of pneumonia in [0, 1].
    threshold
        A film is called positive when ``prob >= threshold``.
    interval
        For proportions: ``wilson_interval`` or ``clopper_pearson_interval``.
    """
    confusion = confusion_matrix(truth, prob, threshold)
    estimates = figure_estimates(confusion, interval) | {
        "auc": auc_delong(truth, prob),
        "average_precision": average_precision(truth, prob),
        "brier": brier_score(truth, prob),
        "ece": expected_calibration_error(truth, prob),
        "calibration_slope": calibration_slope(truth, prob),
        "calibration_intercept": calibration_intercept(truth, prob),
    }
    return Summary(confusion.n, confusion.n_positive, threshold, confusion, estimates)


@dataclass(frozen=True, slots=True)
class Subgroup:
    """The films that share one value of an attribute."""

    value: str
    """The attribute's value; empty when it is not stated."""
    summary: Summary

    @property
    def small(self) -> bool:
        """Whether there are too few films to say much."""
        return self.summary.n < SMALL_SUBGROUP


def summarise_subgroups(
    truth: BoolArray, prob: FloatArray, threshold: float, values: Sequence[str]
) -> tuple[Subgroup, ...]:
    """Summarise the films of each value of an attribute, in the order of the values.

    Parameters
    ----------
    values
        The attribute of each film, shape (N,); the other parameters are those of ``summarise``.
    """
    of_film = np.asarray(values, dtype=np.str_)
    return tuple(
        Subgroup(str(value), summarise(truth[of_film == value], prob[of_film == value], threshold))
        for value in np.unique(of_film)
    )
