"""Charts of an evaluation for papers and slides: each as SVG and PNG, with its own background and colours."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.atomic import replacing
from scanner.evaluation.evaluate import Evaluation
from scanner.metrics import (
    Subgroup,
    coverage_curve,
    decision_curve,
    precision_recall_curve,
    reliability_curve,
    roc_curve,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOUR, _GREY = "#1f5fa8", "#8a8a8a"
_WIDTH_INCHES, _HEIGHT_INCHES = 4.2, 3.8
_DOTS_PER_INCH = 200


def write_charts(folder: Path, evaluation: Evaluation) -> tuple[Path, ...]:
    """Write every chart that the films allow into ``folder``, which exists.

    Returns
    -------
    The files, SVG and PNG of each chart.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    charts: dict[str, Callable[[Axes], None]] = {
        "reliability": partial(_reliability, evaluation=evaluation),
        "coverage": partial(_coverage, evaluation=evaluation),
        "decision": partial(_decision, evaluation=evaluation),
    }
    if 0 < evaluation.summary.n_positive < evaluation.summary.n:
        charts["roc"] = partial(_roc, evaluation=evaluation)
        charts["precision_recall"] = partial(_precision_recall, evaluation=evaluation)
    files = [path for name, draw in charts.items() for path in _write(folder, name, draw)]
    for attribute, groups in evaluation.subgroups.items():
        name = "subgroups_" + "".join(letter if letter.isalnum() else "_" for letter in attribute)
        draw = partial(_forest, attribute=attribute, groups=groups)
        files += _write(folder, name, draw, height_inches=1.2 + 0.45 * len(groups))
    return tuple(files)


def _write(
    folder: Path, name: str, draw: Callable[[Axes], None], height_inches: float = _HEIGHT_INCHES
) -> tuple[Path, Path]:
    import matplotlib as mpl  # heavy: only where charts are drawn
    from matplotlib.figure import Figure

    style: Any = {  # matplotlib's type hints want a closed list of literals
        "font.size": 9,
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(_WIDTH_INCHES, height_inches), layout="constrained")
        draw(figure.add_subplot())
        svg, png = folder / f"{name}.svg", folder / f"{name}.png"
        with replacing(svg) as part:
            figure.savefig(part, format="svg", metadata={"Date": None})
        with replacing(png) as part:
            figure.savefig(part, format="png", dpi=_DOTS_PER_INCH)
    return svg, png


def _unit_axes(axes: Axes, x: str, y: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=x, ylabel=y)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)


def _mark_thresholds(axes: Axes, evaluation: Evaluation, x: str, y: str) -> None:
    """Mark the thresholds that were not chosen on these films."""
    for row, marker in zip(evaluation.thresholds, "osD^vP*X", strict=False):
        across, up = row.summary.estimates[x].value, row.summary.estimates[y].value
        if row.exploratory or across is None or up is None:
            continue
        across = 1 - across if x == "specificity" else across
        axes.plot(across, up, marker, markersize=5, color="black", fillstyle="none", label=row.name)
    axes.legend(loc="lower left" if x == "sensitivity" else "lower right")


def _roc(axes: Axes, evaluation: Evaluation) -> None:
    curve, auc = roc_curve(evaluation.films.truth, evaluation.films.prob), evaluation.summary.estimates["auc"]
    interval = "" if auc.low is None else f" ({auc.low:.3f} to {auc.high:.3f})"
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8, linestyle="--")
    axes.plot(curve.fpr, curve.tpr, color=_COLOUR, label=f"AUC {auc.value:.3f}{interval}")
    _unit_axes(axes, "1 - specificity", "Sensitivity")
    _mark_thresholds(axes, evaluation, "specificity", "sensitivity")


def _precision_recall(axes: Axes, evaluation: Evaluation) -> None:
    curve = precision_recall_curve(evaluation.films.truth, evaluation.films.prob)
    axes.axhline(evaluation.summary.n_positive / evaluation.summary.n, color=_GREY, linewidth=0.8, linestyle="--")
    average = evaluation.summary.estimates["average_precision"].value
    axes.step(curve.recall, curve.precision, where="pre", color=_COLOUR, label=f"average precision {average:.3f}")
    _unit_axes(axes, "Sensitivity (recall)", "PPV (precision)")
    _mark_thresholds(axes, evaluation, "sensitivity", "ppv")


def _reliability(axes: Axes, evaluation: Evaluation) -> None:
    bins = reliability_curve(evaluation.films.truth, evaluation.films.prob)
    observed = np.array([one.observed for one in bins])
    errors = np.abs(np.array([one.interval for one in bins]).T - observed)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8, linestyle="--")
    axes.errorbar([one.mean_prob for one in bins], observed, errors, fmt="o", color=_COLOUR, markersize=4, linewidth=1)
    for one in bins:
        axes.annotate(f"{one.n}", (one.mean_prob, one.observed), (5, -9), textcoords="offset points", fontsize=7)
    _unit_axes(axes, "Predicted probability", "Observed share of pneumonia (95 % interval, films)")


def _coverage(axes: Axes, evaluation: Evaluation) -> None:
    films, threshold = evaluation.films, evaluation.summary.threshold
    curves = [coverage_curve(films.truth, films.prob, threshold)]
    axes.plot(curves[0].coverage, curves[0].accuracy, color=_COLOUR, label="far from the threshold first")
    if np.isfinite(films.distance).all():
        curves.append(coverage_curve(films.truth, films.prob, threshold, -films.distance))
        axes.plot(curves[1].coverage, curves[1].accuracy, color=_GREY, label="near the training films first (gate)")
        axes.legend(loc="lower left")
    _unit_axes(axes, "Share of films answered, the surest first", "Accuracy")
    axes.set_ylim(min(0.9, *(float(curve.accuracy.min()) for curve in curves)) - 0.01, 1.005)


def _decision(axes: Axes, evaluation: Evaluation) -> None:
    curve = decision_curve(evaluation.films.truth, evaluation.films.prob)
    axes.axhline(0, color=_GREY, linewidth=0.8, label="call no film positive")
    axes.plot(curve.thresholds, curve.call_all, color=_GREY, linewidth=0.8, linestyle="--", label="call every film")
    axes.plot(curve.thresholds, curve.model, color=_COLOUR, label="model")
    top = float(curve.model.max())
    axes.set(xlim=(0, 1), ylim=(-0.25 * top - 0.01, 1.1 * top + 0.01))
    axes.set(xlabel="Threshold probability", ylabel="Net benefit (true positives per film)")
    axes.legend(loc="lower left")


def _forest(axes: Axes, attribute: str, groups: tuple[Subgroup, ...]) -> None:
    """Sensitivity and specificity of each subgroup with intervals; grey where there are few films."""
    for row, group in enumerate(groups):
        for offset, metric, marker in ((-0.14, "sensitivity", "o"), (0.14, "specificity", "s")):
            estimate = group.summary.estimates[metric]
            if estimate.value is None or estimate.low is None or estimate.high is None:
                continue
            colour = "#c8c8c8" if group.small else _COLOUR
            axes.plot([estimate.low, estimate.high], [row + offset] * 2, color=colour, linewidth=1.2)
            axes.plot(estimate.value, row + offset, marker, color=colour, markersize=5)
    axes.set_yticks(range(len(groups)), [f"{group.value or 'not stated'} (n = {group.summary.n})" for group in groups])
    axes.set(xlim=(-0.02, 1.02), ylim=(len(groups) - 0.5, -0.5), xlabel="95 % interval; grey: fewer than 30 films")
    axes.set_title(f"Sensitivity (circle), specificity (square)\nby {attribute}", fontsize="medium")
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
