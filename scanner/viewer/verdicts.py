"""A reader's verdicts on the films of a run: ``verdicts.csv``, in the format that the report exports and imports."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reports.atomic import replacing_text
from reports.tables.columns import COLUMNS
from reports.tables.csv_file import csv_cell, neutralised
from reports.wording import VERDICT_COLUMNS, VERDICTS
from scanner.errors import RunFolderError
from scanner.model_bundle import ModelSpec
from scanner.records import Film, RunInfo

FILE_NAME = "verdicts.csv"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reader thinks of a film's result."""

    verdict: str = ""
    """Key of VERDICTS, or empty for a comment alone."""
    comment: str = ""
    reader: str = ""
    reviewed_at: str = ""
    """ISO 8601, UTC, whole seconds, ending in ``Z``."""


Row = dict[str, str]


def read_verdicts(path: Path, films: Iterable[Film]) -> dict[str, Verdict]:
    """Read a sheet of verdicts: film's name -> verdict; empty when there is no file.

    Rows of other films or with an unknown verdict are left out, as the report does.

    Raises
    ------
    RunFolderError
        ``verdicts-unreadable``.
    """
    names = {neutralised(film.result.name): film.result.name for film in films}
    return {
        names[row["path"]]: _verdict(row)
        for row in _read_rows(path)
        if row["path"] in names and (row["verdict"] in VERDICTS or not row["verdict"])
    }


def _read_rows(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    try:
        sheet = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), restval="")
        rows = list(sheet)
    except (OSError, ValueError, csv.Error) as error:
        raise RunFolderError("verdicts-unreadable", f"{path} cannot be read: {error}.") from error
    if rows and not {"path", "verdict"} <= rows[0].keys():
        raise RunFolderError("verdicts-unreadable", f"{path} has no columns path and verdict.")
    return [{name: text for name, text in row.items() if isinstance(name, str)} for row in rows]


def _verdict(row: Row) -> Verdict:
    comment, reader = (_original(row.get(name)) for name in ("comment", "reader"))
    return Verdict(row["verdict"], comment, reader, row.get("reviewed_at") or "")


def _original(text: str | None) -> str:
    """Take the apostrophe off that ``neutralised`` put on."""
    text = text or ""
    return text[1:] if text.startswith("'") and neutralised(text[1:]) == text else text


def change_verdict(
    path: Path,
    films: Sequence[Film],
    film: Film,
    known: Verdict | None,
    given: Verdict,
    info: RunInfo,
    model: ModelSpec,
) -> dict[str, Verdict]:
    """Put one film's verdict into the sheet; what others have written there meanwhile stays.

    Parameters
    ----------
    known
        The film's verdict as the reader saw it before; None for none.
    given
        The new one; one without verdict and comment takes the film's row out.
    info
        Its threshold is the one that the reader saw.

    Returns
    -------
    All verdicts of the sheet, as ``read_verdicts`` gives them.

    Raises
    ------
    RunFolderError
        ``verdict-taken``: another reader has judged this film meanwhile; ``verdicts-unreadable`` or
        ``output-unwritable``.
    """
    name = neutralised(film.result.name)
    with _alone(path.parent):
        rows = {row["path"]: row for row in _read_rows(path)}
        there = rows.get(name)
        if there is not None and _verdict(there) not in (known, given) and _verdict(there).reader != given.reader:
            raise RunFolderError("verdict-taken", f"Another reader has judged {film.result.name} meanwhile.")
        rows[name] = _row(film, given, info, model)
        if not (given.verdict or given.comment):
            del rows[name]
        _write_rows(path, rows, [neutralised(film.result.name) for film in films])
    return read_verdicts(path, films)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other viewers from changing the sheet meanwhile, where the system can lock a folder."""
    try:
        from fcntl import LOCK_EX, flock
    except ImportError:  # Windows
        yield
        return
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise RunFolderError("output-unwritable", f"{folder} cannot be opened: {error.strerror}.") from error
    try:
        flock(lock, LOCK_EX)
        yield
    finally:
        os.close(lock)


def _row(film: Film, verdict: Verdict, info: RunInfo, model: ModelSpec) -> Row:
    columns = {column.name: column for column in COLUMNS}
    known = {name: str(csv_cell(columns[name], film, info, model)) for name in VERDICT_COLUMNS[:6]}
    return known | {
        "verdict": verdict.verdict,
        "comment": neutralised(verdict.comment),
        "reader": neutralised(verdict.reader),
        "reviewed_at": verdict.reviewed_at,
    }


def _write_rows(path: Path, rows: Mapping[str, Row], order: Iterable[str]) -> None:
    """Write the sheet in the order of the films; rows of films that are no longer there follow as they were."""
    ordered = dict.fromkeys([*(name for name in order if name in rows), *rows])
    further = dict.fromkeys(name for row in rows.values() for name in row if name not in VERDICT_COLUMNS)
    with replacing_text(path, encoding="utf-8-sig") as stream:
        writer = csv.DictWriter(stream, [*VERDICT_COLUMNS, *further], restval="")
        writer.writeheader()
        writer.writerows(rows[name] for name in ordered)
