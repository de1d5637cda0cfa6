"""The story of a service: films arrive, are scanned, their studies answered, the answers sent, until it is stopped."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, Queue
from threading import Event, Thread

from cxrscan.scanner.dicom_results.film_results import ResultsRequest, Wanted
from cxrscan.scanner.dicom_results.folder import prepare_folder
from cxrscan.scanner.dicom_results.outgoing import Destination
from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.executors.processes import Limits, ProcessExecutor, WarmWorkers
from cxrscan.scanner.records import ScanResult, Skip
from cxrscan.scanner.render import WriteOutputs
from cxrscan.scanner.run import RunRequest, open_growing
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.runs.growing import owning
from cxrscan.scanner.runs.layout import RESULTS_NAME
from cxrscan.scanner.service.answering import Answering, FilmToAnswer, write_results_of
from cxrscan.scanner.service.clock import SteadyClock
from cxrscan.scanner.service.desk import Arrivals, Desk
from cxrscan.scanner.service.events import Events, utc_now
from cxrscan.scanner.service.ledger import Arrival, Ledger
from cxrscan.scanner.service.rendering import Rendering
from cxrscan.scanner.service.retention import Retention
from cxrscan.scanner.service.scanning import Scanning
from cxrscan.scanner.service.sending import Sending
from cxrscan.scanner.service.status import ServiceStatus, keep_status
from cxrscan.scanner.service.status_page import StatusPage
from cxrscan.version import __version__

_LOOK_EVERY_S = 0.1
_DISK_WAIT_S = 5.0
_STATUS_EVERY_S = 2.0
_MOST_SILENT_S = 120.0  # of the main loop, before it counts as ill
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """What the user asked for."""

    run: RunRequest
    """Where the films lie (one folder), where the run folder is, and how films are scanned."""
    write_outputs: WriteOutputs
    """Renders the report; travels to another process."""
    quiet_s: float = 30.0
    """Seconds without a further film after which a study counts as complete."""
    writes_results: bool = True
    """Whether results are written as DICOM objects."""
    destination: Destination | None = None
    """Where results are sent, or None."""
    report_every_s: float = 60.0
    keep_days: float | None = None
    deletes_films: bool = False
    status_address: tuple[str, int] | None = None
    """Where the status page is, or None."""
    grace_s: float = 30.0
    """Seconds after a request to stop in which films that have arrived are still scanned."""

    @property
    def films(self) -> Path:
        """Folder of the films."""
        return Path(str(self.run.roots[0]))


class Service:
    """One service over one run folder.

    Parameters
    ----------
    arrivals
        Where films come from.
    on_start
        Called once everything works.
    """

    def __init__(
        self,
        request: ServiceRequest,
        arrivals: Arrivals,
        clock: SteadyClock | None = None,
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        self._request = request
        self._arrivals = arrivals
        self._clock = clock or SteadyClock()
        self._on_start = on_start
        self._stopping = Event()
        self._wake = Event()
        self._has_failed = False
        self._started_at = utc_now()
        self._ticked_s = time.monotonic()
        self._told_s = 0.0
        self._stopped_s: float | None = None

    def stop(self) -> None:
        """Ask the service to end: what has begun is finished. May be called from a signal's handler."""
        self._stopping.set()
        self._wake.set()

    def run(self) -> int:
        """Work until ``stop``; returns the exit code, 1 when a part of the service broke.

        Raises
        ------
        CxrscanError
            The model, the folder or a port cannot be used.
        """
        folder = self._request.run.out
        with owning(folder):
            ledger = Ledger(folder)
            try:
                self._session = open_growing(self._request.run)
                try:
                    self._work(ledger)
                finally:
                    self._session.journal.close()
            finally:
                ledger.close()
        return 1 if self._has_failed else 0

    # -- the parts

    def _work(self, ledger: Ledger) -> None:
        request, session, clock = self._request, self._session, self._clock
        self._ledger = ledger
        self._events = events = Events(ledger)
        self._found: Queue[Arrival] = Queue(maxsize=_AT_ONCE)
        self._in_hand: Arrival | None = None
        self._desk = Desk(ledger, events, clock, self._found, self._wake, self._stopping)
        self._scanning = Scanning(session, request.films, ledger, events, clock)
        self._retention = Retention(
            request.films, request.keep_days, ledger, events, clock, deletes_files=request.deletes_films
        )
        self._rendering = Rendering(request.run.out, request.write_outputs, request.report_every_s, clock)
        if session.journal.has_other_results() or not session.journal.n_results():
            ledger.scan_all_again()
        ledger.scan_missing(session.journal.names())
        limits = Limits(request.run.timeout_s, request.run.max_memory_gib)
        workers = WarmWorkers(write_results_of, session.settings, limits)
        self._sending = Sending(request.destination, ledger, events, clock) if request.destination else None
        self._answering = Answering(
            workers, ledger, events, clock, is_to_be_sent=self._sending is not None, on_done=self._on_answered
        )
        if request.writes_results:
            self._prepare_results()
            workers.stand_by()
        page = StatusPage(request.status_address, self.status, self.ailment) if request.status_address else None
        try:
            self._scanning.keep_info()
            self._arrivals.open(session)
            self._start_threads(page)
            self._on_start()
            events.say(f"cxrscan {__version__} works in {request.run.out}")
            self._loop(limits)
            self._finish()
        finally:
            if page is not None:
                page.shutdown()
                page.server_close()
            workers.stop()

    def _prepare_results(self) -> None:
        folder = self._request.run.out / RESULTS_NAME
        prepare_folder(folder)
        self._results = ResultsRequest(
            folder,
            Wanted(),
            Run(self._session.info, self._session.wanted.bundle.spec),
            self._session.settings.reading,
        )

    def _start_threads(self, page: StatusPage | None) -> None:
        self._threads = [
            self._thread("arrivals", lambda: self._arrivals.run(self._desk)),
            self._thread("answering", self._answering.run),
        ]
        if self._sending is not None:
            self._threads.append(self._thread("sending", self._sending.run))
        if page is not None:
            Thread(target=page.serve_forever, name="status", daemon=True).start()

    def _thread(self, name: str, run: Callable[[], None]) -> Thread:
        def guarded() -> None:
            has_ended = False
            try:
                run()
                has_ended = True
            finally:
                if not has_ended:  # a bug: better to end, and be started again, than to go on lame
                    self._has_failed = True
                    self._events.trouble("internal-error", f"The part `{name}` of the service broke.")
                    self.stop()

        thread = Thread(target=guarded, name=name, daemon=True)
        thread.start()
        return thread

    # -- the loop

    def _loop(self, limits: Limits) -> None:
        executor = ProcessExecutor(
            self._request.run.n_workers, timeout_s=limits.timeout_s, max_memory_gib=limits.max_memory_gib
        )
        for outcomes in self._scanning.outcomes(executor, self._is_over):
            self._ticked_s = time.monotonic()
            try:
                self._step(outcomes)
            except RunFolderError as error:
                if error.code != "output-unwritable":
                    raise
                self._events.trouble(error.code, error.message)
                self._clock.wait(self._stopping, _DISK_WAIT_S)
            if not outcomes:
                self._wake.wait(_LOOK_EVERY_S)
                self._wake.clear()

    def _step(self, outcomes: list[ScanResult | Skip]) -> None:
        self._scanning.record(outcomes)
        self._take_found()
        self._answer_next()
        if self._retention.sweep(self._session.journal):
            self._scanning.has_changed = True
        self._render()
        self._tell()

    def _is_over(self) -> bool:
        """Whether no further film is begun: the service is to end, and nothing waits or the grace is over."""
        if not self._stopping.is_set():
            return False
        if self._stopped_s is None:
            self._events.say("stopping: what has arrived is finished")
            self._arrivals.stop()
            self._stopped_s = time.monotonic()
        if time.monotonic() - self._stopped_s > self._request.grace_s:
            return True
        is_noted = self._found.empty() and self._in_hand is None
        return is_noted and not self._ledger.n_ready(self._clock.now_s(), 1)

    def _take_found(self) -> None:
        """Note films that were found, renamed ones under their new names."""
        for _ in range(_AT_ONCE):
            if self._in_hand is None:  # else it could not be noted: the disk was full
                try:
                    self._in_hand = self._found.get_nowait()
                except Empty:
                    return
            film = self._in_hand
            is_known = self._ledger.knows(film.name, film.size_bytes, film.mtime_ns)
            if not is_known and not self._scanning.is_renamed(film):
                self._ledger.arrive(film, self._clock.now_s())
                self._events.note("found")
            self._in_hand = None

    def _answer_next(self) -> None:
        """Hand the study that is next to whoever writes results."""
        if not self._answering.is_free:
            return
        study = self._ledger.quiet_study(self._clock.now_s(), self._request.quiet_s)
        if not study:
            return
        films = self._ledger.to_answer(study)
        wanted = [film for film in map(self._to_answer, films) if film is not None]
        done = {film.name for film in films} - {film.source.name for film in wanted}
        if done:
            self._ledger.done(sorted(done))
        if wanted:
            self._answering.give(wanted)

    def _to_answer(self, film: Arrival) -> FilmToAnswer | None:
        """A film with its results; None where there is nothing to answer."""
        if not self._request.writes_results:
            return None
        known = tuple(each for each in self._session.journal.films_of(film.name) if self._results.wanted.takes(each))
        if not known:
            return None
        run = self._results.run
        at = datetime.fromtimestamp(film.arrived_s, UTC).isoformat(timespec="seconds")
        request = replace(self._results, run=replace(run, info=replace(run.info, started_at=at)))
        return FilmToAnswer(self._scanning.source(film), known, request)

    def _on_answered(self) -> None:
        self._wake.set()
        if self._sending is not None:
            self._sending.wake.set()

    def _render(self) -> None:
        if self._rendering.has_failed():
            self._events.trouble("output-unwritable", "The report could not be rendered; it is tried again.")
            self._scanning.has_changed = True
        if self._scanning.has_changed and self._rendering.is_due:
            self._scanning.keep_info()
            self._scanning.has_changed = False
            self._rendering.start()

    def _finish(self) -> None:
        """After the last film: answer what is quiet, render, and say so."""
        deadline_s = time.monotonic() + self._request.grace_s
        while time.monotonic() < deadline_s:
            self._answer_next()
            if self._answering.is_free:
                break
            self._wake.wait(_LOOK_EVERY_S)
            self._wake.clear()
        self._answering.stop()
        if self._sending is not None:
            self._sending.stop()
        for thread in self._threads:
            thread.join(self._request.grace_s)
        self._rendering.finish()
        if self._scanning.has_changed:
            self._scanning.keep_info()
            self._rendering.start()
            self._rendering.finish()
        self._events.say("stopped")
        keep_status(self._request.run.out, replace(self.status(), state="stopped"))

    # -- how it stands

    def status(self) -> ServiceStatus:
        """How the service stands now; for any thread."""
        return ServiceStatus(
            state="stopping" if self._stopping.is_set() else "running",
            version=__version__,
            model=self._session.wanted.bundle.spec.label,
            started_at=self._started_at,
            updated_at=utc_now(),
            queues=self._ledger.queues(),
            counts=self._ledger.counts(),
            n_connections=self._arrivals.n_connections,
            n_moving=self._arrivals.n_moving,
            free_gib=round(shutil.disk_usage(self._request.run.out).free / 2**30, 2),
            is_destination=self._sending is not None,
            troubles=self._events.troubles,
        )

    def ailment(self) -> str:
        """What is wrong with the service; empty when it works."""
        if self._has_failed:
            return "a part of the service broke"
        if time.monotonic() - self._ticked_s > _MOST_SILENT_S:
            return "the main loop is stuck"
        return ""

    def _tell(self) -> None:
        if time.monotonic() - self._told_s >= _STATUS_EVERY_S:
            self._told_s = time.monotonic()
            keep_status(self._request.run.out, self.status())
