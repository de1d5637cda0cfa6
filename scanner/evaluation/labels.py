"""Ground truth for films, from the folders that they lie in or from a CSV file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

from cxrscan.scanner.errors import LabelError
from cxrscan.scanner.evaluation.label_file import LabelColumns, LabelRow, path_parts, read_label_rows
from cxrscan.scanner.records import NEGATIVE, POSITIVE
from cxrscan.scanner.system.addresses import is_address, shown_address
from cxrscan.scanner.system.text import count

FOLDERS = "folders"
"""What the user gives, and the report shows, when class folders are the truth."""

_CLASS_FOLDERS = {name.casefold(): name for name in (POSITIVE, NEGATIVE)}
_ENDING = re.compile(r"\.[a-z][a-z0-9]{0,5}$")
"""Ending of a file name; numbers after a point belong to the name, as in IM.0001."""
_NO_ROW, _SHARED = -1, -2
"""No row fits a film; several rows fit it equally well."""
_LITTLE = 0.1
"""A join is refused where fewer than this share of the films and of the lines have met."""
_SAMPLE = 50
"""Films and lines that are looked through for a pair that nearly meets."""

_MAX_TAIL = 32
"""Trailing parts of a path by which a row may find its film; each takes memory."""

NO_UIDS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """Where the user says that the truth is."""

    source: str
    """``folders``, or the absolute path of a CSV file."""
    columns: LabelColumns = field(default_factory=LabelColumns)


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
    n_by_stem: int = 0
    """Films joined although case or ending of the name differ, as nothing else fits."""

    @property
    def n_films(self) -> int:
        """Films with and without a label."""
        return len(self.truth) + len(self.unlabelled)

    @property
    def sentence(self) -> str:
        """How the join went, for people."""
        n_unmatched = len(self.unmatched)
        parts = [f"{self._labelled} ({self.source})"]
        parts += [f"{self.n_other_folder:,} by file name from another folder"] if self.n_other_folder else []
        parts += [f"{self.n_by_stem:,} by a name in another case or with another ending"] if self.n_by_stem else []
        parts += [f"{len(self.ambiguous):,} left out because several fit"] if self.ambiguous else []
        parts += ["1 line names no film"] if n_unmatched == 1 else []
        parts += [f"{n_unmatched:,} lines name no film"] if n_unmatched > 1 else []
        return ", ".join(parts) + "."

    @property
    def _labelled(self) -> str:
        n = len(self.truth)
        return f"{n:,} of {count(self.n_films, 'film')} {'has' if n == 1 else 'have'} a label"

    @property
    def misfit(self) -> str:
        """Why the labels do not seem to belong to these films, with an example of each side; empty if they do."""
        n_lines = len(self.rows) + len(self.unmatched)
        few = len(self.truth) < _LITTLE * min(self.n_films, n_lines or self.n_films)
        if not self.n_films or (self.truth and not few):
            return ""
        if self.source == FOLDERS:
            return f"No film lies in a folder called NORMAL or PNEUMONIA; a film is called {self.unlabelled[0]!r}."
        film, line = _nearest(self.unlabelled, [row.path for row in self.unmatched])
        told = self._labelled
        return f"{told}: a film is called {film!r}, and a line of {self.source} names {line!r}."

    def refuse_misfit(self) -> None:
        """Stop where the labels do not seem to belong to these films.

        Raises
        ------
        LabelError
            ``labels-unmatched``.
        """
        if self.misfit:
            raise LabelError("labels-unmatched", self.misfit)


class Labels(Protocol):
    """Where the truth comes from."""

    @property
    def source(self) -> str:
        """``folders`` or the name of the label file."""

    @property
    def columns(self) -> frozenset[str]:
        """Further columns of a label file, in lower case; none of other labels."""

    def join(self, names: Iterable[str], uids: Mapping[str, str] = NO_UIDS) -> LabelJoin:
        """Find the label of each film; whether it fits one film only cannot be told before all are known.

        Parameters
        ----------
        names
            ``ScanResult.name`` of all films.
        uids
            Film -> SOP instance UID, or its hash, as the run's table shows it; where known.
        """


@dataclass(frozen=True, slots=True)
class ReaderLabels:
    """What readers said of films, by the films' own names."""

    source: str
    truth: Mapping[str, str]
    """Film -> class."""
    columns: frozenset[str] = frozenset()

    def join(self, names: Iterable[str], uids: Mapping[str, str] = NO_UIDS) -> LabelJoin:
        """Find the label of each film."""
        names = list(names)
        truth = {name: self.truth[name] for name in names if name in self.truth}
        rows = {name: LabelRow(0, name, label) for name, label in truth.items()}
        return LabelJoin(self.source, truth, rows, tuple(name for name in names if name not in truth))


