"""The labelled films of a run: what the network said of each, whose they are, and how they were taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxrscan.scanner.evaluation.copies import content_of
from cxrscan.scanner.evaluation.label_file import LabelRow
from cxrscan.scanner.evaluation.patients import whose
from cxrscan.scanner.metrics import BoolArray, FloatArray
from cxrscan.scanner.records import POSITIVE, ScanResult
from cxrscan.scanner.runs.embedded import embedded_films
from cxrscan.scanner.runs.journal import Journal

PatientIds = npt.NDArray[np.str_]
IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class LocalFilms:
    """N labelled films, no two of them copies."""

    names: tuple[str, ...]
    truth: BoolArray
    """shape (N,), True for pneumonia."""
    log_odds: FloatArray
    """shape (N,), the parent network's uncalibrated log-odds."""
    embeddings: npt.NDArray[np.float32]
    """shape (N, C)."""
    patients: PatientIds
    """shape (N,); a film of an unknown patient is one of its own."""
    circumstances: tuple[Mapping[str, str | float], ...]
    """How each film was taken, as far as it is known: view, age, sex, device, size."""
    sha256: tuple[str, ...] = ()
    """Hash of each film's file, by which it is known when it is read again; empty where none ever is."""
    n_copies: int = 0
    """Films that were left out as copies of another."""

    @property
    def n(self) -> int:
        """How many films."""
        return len(self.truth)

    @property
    def n_positive(self) -> int:
        """How many with pneumonia."""
        return int(self.truth.sum())

    @property
    def n_negative(self) -> int:
        """How many without."""
        return self.n - self.n_positive

    @property
    def n_patients(self) -> int:
        """Of how many people."""
        return int(np.unique(self.patients).size)

    @property
    def n_positive_patients(self) -> int:
        """Of how many people with pneumonia."""
        return int(np.unique(self.patients[self.truth]).size)

    @property
    def n_negative_patients(self) -> int:
        """Of how many people without."""
        return int(np.unique(self.patients[~self.truth]).size)

    def part(self, which: IndexArray) -> LocalFilms:
        """Some of the films, by their indices."""
        return LocalFilms(
            tuple(self.names[i] for i in which),
            self.truth[which],
            self.log_odds[which],
            self.embeddings[which],
            self.patients[which],
            tuple(self.circumstances[i] for i in which),
            tuple(self.sha256[i] for i in which) if self.sha256 else (),
        )


def read_local_films(
    journal: Journal, truth: Mapping[str, str] | None, rows: Mapping[str, LabelRow], patient_column: str = "patient"
) -> LocalFilms:
    """Read the labelled, scored films of a run.

    Parameters
    ----------
    truth
        Film -> class; None for the run's own labels.
    rows
        Film -> its line of the label file, whose columns tell patient and circumstances; may be empty.
    patient_column
        Column of the label file that names the patient.

    Raises
    ------
    RunFolderError
        ``no-embeddings`` or ``journal-format``.
    """
    names, labels, log_odds, embeddings, patients, circumstances, hashes = [], [], [], [], [], [], []
    contents: set[str] = set()
    n_copies = 0
    for each in embedded_films(journal):
        result = each.film.result
        label = each.film.truth if truth is None else truth.get(result.name)
        if label is None:
            continue
        if content_of(result) in contents:
            n_copies += 1
            continue
        contents.add(content_of(result))
        columns = rows[result.name].columns if result.name in rows else {}
        names.append(result.name)
        labels.append(label == POSITIVE)
        log_odds.append(each.log_odds)
        embeddings.append(each.embedding)
        patients.append(columns.get(patient_column.casefold()) or whose(result) or result.name)
        circumstances.append(_circumstances(result, columns))
        hashes.append(result.sha256)
    return LocalFilms(
        tuple(names),
        np.array(labels, dtype=np.bool_),
        np.array(log_odds, dtype=np.float64),
        np.stack(embeddings) if embeddings else np.empty((0, 0), np.float32),
        np.array(patients, dtype=np.str_),
        tuple(circumstances),
        tuple(hashes),
        n_copies,
    )


def _circumstances(result: ScanResult, columns: Mapping[str, str]) -> dict[str, str | float]:
    """What header, label file and picture tell of how a film was taken; what nobody tells is left out."""
    said = result.attributes
    age = said.patient_age_years if said.patient_age_years is not None else _number(columns, "age", "age_years")
    known: dict[str, str | float | None] = {
        "view": said.view_position or _first(columns, "view", "view_position", "viewposition"),
        "sex": said.patient_sex or _first(columns, "sex", "patient_sex", "gender"),
        "age": age,
        "device": said.manufacturer or _first(columns, "manufacturer", "device"),
        "format": result.kind,
        "width": None if result.width_px is None else float(result.width_px),
        "height": None if result.height_px is None else float(result.height_px),
    }
    return {name: value for name, value in known.items() if value not in (None, "")}


def _first(columns: Mapping[str, str], *names: str) -> str:
    return next((columns[name] for name in names if columns.get(name)), "")


def _number(columns: Mapping[str, str], *names: str) -> float | None:
    try:
        value = float(_first(columns, *names))
    except ValueError:
        return None
    return value if 0 <= value <= 150 else None
