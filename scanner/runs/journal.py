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
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from scanner.errors import PASSING, RunFolderError
from scanner.evaluation.labels import LabelJoin, Labels
from scanner.records import Failure, Film, FilmAttributes, HeatMap, ImageSource, RunInfo, ScanResult
from scanner.runs.layout import JOURNAL_ID, JOURNAL_NAME

_FORMAT = 3
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE films (
    name TEXT PRIMARY KEY, size_bytes INTEGER, mtime_ns INTEGER, etag TEXT NOT NULL,
    result_key TEXT NOT NULL,  -- settings and weights that shaped the result
    session INTEGER NOT NULL,  -- the last session that met the file
    truth TEXT, prob_pneumonia REAL,
    kind TEXT, sha256 TEXT NOT NULL, width_px INTEGER, height_px INTEGER, pixel_path TEXT NOT NULL,
    attributes TEXT NOT NULL,  -- JSON
    heat_map BLOB NOT NULL,  -- a square of float16 values
    thumbnail BLOB NOT NULL,
    gate TEXT, gate_reasons TEXT NOT NULL,  -- separated by spaces
    gate_distance REAL,
    failure_stage TEXT, failure_code TEXT, failure_message TEXT,
    duration_ms REAL NOT NULL
);
"""
#: In a journal that is only read, what changes lies before the stored rows, in memory, until the journal is closed.
_CHANGES = """
CREATE TEMP TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO temp.meta SELECT key, value FROM main.meta;
CREATE TEMP TABLE truths (name TEXT PRIMARY KEY, truth TEXT) WITHOUT ROWID;
CREATE TEMP VIEW films AS SELECT {columns} FROM main.films AS stored LEFT JOIN truths ON truths.name = stored.name;
CREATE TEMP TRIGGER change_truth INSTEAD OF UPDATE OF truth ON films BEGIN
    INSERT OR REPLACE INTO truths VALUES (NEW.name, NEW.truth); END;