@dataclass(frozen=True, slots=True)
class FolderLabels:
    """The nearest folder called NORMAL or PNEUMONIA, in any case, up to and with the folder that was scanned.

    Folders further up do not count: a project kept in ``~/pneumonia`` says nothing of its films.
    """

    roots: tuple[Path, ...] = ()
    """The folders and files that were scanned."""
    source: str = FOLDERS
    columns: frozenset[str] = frozenset()

    def join(self, names: Iterable[str], uids: Mapping[str, str] = NO_UIDS) -> LabelJoin:
        """Find the label of each film."""
        truths = {name: class_folder(name, self.roots) for name in names}
        return LabelJoin(
            self.source,
            truth={name: truth for name, truth in truths.items() if truth is not None},
            unlabelled=tuple(name for name, truth in truths.items() if truth is None),
        )


@dataclass(frozen=True, slots=True)
class TableLabels:
    """A label file.

    A line belongs to the film whose path agrees with it in the most trailing parts: the whole path, the end
    of it, or at least the file name; or to the film whose SOP instance UID it gives. What is left over is held
    against each other without case and ending. Where several lines or several films fit equally well there is no
    label.
    """

    source: str
    rows: tuple[LabelRow, ...]
    roots: tuple[Path, ...] = ()
    """The folders and files that were scanned; they tell films apart that the shown name does not."""

    @property
    def columns(self) -> frozenset[str]:
        """Further columns of the label file, in lower case."""
        return frozenset(name for row in self.rows[:1] for name in row.columns)

    def join(self, names: Iterable[str], uids: Mapping[str, str] = NO_UIDS) -> LabelJoin:
        """Find the label of each film."""
        names = list(names)
        as_written = self._meet(names, range(len(self.rows)), path_parts, uids)
        left = [name for name in names if name not in as_written.row_of and name not in as_written.ambiguous]
        taken = set(as_written.row_of.values()) | as_written.shared
        by_stem = self._meet(left, [row for row in range(len(self.rows)) if row not in taken], _stem_parts, NO_UIDS)
        found = {**as_written.row_of, **by_stem.row_of}
        ambiguous = as_written.ambiguous | by_stem.ambiguous
        matched = set(found.values())
        return LabelJoin(
            self.source,
            truth={name: self.rows[found[name]].truth for name in names if name in found},
            rows={name: self.rows[row] for name, row in found.items()},
            unlabelled=tuple(name for name in names if name not in found),
            ambiguous=tuple(name for name in names if name in ambiguous),
            unmatched=tuple(row for i, row in enumerate(self.rows) if i not in matched),
            n_other_folder=as_written.n_other_folder,
            n_by_stem=len(by_stem.row_of),
        )

    def _meet(
        self,
        names: Sequence[str],
        rows: Sequence[int],
        parts_of: Callable[[str], tuple[str, ...]],
        uids: Mapping[str, str],
    ) -> _Meeting:
        index = _RowIndex({row: parts_of(self.rows[row].path) for row in rows})
        row_of_uid = {self.rows[row].path: row for row in rows} if uids else {}
        best_fit: dict[int, _Fit] = {}
        films_of: dict[int, list[str]] = {}
        ambiguous = set()
        for name in names:
            row, fit = index.find(parts_of(name), self._folder_parts(name))
            if uids.get(name) in row_of_uid:
                row, fit = row_of_uid[uids[name]], _Fit(exact=True, n_parts=1, whole_row=True)
            if row == _SHARED:
                ambiguous.add(name)
            elif row not in best_fit or fit > best_fit[row]:
                best_fit[row], films_of[row] = fit, [name]
            elif fit == best_fit[row]:
                films_of[row].append(name)
        best_fit.pop(_NO_ROW, None)
        row_of = {films_of[row][0]: row for row in best_fit if len(films_of[row]) == 1}
        shared = {row for row in best_fit if len(films_of[row]) > 1}
        ambiguous.update(name for row in shared for name in films_of[row])
        n_other_folder = sum(
            not best_fit[row].whole_row and best_fit[row].n_parts < len(parts_of(name)) for name, row in row_of.items()
        )
        return _Meeting(row_of, ambiguous, shared, n_other_folder)

    def _folder_parts(self, name: str) -> tuple[str, ...]:
        folder = _folder_of(name, self.roots)
        return path_parts(folder.as_posix()) if folder else ()


