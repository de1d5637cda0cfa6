"""The report's charts: matplotlib draws those of labelled runs, the page colours them all.

Each chart is an SVG without a style of its own: colours are the page's custom properties, so that the chart follows
light and dark mode and print, and nothing in it needs an exception from the page's content security policy.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

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
from cxrscan.reports.page.histogram import Plot, histogram_svg
from cxrscan.reports.wording import fixed, probability_text
from cxrscan.scanner.metrics import BoolArray, FloatArray, reliability_curve
from cxrscan.scanner.records import NEGATIVE, POSITIVE
from cxrscan.scanner.system.plain_matplotlib import import_matplotlib
from cxrscan.scanner.system.text import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _WIDE, _HEIGHT = 250, 620, 224
_X_MAX = 1.02  # so that a point at 1 is whole
_LEFT, _RIGHT, _BOTTOM, _TOP = 42, 8, 38, 8
_N_BINS = 20
_MIN_FOR_COVERAGE = 20
"""With fewer labelled films a curve of accuracy against coverage is noise."""

# Stand-ins for the page's colours: matplotlib wants a value, the page wants a name.
_INK, _MUTED, _LINE, _ACCENT, _POSITIVE, _NEGATIVE = (f"#00000{i}" for i in range(1, 7))
_PAGE_COLOURS = {
    _INK: "currentColor",
    _MUTED: "var(--muted)",
    _LINE: "var(--line)",
    _ACCENT: "var(--accent)",
    _POSITIVE: "var(--positive)",
    _NEGATIVE: "var(--negative)",
}


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart, ready for the page."""

    key: str
    title: str
    alt: str
    """What a reader who cannot see the chart needs to know."""
    svg: str
    """The ``<svg>`` element's text; made by us alone."""
    origin: tuple[float, float]
    """Where the data point (0, 0) lies in the SVG's units, from the upper left corner."""
    unit: tuple[float, float]
    """Where one data unit to the right, and one upwards, leads."""


def labelled_charts(truth: BoolArray, prob: FloatArray, threshold: float) -> tuple[Chart, ...]:
    """Draw ROC, precision-recall, reliability and histogram by class.

    Parameters
    ----------
    truth
        bool array, shape (N,), True for pneumonia.
    prob
        float array, shape (N,), values in [0, 1].
    threshold
        The run's, marked in the charts.
    """
    charts = [_histogram_by_class(truth, prob, threshold)]
    if truth.any() and not truth.all():
        charts = [_roc(truth, prob, threshold), _precision_recall(truth, prob, threshold), *charts]
    return (*charts, _reliability(truth, prob)) if truth.size else ()


def coverage_chart(truth: BoolArray, prob: FloatArray, distance: FloatArray, threshold: float) -> tuple[Chart, ...]:
    """Draw accuracy against coverage: what is gained by setting the most doubtful films aside.

    Parameters
    ----------
    truth
        bool array, shape (N,), True for pneumonia.
    prob
        float array, shape (N,), values in [0, 1].
    distance
        float array, shape (N,), gate distances; infinite where there is none.
    """
    if truth.size < _MIN_FOR_COVERAGE:
        return ()
    curves = coverage_curves(truth, prob, distance, threshold)
    low, high = coverage_range(curves)
    told = " ".join(
        f"With films {name} set aside first, accuracy is {fixed(curve.accuracy_at(1), 3)} for all films, "
        f"{fixed(curve.accuracy_at(0.9), 3)} when 90 % keep their call and {fixed(curve.accuracy_at(0.8), 3)} when "
        "80 % do."
        for name, curve in curves.items()
    )
    alt = f"Accuracy against coverage of {truth.size:,} labelled films. {told}"
    draw = partial(draw_coverage, curves=curves, skin=_SKIN)
    return (_chart("coverage", "Accuracy and coverage", alt, draw, low=low, high=high),)


def decision_chart(truth: BoolArray, prob: FloatArray) -> Chart:
    """Draw the net benefit of the model's calls; ``truth`` and ``prob`` have shape (N,), and N is not 0."""
    low, high = net_benefit_range(truth, prob)
    top = fixed(float(high / 1.1), 3)
    alt = f"Net benefit of the model's calls over threshold probabilities from 0 to 1; at best {top} per film."
    draw = partial(draw_decision, truth=truth, prob=prob, skin=_SKIN)
    ticks = (0.0, round(high / 1.1, 2))
    return _chart("decision", "Net benefit", alt, draw, low=low, high=high, ticks=ticks)


