"""The figures of a 2 x 2 table: which there are, of which counts, and how each is computed.

The table ``FIGURES`` is the one list of them. Summaries and the bootstrap compute from it, and the report's page is
handed it as data. A figure of a family that is there needs one line here and one in ``reports/wording.py``; a new
family needs a formula here and in ``templates/scripts/statistics.mjs``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cxrscan.scanner.metrics.arrays import FloatArray
from cxrscan.scanner.metrics.confusion import ALL_CALLED, NO_CALLS, NO_FILMS, NO_NEGATIVES, NO_POSITIVES, ONE_CLASS
from cxrscan.scanner.metrics.confusion import ConfusionMatrix as Matrix
from cxrscan.scanner.metrics.intervals import (
    ProportionInterval,
    log_estimate,
    normal_quantile,
    proportion,
    undefined,
    wilson_interval,
)
from cxrscan.scanner.records import Estimate

Cell = Literal["tp", "fp", "fn", "tn"]
Family = Literal["proportion", "mean", "dice", "ratio", "odds_ratio", "correlation"]
"""How a figure follows from its shares; ``correlation`` needs none, but the four counts."""

ZERO_COUNT = "A count of zero: no interval follows on the log scale."


@dataclass(frozen=True, slots=True)
class Share:
    """A share of films: the cells that are counted, and those that they are counted among."""

    of: tuple[Cell, ...]
    among: tuple[Cell, ...]

    def counted(self, counts: Mapping[Cell, Any]) -> tuple[Any, Any]:
        """Successes and trials, as numbers or as arrays."""
        return sum(counts[cell] for cell in self.of), sum(counts[cell] for cell in self.among)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a 2 x 2 table."""

    key: str
    """Its name in every output."""
    family: Family
    shares: tuple[Share, ...] = ()
    unbounded: str = ""
    """Why there is no value where a denominator is zero though no share is empty."""


_POSITIVES: tuple[Cell, ...] = ("tp", "fn")
_NEGATIVES: tuple[Cell, ...] = ("tn", "fp")
_CALLED: tuple[Cell, ...] = ("tp", "fp")
_NOT_CALLED: tuple[Cell, ...] = ("tn", "fn")
_ALL: tuple[Cell, ...] = ("tp", "fp", "fn", "tn")
_FOUND = Share(("tp",), _POSITIVES)
_MISSED = Share(("fn",), _POSITIVES)
_CLEARED = Share(("tn",), _NEGATIVES)
_FALSELY_CALLED = Share(("fp",), _NEGATIVES)
_JACCARD = Share(("tp",), ("tp", "fp", "fn"))

FIGURES = (
    Figure("sensitivity", "proportion", (_FOUND,)),
    Figure("specificity", "proportion", (_CLEARED,)),
    Figure("ppv", "proportion", (Share(("tp",), _CALLED),)),
    Figure("npv", "proportion", (Share(("tn",), _NOT_CALLED),)),
    Figure("accuracy", "proportion", (Share(("tp", "tn"), _ALL),)),
    Figure("balanced_accuracy", "mean", (_FOUND, _CLEARED)),
    Figure("f1", "dice", (_JACCARD,)),
    Figure("mcc", "correlation", (_FOUND, _CLEARED, Share(("tp",), _CALLED), Share(("tn",), _NOT_CALLED))),
    Figure(
        "lr_positive",
        "ratio",
        (_FOUND, _FALSELY_CALLED),
        "No normal film was called positive: the ratio is infinite.",
    ),
    Figure("lr_negative", "ratio", (_MISSED, _CLEARED), "No normal film was called normal: the ratio is infinite."),
    Figure(
        "diagnostic_odds_ratio",
        "odds_ratio",
        (_FOUND, _FALSELY_CALLED),
        "There is no false positive or no false negative: the ratio is infinite or undefined.",
    ),
)
"""In the order of the report."""