class _Meeting(NamedTuple):
    """Films and rows that were held against each other."""

    row_of: Mapping[str, int]
    """Film -> the one row that fits it."""
    ambiguous: set[str]
    """Films that fit several rows, or share one."""
    shared: set[int]
    """Rows that fit several films."""
    n_other_folder: int


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

    def __init__(self, rows: Mapping[int, tuple[str, ...]]) -> None:
        self._whole: dict[tuple[str, ...], int] = {}
        self._tails: dict[tuple[str, ...], int] = {}
        for row, parts in rows.items():
            self._whole[parts] = _SHARED if parts in self._whole else row
            for start in range(max(0, len(parts) - _MAX_TAIL), len(parts)):
                tail = parts[start:]
                self._tails[tail] = _SHARED if tail in self._tails else row

    def find(self, name: tuple[str, ...], folder: tuple[str, ...]) -> tuple[int, _Fit]:
        """Row for a film shown as ``name`` that lies in ``folder``: its number, _SHARED or _NO_ROW."""
        if name in self._whole:
            return self._whole[name], _Fit(True, len(name), True)
        parts = folder + name
        for start in range(max(0, len(parts) - _MAX_TAIL), len(parts)):
            tail = parts[start:]
            if tail in self._tails:
                whole = tail in self._whole
                return self._whole[tail] if whole else self._tails[tail], _Fit(False, len(tail), whole)
        return _NO_ROW, _Fit(False, 0, False)


def open_labels(request: LabelRequest, roots: Sequence[Path] = ()) -> Labels:
    """Class folders for ``folders``, else the label file of that path; see ``load_labels``."""
    if request.source == FOLDERS:
        return FolderLabels(tuple(roots))
    if is_address(request.source):
        where = shown_address(request.source)
        raise LabelError("labels-unreadable", f"{where} is no file of this computer; labels are read from one.")
    return load_labels(Path(request.source), roots, request.columns)


def load_labels(path: Path, roots: Sequence[Path] = (), columns: LabelColumns | None = None) -> TableLabels:
    """Read a label file: CSV with a column that names the film and one with its class; other columns are kept.

    ``results.csv`` of a labelled run serves too. See ``label_file.read_label_rows`` for what is understood.

    Parameters
    ----------
    roots
        The folders and files that were scanned.
    columns
        Which columns count, where the usual names do not say it.

    Raises
    ------
    LabelError
        ``labels-unreadable``, ``labels-unknown``, ``labels-conflict`` or ``labels-none``, with line numbers.
    """
    return TableLabels(path.name, read_label_rows(path, columns or LabelColumns()), tuple(roots))


def class_folder(name: str, roots: tuple[Path, ...] = ()) -> str | None:
    """Class of the nearest folder called NORMAL or PNEUMONIA that a film lies in, or None."""
    folder = _folder_of(name, roots)
    parents = [folder.name if folder else "", *name.split("/")[:-1]]
    # Of several roots called NORMAL, the walk shows the second one's films under NORMAL~2.
    parents = [re.sub(r"~\d+$", "", parent).casefold() for parent in parents]
    return next((_CLASS_FOLDERS[parent] for parent in reversed(parents) if parent in _CLASS_FOLDERS), None)


def has_class_folders(names: Iterable[str], roots: tuple[Path, ...] = ()) -> bool:
    """Whether films of both classes lie in folders that say so."""
    found: set[str | None] = set()
    for name in names:
        found.add(class_folder(name, roots))
        if found >= {POSITIVE, NEGATIVE}:
            return True
    return False


def _folder_of(name: str, roots: tuple[Path, ...]) -> Path | None:
    """The folder that a shown name starts from, or None when the name says it itself."""
    for root in roots:
        if root.name == name and not root.is_dir():
            return root.resolve().parent
    return roots[0].resolve() if len(roots) == 1 else None


def _stem_parts(path: str) -> tuple[str, ...]:
    """Parts of a path in one case, without the ending of the name."""
    return path_parts(_ENDING.sub("", path.casefold()))


def _nearest(names: Sequence[str], lines: Sequence[str]) -> tuple[str, str]:
    """A film and a line of a sample that look most alike."""
    from difflib import SequenceMatcher  # not on the way to every scan

    pairs = product(names[:_SAMPLE], lines[:_SAMPLE])
    return max(pairs, key=lambda pair: SequenceMatcher(None, *pair).ratio())
