"""Arrived films, scanned by worker processes that stay, into the journal of a run that grows."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from cxrscan.scanner.dicom_results.film_results import FRAME
from cxrscan.scanner.errors import PASSING, RunFolderError
from cxrscan.scanner.executors.base import Chunk
from cxrscan.scanner.executors.processes import ProcessExecutor
from cxrscan.scanner.records import ImageSource, ScanResult, Skip
from cxrscan.scanner.run import Session
from cxrscan.scanner.service.clock import SteadyClock
from cxrscan.scanner.service.events import Events, utc_now
from cxrscan.scanner.service.ledger import Arrival, Ledger, State
from cxrscan.scanner.sources.names import file_name
from cxrscan.scanner.system.beneath import open_regular

_MOST_TRIES = 3
_TRY_AGAIN_S = 60.0  # and twice and three times as long
_PIECE_BYTES = 1 << 20


class Scanning:
    """Takes films from the ledger, has them scanned, and records what came of them.

    Parameters
    ----------
    root
        Folder of the films; their names are relative to it.
    """

    def __init__(self, session: Session, root: Path, ledger: Ledger, events: Events, clock: SteadyClock) -> None:
        self._journal = session.journal
        self._info = session.info
        self._settings = session.settings
        self._root = root
        self._ledger = ledger
        self._events = events
        self._clock = clock
        self._n_skipped = 0
        self.has_changed = True
        """Whether there is something that the report does not show yet."""

    def outcomes(self, executor: ProcessExecutor, is_over: Callable[[], bool]) -> Iterator[list[ScanResult | Skip]]:
        """Yield what comes of the films, an empty list at least every quarter of a second.

        Parameters
        ----------
        is_over
            Function that tells whether no further film is to be begun.
        """

        def chunks() -> Iterator[Chunk]:
            while not is_over():
                yield self._next_chunk(executor.n_workers)

        yield from executor.run(chunks(), self._settings)

    def record(self, outcomes: list[ScanResult | Skip]) -> None:
        """Write results into the journal; what cannot be written now is scanned again later.

        Raises
        ------
        RunFolderError
            ``output-unwritable``.
        """
        if not outcomes:
            return
        try:
            self._journal.add(outcome for outcome in outcomes if isinstance(outcome, ScanResult))
            for outcome in outcomes:
                if isinstance(outcome, Skip):
                    self._n_skipped += 1
                    self._ledger.done([outcome.name], State.NO_FILM)
                elif not FRAME.search(outcome.name):
                    self._note(outcome)
        except RunFolderError:
            self._ledger.give_back()
            raise
        self._events.note("scanned", len(outcomes))
        self.has_changed = True

    def keep_info(self) -> None:
        """Put into the journal how the run stands."""
        skipped = {"no film": self._n_skipped} if self._n_skipped else {}
        note = "A service adds films to this run as they arrive."
        notes = self._info.notes if note in self._info.notes else (*self._info.notes, note)
        info = replace(self._info, finished_at=utc_now(), exit_reason="finished", n_skipped=skipped, notes=notes)
        self._journal.put("run", asdict(info))

    def is_renamed(self, film: Arrival) -> bool:
        """Whether an arrived film is one that has its result under a name that is no longer there; then it keeps it."""
        for old in self._ledger.same_state(film.size_bytes, film.mtime_ns):
            if old != film.name and not os.path.lexists(self._path(old)):
                hashes = {known.result.sha256 for known in self._journal.films_of(old)}
                if self._sha256(film) in hashes and self._journal.rename(old, film.name):
                    self._ledger.rename(old, film.name)
                    self.has_changed = True
                    return True
        return False

    def source(self, film: Arrival) -> ImageSource:
        """Where an arrived film lies."""
        return ImageSource(
            self._path(film.name), film.name, None, film.size_bytes, film.mtime_ns, within=str(self._root)
        )

    def _sha256(self, film: Arrival) -> str:
        """Hash of a film's bytes; empty where it cannot be read."""
        digest = hashlib.sha256()
        try:
            with open_regular(str(self._path(film.name)), within=str(self._root)) as file:
                while piece := file.read(_PIECE_BYTES):
                    digest.update(piece)
        except OSError:
            return ""
        return digest.hexdigest()

    def _path(self, name: str) -> Path:
        return self._root / file_name(name)

    def _next_chunk(self, n_workers: int) -> Chunk:
        """Films for one worker, few where few wait, so that all have some."""
        try:
            now_s = self._clock.now_s()
            n_ready = self._ledger.n_ready(now_s, self._settings.batch_size * n_workers)
            films = self._ledger.take(-(-n_ready // n_workers), now_s) if n_ready else []
            return [self.source(film) for film in films if not self._has_result(film)]
        except RunFolderError as error:
            if error.code != "output-unwritable":
                raise
            self._events.trouble(error.code, error.message)
            return []

    def _has_result(self, film: Arrival) -> bool:
        """Whether an earlier start has scanned a film, and could not note it any more."""
        if not self._journal.holds(self.source(film)):
            return False
        self._ledger.scanned(
            film.name, _highest(known.result.prob_pneumonia for known in self._journal.films_of(film.name))
        )
        return True

    def _note(self, result: ScanResult) -> None:
        code = result.failure.code if result.failure is not None else ""
        if code:
            self._events.note("failed")
            self._events.trouble(code, f"A film failed: {result.failure.message if result.failure else ''}")
        if code in PASSING:
            tries = self._ledger.again(result.name, State.WAITING, self._clock.now_s() + _TRY_AGAIN_S)
            if tries < _MOST_TRIES:
                return
        self._ledger.scanned(result.name, result.prob_pneumonia)


def _highest(probs: Iterator[float | None]) -> float | None:
    return max((prob for prob in probs if prob is not None), default=None)