def unlabelled_charts(probs: FloatArray, threshold: float) -> tuple[Chart, ...]:
    """Draw the spread of the probabilities of all scored films, shape (N,); one film has none, and need not wait."""
    return (_histogram(probs, threshold),) if probs.size > 1 else ()


def _roc(truth: BoolArray, prob: FloatArray, threshold: float) -> Chart:
    at = prob >= threshold
    fpr, tpr = float(at[~truth].mean()), float(at[truth].mean())

    def draw(axes: Axes) -> None:
        draw_roc(axes, truth, prob, _SKIN)
        _mark(axes, fpr, tpr)

    alt = (
        f"Receiver operating characteristic of {truth.size:,} labelled films. At the run's threshold: "
        f"sensitivity {fixed(tpr, 3)} at a false positive rate of {fixed(fpr, 3)}."
    )
    return _chart("roc", "ROC curve", alt, draw)


def _precision_recall(truth: BoolArray, prob: FloatArray, threshold: float) -> Chart:
    at = prob >= threshold

    def draw(axes: Axes) -> None:
        draw_precision_recall(axes, truth, prob, _SKIN)
        if at.any():
            _mark(axes, float(at[truth].mean()), float(truth[at].mean()))

    alt = (
        f"Precision against recall of {truth.size:,} labelled films. The dashed line is the share of pneumonia films, "
        f"{fixed(float(truth.mean()), 3)}: what calling every film pneumonia would reach."
    )
    return _chart("pr", "Precision and recall", alt, draw)


def _reliability(truth: BoolArray, prob: FloatArray) -> Chart:
    alt = "Reliability diagram in ten bins. " + " ".join(
        f"Predicted {fixed(b.mean_prob, 2)}, observed {fixed(b.observed, 2)} ({count(b.n, 'film')})."
        for b in reliability_curve(truth, prob)
    )
    return _chart("reliability", "Reliability", alt, partial(draw_reliability, truth=truth, prob=prob, skin=_SKIN))


def _histogram_by_class(truth: BoolArray, prob: FloatArray, threshold: float) -> Chart:
    edges = np.linspace(0, 1, _N_BINS + 1)
    positive, negative = np.histogram(prob[truth], edges)[0], np.histogram(prob[~truth], edges)[0]
    top = max(1, int(positive.max()), int(negative.max()))

    def draw(axes: Axes) -> None:
        axes.bar(edges[:-1] + 0.05 / _N_BINS, positive / top, 0.9 / _N_BINS, align="edge", color=_POSITIVE, linewidth=0)
        axes.bar(
            edges[:-1] + 0.05 / _N_BINS, -negative / top, 0.9 / _N_BINS, align="edge", color=_NEGATIVE, linewidth=0
        )
        axes.axhline(0, color=_INK, linewidth=0.8)
        axes.plot([threshold, threshold], [-1.04, 1.04], color=_INK, linewidth=1, linestyle=(0, (2, 2)))
        axes.text(0.5, 1.2, f"labelled {POSITIVE}", color=_POSITIVE, ha="center", va="center")
        axes.text(0.5, -1.2, f"labelled {NEGATIVE}", color=_NEGATIVE, ha="center", va="center")
        axes.set_xlabel("Probability of pneumonia", labelpad=5)
        ticks = _count_ticks(top)
        below = ticks[:0:-1]
        axes.set_yticks([-n / top for n in below] + [n / top for n in ticks], [f"{n:,}" for n in below + ticks])

    alt = (
        f"Histogram of the probabilities by class. {int((prob[truth] >= threshold).sum()):,} of {int(truth.sum()):,} "
        f"pneumonia films and {int((prob[~truth] >= threshold).sum()):,} of {int((~truth).sum()):,} normal films lie "
        f"at or above the run's threshold {probability_text(threshold)}."
    )
    return _chart("histogram", "Films by probability and class", alt, draw, low=-1.34, high=1.34)


def _histogram(probs: FloatArray, threshold: float) -> Chart:
    counts = np.histogram(probs, np.linspace(0, 1, _N_BINS + 1))[0].tolist()
    plot = Plot(_WIDE, _HEIGHT, _LEFT, _WIDE - _RIGHT, _TOP, _HEIGHT - _BOTTOM, x_max=_X_MAX, y_max=1.04)
    alt = (
        f"Histogram of the probabilities of {probs.size:,} scored films; {int((probs >= threshold).sum()):,} lie at or "
        f"above the run's threshold {probability_text(threshold)}."
    )
    return Chart(
        key="histogram",
        title="Films by probability",
        alt=alt,
        svg=histogram_svg(counts, _count_ticks(max(1, *counts)), threshold, "Probability of pneumonia", plot),
        origin=(plot.x(0), plot.y(0)),
        unit=(round(plot.unit[0], 3), round(plot.unit[1], 3)),
    )


