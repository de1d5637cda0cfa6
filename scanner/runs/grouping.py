"""What makes a run's films studies: kept in its journal with the cells of the label file that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.evaluation.grouping import DICOM, FOLDER, grouped, study_of
from cxrscan.scanner.records import Film, RunInfo, StudyRule
from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.runs.stored import UnfitError, record_of

if TYPE_CHECKING:
    from cxrscan.scanner.evaluation.label_file import LabelRow


@dataclass(frozen=True, slots=True)
class _Cells:
    """Cells of a label file: film -> column -> text."""

    cells: dict[str, dict[str, str]]


_KEY = "study_cells"
_PATIENT = "patient"
_OWN = frozenset({"", DICOM, FOLDER})
"""Groupings that no label file is needed for."""
_MAX_CHARACTERS = 16_000_000
"""Of the cells that are kept; those of 100,000 films take a third."""


def with_grouping(info: RunInfo, group: str | Literal["off"] | None, rule: StudyRule | None) -> RunInfo:
    """A run whose studies are made as asked; None leaves them as they are, ``off`` makes none."""
    if group is not None:
        info = replace(info, group="" if group == "off" else group)
    return replace(info, study_rule=rule) if rule is not None else info


def refuse_unknown_column(group: str, columns: Iterable[str], source: str) -> None:
    """Stop before a scan where a label file lacks the column that is to make studies.

    Raises
    ------
    RunFolderError
        ``group-unknown``.
    """
    if group not in _OWN and group not in columns:
        raise RunFolderError("group-unknown", f"{source or 'No label file that was given'} has the column {group!r}.")


def refuse_without_identifiers(journal: Journal) -> None:
    """Stop where films are to be grouped by identifiers that no film of the run has.

    Raises
    ------
    RunFolderError
        ``group-unknown``.
    """
    if not any(study_of(film.result, DICOM) for film in journal.films()):
        raise RunFolderError("group-unknown", f"No film of the run in {journal.folder} has a study's identifier.")


def grouped_films(journal: Journal, info: RunInfo, rows: Mapping[str, LabelRow] | None) -> Callable[[], Iterable[Film]]:
    """What gives a run's films, each with its study and patient where the run has a grouping.

    Parameters
    ----------
    rows
        Film -> its line, of labels that were joined just now; None where the cells that are kept count on.

    Raises
    ------
    RunFolderError
        ``journal-format``; ``group-unknown``: no label file that was ever given has the column.
    """
    if not info.group:
        return journal.films
    cells = _stored(journal)
    if rows is not None:
        cells = _cells(rows, info.group)
        if sum(len(film) + sum(map(len, said.values())) for film, said in cells.items()) <= _MAX_CHARACTERS:
            journal.put(_KEY, cells)
    if info.group not in _OWN and not any(info.group in said for said in cells.values()):
        raise RunFolderError("group-unknown", f"Nothing that {journal.folder} keeps has the column {info.group!r}.")
    return lambda: grouped(journal.films(), info.group, cells)


def _cells(rows: Mapping[str, LabelRow], group: str) -> dict[str, dict[str, str]]:
    cells = {
        film: {name: row.columns[name] for name in (group, _PATIENT) if row.columns.get(name)}
        for film, row in rows.items()
    }
    return {film: said for film, said in cells.items() if said}


def _stored(journal: Journal) -> dict[str, dict[str, str]]:
    stored = journal.get(_KEY)
    if stored is None:
        return {}
    try:
        return dict(record_of(_Cells, {"cells": stored}).cells)
    except UnfitError as error:
        raise journal.unfit(_KEY) from error
