"""What ``cxrscan evaluate`` adds to the report: intervals by patient, subgroups, other prevalences, net benefit."""

from __future__ import annotations

from dataclasses import dataclass

from cxrscan.reports.page.charts import Chart, decision_chart
from cxrscan.reports.tables.columns import COLUMNS
from cxrscan.reports.wording import figure_text, form_of, interval_text, title_of, with_interval
from cxrscan.scanner.evaluation.evaluate import Evaluation
from cxrscan.scanner.metrics import Summary
from cxrscan.scanner.records import Estimate
from cxrscan.scanner.system.text import count, field_title

_FRONT = ("sensitivity", "specificity", "ppv", "npv", "accuracy")
"""Metrics that stand side by side for several subgroups."""
_TITLES = {column.name: column.title for column in COLUMNS}


@dataclass(frozen=True, slots=True)
class FigureTable:
    """A table of figures as texts."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class EvaluationView:
    """The evaluation, ready to print."""

    patients: str
    """Sentence on whose films these are."""
    by_patient: FigureTable | None
    """None where every patient has one film."""
    subgroups: tuple[FigureTable, ...]
    elsewhere: FigureTable | None
    """PPV and NPV at other prevalences; None where none were asked for."""
    chart: Chart


def evaluation_view(evaluation: Evaluation) -> EvaluationView:
    """Make the view of an evaluation."""
    films = evaluation.films
    return EvaluationView(
        patients=_patients(evaluation),
        by_patient=_by_patient(evaluation) if evaluation.by_patient else None,
        subgroups=tuple(
            _subgroups(attribute, [(group.value or "not stated", group.summary) for group in groups])
            for attribute, groups in evaluation.subgroups.items()
        ),
        elsewhere=_elsewhere(evaluation.elsewhere) if evaluation.elsewhere else None,
        chart=decision_chart(films.truth, films.prob),
    )


def _patients(evaluation: Evaluation) -> str:
    n = count(evaluation.summary.n, "film")
    if evaluation.films.n_without_patient == evaluation.summary.n:
        return f"{n}; nothing tells the patients apart, so films count as independent."
    return f"{n} of {count(evaluation.n_patients, 'patient')}."


def _by_patient(evaluation: Evaluation) -> FigureTable:
    rows = tuple(
        (
            title_of(key),
            figure_text(estimate.value, form_of(key)),
            interval_text(evaluation.summary.estimates[key], form_of(key)),
            interval_text(estimate, form_of(key)),
        )
        for key, estimate in evaluation.by_patient.items()
    )
    return FigureTable("Intervals by patient", ("", "Value", "Films as independent", "Clustered by patient"), rows)


def _subgroups(attribute: str, groups: list[tuple[str, Summary]]) -> FigureTable:
    rows = tuple(
        (name, f"{summary.n:,}", *(with_interval(key, summary.estimates[key]) for key in _FRONT))
        for name, summary in groups
    )
    title = _TITLES.get(attribute, field_title(attribute))
    return FigureTable(f"By {title.lower()}", (title, "Films", *map(title_of, _FRONT)), rows)


def _elsewhere(elsewhere: tuple[tuple[float, Estimate, Estimate], ...]) -> FigureTable:
    rows = tuple(
        (figure_text(prevalence, "share"), with_interval("ppv", ppv), with_interval("npv", npv))
        for prevalence, ppv, npv in elsewhere
    )
    return FigureTable("Where another share of the films shows pneumonia", ("Share", "PPV", "NPV"), rows)
