"""Films listed in a CSV file, with what is known of each; docs/training-data.md describes the columns."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path

from cxrscan.scanner.errors import TrainingError
from cxrscan.scanner.evaluation.patients import patient_of
from cxrscan.scanner.readers import without_ending
from cxrscan.scanner.records import NEGATIVE, POSITIVE
from cxrscan.scanner.system.bounded import read_bounded
from cxrscan.training.films import Box, FilmFile

TRAIN, VALIDATION = "train", "validation"
PATH_COLUMNS = ("path", "film", "file", "filename", "image")
_MAX_BYTES, _MAX_COLUMNS = 128 << 20, 256
_SPLITS = {"": "", "train": TRAIN, "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION}


def read_rows(table: Path, needed: str) -> list[tuple[int, str, dict[str, str]]]:
    """Read a CSV file with a column for the film's path and another one that is needed.

    Returns
    -------
    For each line its number, the path of the film, and column (in small letters) -> cell.

    Raises
    ------
    TrainingError
        ``data-unusable``: the file cannot be read, has no such columns, or no lines.
    """
    try:
        text = read_bounded(table, _MAX_BYTES).decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        if len(reader.fieldnames or ()) > _MAX_COLUMNS:
            raise ValueError("too many columns")
        rows = [
            {(key or "").strip().lower(): (value or "").strip() for key, value in row.items() if key is not None}
            for row in reader
        ]
    except OSError as error:
        raise TrainingError("data-unusable", f"{table} cannot be read: {error.strerror}.") from error
    except (ValueError, csv.Error) as error:
        raise TrainingError("data-unusable", f"{table} cannot be read as CSV: {error}.") from error
    path_column = next((name for name in PATH_COLUMNS if rows and name in rows[0]), None)
    if path_column is None or needed not in rows[0]:
        raise TrainingError("data-unusable", f"{table} needs the columns path and {needed}, and at least one line.")
    return [(line, row[path_column], row) for line, row in enumerate(rows, start=2)]


def read_table(table: Path, population: str) -> tuple[FilmFile, ...]:
    """List the films of a CSV file; paths are relative to its folder.

    Parameters
    ----------
    population
        Whom the films show where no column says so.

    Raises
    ------
    TrainingError
        ``data-unusable``: the file cannot be read, or a line is not as docs/training-data.md says.
    """
    films = []
    for line, path, row in read_rows(table, "label"):
        try:
            film = _film(table.parent, path, row, population) if path else None
        except ValueError as error:
            raise TrainingError("data-unusable", f"{table}, line {line}: {error}.") from error
        if film is None:
            raise TrainingError("data-unusable", f"{table}, line {line}: the path is missing.")
        films.append(film)
    return tuple(film for film in films if film.weight > 0)


def _film(folder: Path, path: str, row: Mapping[str, str], population: str) -> FilmFile:
    label = row["label"].upper()
    if label not in (NEGATIVE, POSITIVE):
        raise ValueError(f"the label {row['label']!r} is neither {NEGATIVE} nor {POSITIVE}")
    boxes = _boxes(row.get("boxes", ""))
    if boxes and label == NEGATIVE:
        raise ValueError(f"a film without pneumonia cannot have boxes around it; its label is {NEGATIVE}")
    population = row.get("population", "") or population
    split = row.get("split", "").lower()
    if split not in _SPLITS:
        raise ValueError(f"the split {row['split']!r} is neither {TRAIN} nor {VALIDATION}")
    return FilmFile(
        name="/".join(part for part in (population, label, without_ending(path)) if part),
        is_positive=label == POSITIVE,
        patient=row.get("patient", "") or patient_of(path) or "",
        paths=(folder / path,),
        population=population,
        view=row.get("view", "").upper(),
        sex=row.get("sex", "").upper(),
        finding=row.get("finding", "").lower(),
        findings=_findings(row.get("findings", "")),
        split=_SPLITS[split],
        weight=_weight(row.get("weight", "")),
        boxes=boxes,
    )


def _findings(text: str) -> tuple[str, ...] | None:
    return tuple(part.strip() for part in text.split("|") if part.strip()) if text else None


def _weight(text: str) -> float:
    weight = float(text) if text else 1.0
    if not 0 <= weight < math.inf:
        raise ValueError(f"the weight {text} is not 0 or a positive number")
    return weight


def _boxes(text: str) -> tuple[Box, ...]:
    try:
        boxes = tuple(Box(*map(float, box)) for box in json.loads(text or "[]"))
    except (ValueError, TypeError) as error:
        raise ValueError(f"boxes must be a list of [left, top, width, height], not {text}") from error
    if any(not (box.width > 0 and box.height > 0) for box in boxes):
        raise ValueError(f"a box without width or height: {text}")
    return boxes
