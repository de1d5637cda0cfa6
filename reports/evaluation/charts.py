"""Charts of an evaluation for papers and slides: each as SVG and PNG, with its own background and colours."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxrscan.reports.curves import (
    Skin,
    coverage_curves,
    coverage_range,
    draw_coverage,
    draw_decision,
    draw_precision_recall,
    draw_reliability,
    draw_roc,
    net_benefit_range,
)
from cxrscan.reports.wording import figure_text, with_interval
from cxrscan.scanner.evaluation.evaluate import Evaluation
from cxrscan.scanner.metrics import Subgroup
from cxrscan.scanner.system.plain_matplotlib import import_matplotlib
from cxrscan.scanner.system.whole_files import replacing

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
    mpl = import_matplotlib()  # heavy: only where charts are drawn
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


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=x, ylabel=y)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)


_SKIN = Skin(
    muted=_GREY,
    accent=_COLOUR,
    second="#b4510d",
    line_points=1.5,
    dashes=(0, (4, 2)),
    thin=lambda x, y: (x, y),
    label=_label,
)


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
    films = evaluation.films
    legend = f"AUC {with_interval('auc', evaluation.summary.estimates['auc'])}"
    draw_roc(axes, films.truth, films.prob, _SKIN, legend=legend)
    _mark_thresholds(axes, evaluation, "specificity", "sensitivity")


def _precision_recall(axes: Axes, evaluation: Evaluation) -> None:
    films = evaluation.films
    average = figure_text(evaluation.summary.estimates["average_precision"].value, "score")
    draw_precision_recall(axes, films.truth, films.prob, _SKIN, legend=f"average precision {average}")
    _mark_thresholds(axes, evaluation, "sensitivity", "ppv")


def _reliability(axes: Axes, evaluation: Evaluation) -> None:
    draw_reliability(axes, evaluation.films.truth, evaluation.films.prob, _SKIN)
    axes.set_title("Larger dots: more films. Bars: 95 % intervals, film by film", fontsize="medium")


def _coverage(axes: Axes, evaluation: Evaluation) -> None:
    films = evaluation.films
    curves = coverage_curves(films.truth, films.prob, films.distance, evaluation.summary.threshold)
    draw_coverage(axes, curves, _SKIN)
    axes.set_ylim(*coverage_range(curves))


def _decision(axes: Axes, evaluation: Evaluation) -> None:
    films = evaluation.films
    draw_decision(axes, films.truth, films.prob, _SKIN)
    axes.set(xlim=(0, 1), ylim=net_benefit_range(films.truth, films.prob))


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
