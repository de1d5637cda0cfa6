"""What ``--group`` adds to the report: studies in a table, their figures, and how a patient's follow each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cxrscan.reports.tables.columns import COLUMNS
from cxrscan.reports.wording import figure_text, fixed, form_of, interval_text, probability_text, title_of
from cxrscan.scanner.evaluation.grouping import DICOM, FOLDER
from cxrscan.scanner.evaluation.studies import RULES, Study
from cxrscan.scanner.records import POSITIVE, StudySummary
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.system.text import count

ROW = (
    *("name", "patient", "number", "ofPatient", "orderedBy", "acquired", "prob_pneumonia", "truth"),
    *("change", "beyond", "films"),
)
"""Names of a row's values."""
_FIGURES = ("sensitivity", "specificity", "ppv", "npv", "auc")
_BY = {DICOM: "the header's identifiers", FOLDER: "the folders that they lie in"}
_DECIMALS = next(column.decimals for column in COLUMNS if column.name == "prob_pneumonia")


@dataclass(frozen=True, slots=True)
class StudiesView:
    """The studies, ready to print; the rows of their table go to the page's script."""

    lead: str
    notes: tuple[str, ...]
    figures: tuple[tuple[str, str, str], ...]
    """(title, value, interval); empty without labels."""
    basis: str
    """Of which studies the figures are; empty without labels."""


def studies_view(summary: StudySummary, run: Run) -> StudiesView:
    """Make the view of a run's studies."""
    return StudiesView(
        lead=f"{summary.n_positive:,} of {count(summary.n_scored, 'scored study', 'scored studies')} called {POSITIVE}",
        notes=tuple(filter(None, (_rule(summary, run), _patients(summary), _follow_up(summary)))),
        figures=tuple(
            (title_of(key), figure_text(one.value, form_of(key)), interval_text(one, form_of(key)) or one.reason)
            for key, one in summary.figures.items()
            if key in _FIGURES
        ),
        basis=_basis(summary) if summary.figures else "",
    )


def _rule(summary: StudySummary, run: Run) -> str:
    by = _BY.get(summary.group, f"the column {summary.group} of the label file")
    return (
        f"Films are grouped by {by}. A study's probability is {RULES[summary.rule]}. The threshold "
        f"{probability_text(run.info.threshold)} was chosen for single films."
    )


def _patients(summary: StudySummary) -> str:
    n_unscored = summary.n_studies - summary.n_scored
    without = f" {count(n_unscored, 'study has', 'studies have')} no scored film." if n_unscored else ""
    n, told = summary.n_without_patient, count(summary.n_studies, "study", "studies")
    if n == summary.n_studies:
        return f"{told}; nothing tells the patients apart, so each counts as another's.{without}"
    unknown = f"; of {count(n, 'study', 'studies')} nothing tells the patient: each counts as another's" if n else ""
    return f"{told} of {count(summary.n_patients, 'patient')}{unknown}.{without}"


def _follow_up(summary: StudySummary) -> str:
    if not summary.n_follow_ups:
        return ""
    told = f"{count(summary.n_follow_ups, 'study follows', 'studies follow')} an earlier one of the same patient"
    if summary.repeat is None:
        return f"{told}. The model does not say how far its answers on versions of one film lie apart."
    return (
        f"{told}; {summary.n_changed:,} of them changed beyond repeat variation, by more than 95 of 100 pairs of "
        f"versions of one film ({fixed(summary.repeat, 2)} in log-odds of the network). Films that are taken anew "
        "vary more."
    )


def _basis(summary: StudySummary) -> str:
    how = ", intervals clustered by patient" if summary.is_clustered else ""
    return f"Figures of {count(summary.n_labelled, 'study', 'studies')} with label and call{how}."


def study_rows(studies: Sequence[Study], repeat: float | None) -> list[list[Any]]:
    """Return the studies as rows of ``ROW``; ``films`` are places among the run's films."""
    return [
        [
            study.name,
            study.patient,
            study.number,
            study.n_of_patient,
            study.ordered_by,
            study.acquired,
            None if study.prob is None else float(fixed(study.prob, _DECIMALS)),
            study.truth,
            None if study.change is None else float(fixed(study.change, _DECIMALS)),
            study.changed(repeat),
            [film.position for film in study.films],
        ]
        for study in studies
    ]