_EMPTY = {
    frozenset(_POSITIVES): NO_POSITIVES,
    frozenset(_NEGATIVES): NO_NEGATIVES,
    frozenset(_CALLED): NO_CALLS,
    frozenset(_NOT_CALLED): ALL_CALLED,
    frozenset(_JACCARD.among): "No film is positive or called so.",
}
"""Cells without a film -> what that says."""


def figure_estimates(matrix: Matrix, interval: ProportionInterval = wilson_interval) -> dict[str, Estimate]:
    """Return every figure of one table by its key, with its 95 % interval."""
    return {figure.key: _estimate(figure, matrix, interval) for figure in FIGURES}


def figure_values(counts: Mapping[Cell, FloatArray]) -> dict[str, FloatArray]:
    """Return every figure of many tables by its key; NaN or infinite where it is undefined.

    Parameters
    ----------
    counts
        Cell -> float array of counts, all of one shape.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            figure.key: _VALUES[figure.family]([share.counted(counts) for share in figure.shares], counts)
            for figure in FIGURES
        }


def figure_table() -> list[dict[str, Any]]:
    """Return the figures as JSON values, for the report's page."""
    return [
        {
            "key": figure.key,
            "family": figure.family,
            "shares": [{"of": share.of, "among": share.among} for share in figure.shares],
        }
        for figure in FIGURES
    ]


# -- values: of numbers and of arrays alike

_Pairs = list[tuple[Any, Any]]
"""Successes and trials of each share."""


def _mean(pairs: _Pairs, counts: Mapping[Cell, Any]) -> Any:
    return sum(k / n for k, n in pairs) / len(pairs)


def _dice(jaccard: Any) -> Any:
    """Dice's index, which is F1 here, from Jaccard's."""
    return 2 * jaccard / (1 + jaccard)


def _ratio(pairs: _Pairs, counts: Mapping[Cell, Any]) -> Any:
    (k, n), (other_k, other_n) = pairs
    return (k / n) / (other_k / other_n)


def _odds_ratio(pairs: _Pairs, counts: Mapping[Cell, Any]) -> Any:
    (k, n), (other_k, other_n) = pairs
    return k * (other_n - other_k) / (other_k * (n - k))


def _correlation(pairs: _Pairs, counts: Mapping[Cell, Any]) -> Any:
    tp, fp, fn, tn = (counts[cell] for cell in _ALL)
    row, column, _, _ = _margins(counts)
    return (tp * tn - fp * fn) / (tp + fp + fn + tn) ** 2 / np.sqrt(row * column)


def _margins(counts: Mapping[Cell, Any]) -> tuple[Any, Any, Any, Any]:
    """Products and differences of the shares of truth and of calls."""
    tp, fp, fn, tn = (counts[cell] for cell in _ALL)
    n, n_called, n_positive = tp + fp + fn + tn, tp + fp, tp + fn
    row, column = n_positive * (n - n_positive) / n**2, n_called * (n - n_called) / n**2
    return row, column, (2 * n_positive - n) / n, (2 * n_called - n) / n


_VALUES: dict[Family, Callable[[_Pairs, Mapping[Cell, Any]], Any]] = {
    "proportion": lambda pairs, counts: pairs[0][0] / pairs[0][1],
    "mean": _mean,
    "dice": lambda pairs, counts: _dice(pairs[0][0] / pairs[0][1]),
    "ratio": _ratio,
    "odds_ratio": _odds_ratio,
    "correlation": _correlation,
}


# -- estimates: of one table, with interval or reason


def _estimate(figure: Figure, matrix: Matrix, interval: ProportionInterval) -> Estimate:
    counts: dict[Cell, int] = {"tp": matrix.tp, "fp": matrix.fp, "fn": matrix.fn, "tn": matrix.tn}
    pairs = [share.counted(counts) for share in figure.shares]
    if not all(n for _, n in pairs):
        return undefined(_why_empty(figure, counts) if matrix.n else NO_FILMS)
    if (figure.family == "ratio" and not pairs[1][0]) or (
        figure.family == "odds_ratio" and (not pairs[1][0] or pairs[0][0] == pairs[0][1])
    ):
        return undefined(figure.unbounded)
    value = float(_VALUES[figure.family](pairs, counts))
    return _ESTIMATES[figure.family](value, pairs, counts, interval)


