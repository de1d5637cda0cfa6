"""Ground truth for films, from the folders that they lie in or from a CSV file."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

from scanner.errors import LabelError
from scanner.records import NEGATIVE, POSITIVE

FOLDERS = "folders"
"""What the user gives, and the report shows, when class folders are the truth."""

_SPELLINGS = {
    **dict.fromkeys(("pneumonia", "positive", "pos", "yes", "y", "true", "1", "1.0"), POSITIVE),
    **dict.fromkeys(("normal", "negative", "neg", "no", "n", "false", "0", "0.0"), NEGATIVE),
}
_PATH_COLUMNS = ("path", "file", "filename", "image", "sop_uid_hash", "sop_uid")
_LABEL_COLUMNS = ("label", "truth", "class")
_CLASS_FOLDERS = {name.casefold(): name for name in (POSITIVE, NEGATIVE)}
_MAX_HEADER = 65536
"""Characters of the first line that are looked at; the csv module refuses longer cells."""
_NO_ROW, _SHARED = -1, -2
"""No row fits a film; several rows fit it equally well."""

NO_UIDS: Mapping[str, str] = MappingProxyType({})


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
class LabelJoin:
    """What the labels say of a set of films, and what did not fit."""

    source: str
    """``folders`` or the name of the label file."""
    truth: Mapping[str, str]
    """Film -> class."""
    rows: Mapping[str, LabelRow] = field(default_factory=dict)
    """Film -> the line that names it; empty for class folders."""
    unlabelled: tuple[str, ...] = ()
    """Films without a label, the ambiguous ones among them."""
    ambiguous: tuple[str, ...] = ()
    """Films that fit several lines equally well, or share one line with other films."""
    unmatched: tuple[LabelRow, ...] = ()
    """Lines that name no film."""
    n_other_folder: int = 0
    """Films joined by the end of the path although the folders before it differ, as nothing else fits."""

    @property
    def sentence(self) -> str:
        """How the join went, for people."""
        parts = [f"{len(self.truth)} of {len(self.truth) + len(self.unlabelled)} films have a label ({self.source})"]
        parts += [f"{self.n_other_folder} by file name from another folder"] if self.n_other_folder else []
        parts += [f"{len(self.ambiguous)} left out because several fit"] if self.ambiguous else []
        parts += [f"{len(self.unmatched)} lines name no film"] if self.unmatched else []
        return ", ".join(parts) + "."


class Labels(Protocol):
    """Where the truth comes from."""

    @property
    def source(self) -> str:
        """``folders`` or the name of the label file."""

    def join(self, names: Iterable[str], uids: Mapping[str, str] = NO_UIDS) -> LabelJoin:
        """Find the label of each film; whether it fits one film only cannot be told before all are known.

        Parameters
        ----------
        names
            ``ScanResult.name`` of all films.
        uids
            Film -> SOP instance UID, or its hash, as the run's table shows it; where known.
        """

    def truth_of(self, name: str) -> str | None:
        """Class of a single film, or None; as ``join`` finds it when there is no other film."""


@dataclass(frozen=True, slots=True)
class FolderLabels:
    """The nearest folder called NORMAL or PNEUMONIA, in any case, up to and with the folder that was scanned.

    Folders further up do not count: a project kept in ``~/pneumonia`` says nothing of its films.
    """

    roots: tuple[Path, ...] = ()
    """The folders and files that were scanned."""
    source: str = FOLDERS

    def join(self, names: Iterable[str], uids: Mapping[str, str] = NO_UIDS) -> LabelJoin:
        """Find the label of each film."""
        truths = {name: self.truth_of(name) for name in names}
        return LabelJoin(
            self.source,
            truth={name: truth for name, truth in truths.items() if truth is not None},
            unlabelled=tuple(name for name, truth in truths.items() if truth is None),
        )

    def truth_of(self, name: str) -> str | None:
        """Class of a single film, or None."""
        folder = _folder_of(name, self.roots)
        parents = [folder.name if folder else "", *name.split("/")[:-1]]
        # Of several roots called NORMAL, the walk shows the second one's films under NORMAL~2.
        parents = [re.sub(r"~\d+$", "", parent).casefold() for parent in parents]
        return next((_CLASS_FOLDERS[parent] for parent in reversed(parents) if parent in _CLASS_FOLDERS), None)


@dataclass(frozen=True, slots=True)
class TableLabels:
    """A label file.

    A line belongs to the film whose path agrees with it in the most trailing parts: the whole path, the end
    of it, or at least the file name; or to the film whose SOP instance UID it gives. Where several lines or
    several films fit equally well there is no label.
    """

    source: str
    rows: tuple[LabelRow, ...]
    roots: tuple[Path, ...] = ()
    """The folders and files that were scanned; they tell films apart that the shown name does not."""

    def join(self, names: Iterable[str], uids: Mapping[str, str] = NO_UIDS) -> LabelJoin:
        """Find the label of each film."""
        names = list(names)
        index = _RowIndex(self.rows)
        row_of_uid = {row.path: i for i, row in enumerate(self.rows)}
        best_fit: dict[int, _Fit] = {}
        films_of: dict[int, list[str]] = {}
        ambiguous = set()
        for name in names:
            row, fit = index.find(_parts(name), self._folder_parts(name))
            if uids.get(name) in row_of_uid:
                row, fit = row_of_uid[uids[name]], _Fit(exact=True, n_parts=1, whole_row=True)
            if row == _SHARED:
                ambiguous.add(name)
            elif row not in best_fit or fit > best_fit[row]:
                best_fit[row], films_of[row] = fit, [name]
            elif fit == best_fit[row]:
                films_of[row].append(name)
        best_fit.pop(_NO_ROW, None)
        found = {films_of[row][0]: row for row in best_fit if len(films_of[row]) == 1}
        ambiguous.update(name for row in best_fit if len(films_of[row]) > 1 for name in films_of[row])
        matched = set(found.values())
        return LabelJoin(
            self.source,
            truth={name: self.rows[found[name]].truth for name in names if name in found},
            rows={name: self.rows[row] for name, row in found.items()},
            unlabelled=tuple(name for name in names if name not in found),
            ambiguous=tuple(name for name in names if name in ambiguous),
            unmatched=tuple(row for i, row in enumerate(self.rows) if i not in matched),
            n_other_folder=sum(
                not best_fit[row].whole_row and best_fit[row].n_parts < len(_parts(name)) for name, row in found.items()
            ),
        )

    def truth_of(self, name: str) -> str | None:
        """Class of a single film, or None."""
        return self.join([name]).truth.get(name)

    def _folder_parts(self, name: str) -> tuple[str, ...]:
        folder = _folder_of(name, self.roots)
        return _parts(folder.as_posix()) if folder else ()


class _Fit(NamedTuple):
    """How well a row fits a film; larger is better."""

    exact: bool
    """The row says what is shown as the film's path."""
    n_parts: int
    """Trailing parts that both have."""
    whole_row: bool
    """These are all that the row says."""


