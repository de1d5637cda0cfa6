"""Labelled films -> everything that an evaluation says: figures, thresholds side by side, subgroups, patients."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from cxrscan.scanner.decision import is_referred
from cxrscan.scanner.errors import LabelError
from cxrscan.scanner.evaluation.copies import content_of
from cxrscan.scanner.evaluation.label_file import LabelRow
from cxrscan.scanner.evaluation.patients import whose
from cxrscan.scanner.metrics import (
    BoolArray,
    BrierDecomposition,
    FloatArray,
    Subgroup,
    Summary,
    bootstrap_by_patient,
    clopper_pearson_interval,
    decompose_brier,
    predictive_values_at,
    summarise,
    summarise_subgroups,
    wilson_interval,
    youden_threshold,
)
from cxrscan.scanner.records import POSITIVE, Band, Duplicates, Estimate, Film, ScanResult
from cxrscan.scanner.run_record import Run

_AGE_BAND_STARTS = (0, 1, 6, 18, 40, 65)
_AGE_BANDS = ("", "00", "01-05", "06-17", "18-39", "40-64", "65+")


def age_band(age_years: float | None) -> str:
    """Band of an age in years; empty when it is not stated."""
    return "" if age_years is None else _AGE_BANDS[bisect_right(_AGE_BAND_STARTS, age_years)]


#: What ``--by`` can group films by, besides the columns of the label file.
ATTRIBUTES: dict[str, Callable[[ScanResult], str]] = {
    "view_position": lambda result: result.attributes.view_position,
    "patient_sex": lambda result: result.attributes.patient_sex,
    "age_band": lambda result: age_band(result.attributes.patient_age_years),
    "manufacturer": lambda result: result.attributes.manufacturer,
    "population": lambda result: result.population,
    "kind": lambda result: result.kind or "",
    "folder": lambda result: str(PurePosixPath(result.name).parent),
    "gate": lambda result: result.gate or "",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What an evaluation is to tell besides the figures of all films."""

    by: tuple[str, ...] = ()
    """Attributes to group by: keys of ATTRIBUTES or columns of the label file."""
    prevalences: tuple[float, ...] = ()
    """Shares of pneumonia films, strictly between 0 and 1, to compute predictive values for."""
    exact: bool = False
    """Whether proportions have Clopper-Pearson intervals instead of Wilson's."""
    cells: dict[str, dict[str, str]] = field(default_factory=dict)
    """Film -> cells of the label file that subgroups and patients are read from, by column."""


def cells_of(rows: Mapping[str, LabelRow], by: Iterable[str] = ()) -> dict[str, dict[str, str]]:
    """Return the cells of a label file that an evaluation reads: film -> column -> text; those of patients always."""
    needed = {*by, "patient"}
    cells = {film: {name: text for name, text in row.columns.items() if name in needed} for film, row in rows.items()}
    return {film: said for film, said in cells.items() if said}


@dataclass(frozen=True, slots=True)
class LabelledFilms:
    """The films that have a truth and a call, column by column."""

    names: tuple[str, ...]
    truth: BoolArray
    """shape (N,), True for pneumonia."""
    prob: FloatArray
    """shape (N,), probability of pneumonia."""
    distance: FloatArray
    """shape (N,), gate distance; infinite where there is none."""
    patients: NDArray[np.str_]
    """shape (N,), whose film it is; the film's own name where nothing says so."""
    n_without_patient: int
    """Films that nothing says the patient of."""
    groups: Mapping[str, Sequence[str]]
    """Attribute -> its value for each film."""
    unscored: Mapping[str, int]
    """``rejected``, ``failed``, ``referred`` or ``copies`` -> labelled films without a call, or left out as copies."""
    n_copies: int = 0
    """Films that are another's copy, byte by byte, and count all the same."""


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """What one threshold does on these films."""

    name: str
    rule: str
    """How the threshold was chosen, and on which films."""
    summary: Summary
    exploratory: bool = False
    """Chosen on these very films, so that its figures are too good."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a run did against its labels."""

    films: LabelledFilms
    summary: Summary
    """At the run's threshold, films taken as independent."""
    by_patient: Mapping[str, Estimate]
    """Metric -> the same value with an interval clustered by patient; empty when every patient has one film."""
    n_patients: int
    thresholds: tuple[ThresholdRow, ...]
    """The run's first."""
    subgroups: Mapping[str, tuple[Subgroup, ...]]
    """Attribute -> its subgroups."""
    is_label: tuple[str, ...]
    """Attributes that were asked for and say the class themselves, as class folders do: no subgroup holds both."""
    brier_parts: BrierDecomposition | None
    elsewhere: tuple[tuple[float, Estimate, Estimate], ...]
    """(prevalence, PPV, NPV) for the prevalences asked for."""


