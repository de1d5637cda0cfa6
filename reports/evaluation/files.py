"""An evaluation as files: ``metrics.json`` for programs, ``metrics.csv`` for spreadsheets, and its table as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from cxrscan.reports.evaluation.charts import write_charts
from cxrscan.reports.json_file import write_json
from cxrscan.reports.tables.csv_file import neutralised, write_sheet
from cxrscan.reports.wording import (
    figure_text,
    fixed,
    form_of,
    interval_text,
    probability_text,
    terminal_text,
    title_of,
    with_interval,
)
from cxrscan.scanner.evaluation.evaluate import Evaluation, ThresholdRow
from cxrscan.scanner.metrics import Summary, decision_curve, reliability_curve
from cxrscan.scanner.records import NEGATIVE, POSITIVE, Estimate, RunInfo, StudySummary
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.system.text import count
from cxrscan.scanner.system.whole_files import make_folder

_SCHEMA_VERSION = 1
_CSV_HEADER = (
    *("scope", "group", "threshold", "n", "n_positive", "metric", "value", "low", "high"),
    *("patient_low", "patient_high", "reason"),
)
_FRONT = ("sensitivity", "specificity", "ppv", "npv", "accuracy")
"""Metrics that stand side by side for several thresholds or subgroups."""
_NO_INTERVAL = Estimate(None)


def write_evaluation(
    folder: Path, evaluation: Evaluation, run: Run, studies: StudySummary | None = None
) -> dict[str, Any]:
    """Write ``metrics.json``, ``metrics.csv`` and the charts into ``folder``, which is made if need be.

    Returns
    -------
    The content of ``metrics.json``.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    make_folder(folder)
    document = evaluation_document(evaluation, run) | {"studies": studies and asdict(studies)}
    write_json(folder / "metrics.json", document)
    write_metrics_csv(folder / "metrics.csv", evaluation)
    write_charts(folder, evaluation)
    return document


def evaluation_document(evaluation: Evaluation, run: Run) -> dict[str, Any]:
    """Return the content of ``metrics.json``; undefined figures are null with the reason."""
    films = evaluation.films
    curve = decision_curve(films.truth, films.prob)
    return {
        "schema_version": _SCHEMA_VERSION,
        "cxrscan": run.info.version,
        "model": {"name": run.model.name, "version": run.model.version, "weights_sha256": run.model.weights_sha256},
        "labels": run.info.labels,
        "refer": run.info.refer,
        "unscored": dict(films.unscored),
        "n_patients": evaluation.n_patients,
        "n_films_without_patient": films.n_without_patient,
        "n_copies": films.n_copies,
        "at_threshold": _summary(evaluation.summary),
        "by_patient": {name: asdict(estimate) for name, estimate in evaluation.by_patient.items()},
        "thresholds": [
            {"name": row.name, "rule": row.rule, "exploratory": row.exploratory, **_summary(row.summary)}
            for row in evaluation.thresholds
        ],
        "subgroups": {
            attribute: [{"value": group.value, "small": group.small, **_summary(group.summary)} for group in groups]
            for attribute, groups in evaluation.subgroups.items()
        },
        "subgroups_of_one_class": list(evaluation.is_label),
        "brier_decomposition": None if evaluation.brier_parts is None else asdict(evaluation.brier_parts),
        "reliability": [asdict(one) for one in reliability_curve(films.truth, films.prob)],
        "decision_curve": {
            "thresholds": curve.thresholds.tolist(),
            "model": curve.model.tolist(),
            "call_all": curve.call_all.tolist(),
        },
        "elsewhere": [
            {"prevalence": prevalence, "ppv": asdict(ppv), "npv": asdict(npv)}
            for prevalence, ppv, npv in evaluation.elsewhere
        ],
    }


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        "n": summary.n,
        "n_positive": summary.n_positive,
        "threshold": summary.threshold,
        "confusion_matrix": asdict(summary.confusion),
        "metrics": {name: asdict(estimate) for name, estimate in summary.estimates.items()},
    }


