"""Which films belong together: by identifiers of their headers, by their folders, or by a column of a label file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from cxrscan.scanner.evaluation.patients import whose
from cxrscan.scanner.records import Film, ScanResult

DICOM, FOLDER = "dicom", "folder"
"""Groupings that need no label file."""


def grouped(films: Iterable[Film], by: str, cells: Mapping[str, Mapping[str, str]]) -> Iterator[Film]:
    """Say of each film what study it belongs to, and whose it is.

    Parameters
    ----------
    by
        ``dicom``, ``folder``, or a column of the label file.
    cells
        Film -> column -> text, of the label file; ``patient`` goes before what else tells patients.

    Yields
    ------
    The films; one that nothing says the study of is a study by itself, called like the film.
    """
    for film in films:
        said = cells.get(film.result.name, {})
        study = said.get(by, "") or study_of(film.result, by) or film.result.name
        yield replace(film, study=study, patient=said.get("patient") or whose(film.result) or "")


def study_of(result: ScanResult, by: str) -> str:
    """What study a film belongs to by its header or folder; empty where they do not say it."""
    if by == FOLDER:
        return str(PurePosixPath(result.name).parent)
    ids = dict(result.attributes.ids)
    return ids.get("study_uid") or ids.get("study_uid_hash") or "" if by == DICOM else ""


def acquired_at(result: ScanResult) -> str:
    """When a film was taken (ISO 8601, its own days or shifted ones); empty where the run does not know."""
    ids = dict(result.attributes.ids)
    return ids.get("acquired_at") or ids.get("acquired_at_shifted") or ""