def collect_films(
    films: Iterable[Film],
    cells: Mapping[str, Mapping[str, str]],
    by: Sequence[str] = (),
    refer: Band | None = None,
    duplicates: Duplicates = "keep",
) -> LabelledFilms:
    """Read what an evaluation needs of a run's films, in one pass.

    Parameters
    ----------
    cells, by
        As in ``Asked``.
    duplicates
        ``first`` leaves out copies of films that have a truth and a call.
    refer
        Films with a probability in this band have no call.
    """
    names: list[str] = []
    truth: list[bool] = []
    prob: list[float] = []
    distances: list[float] = []
    patients: list[str] = []
    groups: dict[str, list[str]] = {attribute: [] for attribute in by}
    unscored: Counter[str] = Counter()
    n_without_patient = n_copies = 0
    contents: set[str] = set()
    for film in films:
        result = film.result
        if film.truth is None:
            continue
        if result.prob_pneumonia is None:
            unscored[result.status] += 1
            continue
        if is_referred(result, refer):
            unscored["referred"] += 1
            continue
        if content_of(result) in contents:
            n_copies += 1
            if duplicates == "first":
                unscored["copies"] += 1
                continue
        contents.add(content_of(result))
        said = cells.get(result.name, {})
        patient = said.get("patient") or whose(result)
        n_without_patient += not patient
        names.append(result.name)
        truth.append(film.truth == POSITIVE)
        prob.append(result.prob_pneumonia)
        distances.append(np.inf if result.gate_distance is None else result.gate_distance)
        patients.append(patient or result.name)
        for attribute, values in groups.items():
            values.append(said[attribute] if attribute in said else _attribute(attribute, result))
    return LabelledFilms(
        tuple(names),
        np.array(truth, dtype=np.bool_),
        np.array(prob, dtype=np.float64),
        np.array(distances, dtype=np.float64),
        np.array(patients, dtype=np.str_),
        n_without_patient,
        groups,
        dict(unscored),
        n_copies if duplicates == "keep" else 0,
    )


def _attribute(name: str, result: ScanResult) -> str:
    """An attribute of a film; empty for a column of a label file that does not name the film."""
    return ATTRIBUTES[name](result) if name in ATTRIBUTES else ""


def evaluate(films: LabelledFilms, run: Run, *, prevalences: Sequence[float] = (), exact: bool = False) -> Evaluation:
    """Measure a run against its labels.

    Parameters
    ----------
    prevalences
        Shares of pneumonia films, strictly between 0 and 1, to compute predictive values for.
    exact
        Whether proportions have Clopper-Pearson intervals instead of Wilson's.

    Raises
    ------
    LabelError
        ``labels-none``.
    """
    truth, prob = films.truth, films.prob
    if not truth.size:
        raise LabelError("labels-none", "No film of the run has both a label and a probability.")
    interval = clopper_pearson_interval if exact else wilson_interval
    summary = summarise(truth, prob, run.info.threshold, interval=interval)
    n_patients = int(np.unique(films.patients).size)
    clustered = n_patients < truth.size
    is_label = tuple(attribute for attribute, values in films.groups.items() if _says_class(values, truth))
    return Evaluation(
        films=films,
        summary=summary,
        by_patient=bootstrap_by_patient(truth, prob, run.info.threshold, films.patients) if clustered else {},
        n_patients=n_patients,
        thresholds=tuple(
            ThresholdRow(name, rule, summarise(truth, prob, threshold, interval=interval), exploratory)
            for name, rule, threshold, exploratory in _thresholds(films, run)
        ),
        subgroups={
            attribute: summarise_subgroups(truth, prob, run.info.threshold, values)
            for attribute, values in films.groups.items()
            if attribute not in is_label
        },
        is_label=is_label,
        brier_parts=decompose_brier(truth, prob),
        elsewhere=tuple(
            (prevalence, *predictive_values_at(summary.confusion, prevalence)) for prevalence in prevalences
        ),
    )


def _says_class(values: Sequence[str], truth: BoolArray) -> bool:
    """Whether each value stands for one class only, although the films are of both."""
    classes = set(zip(values, truth.tolist(), strict=True))
    return len(classes) == len(set(values)) and 0 < truth.sum() < truth.size


def _thresholds(films: LabelledFilms, run: Run) -> list[tuple[str, str, float, bool]]:
    """(name, rule, threshold, exploratory), the run's own first."""
    rows = [
        (point.name, f"{point.rule} ({point.data})", point.threshold, False)
        for point in run.model.operating_points.values()
    ]
    if run.info.threshold_name not in run.model.operating_points:
        rows.append((run.info.threshold_name, "given for this run", run.info.threshold, False))
    rows.sort(key=lambda row: row[0] != run.info.threshold_name)
    if all(threshold != 0.5 for _, _, threshold, _ in rows):
        rows.append(("0.5", "more probable than not", 0.5, False))
    best = youden_threshold(films.truth, films.prob)
    if best is not None:
        rows.append(("best here", "largest sensitivity + specificity on these very films (Youden)", best, True))
    return rows
