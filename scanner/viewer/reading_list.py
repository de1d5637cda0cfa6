"""A reading list, ``queue.csv``: films in the order in which several people are to read them, and no score."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cxrscan.reports.tables.csv_file import neutralised, write_sheet
from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.records import Film
from cxrscan.scanner.viewer.verdicts import read_rows

FILE_NAME = "queue.csv"
COLUMNS = ("number", "path", "sha256")


def write_reading_list(path: Path, films: Sequence[tuple[str, str]]) -> None:
    """Write a reading list of films, given as name and hash.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    write_sheet(path, COLUMNS, ((i, neutralised(name), sha256) for i, (name, sha256) in enumerate(films, 1)))


def read_reading_list(path: Path, films: Iterable[Film]) -> list[Film]:
    """Films of a run that a list names, in its order; other films, and those of another content, are left out.

    Raises
    ------
    RunFolderError
        ``queue-unfit``: it cannot be read, or names no film of the run.
    """
    by_name = {neutralised(film.result.name): film for film in films}
    rows = read_rows(path, frozenset({"path"}), "queue-unfit")
    listed = {
        row["path"]: by_name[row["path"]]
        for row in rows
        if row["path"] in by_name and row.get("sha256", "") in ("", by_name[row["path"]].result.sha256)
    }
    if not listed:
        raise RunFolderError("queue-unfit", f"{path} names no film of this run.")
    return list(listed.values())