def _why_empty(figure: Figure, counts: Mapping[Cell, int]) -> str:
    empty = [_EMPTY[frozenset(share.among)] for share in figure.shares if not share.counted(counts)[1]]
    one_class = len(figure.shares) > 1 and empty[0] in (NO_POSITIVES, NO_NEGATIVES)
    return ONE_CLASS if one_class else empty[0]


_Maker = Callable[[float, _Pairs, Mapping[Cell, int], ProportionInterval], Estimate]


def _proportion_estimate(
    value: float, pairs: _Pairs, counts: Mapping[Cell, int], interval: ProportionInterval
) -> Estimate:
    return proportion(*pairs[0], NO_FILMS, interval)


def _mean_estimate(value: float, pairs: _Pairs, counts: Mapping[Cell, int], interval: ProportionInterval) -> Estimate:
    """Square-and-add interval (Newcombe 1998; Zou and Donner 2008)."""
    bounds = [(k / n, *interval(k, n)) for k, n in pairs]
    below = math.hypot(*(point - low for point, low, _ in bounds)) / len(pairs)
    above = math.hypot(*(high - point for point, _, high in bounds)) / len(pairs)
    return Estimate(value, value - below, value + above)


def _dice_estimate(value: float, pairs: _Pairs, counts: Mapping[Cell, int], interval: ProportionInterval) -> Estimate:
    """The index rises with Jaccard's, which is a proportion; so that one's interval carries over."""
    low, high = map(_dice, interval(*pairs[0]))
    return Estimate(value, low, high)


def _ratio_estimate(value: float, pairs: _Pairs, counts: Mapping[Cell, int], interval: ProportionInterval) -> Estimate:
    """Log interval of Simel, Samsa and Matchar 1991."""
    (k, n), (other_k, other_n) = pairs
    if not k:
        return Estimate(value, reason=ZERO_COUNT)
    return log_estimate(value, math.sqrt(max(1 / k - 1 / n + 1 / other_k - 1 / other_n, 0.0)))


def _odds_estimate(value: float, pairs: _Pairs, counts: Mapping[Cell, int], interval: ProportionInterval) -> Estimate:
    """Log interval of Woolf 1955."""
    if not value:
        return Estimate(value, reason=ZERO_COUNT)
    (k, n), (other_k, other_n) = pairs
    return log_estimate(value, math.sqrt(1 / k + 1 / (other_n - other_k) + 1 / other_k + 1 / (n - k)))


def _correlation_estimate(
    phi: float, pairs: _Pairs, counts: Mapping[Cell, int], interval: ProportionInterval
) -> Estimate:
    """Fisher-z interval; the variance is the delta method's (Bishop, Fienberg and Holland 1975, section 11.2)."""
    if counts["fp"] == counts["fn"] == 0 or counts["tp"] == counts["tn"] == 0:
        return Estimate(round(phi), reason="Truth and call agree or differ on every film; no interval follows.")
    row, column, row_difference, column_difference = _margins(counts)
    variance = (
        1
        - phi**2
        + phi * (1 + phi**2 / 2) * row_difference * column_difference / math.sqrt(row * column)
        - 0.75 * phi**2 * (row_difference**2 / row + column_difference**2 / column)
    ) / sum(counts.values())
    half = normal_quantile() * math.sqrt(max(variance, 0.0)) / (1 - phi**2)
    return Estimate(phi, math.tanh(math.atanh(phi) - half), math.tanh(math.atanh(phi) + half))


_ESTIMATES: dict[Family, _Maker] = {
    "proportion": _proportion_estimate,
    "mean": _mean_estimate,
    "dice": _dice_estimate,
    "ratio": _ratio_estimate,
    "odds_ratio": _odds_estimate,
    "correlation": _correlation_estimate,
}
