"""The journal: every result of a run in one SQLite file, the only truth behind the outputs.

Written as results arrive and safe against a killed process (write-ahead log). One run owns it at a time:
SQLite's exclusive lock refuses a second. Outputs are rendered from it, any number of times.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cxrscan.scanner.errors import PASSING, BundleError, RunFolderError
from cxrscan.scanner.model_bundle import (
    DEFAULT_BUNDLE,
    ModelSpec,
    parse_description,
    read_description,
    spec_from_document,
)
from cxrscan.scanner.records import Film, FilmAttributes, ImageSource, Reading, RunInfo, ScanResult
from cxrscan.scanner.runs.journal_file import JournalFile, log_of
from cxrscan.scanner.runs.layout import JOURNAL_NAME
from cxrscan.scanner.runs.stored import (
    COLUMNS,
    Seal,
    UnfitError,
    film_of,
    hash_of,
    meta_hash,
    reading_of,
    record_of,
    run_of,
    value_of,
    values_of,
)

if TYPE_CHECKING:
    from cxrscan.scanner.evaluation.labels import LabelJoin, Labels

_SELECT = f"SELECT {', '.join(COLUMNS)} FROM films"
_INSERT = f"INSERT OR REPLACE INTO films ({', '.join(COLUMNS)}, session) VALUES ({'?, ' * len(COLUMNS)}?)"
_HASH_AT, _KEY_AT = COLUMNS.index("row_hash"), COLUMNS.index("result_key")
#: Name of the value that tells whether rows were lost.
_SEAL = "seal"
#: Rows of one file: its own and its further frames', which are called NAME#2, NAME#3 …; a#copy.jpg is none of a.
_OF_SOURCE = (
    "FROM films WHERE name = :name"
    " OR (name > :frames AND name < :end AND substr(name, length(:frames) + 1) NOT GLOB '*[^0-9]*')"
)
#: Whether a row is the result that scanning the same file in the same way would give again.
_HOLDS = (
    "size_bytes IS :size_bytes AND mtime_ns IS :mtime_ns AND etag = :etag AND result_key = :result_key"
    f" AND ifnull(failure_code, '') NOT IN ({', '.join(map(repr, sorted(PASSING)))})"
)


class Journal:
    """The journal of one run folder; use as a context manager.

    Parameters
    ----------
    folder
        The run folder.
    create
        Whether to make the folder and an empty journal where there is none.
    read_only
        Whether the folder stays as it is, as on a disk that may only be read; truth and what is ``put`` are then kept
        in memory until the journal is closed. Of a run that grows (``runs.growing``) it shows one moment.
    shared
        Whether others may read while this process writes: it must own the folder (``runs.growing.owning``).

    Raises
    ------
    RunFolderError
        ``not-a-run``, ``run-busy``, ``journal-format`` or ``output-unwritable``.
    """

    def __init__(self, folder: Path, *, create: bool = False, read_only: bool = False, shared: bool = False) -> None:
        self._read_only = read_only
        self._session = 0
        self._changes: dict[str, Any] = {}
        self._truth: Mapping[str, str] | None = None
        if not (create or read_only) and log_of(folder).exists():
            Journal(folder, read_only=True).close()  # its log is held against damage before SQLite takes it over
        with ExitStack() as opening:
            self._file = JournalFile(folder, create=create, read_only=read_only, shared=shared)
            opening.callback(self._file.close)
            self._seal = self._read_seal()
            opening.pop_all()

    @property
    def folder(self) -> Path:
        """The run folder, links followed."""
        return self._file.folder

    def _read_seal(self) -> Seal:
        stored, found = self._stored(_SEAL), Seal()
        try:
            seal = record_of(Seal, stored or {})
            for (row_hash,) in self._file.fetch("SELECT row_hash FROM meta WHERE key <> ?", (_SEAL,)):
                found = found.with_meta(row_hash)
        except UnfitError as error:
            raise self._file.unfit(str(error)) from error
        if found.meta != seal.meta:
            raise self._file.unfit("number of values")
        return seal

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write everything out and release the lock."""
        self._file.close()

    # -- what is true of the run as a whole

    def get(self, key: str) -> Any:
        """A JSON value stored under a name, or None."""
        return self._changes[key] if key in self._changes else self._stored(key)

    def _stored(self, key: str) -> Any:
        rows = self._file.fetch("SELECT value, row_hash FROM meta WHERE key = ?", (key,))
        try:
            return value_of(key, *rows[0]) if rows else None
        except UnfitError as error:
            raise self._file.unfit(str(error)) from error

    def put(self, key: str, value: Any) -> None:
        """Store a JSON value under a name."""
        if self._read_only:
            self._changes[key] = json.loads(json.dumps(value))
            return
        with self._transaction():
            self._put(key, value)

    def _put(self, key: str, value: Any) -> None:
        text = json.dumps(value)
        row_hash = meta_hash(key, text)
        if key != _SEAL:
            for (old,) in self._file.fetch("SELECT row_hash FROM meta WHERE key = ?", (key,)):
                self._seal = self._seal.with_meta(old, -1)
            self._seal = self._seal.with_meta(row_hash)
        self._file.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (key, row_hash, text))

    def clear(self) -> None:
        """Forget everything."""
        with self._transaction():
            self._file.execute("DELETE FROM films")
            self._file.execute("DELETE FROM meta")
            self._seal = Seal()

    # -- writing results

    def start_session(self, result_key: str) -> None:
        """Begin a session that scans with the given settings; see ``ScanSettings.shaping``.

        Raises
        ------
        RunFolderError
            ``journal-format``: rows of earlier sessions were lost.
        """
        found = Seal()
        for _, row_hash in self._file.in_order("SELECT name, row_hash FROM films ORDER BY name"):
            found = self._with_film(found, row_hash)
        self._hold_against_seal(found)
        self._file.trust()
        self._session = self._whole_number("session") + 1
        self._result_key = result_key
        self.put("session", self._session)

    def _whole_number(self, key: str) -> int:
        number = self.get(key)
        if number is not None and not (type(number) is int and 0 <= number < 1 << 62):
            raise self._file.unfit(key)
        return number or 0

    def holds(self, source: ImageSource) -> bool:
        """Whether an unchanged file has its result already, with all its frames.

        A failure that may pass (``errors.PASSING``) is no result, and what is not known to be unchanged is not held.
        """
        if not source.is_known:
            return False
        asked = {
            **_rows_of(source),
            "size_bytes": source.size_bytes,
            "mtime_ns": source.mtime_ns,
            "etag": source.etag,
            "result_key": self._result_key,
        }
        ((has_first, all_hold),) = self._file.fetch(f"SELECT max(name = :name), min({_HOLDS}) {_OF_SOURCE}", asked)
        return bool(has_first and all_hold)

    def note_met(self, source: ImageSource) -> None:
        """Note that this session met a file, with all its frames; see ``forget_unmet``."""
        met = {**_rows_of(source), "session": self._session}
        self._file.execute(f"UPDATE films SET session = :session WHERE rowid IN (SELECT rowid {_OF_SOURCE})", met)

    def add(self, results: Iterable[ScanResult]) -> None:
        """Record results in one transaction."""
        self.add_films(Film(result) for result in results)

    def add_films(self, films: Iterable[Film]) -> None:
        """Record results with their truth in one transaction."""
        with self._transaction():
            for film in films:
                values = values_of(film.result, self._result_key)
                row_hash = hash_of(values)
                self._leave_out("WHERE name = ?", (film.result.name,))
                self._file.execute(_INSERT, (*values, row_hash, film.truth, self._session))
                self._seal = self._seal.with_film(row_hash)

    def forget_unmet(self) -> None:
        """Drop the results of files that this session's complete walk did not meet."""
        with self._transaction():
            self._leave_out("WHERE session <> ?", (self._session,))
            self._file.execute("DELETE FROM films WHERE session <> ?", (self._session,))

    def forget(self, names: Iterable[str]) -> None:
        """Drop the results of files, with all their frames."""
        with self._transaction():
            for name in names:
                self._drop(name)

    def rename(self, old: str, new: str) -> bool:
        """Call a file's results by its new name; whether there were any that scanning it now would give again."""
        rows = self._file.fetch(f"{_SELECT} WHERE rowid IN (SELECT rowid {_OF_SOURCE})", _of_source(old))
        films = [self._film(row) for row in rows if row[_KEY_AT] == self._result_key]
        if not films or len(films) < len(rows):
            return False
        self.add_films(
            replace(film, result=replace(film.result, name=new + film.result.name.removeprefix(old))) for film in films
        )
        self.forget([old])
        return True

    def has_other_results(self) -> bool:
        """Whether a film's result is one that scanning it now might not give again."""
        return bool(self.result_keys() - {self._result_key})

    def films_of(self, name: str) -> list[Film]:
        """The films of one file: itself, or one for each frame."""
        rows = self._file.fetch(f"{_SELECT} WHERE rowid IN (SELECT rowid {_OF_SOURCE}) ORDER BY name", _of_source(name))
        return [self._film(row) for row in rows]

    def _drop(self, name: str) -> None:
        for (row_hash,) in self._file.fetch(f"SELECT row_hash {_OF_SOURCE}", _of_source(name)):
            self._seal = self._with_film(self._seal, row_hash, -1)
        self._file.execute(f"DELETE FROM films WHERE rowid IN (SELECT rowid {_OF_SOURCE})", _of_source(name))

    def _leave_out(self, which: str, values: Sequence[Any]) -> None:
        """Take rows that are about to go out of the seal."""
        for (row_hash,) in self._file.fetch(f"SELECT row_hash FROM films {which}", values):
            self._seal = self._with_film(self._seal, row_hash, -1)

    def _with_film(self, seal: Seal, row_hash: Any, times: int = 1) -> Seal:
        try:
            return seal.with_film(row_hash, times)
        except UnfitError as error:
            raise self._file.unfit(str(error)) from error

    def join(self, labels: Labels) -> LabelJoin:
        """What the labels say of all films; nothing is written."""
        uids = {film.result.name: _sop_uid(film.result.attributes) for film in self.films()}
        return labels.join(list(uids), {name: uid for name, uid in uids.items() if uid})

    def set_truth(self, truth: Mapping[str, str]) -> None:
        """Give the films these classes, by name, and the others none."""
        if self._read_only:
            self._truth = truth
            return
        with self._transaction():
            self._file.execute("UPDATE films SET truth = NULL")
            for name, label in truth.items():
                self._file.execute("UPDATE films SET truth = ? WHERE name = ?", (label, name))

    def is_labelled(self) -> bool:
        """Whether any film has a label."""
        return bool(self._file.fetch("SELECT 1 FROM films WHERE truth IS NOT NULL LIMIT 1"))

    # -- reading results

    def films(self) -> Iterator[Film]:
        """All films in order of their names, one at a time.

        Raises
        ------
        RunFolderError
            ``journal-format``: a row is damaged or was never written by this version, or rows are missing.
        """
        found = Seal()
        for row in self._file.in_order(f"{_SELECT} ORDER BY name"):
            film = self._film(row)
            found = found.with_film(row[_HASH_AT])
            yield film if self._truth is None else replace(film, truth=self._truth.get(film.result.name))
        self._hold_against_seal(found)

    def names(self) -> Iterator[str]:
        """Names of all films, in order."""
        for (name,) in self._file.in_order("SELECT name FROM films ORDER BY name"):
            yield name

    def n_results(self) -> int:
        """How many films have a result."""
        ((n,),) = self._file.fetch("SELECT count(*) FROM films")
        return int(n)

    def content(self) -> str:
        """What tells the results, all together, from others; labels do not count."""
        return f"{self._seal.n_films}-{self._seal.films}"

    def result_keys(self) -> set[str]:
        """What shaped the results; see ``ScanSettings.shaping``."""
        return {key for (key,) in self._file.fetch("SELECT DISTINCT result_key FROM films")}

    def thumbnail(self, name: str) -> bytes:
        """Small picture of one film; empty without one."""
        rows = self._file.fetch(f"{_SELECT} WHERE name = ?", (name,))
        return self._film(rows[0]).result.thumbnail if rows else b""

    def _film(self, row: tuple[Any, ...]) -> Film:
        try:
            return film_of(row)
        except UnfitError as error:
            raise self._file.unfit(str(error)) from error

    def _hold_against_seal(self, found: Seal) -> None:
        if (found.n_films, found.films) != (self._seal.n_films, self._seal.films):
            raise self._file.unfit("number of rows")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it or nothing; what was written is sealed."""
        before = self._seal
        try:
            with self._file.transaction():
                yield
                if self._seal != before:
                    self._put(_SEAL, asdict(self._seal))
        except BaseException:
            self._seal = self._read_seal()  # an interruption may have come after the commit
            raise

    def unfit(self, what: str) -> RunFolderError:
        """The error that tells what cannot have been stored by this version."""
        return self._file.unfit(what)


def stored_info(journal: Journal) -> RunInfo:
    """What a journal's run was.

    Raises
    ------
    RunFolderError
        ``not-a-run``: it was stopped before it recorded anything; ``journal-format``: damaged, or made up.
    """
    stored = journal.get("run")
    if stored is None:
        raise RunFolderError("not-a-run", f"{journal.folder / JOURNAL_NAME} holds no run.")
    points = stored_model(journal).operating_points
    try:
        info = run_of(stored)
    except UnfitError as error:
        raise journal.unfit(str(error)) from error
    if info.threshold_name not in (*points, "custom"):
        raise journal.unfit("threshold_name")
    return info


def stored_model(journal: Journal) -> ModelSpec:
    """The model that a journal's run was made with, without its weights.

    Raises
    ------
    RunFolderError
        ``journal-format``: its description is damaged, or made up.
    """
    document = journal.get("model")
    shipped = parse_description(read_description(DEFAULT_BUNDLE), DEFAULT_BUNDLE, check=False)
    try:
        if document != shipped:  # which the tests hold against the schema; what checks it takes 40 ms to load
            document = parse_description(json.dumps(document).encode(), journal.folder)
    except BundleError as error:
        raise journal.unfit("model") from error
    return spec_from_document(document, journal.folder)


def stored_shaping(journal: Journal) -> dict[str, str]:
    """Digests of what shaped a journal's newest results; see ``ScanSettings.shaping``.

    Raises
    ------
    RunFolderError
        ``journal-format``.
    """
    shaping = journal.get("shaping") or {}
    if not (isinstance(shaping, dict) and all(isinstance(digest, str) for digest in shaping.values())):
        raise journal.unfit("shaping")
    return shaping


def stored_reading(journal: Journal) -> Reading:
    """How a journal's run read its films.

    Raises
    ------
    RunFolderError
        ``journal-format``.
    """
    stored = journal.get("reading")
    try:
        return reading_of(stored) if stored is not None else Reading()
    except UnfitError as error:
        raise journal.unfit("reading") from error


def _rows_of(source: ImageSource) -> dict[str, Any]:
    """Values of _OF_SOURCE."""
    return _of_source(source.name)


def _of_source(name: str) -> dict[str, Any]:
    return {"name": name, "frames": f"{name}#", "end": f"{name}$"}


def _sop_uid(attributes: FilmAttributes) -> str:
    """The object's identifier, hashed or plain, when the run was asked to keep it."""
    ids = dict(attributes.ids)
    return ids.get("sop_uid_hash") or ids.get("sop_uid") or ""