def write_metrics_csv(path: Path, evaluation: Evaluation) -> None:
    """Write one row per figure: of all films, of each threshold rule and of each subgroup.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    parts = [
        _csv_rows("all", "", evaluation.summary, dict(evaluation.by_patient)),
        *(_csv_rows("threshold", row.name, row.summary) for row in evaluation.thresholds),
        *(
            _csv_rows(attribute, group.value, group.summary)
            for attribute, groups in evaluation.subgroups.items()
            for group in groups
        ),
    ]
    write_sheet(path, _CSV_HEADER, chain.from_iterable(parts))


def _csv_rows(
    scope: str, group: str, summary: Summary, by_patient: dict[str, Estimate] | None = None
) -> Iterator[list[str]]:
    for name, estimate in summary.estimates.items():
        clustered = (by_patient or {}).get(name)
        numbers = (estimate.value, estimate.low, estimate.high)
        bounds = (clustered.low, clustered.high) if clustered is not None else (None, None)
        yield [
            neutralised(scope),
            neutralised(group),
            fixed(summary.threshold, 4),
            str(summary.n),
            str(summary.n_positive),
            name,
            *("" if number is None else f"{number:.6g}" for number in (*numbers, *bounds)),
            estimate.reason,
        ]


def evaluation_text(evaluation: Evaluation, info: RunInfo, studies: StudySummary | None = None) -> str:
    """Return the evaluation as lines for a terminal."""
    lines = [*_lines(evaluation, info), *(_study_lines(studies) if studies is not None else ())]
    return terminal_text("\n".join(lines)) + "\n"


def _study_lines(studies: StudySummary) -> Iterator[str]:
    yield ""
    clustered = ", intervals clustered by patient" if studies.is_clustered else ""
    yield (
        f"By study ({studies.group}, {studies.rule} probability): {studies.n_labelled} of "
        f"{count(studies.n_studies, 'study', 'studies')} with label and call{clustered}."
    )
    for name, estimate in studies.figures.items():
        form = form_of(name)
        yield f"{title_of(name):24}{figure_text(estimate.value, form):>8}  {interval_text(estimate, form)}".rstrip()


def _lines(evaluation: Evaluation, info: RunInfo) -> Iterator[str]:
    summary, table = evaluation.summary, evaluation.summary.confusion
    yield (
        f"{count(summary.n, 'film')} with label and call: {summary.n_positive} {POSITIVE}, "
        f"{summary.n - summary.n_positive} {NEGATIVE}; {_patients(evaluation)}."
    )
    if evaluation.films.unscored:
        told = ", ".join(f"{n} {status}" for status, n in sorted(evaluation.films.unscored.items()))
        yield f"Labelled but without a call, and so left out: {told}."
    if evaluation.films.n_copies:
        copies = count(evaluation.films.n_copies, "is a copy", "are copies")
        yield f"Of these, {copies} of another file, byte by byte; with --duplicates first each film counts once."
    refer = f"; {info.refer[0]:g} to {info.refer[1]:g} referred" if info.refer else ""
    yield f"Threshold {probability_text(info.threshold)} ({info.threshold_name}){refer}."
    yield ""
    yield f"{'':20}{'called ' + POSITIVE:>18}{'called ' + NEGATIVE:>18}"
    yield f"{'labelled ' + POSITIVE:20}{table.tp:18}{table.fn:18}"
    yield f"{'labelled ' + NEGATIVE:20}{table.fp:18}{table.tn:18}"
    yield ""
    yield f"{'':24}{'value':>8}  {'95 % interval':18}" + ("  clustered by patient" if evaluation.by_patient else "")
    for name, estimate in summary.estimates.items():
        form = form_of(name)
        clustered = interval_text(evaluation.by_patient.get(name, _NO_INTERVAL), form)
        value, interval = figure_text(estimate.value, form), interval_text(estimate, form)
        line = f"{title_of(name):24}{value:>8}  {interval:18}  {clustered}".rstrip()
        yield line if interval or clustered else f"{line}  {estimate.reason}"
    for prevalence, ppv, npv in evaluation.elsewhere:
        yield ""
        yield (
            f"Where {figure_text(prevalence, 'share')} of the films show pneumonia: "
            f"PPV {with_interval('ppv', ppv)}, NPV {with_interval('npv', npv)}."
        )
    yield ""
    yield from _side_by_side("threshold", [(_threshold_name(row), row.summary, "") for row in evaluation.thresholds])
    if any(row.exploratory for row in evaluation.thresholds):
        yield "  * chosen on these very films: exploration only, the figures are too good."
    for attribute, groups in evaluation.subgroups.items():
        yield ""
        notes = [(group.value or "not stated", group.summary, "few films" if group.small else "") for group in groups]
        yield from _side_by_side(attribute, notes)
    for attribute in evaluation.is_label:
        yield f"\n{attribute}: no table, since each of its groups holds films of one class only."


def _patients(evaluation: Evaluation) -> str:
    if evaluation.films.n_without_patient == evaluation.summary.n:
        return "nothing tells the patients apart, so films count as independent"
    return count(evaluation.n_patients, "patient")


def _side_by_side(title: str, rows: list[tuple[str, Summary, str]]) -> Iterator[str]:
    yield f"{title:22}{'n':>7}" + "".join(f"  {title_of(name):20}" for name in _FRONT).rstrip()
    for name, summary, note in rows:
        cells = "".join(f"  {with_interval(metric, summary.estimates[metric]):20}" for metric in _FRONT)
        yield f"{name:22.22}{summary.n:7}{cells}  {note}".rstrip()


def _threshold_name(row: ThresholdRow) -> str:
    return f"{row.name} {probability_text(row.summary.threshold)}{' *' if row.exploratory else ''}"
