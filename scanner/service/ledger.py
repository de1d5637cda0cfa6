"""What a service still has to do, in one SQLite file: films to scan, studies to answer, results to send.

The films themselves and the journal are the truth; this file can be lost. Then films are looked at again, those with a
result are not scanned again, and results are made and sent once more as the same objects.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from threading import RLock
from typing import Any

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.system.transactions import transaction

LEDGER_NAME = "service.sqlite"
RESCAN = -1
"""Urgency of films that are scanned again, after those that have no result yet."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS films (
    name TEXT PRIMARY KEY, size_bytes INTEGER, mtime_ns INTEGER,
    study TEXT NOT NULL,  -- empty: it belongs to none, so there is nothing to answer
    urgency INTEGER NOT NULL, arrived_s REAL NOT NULL,
    state INTEGER NOT NULL, prob REAL, n_tries INTEGER NOT NULL DEFAULT 0, not_before_s REAL NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS by_state ON films (state, urgency DESC, arrived_s);
CREATE INDEX IF NOT EXISTS by_study ON films (study);
CREATE INDEX IF NOT EXISTS by_size ON films (size_bytes, mtime_ns);
CREATE TABLE IF NOT EXISTS objects (
    path TEXT PRIMARY KEY, film TEXT NOT NULL, urgency INTEGER NOT NULL, prob REAL NOT NULL,
    is_waiting INTEGER NOT NULL, n_tries INTEGER NOT NULL DEFAULT 0, not_before_s REAL NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS by_film ON objects (film);
CREATE INDEX IF NOT EXISTS by_wait ON objects (is_waiting, urgency DESC, prob DESC);
CREATE TABLE IF NOT EXISTS counts (what TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
"""


class State(IntEnum):
    """How far a film is."""

    WAITING = 0
    SCANNING = 1
    SCANNED = 2
    """Its study is still to be answered."""
    DONE = 3
    FORGOTTEN = 4
    """Older than the results that are kept; its file is still there."""
    NO_FILM = 5
    """It was opened, and is none."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One state of one file that came to rest."""

    name: str
    size_bytes: int | None
    mtime_ns: int | None
    study: str
    """Hash of the Study Instance UID; empty for what is no DICOM film."""
    urgency: int
    arrived_s: float = 0.0
    """When, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One result that waits to be sent."""

    path: Path
    n_tries: int


@dataclass(frozen=True, slots=True)
class Queues:
    """How much waits, and how much is done."""

    n_waiting: int
    """Films to be scanned."""
    n_scanned: int
    """Films whose study is to be answered."""
    n_done: int
    n_to_send: int
    n_failing: int
    """Results that were tried and not taken so far."""


class Ledger:
    """The service's list of things to do; for several threads.

    Raises
    ------
    RunFolderError
        ``output-unwritable``, also by each method.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LEDGER_NAME
        self._lock = RLock()
        with self._told():
            self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)
            self._db.execute("UPDATE films SET state = ? WHERE state = ?", (State.WAITING, State.SCANNING))

    def close(self) -> None:
        """Write everything out."""
        with self._lock:
            self._db.close()

    # -- films

    def knows(self, name: str, size_bytes: int | None, mtime_ns: int | None) -> bool:
        """Whether this state of a file has arrived already."""
        rows = self._rows(
            "SELECT 1 FROM films WHERE name = ? AND size_bytes IS ? AND mtime_ns IS ?", (name, size_bytes, mtime_ns)
        )
        return bool(rows)

    def arrive(self, film: Arrival, now_s: float) -> bool:
        """Note a film that is to be scanned; whether it is new, changed, or was let go and has come once more."""
        with self._lock:
            state = self._rows("SELECT state FROM films WHERE name = ?", (film.name,))
            if state != [(State.FORGOTTEN,)] and self.knows(film.name, film.size_bytes, film.mtime_ns):
                return False
            values = (film.name, film.size_bytes, film.mtime_ns, film.study, film.urgency, now_s, State.WAITING)
            self._rows(
                "INSERT OR REPLACE INTO films (name, size_bytes, mtime_ns, study, urgency, arrived_s, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            return True

    def take(self, most: int, now_s: float) -> list[Arrival]:
        """Films to be scanned next, most urgent first, then in the order of arrival; they count as being scanned."""
        with self._lock, self._transaction():
            rows = self._rows(
                "SELECT name, size_bytes, mtime_ns, study, urgency, arrived_s FROM films"
                " WHERE state = ? AND not_before_s <= ? ORDER BY urgency DESC, arrived_s LIMIT ?",
                (State.WAITING, now_s, most),
            )
            films = [Arrival(*row) for row in rows]
            self._set_state([film.name for film in films], State.SCANNING)
        return films

    def n_ready(self, now_s: float, most: int) -> int:
        """How many films could be taken, counted no further than ``most``."""
        query = "SELECT count(*) FROM (SELECT 1 FROM films WHERE state = ? AND not_before_s <= ? LIMIT ?)"
        return int(self._rows(query, (State.WAITING, now_s, most))[0][0])

    def scanned(self, name: str, prob: float | None) -> None:
        """Note that a film has its result; one of a study waits for its answer.

        A film whose file has changed meanwhile waits again, and goes on waiting; so in the methods below.
        """
        self._rows(
            "UPDATE films SET state = CASE WHEN study = '' THEN ? ELSE ? END, prob = ?, n_tries = 0, not_before_s = 0"
            " WHERE name = ? AND state <> ?",
            (State.DONE, State.SCANNED, prob, name, State.WAITING),
        )

    def done(self, names: Sequence[str], state: State = State.DONE) -> None:
        """Note that nothing is left to do for films, or for what is none."""
        with self._lock, self._transaction():
            self._finish(names, state)

    def again(self, name: str, state: State, not_before_s: float) -> int:
        """Let a film be tried again later, in the state that it had; how often that has been asked."""
        with self._lock:
            self._rows(
                "UPDATE films SET state = ?, n_tries = n_tries + 1, not_before_s = ? WHERE name = ? AND state <> ?",
                (state, not_before_s, name, State.WAITING),
            )
            return int((self._rows("SELECT n_tries FROM films WHERE name = ?", (name,)) or [(0,)])[0][0])

    def give_back(self) -> None:
        """Let all films that are being scanned wait again: their results were lost."""
        self._rows("UPDATE films SET state = ? WHERE state = ?", (State.WAITING, State.SCANNING))

    def scan_missing(self, known: Iterable[str]) -> None:
        """Let films wait again that have no result in the journal any more, as after a power failure.

        Parameters
        ----------
        known
            Names in the journal.
        """
        with self._lock, self._transaction():
            self._rows("CREATE TEMP TABLE known (name TEXT PRIMARY KEY) WITHOUT ROWID")
            self._many("INSERT INTO known VALUES (?)", ((name,) for name in known))
            self._rows(
                "UPDATE films SET state = ? WHERE state IN (?, ?) AND name NOT IN (SELECT name FROM known)",
                (State.WAITING, State.SCANNED, State.DONE),
            )
            self._rows("DROP TABLE known")

    def scan_all_again(self) -> None:
        """Let all scanned films be scanned again, after new ones: something that shapes a result has changed."""
        self._rows(
            "UPDATE films SET state = ?, urgency = ?, n_tries = 0, not_before_s = 0 WHERE state NOT IN (?, ?)",
            (State.WAITING, RESCAN, State.WAITING, State.FORGOTTEN),
        )

    def same_state(self, size_bytes: int | None, mtime_ns: int | None) -> list[str]:
        """Names of scanned files of this size and time."""
        rows = self._rows(
            "SELECT name FROM films WHERE size_bytes = ? AND mtime_ns = ? AND state >= ? LIMIT 16",
            (size_bytes, mtime_ns, State.SCANNED),
        )
        return [name for (name,) in rows]

    def rename(self, old: str, new: str) -> None:
        """Call a film by its new name."""
        with self._lock, self._transaction():
            self._rows("DELETE FROM films WHERE name = ?", (new,))
            self._rows("UPDATE films SET name = ? WHERE name = ?", (new, old))
            self._rows("UPDATE objects SET film = ? WHERE film = ?", (new, old))

    def expired(self, before_s: float, now_s: float, most: int) -> list[str]:
        """Films that arrived before a time, whose results are made, and sent where they are to be."""
        rows = self._rows(
            "SELECT name FROM films WHERE state IN (?, ?) AND arrived_s < ? AND not_before_s <= ?"
            " AND NOT EXISTS (SELECT 1 FROM objects WHERE film = films.name AND is_waiting) LIMIT ?",
            (State.DONE, State.NO_FILM, before_s, now_s, most),
        )
        return [name for (name,) in rows]

    def keep_until(self, names: Sequence[str], not_before_s: float) -> None:
        """Let old films be ``expired`` again no sooner than at a time."""
        self._many("UPDATE films SET not_before_s = ? WHERE name = ?", [(not_before_s, name) for name in names])

    def forget(self, names: Sequence[str], *, is_gone: bool) -> list[Path]:
        """Forget films and their results, of films that are still there not their names; paths of the results."""
        paths: list[Path] = []
        with self._lock, self._transaction():
            for name in names:
                paths += [Path(path) for (path,) in self._rows("SELECT path FROM objects WHERE film = ?", (name,))]
                self._rows("DELETE FROM objects WHERE film = ?", (name,))
            if is_gone:
                self._many("DELETE FROM films WHERE name = ?", [(name,) for name in names])
            else:
                self._set_state(names, State.FORGOTTEN)
        return paths

    # -- studies

    def quiet_study(self, now_s: float, quiet_s: float) -> str:
        """The study to be answered next: nothing of it waits, and nothing has come for a while; empty for none.

        The most urgent one comes first, then the one with the most probable pneumonia, then the oldest.
        """
        rows = self._rows(
            "SELECT study FROM films WHERE study IN (SELECT DISTINCT study FROM films WHERE state = ?2)"
            " GROUP BY study HAVING max(state = ?2 AND not_before_s <= ?3) AND NOT max(state < ?2)"
            " AND max(CASE WHEN urgency >= 0 THEN arrived_s ELSE 0 END) <= ?3 - ?1"
            " ORDER BY max(urgency) DESC, ifnull(max(prob), 0) DESC, min(arrived_s) LIMIT 1",
            (quiet_s, State.SCANNED, now_s),
        )
        return str(rows[0][0]) if rows else ""

    def to_answer(self, study: str) -> list[Arrival]:
        """Films of a study that have no answer yet."""
        rows = self._rows(
            "SELECT name, size_bytes, mtime_ns, study, urgency, arrived_s FROM films"
            " WHERE study = ? AND state = ? ORDER BY name",
            (study, State.SCANNED),
        )
        return [Arrival(*row) for row in rows]

    # -- results

    def answered(self, name: str, paths: Iterable[Path], *, is_to_be_sent: bool) -> None:
        """Note a film's results, in the order in which they are sent; what was sent is not sent again."""
        with self._lock, self._transaction():
            rows = self._rows("SELECT urgency, ifnull(prob, 0) FROM films WHERE name = ?", (name,))
            for urgency, prob in rows:
                self._many(
                    "INSERT OR IGNORE INTO objects (path, film, urgency, prob, is_waiting) VALUES (?, ?, ?, ?, ?)",
                    [(str(path), name, urgency, prob, is_to_be_sent) for path in paths],
                )
            self._finish([name], State.DONE)

    def due(self, now_s: float, most: int) -> list[Parcel]:
        """Results to be sent now, most urgent first, then by probability."""
        rows = self._rows(
            "SELECT path, n_tries FROM objects WHERE is_waiting = 1 AND not_before_s <= ?"
            " ORDER BY urgency DESC, prob DESC LIMIT ?",
            (now_s, most),
        )
        return [Parcel(Path(path), n_tries) for path, n_tries in rows]

    def sent(self, path: Path) -> None:
        """Note that a result was taken, or that there is nothing left to send."""
        self._rows("UPDATE objects SET is_waiting = 0, problem = '' WHERE path = ?", (str(path),))

    def postpone(self, path: Path, problem: str, not_before_s: float) -> None:
        """Note why a result was not taken, and when to try again."""
        self._rows(
            "UPDATE objects SET n_tries = n_tries + 1, problem = ?, not_before_s = ? WHERE path = ?",
            (problem, not_before_s, str(path)),
        )

    # -- counts

    def count(self, what: str, n: int = 1) -> None:
        """Count something that has happened, over all starts of the service."""
        self._rows("INSERT INTO counts VALUES (?, ?) ON CONFLICT (what) DO UPDATE SET n = n + excluded.n", (what, n))

    def counts(self) -> dict[str, int]:
        """What has happened, and how often."""
        return {str(what): int(n) for what, n in self._rows("SELECT what, n FROM counts ORDER BY what")}

    def queues(self) -> Queues:
        """How much waits, and how much is done."""
        states = dict(self._rows("SELECT state, count(*) FROM films GROUP BY state"))
        ((to_send, failing),) = self._rows(
            "SELECT count(*), ifnull(sum(n_tries > 0), 0) FROM objects WHERE is_waiting = 1"
        )
        n_waiting = states.get(State.WAITING, 0) + states.get(State.SCANNING, 0)
        n_done = sum(states.get(state, 0) for state in (State.DONE, State.FORGOTTEN, State.NO_FILM))
        return Queues(n_waiting, states.get(State.SCANNED, 0), n_done, to_send, failing)

    def _finish(self, names: Sequence[str], state: State) -> None:
        self._many(
            "UPDATE films SET state = ? WHERE name = ? AND state <> ?",
            [(state, name, State.WAITING) for name in names],
        )

    def _set_state(self, names: Sequence[str], state: State) -> None:
        self._many("UPDATE films SET state = ? WHERE name = ?", [(state, name) for name in names])

    def _rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock, self._told(), closing(self._db.execute(statement, values)) as cursor:
            return cursor.fetchall()

    def _many(self, statement: str, values: Iterable[Sequence[Any]]) -> None:
        with self._lock, self._told():
            self._db.executemany(statement, values)

    def _transaction(self) -> AbstractContextManager[None]:
        return transaction(self._db, self._rows)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise RunFolderError("output-unwritable", f"{self._path} cannot be written: {error}.") from error