def _thinned(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Leave out points that nobody could tell from the one before: half a pixel of the chart."""
    cells = np.rint(np.column_stack([x, y]) * 2 * _WIDTH)
    kept = np.append(True, np.any(np.diff(cells, axis=0) != 0, axis=1))
    kept[-1:] = True
    return x[kept], y[kept]


def _count_ticks(top: int) -> list[int]:
    """Return three round counts from 0 up to ``top`` or a little less."""
    step = max(1, top // 2)
    digits = 10 ** (len(str(step)) - 1)
    step = step // digits * digits
    return [0, step, 2 * step] if 2 * step <= top else [0, step]


def _mark(axes: Axes, x: float, y: float) -> None:
    """Mark the run's threshold on a curve."""
    axes.plot([x], [y], color=_INK, marker="o", markersize=7, markerfacecolor="none", clip_on=False)


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, labelpad=5)
    axes.set_ylabel(y)
    axes.yaxis.set_label_coords((11 - _LEFT) / (_WIDTH - _LEFT - _RIGHT), 0.5)


_SKIN = Skin(
    muted=_MUTED,
    accent=_ACCENT,
    second=_POSITIVE,
    line_points=1.8,
    dashes=(0, (3, 3)),
    thin=_thinned,
    label=_label,
    shade=True,
)


# -- from matplotlib to the page


def _chart(
    key: str,
    title: str,
    alt: str,
    draw: Callable[[Axes], None],
    *,
    low: float = 0.0,
    high: float = 1.02,
    ticks: tuple[float, ...] = (0, 0.25, 0.5, 0.75, 1),
) -> Chart:
    """Draw a chart over x from 0 to 1 and y from ``low`` to ``high``."""
    mpl = import_matplotlib()  # heavy: only where a report is drawn
    from matplotlib.figure import Figure

    inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    with mpl.rc_context(_style(key)):
        figure = Figure(figsize=(_WIDTH / 72, _HEIGHT / 72))
        axes = figure.add_axes((_LEFT / _WIDTH, _BOTTOM / _HEIGHT, inner_width / _WIDTH, inner_height / _HEIGHT))
        axes.set_xlim(0, _X_MAX)
        axes.set_ylim(low, high)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        draw(axes)
        axes.set_ylim(low, high)  # ticks widen the axis
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    unit = (inner_width / _X_MAX, inner_height / (high - low))
    return Chart(
        key=key,
        title=title,
        alt=alt,
        svg=_page_svg(stream.getvalue()),
        origin=(_LEFT, round(_TOP + high * unit[1], 3)),
        unit=(round(unit[0], 3), round(unit[1], 3)),
    )


def _style(key: str) -> Any:
    """Return matplotlib's settings, which its own type hints know by a closed list of literals."""
    return {
        "svg.fonttype": "none",  # text stays text, in the page's font
        "svg.hashsalt": key,
        "font.size": 10,
        "text.color": _INK,
        "axes.edgecolor": _LINE,
        "axes.labelcolor": _MUTED,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": _LINE,
        "grid.linewidth": 0.5,
        "xtick.color": _LINE,
        "ytick.color": _LINE,
        "xtick.labelcolor": _MUTED,
        "ytick.labelcolor": _MUTED,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "path.simplify": True,
    }


_DROPPED = {"font", "font-family", "white-space"}  # the page sets the font


def _page_svg(text: str) -> str:
    """Cut matplotlib's document down to an inline ``<svg>`` without style rules, ids of groups or a size of its own."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"<svg[^>]*>", f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" aria-hidden="true">', text, count=1)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r' transform="rotate\(-0 [^"]*"', "", text)
    text = re.sub(r' style="([^"]*)"', _as_attributes, text)
    for stand_in, name in _PAGE_COLOURS.items():
        text = text.replace(stand_in, name)
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def _as_attributes(style: re.Match[str]) -> str:
    pairs = (part.split(":", 1) for part in style[1].split(";") if ":" in part)
    return "".join(f' {name.strip()}="{value.strip()}"' for name, value in pairs if name.strip() not in _DROPPED)
