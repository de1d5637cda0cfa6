"""Figures, numbers and codes as the report writes them; the report's script writes figures the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

from cxrscan.scanner.records import NEGATIVE, POSITIVE, REFERRED, Band, Estimate
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.system.text import field_title

Form = Literal["share", "score", "ratio", "plain", "count"]
"""How a figure is written: percent, a number from 0 to 1, a ratio, any number, or a whole one."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of ``cxrscan.scanner.metrics.Summary``, for people."""

    key: str
    title: str
    meaning: str
    form: Form


METRICS = (
    Metric("sensitivity", "Sensitivity", "Share of the pneumonia films that were called pneumonia", "share"),
    Metric("specificity", "Specificity", "Share of the normal films that were called normal", "share"),
    Metric("ppv", "PPV", "Share of the films called pneumonia that are", "share"),
    Metric("npv", "NPV", "Share of the films called normal that are", "share"),
    Metric("accuracy", "Accuracy", "Share of all films that were called right", "share"),
    Metric("balanced_accuracy", "Balanced accuracy", "Mean of sensitivity and specificity", "share"),
    Metric("f1", "F1", "Harmonic mean of sensitivity and PPV", "score"),
    Metric("mcc", "MCC", "Matthews correlation of truth and call, -1 to 1", "plain"),
    Metric("lr_positive", "LR+", "How much a call of pneumonia raises the odds of pneumonia", "ratio"),
    Metric("lr_negative", "LR\N{MINUS SIGN}", "How much a call of normal lowers the odds of pneumonia", "ratio"),
    Metric("diagnostic_odds_ratio", "Diagnostic odds ratio", "LR+ divided by LR\N{MINUS SIGN}", "ratio"),
    Metric("auc", "AUC", "Chance that a pneumonia film gets a higher probability than a normal one", "score"),
    Metric("average_precision", "Average precision", "Area under the precision-recall curve", "score"),
    Metric("brier", "Brier score", "Mean squared distance of probability and truth; 0 is best", "score"),
    Metric(
        "ece", "Calibration error", "Mean distance of predicted and observed frequency, 10 bins; 0 is best", "score"
    ),
    Metric("calibration_slope", "Calibration slope", "1 is ideal; below 1 the probabilities are too extreme", "plain"),
    Metric("calibration_intercept", "Calibration intercept", "0 is ideal; above 0 the model expects too few", "plain"),
)
"""In the order of the report."""

_OF_MODELS = (
    Metric(
        "ece_at_prior",
        "Calibration error at the assumed share",
        "The same, as if that share of the films had pneumonia which the probabilities assume",
        "score",
    ),
    Metric(
        "repeat_log_odds",
        "Repeat variation, log-odds",
        "Difference in the network's log-odds that 95 % of the pairs of versions of one film stay below",
        "plain",
    ),
)
"""Those of validation films only."""


@dataclass(frozen=True, slots=True)
class OutcomeTitle:
    """Something that a reader can filter films by, in the report and in the viewer."""

    key: str
    """Of ``cxrscan.scanner.decision.outcomes``, or a verdict."""
    kind: Literal["call", "truth", "gate", "verdict"]
    title: str

    @property
    def group(self) -> str:
        """Chosen outcomes of one group add up, groups narrow each other."""
        return "call" if self.kind == "truth" else self.kind


VERDICTS = {"pneumonia": "Pneumonia", "no-pneumonia": "No pneumonia", "unsure": "Unsure"}
"""What a reader can say about a film."""

AGREEMENTS = {
    "agree": {POSITIVE: "pneumonia", NEGATIVE: "no-pneumonia", REFERRED: "unsure"},
    "disagree": {POSITIVE: "no-pneumonia", NEGATIVE: "pneumonia", REFERRED: "unsure"},
}
"""Verdict on a call, as older sheets hold it -> call -> what the reader says about the film."""

VERDICT_COLUMNS = (
    *("path", "sha256", "prediction", "prob_pneumonia", "threshold", "model"),
    *("verdict", "comment", "reader", "reviewed_at", "blind"),
)
"""Columns of ``verdicts.csv``, which the report and the viewer write and read.

All but the last five say what the verdict was given on, and stay as they were then."""

OUTCOMES = {
    outcome.key: outcome
    for outcome in (
        OutcomeTitle("positive", "call", POSITIVE),
        OutcomeTitle("negative", "call", NEGATIVE),
        OutcomeTitle("referred", "call", REFERRED),
        OutcomeTitle("rejected", "call", "Rejected"),
        OutcomeTitle("failed", "call", "Failed"),
        OutcomeTitle("tp", "truth", "True positive"),
        OutcomeTitle("fn", "truth", "False negative"),
        OutcomeTitle("fp", "truth", "False positive"),
        OutcomeTitle("tn", "truth", "True negative"),
        OutcomeTitle("warned", "gate", "Caveat"),
        *(OutcomeTitle(key, "verdict", f"Read: {title.lower()}") for key, title in VERDICTS.items()),
    )
}
"""In the order of the report."""

_BY_KEY = {metric.key: metric for metric in (*METRICS, *_OF_MODELS)}


def figure_text(value: float | None, form: Form) -> str:
    """Write a figure: ``share`` as percent, ``score`` and ``plain`` with three digits, ``ratio`` with three figures."""
    if value is None:
        return "\N{EN DASH}"
    if form == "share":
        return f"{fixed(100 * value, 1)} %".replace("-", "\N{MINUS SIGN}")
    if form == "count":
        return f"{value:,.0f}"
    if form == "ratio":
        return fixed(value, 0) if value >= 100 else significant(value, 3)
    return fixed(value, 3).replace("-", "\N{MINUS SIGN}")


