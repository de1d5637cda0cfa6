"""The journal: every result of a run in one SQLite file, the only truth behind the outputs.

Written as results arrive and safe against a killed process (write-ahead log). One run owns it at a time:
SQLite's exclusive lock refuses a second. Outputs are rendered from it, any number of times.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from scanner.errors import PASSING, RunFolderError
from scanner.evaluation.labels import LabelJoin, Labels
from scanner.records import Failure, Film, FilmAttributes, ImageSource, RunInfo, ScanResult
from scanner.runs.layout import JOURNAL_NAME

_FORMAT = 2
_APPLICATION_ID = 0x43585253  # "CXRS"
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE films (
    name TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    result_key TEXT NOT NULL,  -- settings and weights that shaped the result
    session INTEGER NOT NULL,  -- the last session that met the file
    truth TEXT, prob_pneumonia REAL,
    kind TEXT, sha256 TEXT NOT NULL, width_px INTEGER, height_px INTEGER, pixel_path TEXT NOT NULL,
    attributes TEXT NOT NULL,  -- JSON
    heat_map BLOB NOT NULL, thumbnail BLOB NOT NULL,
    gate TEXT, gate_reasons TEXT NOT NULL,  -- separated by spaces
    gate_distance REAL,
    failure_stage TEXT, failure_code TEXT, failure_message TEXT,
    duration_ms REAL NOT NULL
);
"""


class Journal:
    """The journal of one run folder; use as a context manager.

    Parameters
    ----------
    folder
        The run folder.
    create
        Whether to make the folder and an empty journal where there is none.

    Raises
    ------
    RunFolderError
        ``not-a-run``, ``run-busy``, ``journal-format`` or ``output-unwritable``.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder = folder
        path = folder / JOURNAL_NAME
        if not create and not path.is_file():
            raise RunFolderError("not-a-run", f"{folder} holds no {JOURNAL_NAME}.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=1.0)
        except (OSError, sqlite3.Error) as error:
            raise RunFolderError("output-unwritable", f"{folder} cannot be written: {error}.") from error
        try:
            self._open()
        except BaseException:
            self._db.close()
            raise
        self._session = 0

    def _open(self) -> None:
        try:
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("BEGIN IMMEDIATE")  # takes the lock
            if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                for statement in filter(str.strip, _SCHEMA.split(";\n")):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                self._db.execute(f"PRAGMA user_version = {_FORMAT}")
            self._db.execute("COMMIT")
            (application,) = self._db.execute("PRAGMA application_id").fetchone()
            (found,) = self._db.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        if application != _APPLICATION_ID or found != _FORMAT:
            raise RunFolderError(
                "journal-format", f"{self.folder / JOURNAL_NAME} has format {found}, this version writes {_FORMAT}."
            )

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write everything out and release the lock."""
        self._db.close()

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

        A failure that may pass (``errors.PASSING``) is no result.
        """
        found = self._execute(
            "UPDATE films SET session = ? WHERE (name = ? OR (name > ? AND name < ?))"
            " AND size_bytes = ? AND mtime_ns = ? AND result_key = ?"
            f" AND ifnull(failure_code, '') NOT IN ({', '.join('?' * len(PASSING))})",
            (
                self._session,
                source.name,
                f"{source.name}#",  # frames are called NAME#2, NAME#3 …
                f"{source.name}$",
                source.size_bytes,
                source.mtime_ns,
                self._result_key,
                *PASSING,
            ),
        )
        return found.rowcount > 0

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

    def set_truth(self, labels: Labels) -> LabelJoin:
        """Join the labels to all films."""
        rows = self._execute("SELECT name, attributes FROM films ORDER BY name").fetchall()
        names = [name for name, _ in rows]
        joined = labels.join(names, {name: uid for name, said in rows if (uid := _sop_uid(json.loads(said)))})
        with self._transaction():
            for name in names:
                self._execute("UPDATE films SET truth = ? WHERE name = ?", (joined.truth.get(name), name))
        return joined

    def clear_truth(self) -> None:
        """Forget the labels of an earlier session."""
        self._execute("UPDATE films SET truth = NULL")

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

    def names(self) -> Iterator[str]:
        """Names of all films, in order."""
        with closing(self._db.execute("SELECT name FROM films ORDER BY name")) as rows:
            for (name,) in rows:
                yield name

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
            "result_key": self._result_key,
            "session": self._session,
            "kind": result.kind,
            "sha256": result.sha256,
            "width_px": result.width_px,
            "height_px": result.height_px,
            "pixel_path": result.pixel_path,
            "attributes": json.dumps(asdict(result.attributes), ensure_ascii=False),
            "prob_pneumonia": result.prob_pneumonia,
            "heat_map": result.heat_map,
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
            sha256=row["sha256"],
            width_px=row["width_px"],
            height_px=row["height_px"],
            pixel_path=row["pixel_path"],
            attributes=FilmAttributes(**said),
            prob_pneumonia=row["prob_pneumonia"],
            heat_map=row["heat_map"],
            thumbnail=row["thumbnail"],
            gate=row["gate"],
            gate_reasons=tuple(row["gate_reasons"].split()),
            gate_distance=row["gate_distance"],
            failure=Failure(row["failure_stage"], row["failure_code"], row["failure_message"]) if failed else None,
            duration_ms=row["duration_ms"],
        ),
        row["truth"],
    )