class _RowIndex:
    """Finds the row that shares the most trailing parts with a film, without looking at every row."""

    def __init__(self, rows: Sequence[LabelRow]) -> None:
        self._whole: dict[tuple[str, ...], int] = {}
        self._tails: dict[tuple[str, ...], int] = {}
        for row, parts in enumerate(_parts(row.path) for row in rows):
            self._whole[parts] = row
            for start in range(len(parts)):
                tail = parts[start:]
                self._tails[tail] = _SHARED if tail in self._tails else row

    def find(self, name: tuple[str, ...], folder: tuple[str, ...]) -> tuple[int, _Fit]:
        """Row for a film shown as ``name`` that lies in ``folder``: its number, _SHARED or _NO_ROW."""
        if name in self._whole:
            return self._whole[name], _Fit(True, len(name), True)
        parts = folder + name
        for start in range(len(parts)):
            tail = parts[start:]
            if tail in self._tails:
                whole = tail in self._whole
                return self._whole[tail] if whole else self._tails[tail], _Fit(False, len(tail), whole)
        return _NO_ROW, _Fit(False, 0, False)


def open_labels(labels: str, roots: Sequence[Path] = (), *, mapping: Mapping[str, str] | None = None) -> Labels:
    """Class folders for ``folders``, else the label file of that path; see ``load_labels``."""
    if labels == FOLDERS:
        return labels_from_folders(roots)
    return load_labels(Path(labels), roots, mapping=mapping)


def labels_from_folders(roots: Sequence[Path] = ()) -> FolderLabels:
    """Take the class folders that the films lie in for the truth.

    Parameters
    ----------
    roots
        The folders and files that were scanned; one of them may itself be a class folder.
    """
    return FolderLabels(tuple(roots))