def fixed(value: float, digits: int) -> str:
    """Write a number with so many digits after the point, ties rounded away from zero as JavaScript's ``toFixed`` does.

    So what the report's script writes is what Python writes, digit by digit.
    """
    return format(Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP), "f")


def significant(value: float, digits: int) -> str:
    """Write a number with so many significant digits, without zeros at the end, rounded as ``fixed`` does."""
    exact = Decimal(value)
    text = fixed(value, max(0, digits - 1 - exact.adjusted())) if exact else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text


def interval_text(estimate: Estimate, form: Form) -> str:
    """Write a 95 % interval in the form of its figure, without unit; empty without one."""
    if estimate.low is None or estimate.high is None:
        return ""
    low, high = (figure_text(bound, form).removesuffix(" %") for bound in (estimate.low, estimate.high))
    # A dash beside a minus sign would be read as one.
    return f"{low} to {high}" if estimate.low < 0 else f"{low}\N{EN DASH}{high}"


def with_interval(key: str, estimate: Estimate) -> str:
    """Write a figure with its interval, in the form of its metric: ``97.9 % (96.0–99.0)``."""
    return _beside(figure_text(estimate.value, form_of(key)), interval_text(estimate, form_of(key)))


def difference_text(key: str, difference: Estimate) -> str:
    """Write the difference of two figures of a metric with its interval; that of shares in percentage points."""
    value = figure_text(difference.value, form_of(key)).replace(" %", " points")
    return _beside(value, interval_text(difference, form_of(key)))


def _beside(value: str, interval: str) -> str:
    return f"{value} ({interval})" if interval else value


def terminal_text(text: str) -> str:
    """Write dashes and minus signs so that every terminal has them."""
    return text.translate({ord("\N{EN DASH}"): "-", ord("\N{MINUS SIGN}"): "-"})


def title_of(key: str) -> str:
    """Return a metric's heading; one that the report does not know is called by its key."""
    return _BY_KEY[key].title if key in _BY_KEY else field_title(key)


_SETS = {
    "plain": "films as they are",
    "shifted": "artificially altered",
    "other versions of the same films": "the same films at another size",
}


def set_title(name: str) -> str:
    """Say what a set of validation films is, which a bundle calls ``plain``, ``adults, shifted`` and so on."""
    return ", ".join(_SETS.get(part, part) for part in name.split(", "))


def form_of(key: str) -> Form:
    """Return how a metric is written."""
    if key in _BY_KEY:
        return _BY_KEY[key].form
    return "count" if key.startswith("n_") else "share" if key.endswith(("_in_a_box", "_in_boxes")) else "plain"


def code_title(code: str) -> str:
    """Return an error code or gate reason as words: ``no-pixels`` -> ``No pixels``."""
    return code.replace("-", " ").capitalize().replace("dicom", "DICOM")


def reject_title(reasons: str) -> str:
    """Return the short form of a film's gate reasons."""
    return ", ".join(map(code_title, reasons.split())) or "No reason stated"


def probability_text(prob: float) -> str:
    """Write a threshold with as many digits as it needs, two at least and four at most."""
    text = fixed(prob, 4)
    return text[:-2] if text.endswith("00") else text


def called_by_text(run: Run) -> str:
    """Name what called a run's films: its model, at its threshold."""
    return f"{run.model.label} at {probability_text(run.info.threshold)}"


def film_probability_text(prob: float) -> str:
    """Write a film's probability; never as certainty, which no network has."""
    if prob > 0.99:
        return "> 0.99"
    return "< 0.01" if prob < 0.01 else fixed(prob, 2)


def prob_text(prob: float, digits: int = 2) -> str:
    """Write a film's probability; never as the 0 or 1 that it is not."""
    text, step = fixed(prob, digits), 10.0**-digits
    if float(text) == 0:
        return f"< {fixed(step, digits)}"
    return f"> {fixed(1 - step, digits)}" if float(text) == 1 else text


def percent_text(prob: float, digits: int = 0) -> str:
    """Write a film's probability in percent; never as the 0 or 100 that it is not."""
    text, step = fixed(100 * prob, digits), 10.0**-digits
    if float(text) == 0:
        return f"< {fixed(step, digits)} %"
    return f"> {fixed(100 - step, digits)} %" if float(text) == 100 else f"{text} %"


def call_sentence(prob: float, called: str, threshold: float, refer: Band | None = None) -> str:
    """Say how a film's call follows from its probability, with as many digits as the difference needs."""
    said = "Probability of pneumonia"
    if called == REFERRED and refer is not None:
        low, high = (fixed(100 * bound, 0) for bound in refer)
        return f"{said} {percent_text(prob)} · from {low} to {high} % a reader is to read the film"
    digits = next((d for d in (0, 1, 2) if percent_text(prob, d) != f"{fixed(100 * threshold, d)} %"), 3)
    side = "at or above" if called == POSITIVE else "below"
    limit = f"{fixed(100 * threshold, digits)} %"
    return f"{said} {percent_text(prob, digits)} · {side} the threshold of {limit} → called {called}"


def date_text(iso: str) -> str:
    """Write a moment, given as ISO 8601 in UTC."""
    moment = datetime.fromisoformat(iso)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def plain_text(value: Any) -> str:
    """Write an option's value."""
    if isinstance(value, list | tuple):
        return ", ".join(map(plain_text, value)) or "none"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "not set"}[value]
    return str(value)
