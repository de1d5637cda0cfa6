"""Results of a study that has been quiet, written by a process that stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Queue
from threading import Event

from cxrscan.scanner.dicom_results.film_results import FilmResults, ResultsRequest, write_film_results
from cxrscan.scanner.errors import PASSING, CxrscanError, RunFolderError
from cxrscan.scanner.executors.processes import WarmWorkers
from cxrscan.scanner.records import Failure, Film, ImageSource
from cxrscan.scanner.service.clock import SteadyClock
from cxrscan.scanner.service.events import Events
from cxrscan.scanner.service.ledger import Ledger, State
from cxrscan.scanner.settings import ScanSettings

_MOST_TRIES = 3
_WORKER_LASTS = 1000  # films: then another process takes over, and what the libraries kept of them is gone
_TRY_AGAIN_S = 60.0
_DISK_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class FilmToAnswer:
    """One film of a quiet study, with its results as scanned."""

    source: ImageSource
    films: tuple[Film, ...]
    request: ResultsRequest


def write_results_of(film: FilmToAnswer, settings: ScanSettings) -> FilmResults:
    """Write the results of a film, in a worker process."""
    return write_film_results((film.source, film.films), film.request)


class Answering:
    """Writes results, one study after the other, in a thread of its own.

    Parameters
    ----------
    is_to_be_sent
        Whether results wait to be sent, or only lie in their folder.
    on_done
        Called when a study is answered.
    """

    def __init__(
        self,
        workers: WarmWorkers,
        ledger: Ledger,
        events: Events,
        clock: SteadyClock,
        *,
        is_to_be_sent: bool,
        on_done: Callable[[], None],
    ) -> None:
        self._workers = workers
        self._ledger = ledger
        self._events = events
        self._clock = clock
        self._is_to_be_sent = is_to_be_sent
        self._on_done = on_done
        self._studies: Queue[Sequence[FilmToAnswer]] = Queue(maxsize=1)
        self._n_answered = 0
        self._is_free = Event()
        self._is_free.set()

    @property
    def is_free(self) -> bool:
        """Whether a study can be given."""
        return self._is_free.is_set()

    def give(self, study: Sequence[FilmToAnswer]) -> None:
        """Have a study answered."""
        self._is_free.clear()
        self._studies.put(study)

    def stop(self) -> None:
        """Let the thread end after the study that it is at."""
        self._studies.put(())

    def run(self) -> None:
        """Answer studies until ``stop``."""
        while study := self._studies.get():
            try:
                for film in study:
                    self._answer(film)
                self._events.note("studies")
            except CxrscanError as error:  # a full disk, or no process can be started: the study is asked for again
                self._events.trouble(error.code, error.message)
                self._postpone(study)
            self._is_free.set()
            self._on_done()

    def _postpone(self, study: Sequence[FilmToAnswer]) -> None:
        try:
            for film in study:
                self._ledger.again(film.source.name, State.SCANNED, self._clock.now_s() + _TRY_AGAIN_S)
        except RunFolderError:  # the disk does not even take that: it is not asked for again at once
            self._clock.wait(Event(), _DISK_WAIT_S)

    def _answer(self, film: FilmToAnswer) -> None:
        name = film.source.name
        self._n_answered += 1
        if self._n_answered % _WORKER_LASTS == 0:
            self._workers.stop()
        results = self._workers.ask(film)
        failure = results if isinstance(results, Failure) else results.problem
        if failure is not None:
            self._events.trouble(failure.code, f"A film has no result: {failure.message}")
            if failure.code in PASSING:
                tries = self._ledger.again(name, State.SCANNED, self._clock.now_s() + _TRY_AGAIN_S)
                if tries < _MOST_TRIES:
                    return
            self._ledger.done([name])
            return
        self._ledger.answered(name, results.paths, is_to_be_sent=self._is_to_be_sent)
        self._events.note("results", len(results.paths))
