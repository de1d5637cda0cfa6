"""The journal: every result of a run in one SQLite file, the only truth behind the outputs.

Written as results arrive and safe against a killed process (write-ahead log). One run owns it at a time:
SQLite's exclusive lock refuses a second. Outputs are rendered from it, any number of times.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from stat import S_ISREG
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
from cxrscan.scanner.runs.growing import grows
from cxrscan.scanner.runs.layout import JOURNAL_ID, JOURNAL_NAME
from cxrscan.scanner.runs.log_file import holds_more
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
from cxrscan.scanner.system.locks import alone_in, locks_files
from cxrscan.scanner.system.whole_files import followed

if TYPE_CHECKING:
    from cxrscan.scanner.evaluation.labels import LabelJoin, Labels

_FORMAT = 5
_SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, row_hash BLOB NOT NULL, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE films (name TEXT PRIMARY KEY, row_hash BLOB NOT NULL,"
    " session INTEGER NOT NULL,"  # the last session that met the file
    " size_bytes INTEGER, mtime_ns INTEGER, etag TEXT NOT NULL,"
    " result_key TEXT NOT NULL,"  # all that shaped the result
    " truth TEXT, prob_pneumonia REAL,"
    " kind TEXT, sha256 TEXT NOT NULL, width_px INTEGER, height_px INTEGER, pixel_path TEXT NOT NULL,"
    " attributes TEXT NOT NULL, regions TEXT NOT NULL,"  # JSON
    " heat_map BLOB NOT NULL, thumbnail BLOB NOT NULL, embedding BLOB NOT NULL,"
    " gate TEXT, gate_reasons TEXT NOT NULL,"  # separated by spaces
    " gate_distance REAL, population TEXT NOT NULL,"
    " failure_stage TEXT, failure_code TEXT, failure_message TEXT,"
    " duration_ms REAL NOT NULL)",
)
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM films"
_INSERT = f"INSERT OR REPLACE INTO films ({', '.join(COLUMNS)}, session) VALUES ({'?, ' * len(COLUMNS)}?)"
_HASH_AT, _KEY_AT = COLUMNS.index("row_hash"), COLUMNS.index("result_key")
#: Name of the value that tells whether rows were lost.
_SEAL = "seal"
#: SQLite's own tables are read with care: sqlite.org/security.html.
_CAREFULLY = ("PRAGMA trusted_schema = OFF", "PRAGMA cell_size_check = ON", "PRAGMA temp_store = MEMORY")
#: No value of ours comes near: a model's description takes up to 8 MiB.
_MAX_VALUE_BYTES = 32 << 20
#: Steps of SQLite's machine after which a statement is looked at, and looks that even the smallest journal has.
_STEPS, _FREE_LOOKS = 100_000, 100
#: Ends a rollback journal that names a further file, which SQLite would look for, and might delete.
_NAMES_A_FILE = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
#: What reading a damaged database raises: Python stumbles over texts that are none, even in SQLite's messages.
_SQLITE_ERRORS = (sqlite3.Error, UnicodeError, MemoryError)
#: SQLite's errors that are not the journal's fault, and what they are to the user.
_NO_FAULT = {
    sqlite3.SQLITE_BUSY: "run-busy",
    sqlite3.SQLITE_LOCKED: "run-busy",
    **dict.fromkeys(
        (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN),
        "output-unwritable",
    ),
    **dict.fromkeys((sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH), "output-unwritable"),
}

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
        self.folder = followed(folder)
        self._shared = shared
        self._path = self.folder / JOURNAL_NAME
        self._read_only = read_only
        self._session = 0
        self._changes: dict[str, Any] = {}
        self._truth: Mapping[str, str] | None = None
        self._refuse_links()
        if not create and not self._path.is_file():
            raise RunFolderError("not-a-run", f"{folder} holds no {JOURNAL_NAME}.")
        if not (create or read_only) and _beside(self._path, "-wal").exists():
            Journal(folder, read_only=True).close()  # its log is held against damage before SQLite takes it over
        with ExitStack() as opening:
            self._db = opening.enter_context(closing(self._connect_to_read(opening) if read_only else self._connect()))
            self._let_nothing_go_on_without_end()
            self._check_format()
            self._seal = self._read_seal()
            self._opened = opening.pop_all()

    def _connect(self) -> sqlite3.Connection:
        """Open the journal for this process alone; make the folder and the tables where there are none."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self._path, isolation_level=None, timeout=1.0)
        except (OSError, *_SQLITE_ERRORS) as error:
            raise RunFolderError("output-unwritable", f"{self.folder} cannot be written: {error}.") from error
        try:
            with alone_in(self.folder):  # two that begin together would each wait for the other's first look to end
                _lock(db, alone=not self._shared)
        except OSError as error:
            db.close()
            raise RunFolderError("output-unwritable", f"{self.folder} cannot be opened: {error.strerror}.") from error
        except _SQLITE_ERRORS as error:
            db.close()
            raise self._trouble(error) from error
        return db

    def _connect_to_read(self, opening: ExitStack) -> sqlite3.Connection:
        """Open the journal of a run that no process works on, and leave its folder as it is."""
        try:
            if grows(self.folder):
                return self._connect_to_snapshot()
            _refuse_if_locked(self._path)
            rest = _beside(self._path, "-wal")
            if rest.exists() and rest.stat().st_size:  # a run was killed: SQLite has to write before it can read
                copy = Path(opening.enter_context(tempfile.TemporaryDirectory(prefix="cxrscan-"))) / JOURNAL_NAME
                shutil.copyfile(self._path, copy)
                shutil.copyfile(rest, _beside(copy, "-wal"))
                db = sqlite3.connect(copy, isolation_level=None)
                _lock(db)
                ((_, n_frames, _),) = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                if holds_more(rest, n_frames):
                    db.close()
                    raise self.unfit("write-ahead log")
            else:
                where = f"{self._path.absolute().as_uri()}?mode=ro&immutable=1"
                db = sqlite3.connect(where, uri=True, isolation_level=None)
                _be_careful(db)
            db.execute("PRAGMA query_only = ON")
            return db
        except OSError as error:
            raise RunFolderError("journal-unreadable", f"{self._path} cannot be read: {error.strerror}.") from error
        except _SQLITE_ERRORS as error:
            raise self._trouble(error) from error

    def _connect_to_snapshot(self) -> sqlite3.Connection:
        """Open the journal of a run that grows: what is read stays that of this moment."""
        db = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=10.0)
        _be_careful(db)
        db.execute("PRAGMA query_only = ON")
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the snapshot is taken by the first look
        return db

    def _refuse_links(self) -> None:
        """Refuse a journal that SQLite would write somewhere else."""
        for path in (self._path, *(_beside(self._path, end) for end in ("-wal", "-shm", "-journal"))):
            try:
                if not S_ISREG(path.lstat().st_mode):
                    raise RunFolderError("journal-format", f"{path} is no file but a link or something else.")
            except OSError:  # it is not there, or the folder is not to be looked into, as opening it will tell
                continue
            if path.name.endswith("-journal") and _last_bytes(path) == _NAMES_A_FILE:
                raise RunFolderError("journal-format", f"{path} names a further file.")

    def _let_nothing_go_on_without_end(self) -> None:
        """Stop statements that take more steps than the files have bytes: pages of a made-up tree may go in circles."""
        n_bytes = sum(path.stat().st_size for end in ("", "-wal") if (path := _beside(self._path, end)).exists())
        self._looks_left = most = _FREE_LOOKS + n_bytes // _STEPS

        def look() -> bool:
            self._looks_left -= 1
            return self._looks_left < 0

        self._most_looks = most
        self._db.set_progress_handler(look, _STEPS)

    def _check_format(self) -> None:
        ((application,),) = self._fetch("PRAGMA application_id")
        ((found,),) = self._fetch("PRAGMA user_version")
        if application != JOURNAL_ID or found != _FORMAT:
            raise RunFolderError("journal-format", f"{self._path} has format {found}, this version writes {_FORMAT}.")
        tables = [sql for (sql,) in self._fetch("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]
        if sorted(tables) != sorted(_SCHEMA):
            raise self.unfit("tables")

    def _read_seal(self) -> Seal:
        stored, found = self._stored(_SEAL), Seal()
        try:
            seal = record_of(Seal, stored or {})
            for (row_hash,) in self._fetch("SELECT row_hash FROM meta WHERE key <> ?", (_SEAL,)):
                found = found.with_meta(row_hash)
        except UnfitError as error:
            raise self.unfit(str(error)) from error
        if found.meta != seal.meta:
            raise self.unfit("number of values")
        return seal

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write everything out and release the lock."""
        self._opened.close()

    # -- what is true of the run as a whole

    def get(self, key: str) -> Any:
        """A JSON value stored under a name, or None."""
        return self._changes[key] if key in self._changes else self._stored(key)

    def _stored(self, key: str) -> Any:
        rows = self._fetch("SELECT value, row_hash FROM meta WHERE key = ?", (key,))
        try:
            return value_of(key, *rows[0]) if rows else None
        except UnfitError as error:
            raise self.unfit(str(error)) from error

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
            for (old,) in self._fetch("SELECT row_hash FROM meta WHERE key = ?", (key,)):
                self._seal = self._seal.with_meta(old, -1)
            self._seal = self._seal.with_meta(row_hash)
        self._execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (key, row_hash, text))

    def clear(self) -> None:
        """Forget everything."""
        with self._transaction():
            self._execute("DELETE FROM films")
            self._execute("DELETE FROM meta")
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
        for _, row_hash in self._in_order("SELECT name, row_hash FROM films ORDER BY name"):
            found = self._with_film(found, row_hash)
        self._hold_against_seal(found)
        self._db.set_progress_handler(None, 0)  # what follows is this process's own
        self._session = self._whole_number("session") + 1
        self._result_key = result_key
        self.put("session", self._session)

    def _whole_number(self, key: str) -> int:
        number = self.get(key)
        if number is not None and not (type(number) is int and 0 <= number < 1 << 62):
            raise self.unfit(key)
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
        ((has_first, all_hold),) = self._fetch(f"SELECT max(name = :name), min({_HOLDS}) {_OF_SOURCE}", asked)
        return bool(has_first and all_hold)

    def note_met(self, source: ImageSource) -> None:
        """Note that this session met a file, with all its frames; see ``forget_unmet``."""
        met = {**_rows_of(source), "session": self._session}
        self._execute(f"UPDATE films SET session = :session WHERE rowid IN (SELECT rowid {_OF_SOURCE})", met)

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
                self._execute(_INSERT, (*values, row_hash, film.truth, self._session))
                self._seal = self._seal.with_film(row_hash)

    def forget_unmet(self) -> None:
        """Drop the results of files that this session's complete walk did not meet."""
        with self._transaction():
            self._leave_out("WHERE session <> ?", (self._session,))
            self._execute("DELETE FROM films WHERE session <> ?", (self._session,))

    def forget(self, names: Iterable[str]) -> None:
        """Drop the results of files, with all their frames."""
        with self._transaction():
            for name in names:
                self._drop(name)

    def rename(self, old: str, new: str) -> bool:
        """Call a file's results by its new name; whether there were any that scanning it now would give again."""
        rows = self._fetch(f"{_SELECT} WHERE rowid IN (SELECT rowid {_OF_SOURCE})", _of_source(old))
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
        rows = self._fetch(f"{_SELECT} WHERE rowid IN (SELECT rowid {_OF_SOURCE}) ORDER BY name", _of_source(name))
        return [self._film(row) for row in rows]

    def _drop(self, name: str) -> None:
        for (row_hash,) in self._fetch(f"SELECT row_hash {_OF_SOURCE}", _of_source(name)):
            self._seal = self._with_film(self._seal, row_hash, -1)
        self._execute(f"DELETE FROM films WHERE rowid IN (SELECT rowid {_OF_SOURCE})", _of_source(name))

    def _leave_out(self, which: str, values: Sequence[Any]) -> None:
        """Take rows that are about to go out of the seal."""
        for (row_hash,) in self._fetch(f"SELECT row_hash FROM films {which}", values):
            self._seal = self._with_film(self._seal, row_hash, -1)

    def _with_film(self, seal: Seal, row_hash: Any, times: int = 1) -> Seal:
        try:
            return seal.with_film(row_hash, times)
        except UnfitError as error:
            raise self.unfit(str(error)) from error

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
            self._execute("UPDATE films SET truth = NULL")
            for name, label in truth.items():
                self._execute("UPDATE films SET truth = ? WHERE name = ?", (label, name))

    def is_labelled(self) -> bool:
        """Whether any film has a label."""
        return bool(self._fetch("SELECT 1 FROM films WHERE truth IS NOT NULL LIMIT 1"))

    # -- reading results

    def films(self) -> Iterator[Film]:
        """All films in order of their names, one at a time.

        Raises
        ------
        RunFolderError
            ``journal-format``: a row is damaged or was never written by this version, or rows are missing.
        """
        found = Seal()
        for row in self._in_order(f"{_SELECT} ORDER BY name"):
            film = self._film(row)
            found = found.with_film(row[_HASH_AT])
            yield film if self._truth is None else replace(film, truth=self._truth.get(film.result.name))
        self._hold_against_seal(found)

    def names(self) -> Iterator[str]:
        """Names of all films, in order."""
        for (name,) in self._in_order("SELECT name FROM films ORDER BY name"):
            yield name

    def n_results(self) -> int:
        """How many films have a result."""
        ((n,),) = self._fetch("SELECT count(*) FROM films")
        return int(n)

    def result_keys(self) -> set[str]:
        """What shaped the results; see ``ScanSettings.shaping``."""
        return {key for (key,) in self._fetch("SELECT DISTINCT result_key FROM films")}

    def thumbnail(self, name: str) -> bytes:
        """Small picture of one film; empty without one."""
        rows = self._fetch(f"{_SELECT} WHERE name = ?", (name,))
        return self._film(rows[0]).result.thumbnail if rows else b""

    def _film(self, row: tuple[Any, ...]) -> Film:
        try:
            return film_of(row)
        except UnfitError as error:
            raise self.unfit(str(error)) from error

    def _in_order(self, statement: str) -> Iterator[tuple[Any, ...]]:
        """Rows whose first column is a film's name; a damaged tree may give one twice, or without end."""
        last = ""
        rows = self._execute(statement)
        try:
            for row in rows:
                if not (type(row[0]) is str and row[0] > last):
                    raise self.unfit("order of names")
                last = row[0]
                self._looks_left = self._most_looks
                yield row
        except _SQLITE_ERRORS as error:
            raise self._trouble(error) from error
        finally:
            with suppress(sqlite3.ProgrammingError):  # whoever broke off may have closed the journal before
                rows.close()

    def _hold_against_seal(self, found: Seal) -> None:
        if (found.n_films, found.films) != (self._seal.n_films, self._seal.films):
            raise self.unfit("number of rows")

    def _fetch(self, statement: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._execute(statement, values).fetchall()
        except _SQLITE_ERRORS as error:  # a text that is none shows only here
            raise self._trouble(error) from error

    def _execute(self, statement: str, values: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Cursor:
        self._looks_left = self._most_looks
        try:
            return self._db.execute(statement, values)
        except _SQLITE_ERRORS as error:
            raise self._trouble(error) from error

    def unfit(self, what: str) -> RunFolderError:
        """The error that tells what cannot have been stored by this version."""
        return RunFolderError("journal-format", f"{self._path} is damaged, or was made up: {what}.")

    def _trouble(self, error: Exception) -> RunFolderError:
        """What SQLite's error is to the user: another process, a full or failing disk, or a damaged file."""
        number = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        code = _NO_FAULT.get(number & 0xFF)
        if code is None:  # what SQLite says of it may quote the file
            return self.unfit(getattr(error, "sqlite_errorname", type(error).__name__))
        if code == "run-busy" and not locks_files(self.folder):
            return RunFolderError("disk-without-locks", f"{self.folder} lies on a disk that locks no files.")
        if code == "output-unwritable" and self._read_only:
            code = "journal-unreadable"
        return RunFolderError(code, f"{self._path}: {error}.")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it or nothing; what was written is sealed."""
        before = self._seal
        self._execute("BEGIN")
        try:
            yield
            if self._seal != before:
                self._put(_SEAL, asdict(self._seal))
            self._execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk may have ended it already
                self._db.execute("ROLLBACK")
            self._seal = self._read_seal()  # an interruption may have come after the commit
            raise


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


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _last_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_NAMES_A_FILE)))
        return file.read(len(_NAMES_A_FILE))


def _be_careful(db: sqlite3.Connection) -> None:
    """Let nothing in a journal act, swell or go on without end."""
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
    for statement in _CAREFULLY:
        db.execute(statement)


def _lock(db: sqlite3.Connection, *, alone: bool = True) -> None:
    """Take a journal, for this process alone unless others may read, and make the tables in an empty one."""
    _be_careful(db)
    db.execute(f"PRAGMA locking_mode = {'EXCLUSIVE' if alone else 'NORMAL'}")
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        db.execute(f"PRAGMA application_id = {JOURNAL_ID}")  # in the file itself, before there is a log
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("BEGIN IMMEDIATE")  # takes the lock
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        for statement in _SCHEMA:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {_FORMAT}")
    db.execute("COMMIT")


def _refuse_if_locked(path: Path) -> None:
    """Raise sqlite3's error when a process works on the journal; write nothing."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)) as db:
        _be_careful(db)
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            db.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.OperationalError as error:
            # Free, it cannot be locked for this process alone either, since it may not be written: that is no trouble.
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise


def _sop_uid(attributes: FilmAttributes) -> str:
    """The object's identifier, hashed or plain, when the run was asked to keep it."""
    ids = dict(attributes.ids)
    return ids.get("sop_uid_hash") or ids.get("sop_uid") or ""
