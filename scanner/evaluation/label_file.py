"""Label files: which column names the film, which one its class, and how people spell both."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from cxrscan.scanner.errors import LabelError
from cxrscan.scanner.records import NEGATIVE, POSITIVE
from cxrscan.scanner.system.bounded import read_bounded

_NO_MAPPING: Mapping[str, str] = MappingProxyType({})

_SPELLINGS = {
    **dict.fromkeys(("pneumonia", "positive", "pos", "yes", "y", "true", "1", "1.0"), POSITIVE),
    **dict.fromkeys(("normal", "no finding", "negative", "neg", "no", "n", "false", "0", "0.0"), NEGATIVE),
    **dict.fromkeys(("unsure", "uncertain", "-1", "-1.0"), None),
}
PATH_COLUMNS = (
    *("path", "file", "filename", "file_name", "image", "image index", "image_index", "imageid", "image_id"),
    *("dicom_id", "sop_uid_hash", "sop_uid", "patientid"),
)
"""Columns that may name the film, in lower case, the first that is there; ``Image Index`` is NIH ChestX-ray14's,
``ImageID`` PadChest's, ``patientId`` that of the RSNA challenge of 2018."""
LABEL_COLUMNS = ("label", "truth", "class", "target", "finding labels", "labels", "pneumonia")
"""Columns that may hold the class, in lower case; ``Target`` is the RSNA challenge's, ``Finding Labels`` NIH's,
``Labels`` PadChest's, ``Pneumonia`` CheXpert's and MIMIC-CXR's."""
_FINDING_LISTS = ("finding labels", "labels")
_MAX_BYTES = 128 << 20
"""Of a label file: a million films take about 100 MB."""
_MAX_PARTS = 10_000_000
"""Cells and folders in all paths of a label file."""
_MAX_PATH = 4_096
"""Characters of a path, as Linux has it."""
_MAX_SHOWN = 64
"""Characters of a cell that a message repeats."""
_MAX_HEADER = 65536
"""Characters of the first line that are looked at; the csv module refuses longer cells."""
_MAX_TOLD = 12
"""Columns of a file that an error names."""


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One line of a label file."""

    line: int
    path: str
    truth: str
    """``PNEUMONIA`` or ``NORMAL``."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """The other cells, by column in lower case; ``patient`` names the patient, others can make subgroups."""


@dataclass(frozen=True, slots=True)
class LabelColumns:
    """Which columns of a label file count."""

    path: str = ""
    """Column that names the film; empty for the first of PATH_COLUMNS."""
    label: str = ""
    """Column that holds the class; empty for the first of LABEL_COLUMNS."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Further spellings of the classes; see ``parse_label``."""


class _Header(NamedTuple):
    names: list[str]
    """In lower case."""
    path: int
    label: int
    delimiter: str


def read_label_rows(path: Path, columns: LabelColumns) -> tuple[LabelRow, ...]:
    """Read the lines of a label file that state a class, one for each film.

    Comma, semicolon or tab, also told by a first line ``sep=;``; UTF-8 with or without a mark, or UTF-16 as Excel
    writes it. Lines without a label, and those that say unsure, are passed over.

    Raises
    ------
    LabelError
        ``labels-unreadable``, ``labels-unknown``, ``labels-conflict`` or ``labels-none``, with line numbers.
    """
    text, n_before = _without_separator_line(_read_text(path))
    header = _find_columns(text, path.name, columns)
    rows: dict[str, LabelRow] = {}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=header.delimiter)
    try:
        next(reader)
        n_parts = 0
        for cells in reader:
            n_parts += len(header.names) + sum(cell.count("/") for cell in cells)
            if n_parts > _MAX_PARTS:
                raise LabelError("labels-unreadable", f"{path.name} holds more cells or folders than a label file may.")
            row = _row(cells, header, columns.mapping, path.name, reader.line_num + n_before)
            if row is None:
                continue
            first = rows.setdefault("/".join(path_parts(row.path)), row)
            if first.truth != row.truth:
                raise LabelError(
                    "labels-conflict",
                    f"{path.name}, lines {first.line} and {row.line}: {row.path[-_MAX_SHOWN:]} is {first.truth} and "
                    f"{row.truth}.",
                )
    except csv.Error as error:
        line = reader.line_num + n_before
        raise LabelError("labels-unreadable", f"{path.name}, line {line}: {error}.") from error
    if not rows:
        raise LabelError("labels-none", f"{path.name} holds no line with a label.")
    return tuple(rows.values())


