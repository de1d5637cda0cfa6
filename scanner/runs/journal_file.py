"""The SQLite file of a journal: opened and locked, read with care, its errors told to people.

One process owns it at a time: SQLite's exclusive lock refuses a second. Nothing in a file that somebody else made
can act, swell or go on without end.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, suppress
from pathlib import Path
from stat import S_ISREG
from typing import Any

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.runs.growing import grows
from cxrscan.scanner.runs.layout import JOURNAL_ID, JOURNAL_NAME
from cxrscan.scanner.runs.log_file import holds_more
from cxrscan.scanner.system.locks import alone_in, locks_files
from cxrscan.scanner.system.transactions import transaction
from cxrscan.scanner.system.whole_files import followed

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


class JournalFile:
    """The database of one run folder; parameters and errors as of ``journal.Journal``."""

    def __init__(self, folder: Path, *, create: bool, read_only: bool, shared: bool) -> None:
        self.folder = followed(folder)
        self._path = self.folder / JOURNAL_NAME
        self._read_only = read_only
        self._shared = shared
        self._refuse_links()
        if not create and not self._path.is_file():
            raise RunFolderError("not-a-run", f"{folder} holds no {JOURNAL_NAME}.")
        with ExitStack() as opening:
            self._db = opening.enter_context(closing(self._connect_to_read(opening) if read_only else self._connect()))
            self._let_nothing_go_on_without_end()
            self._check_format()
            self._opened = opening.pop_all()

    def close(self) -> None:
        """Write everything out and release the lock."""
        self._opened.close()

    def trust(self) -> None:
        """Let statements take as many steps as they need: what follows is this process's own."""
        self._db.set_progress_handler(None, 0)

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
        ((application,),) = self.fetch("PRAGMA application_id")
        ((found,),) = self.fetch("PRAGMA user_version")
        if application != JOURNAL_ID or found != _FORMAT:
            raise RunFolderError("journal-format", f"{self._path} has format {found}, this version writes {_FORMAT}.")
        tables = [sql for (sql,) in self.fetch("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]
        if sorted(tables) != sorted(_SCHEMA):
            raise self.unfit("tables")

    def transaction(self) -> AbstractContextManager[None]:
        """All of it or nothing."""
        return transaction(self._db, self.execute)

    def in_order(self, statement: str) -> Iterator[tuple[Any, ...]]:
        """Rows whose first column is a film's name; a damaged tree may give one twice, or without end."""
        last = ""
        rows = self.execute(statement)
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

    def fetch(self, statement: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a statement."""
        try:
            return self.execute(statement, values).fetchall()
        except _SQLITE_ERRORS as error:  # a text that is none shows only here
            raise self._trouble(error) from error

    def execute(self, statement: str, values: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Cursor:
        """Carry a statement out; its errors are told as ``RunFolderError``."""
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


def log_of(folder: Path) -> Path:
    """The write-ahead log of a folder's journal, which is there while the journal is open and after a kill."""
    return _beside(followed(folder) / JOURNAL_NAME, "-wal")


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
