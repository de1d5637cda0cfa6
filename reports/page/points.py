"""The operating points that a reader is offered: what each does, on these films where they are labelled."""

from __future__ import annotations

from dataclasses import dataclass

from cxrscan.reports.wording import fixed, probability_text
from cxrscan.scanner.metrics import BoolArray, FloatArray, figure_estimates
from cxrscan.scanner.metrics.confusion import confusion_matrix
from cxrscan.scanner.model_bundle import ModelSpec
from cxrscan.scanner.records import RunInfo
from cxrscan.scanner.run_record import Run


@dataclass(frozen=True, slots=True)
class OfferedPoint:
    """An operating point, by its purpose beside the run's threshold."""

    name: str
    threshold: float
    text: str
    purpose: str
    does: str
    """Sensitivity and specificity; empty where nobody measured them."""
    rule: str
    """Name, and how the threshold was chosen."""


@dataclass(frozen=True, slots=True)
class _Measured:
    name: str
    threshold: float
    rule: str
    sensitivity: float | None
    specificity: float | None


def offered_points(
    run: Run, truth: BoolArray | None = None, prob: FloatArray | None = None
) -> tuple[OfferedPoint, ...]:
    """Return the points worth choosing, by rising threshold.

    One that another beats, or that does just what another does, is left out; the run's own never.

    Parameters
    ----------
    truth, prob
        Of the films that figures are of, shape (N,); without them the figures are the bundle's.
    """
    points = sorted(_measured(run.model, truth, prob), key=lambda point: point.threshold)
    of = "the labelled films here" if truth is not None else "validation films"
    kept = [point for point in points if point.name == run.info.threshold_name or not _beaten(point, points, run.info)]
    return tuple(
        OfferedPoint(
            name=point.name,
            threshold=point.threshold,
            text=probability_text(point.threshold),
            purpose=_purpose(point, kept, run.info),
            does=_does(point),
            rule=f"{point.name}: {point.rule}. Figures: {of}",
        )
        for point in kept
    )


def _measured(model: ModelSpec, truth: BoolArray | None, prob: FloatArray | None) -> list[_Measured]:
    found = []
    for point in model.operating_points.values():
        sensitivity, specificity = point.sensitivity.value, point.specificity.value
        if truth is not None and prob is not None:
            figures = figure_estimates(confusion_matrix(truth, prob, point.threshold))
            sensitivity, specificity = figures["sensitivity"].value, figures["specificity"].value
        found.append(_Measured(point.name, point.threshold, point.rule, sensitivity, specificity))
    return found


def _beaten(point: _Measured, points: list[_Measured], info: RunInfo) -> bool:
    """Whether another point is as good in both figures, and better in one, or comes first among equals."""
    if point.sensitivity is None or point.specificity is None:
        return False
    for other in points:
        if other is point or other.sensitivity is None or other.specificity is None:
            continue
        gains = (other.sensitivity - point.sensitivity, other.specificity - point.specificity)
        first = other.name == info.threshold_name or other.threshold < point.threshold
        if min(gains) >= 0 and (max(gains) > 0 or first):
            return True
    return False


def _purpose(point: _Measured, offered: list[_Measured], info: RunInfo) -> str:
    """What choosing the point does beside the run's own: less of one fault, or least where a second does less, too."""
    if point.threshold == info.threshold:
        return "this run" if info.roots else "default"
    below = point.threshold < info.threshold
    rivals = [other.threshold for other in offered if other.threshold != info.threshold]
    rivals = [threshold for threshold in rivals if (threshold < info.threshold) == below]
    is_last = len(rivals) > 1 and point.threshold == (min if below else max)(rivals)
    return f"{'fewest' if is_last else 'fewer'} {'misses' if below else 'false alarms'}"


def _does(point: _Measured) -> str:
    if point.sensitivity is None or point.specificity is None:
        return ""
    return f"sens {fixed(100 * point.sensitivity, 1)} · spec {fixed(100 * point.specificity, 1)}"