def parse_label(text: str, mapping: Mapping[str, str] = _NO_MAPPING, *, where: str = "") -> str | None:
    """``PNEUMONIA`` or ``NORMAL`` from one of many spellings, in any case; None for unsure.

    Parameters
    ----------
    mapping
        Spelling -> class in any known spelling; goes before the built-in ones (NORMAL/PNEUMONIA, 0/1,
        yes/no, true/false, positive/negative, and -1 or unsure for neither).
    where
        Put before the error message, for instance file and line.

    Raises
    ------
    LabelError
        ``labels-unknown``.
    """
    key = text.strip().casefold()
    for spelling, label in mapping.items():
        if spelling.strip().casefold() == key:
            return parse_label(label, where=where)
    try:
        return _SPELLINGS[key]
    except KeyError:
        raise LabelError("labels-unknown", f"{where}{text.strip()[:_MAX_SHOWN]!r} is not a known label.") from None


def path_parts(path: str) -> tuple[str, ...]:
    """Folders and name of a path, with accents in one form."""
    return tuple(part for part in unicodedata.normalize("NFC", path).split("/") if part not in ("", "."))


def _row(cells: list[str], header: _Header, mapping: Mapping[str, str], name: str, line: int) -> LabelRow | None:
    cells = cells + [""] * (len(header.names) - len(cells))
    film, label = _plain_path(cells[header.path]), cells[header.label].strip()
    if not label:
        return None
    if len(film) > _MAX_PATH:
        raise LabelError("labels-unreadable", f"{name}, line {line}: the path is longer than any.")
    if not film:
        raise LabelError("labels-unreadable", f"{name}, line {line}: there is a label but no path.")
    where = f"{name}, line {line}: "
    is_list = header.names[header.label] in _FINDING_LISTS or "|" in label
    truth = _class_of_findings(label, mapping) if is_list else parse_label(label, mapping, where=where)
    if truth is None:
        return None
    others = {column: cells[i].strip() for i, column in enumerate(header.names) if i not in (header.path, header.label)}
    return LabelRow(line, film, truth, others)


def _class_of_findings(text: str, mapping: Mapping[str, str]) -> str:
    """``Effusion|Pneumonia`` -> PNEUMONIA; a list without it names other findings or none, and is NORMAL."""
    findings = [finding.strip(" \t'\"[]") for finding in re.split(r"[|,;]", text)]
    return POSITIVE if any(_is_positive(finding, mapping) for finding in findings) else NEGATIVE


def _is_positive(finding: str, mapping: Mapping[str, str]) -> bool:
    try:
        return parse_label(finding, mapping) == POSITIVE
    except LabelError:
        return False


def _plain_path(cell: str) -> str:
    """A path as written by people or by cxrscan, which guards cells against formulas with an apostrophe."""
    cell = re.sub(r"^'(?=[=+\-@])", "", cell.strip())
    return cell if "/" in cell else cell.replace("\\", "/")


def _read_text(path: Path) -> str:
    try:
        data = read_bounded(path, _MAX_BYTES)
        return data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except OSError as error:
        raise LabelError("labels-unreadable", f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise LabelError("labels-unreadable", f"{path} is no text in UTF-8 or UTF-16.") from error


def _without_separator_line(text: str) -> tuple[str, int]:
    """The text after a line ``sep=;`` that spreadsheets write, and how many lines that was."""
    line = re.match(r"\"?sep=[,;\t]\"?[ \t]*(\r\n|\r|\n)", text, re.IGNORECASE)
    return (text[line.end() :], 1) if line else (text, 0)


def _find_columns(text: str, name: str, columns: LabelColumns) -> _Header:
    first_line = re.split(r"[\r\n]", text, maxsplit=1)[0][:_MAX_HEADER]
    headers = {delimiter: next(csv.reader([first_line], delimiter=delimiter), []) for delimiter in ",;\t"}
    for delimiter, cells in headers.items():
        names = [cell.strip().casefold() for cell in cells]
        path = _index(names, columns.path, PATH_COLUMNS)
        label = _index(names, columns.label, LABEL_COLUMNS)
        if path is not None and label is not None and path != label:
            return _Header(names, path, label, delimiter)
    there = [cell.strip()[:32] for cell in max(headers.values(), key=len)]
    told = ", ".join(there[:_MAX_TOLD]) + (", …" if len(there) > _MAX_TOLD else "")
    raise LabelError(
        "labels-unreadable",
        f"{name} has the columns {told or '(none)'}: "
        f"no {_wanted('film', columns.path, PATH_COLUMNS)}, or no {_wanted('label', columns.label, LABEL_COLUMNS)}.",
    )


def _index(names: Sequence[str], asked: str, known: Sequence[str]) -> int | None:
    wanted = [asked.strip().casefold()] if asked else known
    return next((names.index(name) for name in wanted if name in names), None)


def _wanted(what: str, asked: str, known: Sequence[str]) -> str:
    return f"column {asked!r}" if asked else f"{what} column ({', '.join(known)})"
