"""A reader's verdicts on the films of a run: ``verdicts.csv``, in the format that the report exports and imports."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reports.atomic import replacing_text
from reports.tables.columns import COLUMNS
from reports.tables.csv_file import csv_cell, neutralised
from scanner.errors import RunFolderError
from scanner.model_bundle import ModelSpec
from scanner.records import Film, RunInfo

FILE_NAME = "verdicts.csv"
VERDICTS = {"agree": "Agree", "disagree": "Disagree", "unsure": "Unsure"}
VERDICT_COLUMNS = (
    "path",
    "sha256",
    "prediction",
    "prob_pneumonia",
    "threshold",
    "model",
    "verdict",
    "comment",
    "reader",
    "reviewed_at",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reader thinks of a film's result."""

    verdict: str = ""
    """Key of VERDICTS, or empty for a comment alone."""
    comment: str = ""
    reader: str = ""
    reviewed_at: str = ""
    """ISO 8601, UTC, whole seconds, ending in ``Z``."""


def read_verdicts(path: Path, films: Iterable[Film]) -> dict[str, Verdict]:
    """Read a sheet of verdicts: film's name -> verdict; empty when there is no file.

    Rows of other films or with an unknown verdict are left out, as the report does.

    Raises
    ------
    RunFolderError
        ``verdicts-unreadable``.
    """
    if not path.exists():
        return {}
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except (OSError, ValueError, csv.Error) as error:
        raise RunFolderError("verdicts-unreadable", f"{path} cannot be read: {error}.") from error
    if rows and not {"path", "verdict"} <= rows[0].keys():
        raise RunFolderError("verdicts-unreadable", f"{path} has no columns path and verdict.")
    names = {neutralised(film.result.name): film.result.name for film in films}
    return {
        names[row["path"]]: Verdict(
            row["verdict"], _original(row.get("comment")), _original(row.get("reader")), row.get("reviewed_at") or ""
        )
        for row in rows
        if row["path"] in names and (row["verdict"] in VERDICTS or not row["verdict"])
    }


def _original(text: str | None) -> str:
    """Take the apostrophe off that ``neutralised`` put on."""
    text = text or ""
    return text[1:] if text.startswith("'") and neutralised(text[1:]) == text else text


def write_verdicts(
    path: Path, films: Iterable[Film], verdicts: Mapping[str, Verdict], info: RunInfo, model: ModelSpec
) -> None:
    """Write the verdicts in the order of the films; the threshold in ``info`` is the one that the reader saw.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    columns = {column.name: column for column in COLUMNS}
    with replacing_text(path, encoding="utf-8-sig") as stream:
        writer = csv.writer(stream)
        writer.writerow(VERDICT_COLUMNS)
        for film in films:
            verdict = verdicts.get(film.result.name)
            if verdict is not None:
                known = [csv_cell(columns[name], film, info, model) for name in VERDICT_COLUMNS[:6]]
                own = (verdict.verdict, neutralised(verdict.comment), neutralised(verdict.reader), verdict.reviewed_at)
                writer.writerow((*known, *own))