"""

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
        in memory until the journal is closed.

    Raises
    ------
    RunFolderError
        ``not-a-run``, ``run-busy``, ``journal-format`` or ``output-unwritable``.
    """

    def __init__(self, folder: Path, *, create: bool = False, read_only: bool = False) -> None:
        self.folder = folder
        path = folder / JOURNAL_NAME
        if not create and not path.is_file():
            raise RunFolderError("not-a-run", f"{folder} holds no {JOURNAL_NAME}.")
        self._session = 0
        with ExitStack() as opening:
            self._db = opening.enter_context(closing(self._connect_to_read(opening) if read_only else self._connect()))
            self._check_format()
            if read_only:
                self._keep_changes_in_memory()
            self._opened = opening.pop_all()

    def _connect(self) -> sqlite3.Connection:
        """Open the journal for this process alone; make the folder and the tables where there are none."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self.folder / JOURNAL_NAME, isolation_level=None, timeout=1.0)
        except (OSError, sqlite3.Error) as error:
            raise RunFolderError("output-unwritable", f"{self.folder} cannot be written: {error}.") from error
        try:
            _lock(db)
        except sqlite3.Error as error:
            db.close()
            raise self._trouble(error) from error
        return db

    def _connect_to_read(self, opening: ExitStack) -> sqlite3.Connection:
        """Open the journal of a run that no process works on, and leave its folder as it is."""
        path = self.folder / JOURNAL_NAME
        try:
            _refuse_if_locked(path)
            rest = path.with_name(f"{JOURNAL_NAME}-wal")
            if rest.exists() and rest.stat().st_size:  # a run was killed: SQLite has to write before it can read
                copy = Path(opening.enter_context(tempfile.TemporaryDirectory(prefix="cxrscan-"))) / JOURNAL_NAME
                shutil.copyfile(path, copy)
                shutil.copyfile(rest, copy.with_name(rest.name))
                db = sqlite3.connect(copy, isolation_level=None)
                _lock(db)
                return db
            return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
        except OSError as error:
            raise RunFolderError("journal-unreadable", f"{path} cannot be read: {error.strerror}.") from error
        except sqlite3.Error as error:
            raise self._trouble(error) from error

    def _check_format(self) -> None:
        (application,) = self._execute("PRAGMA application_id").fetchone()
        (found,) = self._execute("PRAGMA user_version").fetchone()
        if application != JOURNAL_ID or found != _FORMAT:
            raise RunFolderError(
                "journal-format", f"{self.folder / JOURNAL_NAME} has format {found}, this version writes {_FORMAT}."
            )

    def _keep_changes_in_memory(self) -> None:
        truth = "iif(truths.name IS NULL, stored.truth, truths.truth) AS truth"
        names = [name for _, name, *_ in self._execute("PRAGMA main.table_info(films)")]
        columns = ", ".join(truth if name == "truth" else f"stored.{name}" for name in names)
        self._execute("PRAGMA temp_store = MEMORY")
        for statement in _statements(_CHANGES.format(columns=columns)):
            self._execute(statement)

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
        row = self._execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, key: str, value: Any) -> None:
        """Store a JSON value under a name."""
        self._execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    def clear(self) -> None:
        """Forget everything."""
        with self._transaction():
            self._execute("DELETE FROM films")
            self._execute("DELETE FROM meta")

    # -- writing results

    def start_session(self, result_key: str) -> None:
        """Begin a session that scans with the given settings; see ``ScanSettings.result_key``."""
        self._session = (self.get("session") or 0) + 1
        self._result_key = result_key
        self.put("session", self._session)

    def holds(self, source: ImageSource) -> bool:
        """Whether an unchanged file has its result already; marks it, with all its frames, as met in this session.

        A failure that may pass (``errors.PASSING``) is no result, and what is not known to be unchanged is not held.
        """
        if not source.is_known:
            return False
        asked = {
            "name": source.name,
            "frames": f"{source.name}#",
            "end": f"{source.name}$",
            "size_bytes": source.size_bytes,
            "mtime_ns": source.mtime_ns,
            "etag": source.etag,
            "result_key": self._result_key,
            "session": self._session,
        }
        has_first, all_hold = self._execute(f"SELECT max(name = :name), min({_HOLDS}) {_OF_SOURCE}", asked).fetchone()
        if not (has_first and all_hold):
            return False
        self._execute(f"UPDATE films SET session = :session WHERE rowid IN (SELECT rowid {_OF_SOURCE})", asked)
        return True

    def add(self, results: Iterable[ScanResult]) -> None:
        """Record results in one transaction."""
        self.add_films(Film(result) for result in results)

    def add_films(self, films: Iterable[Film]) -> None:
        """Record results with their truth in one transaction."""
        with self._transaction():
            for film in films:
                row = {**self._row(film.result), "truth": film.truth}
                names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
                self._execute(f"INSERT OR REPLACE INTO films ({names}) VALUES ({marks})", row)

    def forget_unmet(self) -> None:
        """Drop the results of files that this session's complete walk did not meet."""
        self._execute("DELETE FROM films WHERE session <> ?", (self._session,))

    def join(self, labels: Labels) -> LabelJoin:
        """What the labels say of all films; nothing is written."""
        rows = self._execute("SELECT name, attributes FROM films ORDER BY name").fetchall()
        uids = {name: uid for name, said in rows if (uid := _sop_uid(json.loads(said)))}
        return labels.join([name for name, _ in rows], uids)

    def set_truth(self, truth: Mapping[str, str]) -> None:
        """Give the films these classes, by name, and the others none."""
        with self._transaction():
            self._execute("UPDATE films SET truth = NULL")
            for name, label in truth.items():
                self._execute("UPDATE films SET truth = ? WHERE name = ?", (label, name))

    # -- reading results

    def films(self) -> Iterator[Film]:
        """All films in order of their names, one at a time."""
        cursor = self._db.cursor()
        cursor.row_factory = sqlite3.Row
        try:
            with closing(cursor.execute("SELECT * FROM films ORDER BY name")) as rows:
                yield from map(_film, rows)
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        except (ValueError, TypeError, KeyError) as error:
            message = f"{self.folder / JOURNAL_NAME} holds a film that makes no sense: {error}."
            raise RunFolderError("journal-format", message) from error

    def names(self) -> Iterator[str]:
        """Names of all films, in order."""
        with closing(self._db.execute("SELECT name FROM films ORDER BY name")) as rows:
            for (name,) in rows:
                yield name

    def n_results(self) -> int:
        """How many films have a result."""
        return int(self._execute("SELECT count(*) FROM films").fetchone()[0])

    def result_keys(self) -> set[str]:
        """The settings and weights that shaped the results; see ``ScanSettings.result_key``."""
        return {key for (key,) in self._db.execute("SELECT DISTINCT result_key FROM films")}

    def thumbnail(self, name: str) -> bytes:
        """Small picture of one film; empty without one."""
        row = self._execute("SELECT thumbnail FROM films WHERE name = ?", (name,)).fetchone()
        return b"" if row is None else bytes(row[0])

    def _execute(self, statement: str, values: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise self._trouble(error) from error

    def _trouble(self, error: sqlite3.Error) -> RunFolderError:
        """What SQLite's error is to the user: another process, a full or failing disk, or a damaged file."""
        code = "output-unwritable"
        if "locked" in str(error):
            code = "run-busy"
        elif "malformed" in str(error) or "not a database" in str(error):
            code = "journal-format"
        return RunFolderError(code, f"{self.folder / JOURNAL_NAME}: {error}.")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._execute("BEGIN")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk may have ended it already
                self._db.execute("ROLLBACK")
            raise

    def _row(self, result: ScanResult) -> dict[str, Any]:
        failure = result.failure
        return {
            "name": result.name,
            "size_bytes": result.size_bytes,
            "mtime_ns": result.mtime_ns,
            "etag": result.etag,
            "result_key": self._result_key,
            "session": self._session,
            "kind": result.kind,
            "sha256": result.sha256,
            "width_px": result.width_px,
            "height_px": result.height_px,
            "pixel_path": result.pixel_path,
            "attributes": json.dumps(asdict(result.attributes), ensure_ascii=False),
            "prob_pneumonia": result.prob_pneumonia,
            "heat_map": result.heat_map.values if result.heat_map else b"",
            "thumbnail": result.thumbnail,
            "gate": result.gate,
            "gate_reasons": " ".join(result.gate_reasons),
            "gate_distance": result.gate_distance,
            "failure_stage": failure and failure.stage,
            "failure_code": failure and failure.code,
            "failure_message": failure and failure.message,
            "duration_ms": result.duration_ms,
        }


def stored_info(journal: Journal) -> RunInfo:
    """What a journal's run was.

    Raises
    ------
    RunFolderError
        ``not-a-run``: it was stopped before it recorded anything; ``journal-format``: another version wrote it.
    """
    stored = journal.get("run")
    if stored is None:
        raise RunFolderError("not-a-run", f"{journal.folder / JOURNAL_NAME} holds no run.")
    refer = stored.get("refer")
    known = {
        **stored,
        "roots": tuple(stored["roots"]),
        "notes": tuple(stored.get("notes", ())),
        "refer": tuple(refer) if refer else None,
    }
    try:
        return RunInfo(**known)
    except TypeError as error:  # fields of another version
        raise RunFolderError("journal-format", f"{journal.folder / JOURNAL_NAME}: {error}.") from error


def _statements(script: str) -> Iterator[str]:
    yield from filter(str.strip, script.split(";\n"))


def _lock(db: sqlite3.Connection) -> None:
    """Take a journal for this process alone, and make the tables in an empty one."""
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        db.execute(f"PRAGMA application_id = {JOURNAL_ID}")  # in the file itself, before there is a log
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("BEGIN IMMEDIATE")  # takes the lock
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        for statement in _statements(_SCHEMA):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {_FORMAT}")
    db.execute("COMMIT")


def _refuse_if_locked(path: Path) -> None:
    """Raise sqlite3's error when a process works on the journal; write nothing."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            db.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.OperationalError as error:
            # Free, it cannot be locked for this process alone either, since it may not be written: that is no trouble.
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise


def _sop_uid(attributes: dict[str, Any]) -> str:
    """The object's identifier, hashed or plain, when the run was asked to keep it."""
    ids = dict(attributes["ids"])
    return str(ids.get("sop_uid_hash") or ids.get("sop_uid") or "")


def _film(row: sqlite3.Row) -> Film:
    said = json.loads(row["attributes"])
    said["ids"] = tuple((column, value) for column, value in said["ids"])
    failed = row["failure_code"] is not None
    return Film(
        ScanResult(
            name=row["name"],
            kind=row["kind"],
            size_bytes=row["size_bytes"],
            mtime_ns=row["mtime_ns"],
            etag=row["etag"],
            sha256=row["sha256"],
            width_px=row["width_px"],
            height_px=row["height_px"],
            pixel_path=row["pixel_path"],
            attributes=FilmAttributes(**said),
            prob_pneumonia=row["prob_pneumonia"],
            heat_map=HeatMap.of_square(row["heat_map"]) if row["heat_map"] else None,
            thumbnail=row["thumbnail"],
            gate=row["gate"],
            gate_reasons=tuple(row["gate_reasons"].split()),
            gate_distance=row["gate_distance"],
            failure=Failure(row["failure_stage"], row["failure_code"], row["failure_message"]) if failed else None,
            duration_ms=row["duration_ms"],
        ),
        row["truth"],
    )
