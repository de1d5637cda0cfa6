"""The curves of an evaluation, drawn once: the report's page and the charts for papers give them their skins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cxrscan.reports.wording import fixed
from cxrscan.scanner.metrics import (
    BoolArray,
    FloatArray,
    coverage_curve,
    decision_curve,
    precision_recall_curve,
    reliability_curve,
    roc_curve,
)
from cxrscan.scanner.metrics.decision import CoverageCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MIN_COVERAGE = 0.05
"""Below this share the accuracy of the surest films is noise."""


@dataclass(frozen=True, slots=True)
class Skin:
    """How curves look: colours, lines, and what a curve is thinned to."""

    muted: str
    accent: str
    second: str
    """Colour of a further curve."""
    line_points: float
    """Width of a curve."""
    dashes: tuple[float, tuple[float, float]]
    """Pattern of the lines that show no skill."""
    thin: Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]
    """Leaves out points that nobody could tell from others."""
    label: Callable[[Axes, str, str], None]
    """Sets the axes' titles."""
    shade: bool = False
    """Whether the area below a curve is tinted."""


def draw_roc(axes: Axes, truth: BoolArray, prob: FloatArray, skin: Skin, *, legend: str = "") -> None:
    """Draw sensitivity against 1 - specificity; ``truth`` and ``prob`` have shape (N,) and both classes."""
    curve = roc_curve(truth, prob)
    x, y = skin.thin(curve.fpr, curve.tpr)
    _diagonal(axes, skin)
    if skin.shade:
        axes.fill_between(x, y, color=skin.accent, alpha=0.1, linewidth=0)
    axes.plot(x, y, color=skin.accent, linewidth=skin.line_points, label=legend or None)
    skin.label(axes, "1 \N{MINUS SIGN} specificity", "Sensitivity")


def draw_precision_recall(axes: Axes, truth: BoolArray, prob: FloatArray, skin: Skin, *, legend: str = "") -> None:
    """Draw PPV against sensitivity, and the share of pneumonia films that calling every film would reach."""
    curve = precision_recall_curve(truth, prob)
    x, y = skin.thin(curve.recall, curve.precision)
    axes.axhline(float(truth.mean()), color=skin.muted, linewidth=0.8, linestyle=skin.dashes)
    axes.step(x, y, where="pre", color=skin.accent, linewidth=skin.line_points, label=legend or None)
    skin.label(axes, "Sensitivity (recall)", "PPV (precision)")


def draw_reliability(axes: Axes, truth: BoolArray, prob: FloatArray, skin: Skin) -> None:
    """Draw observed against predicted frequency with Wilson intervals; a bin's dot grows with its films."""
    bins = reliability_curve(truth, prob)
    predicted, observed = np.array([one.mean_prob for one in bins]), np.array([one.observed for one in bins])
    errors = np.abs(np.array([one.interval for one in bins]).T - observed)
    sizes = [8 + 60 * one.n / truth.size for one in bins]
    _diagonal(axes, skin)
    axes.errorbar(predicted, observed, errors, color=skin.accent, linewidth=1.2, elinewidth=1, alpha=0.75)
    axes.scatter(predicted, observed, s=sizes, color=skin.accent, linewidth=0, zorder=3)
    skin.label(axes, "Predicted probability", "Observed share of pneumonia")


def coverage_curves(
    truth: BoolArray, prob: FloatArray, distance: FloatArray, threshold: float
) -> Mapping[str, CoverageCurve]:
    """Accuracy when the most doubtful films are set aside: which films go first -> the curve.

    Parameters
    ----------
    truth, prob, distance
        Of the labelled films, shape (N,); gate distances are infinite where there is none.
    """
    curves = {"near the threshold": coverage_curve(truth, prob, threshold)}
    if np.isfinite(distance).all():
        curves["unlike training films"] = coverage_curve(truth, prob, threshold, -distance)
    return curves


def coverage_range(curves: Mapping[str, CoverageCurve]) -> tuple[float, float]:
    """Ends of the axis of accuracy: room for the curves, and below them for their names."""
    floor = _floor(curves)
    return floor - 0.3 * (1 - floor), 1 + 0.02 * (1 - floor)


def _floor(curves: Mapping[str, CoverageCurve]) -> float:
    """A round accuracy below all that is shown."""
    lowest = min(float(curve.accuracy[curve.coverage >= MIN_COVERAGE].min()) for curve in curves.values())
    return max(0.0, float(np.floor(20 * lowest - 0.25)) / 20)


def draw_coverage(axes: Axes, curves: Mapping[str, CoverageCurve], skin: Skin) -> None:
    """Draw accuracy against the share of films that keep their call; the names stand below the curves."""
    floor = _floor(curves)
    for i, ((name, curve), colour) in enumerate(zip(curves.items(), (skin.accent, skin.second), strict=False)):
        kept = curve.coverage >= MIN_COVERAGE
        x, y = skin.thin(curve.coverage[kept], curve.accuracy[kept])
        axes.plot(x, y, color=colour, linewidth=skin.line_points)
        axes.text(0.02, floor - (0.12 + 0.12 * i) * (1 - floor), f"aside first: {name}", color=colour)
    ticks = np.arange(1, floor - 0.01, -0.05 if floor >= 0.75 else -0.1 if floor >= 0.5 else -0.25)
    axes.set_yticks(ticks, [fixed(float(tick), 2) for tick in ticks])
    skin.label(axes, "Share of films not set aside", "Accuracy")


def net_benefit_range(truth: BoolArray, prob: FloatArray) -> tuple[float, float]:
    """Ends of the axis of net benefit, with room for names below the curves."""
    top = max(0.01, float(decision_curve(truth, prob).model.max()))
    return -0.5 * top, 1.1 * top


def draw_decision(axes: Axes, truth: BoolArray, prob: FloatArray, skin: Skin) -> None:
    """Draw net benefit over threshold probabilities (Vickers and Elkin 2006), beside calling every film or none."""
    curve = decision_curve(truth, prob)
    low, high = net_benefit_range(truth, prob)
    shown = curve.call_all >= -0.1 * high
    axes.axhline(0, color=skin.muted, linewidth=0.8)
    axes.plot(curve.thresholds[shown], curve.call_all[shown], color=skin.second, linewidth=1)
    axes.plot(curve.thresholds, curve.model, color=skin.accent, linewidth=skin.line_points)
    for i, (text, colour) in enumerate((("model", skin.accent), ("calling every film", skin.second))):
        axes.text(0.02, low * (0.55 + 0.3 * i), text, color=colour)
    skin.label(axes, "Threshold probability", "Net benefit")


def _diagonal(axes: Axes, skin: Skin) -> None:
    axes.plot([0, 1], [0, 1], color=skin.muted, linewidth=0.8, linestyle=skin.dashes)