def load_labels(path: Path, roots: Sequence[Path] = (), *, mapping: Mapping[str, str] | None = None) -> TableLabels:
    """Read a label file: CSV with the columns ``path`` (or ``sop_uid``) and ``label``; other columns are kept.

    Comma, semicolon or tab; UTF-8 with or without a mark, or UTF-16 as Excel writes it. ``results.csv`` of
    a labelled run serves too. Lines without a label are passed over.

    Parameters
    ----------
    roots
        The folders and files that were scanned.
    mapping
        Further spellings of the classes; see ``parse_label``.

    Raises
    ------
    LabelError
        ``labels-unreadable``, ``labels-unknown``, ``labels-conflict`` or ``labels-none``, with line numbers.
    """
    text = _read_text(path)
    header, path_column, label_column, delimiter = _find_columns(text, path)
    rows: dict[str, LabelRow] = {}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        next(reader)
        for cells in reader:
            line = reader.line_num
            cells += [""] * (len(header) - len(cells))
            film, label = _plain_path(cells[path_column]), cells[label_column].strip()
            if not label:
                continue
            if not film:
                raise LabelError("labels-unreadable", f"{path.name}, line {line}: there is a label but no path.")
            truth = parse_label(label, mapping, where=f"{path.name}, line {line}: ")
            others = {
                column: cells[i].strip() for i, column in enumerate(header) if i not in (path_column, label_column)
            }
            row = LabelRow(line, film, truth, others)
            first = rows.setdefault("/".join(_parts(film)), row)
            if first.truth != truth:
                raise LabelError(
                    "labels-conflict",
                    f"{path.name}, lines {first.line} and {line}: {film} is {first.truth} and {truth}.",
                )
    except csv.Error as error:
        raise LabelError("labels-unreadable", f"{path.name}, line {reader.line_num}: {error}.") from error
    if not rows:
        raise LabelError("labels-none", f"{path.name} holds no line with a label.")
    return TableLabels(path.name, tuple(rows.values()), tuple(roots))


def parse_label(text: str, mapping: Mapping[str, str] | None = None, *, where: str = "") -> str:
    """``PNEUMONIA`` or ``NORMAL`` from one of many spellings, in any case.

    Parameters
    ----------
    mapping
        Spelling -> class in any known spelling; goes before the built-in ones (NORMAL/PNEUMONIA, 0/1,
        yes/no, true/false, positive/negative).
    where
        Put before the error message, for instance file and line.

    Raises
    ------
    LabelError
        ``labels-unknown``.
    """
    key = text.strip().casefold()
    for spelling, label in (mapping or {}).items():
        if spelling.strip().casefold() == key:
            return parse_label(label, where=where)
    try:
        return _SPELLINGS[key]
    except KeyError:
        raise LabelError("labels-unknown", f"{where}{text.strip()!r} is not a known label.") from None


def _folder_of(name: str, roots: tuple[Path, ...]) -> Path | None:
    """The folder that a shown name starts from, or None when the name says it itself."""
    for root in roots:
        if root.name == name and not root.is_dir():
            return root.resolve().parent
    return roots[0].resolve() if len(roots) == 1 else None


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in unicodedata.normalize("NFC", path).split("/") if part not in ("", "."))


def _plain_path(cell: str) -> str:
    """A path as written by people or by cxrscan, which guards cells against formulas with an apostrophe."""
    cell = re.sub(r"^'(?=[=+\-@])", "", cell.strip())
    return cell if "/" in cell else cell.replace("\\", "/")


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except OSError as error:
        raise LabelError("labels-unreadable", f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise LabelError("labels-unreadable", f"{path} is no text in UTF-8 or UTF-16.") from error


def _find_columns(text: str, path: Path) -> tuple[list[str], int, int, str]:
    """Header in lower case, index of the path and of the label column, and the delimiter."""
    first_line = re.split(r"[\r\n]", text, maxsplit=1)[0][:_MAX_HEADER]
    for delimiter in ",;\t":
        header = [cell.strip().casefold() for cell in next(csv.reader([first_line], delimiter=delimiter), [])]
        path_column = next((header.index(name) for name in _PATH_COLUMNS if name in header), None)
        label_column = next((header.index(name) for name in _LABEL_COLUMNS if name in header), None)
        if path_column is not None and label_column is not None:
            return header, path_column, label_column, delimiter
    raise LabelError("labels-unreadable", f"{path.name} has no columns path and label in its first line.")
