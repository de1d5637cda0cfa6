"""``changes.csv``: the films that changed since an earlier run."""

from __future__ import annotations

from pathlib import Path

from cxrscan.reports.tables.csv_file import neutralised, write_sheet
from cxrscan.reports.wording import fixed
from cxrscan.scanner.evaluation.changes import Change, Changes
from cxrscan.scanner.evaluation.film_notes import FilmNote

FILE_NAME = "changes.csv"
COLUMNS = ("path", "change", "path_before", "prediction", "prediction_before", "prob_pneumonia", "prob_before")


def write_changes(path: Path, changes: Changes) -> None:
    """Write one row for each film that changed, came or went.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    write_sheet(path, COLUMNS, map(_row, (*changes.found.values(), *changes.gone)))


def _row(change: Change) -> tuple[str, ...]:
    now, before = change.now, change.before
    return (
        neutralised(now.name) if now else "",
        change.kind,
        neutralised(before.name) if before else "",
        (now and now.called) or "",
        (before and before.called) or "",
        _prob(now),
        _prob(before),
    )


def _prob(film: FilmNote | None) -> str:
    return "" if film is None or film.prob is None else fixed(film.prob, 4)
