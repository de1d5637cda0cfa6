"""Scan in several processes, one per core, and outlive any of them.

Plain ``multiprocessing``: each worker has a pipe of its own and one chunk at a time, so the parent always knows
which films a worker held when it died or hung. No pool does that (multiprocessing's own waits for ever,
concurrent.futures and loky give up as a whole, billiard restarts a worker that cannot start without end).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker, spawn
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import BoundedSemaphore, Lock, Thread
from typing import Any, cast

from cxrscan.scanner.errors import CxrscanError, WorkerError
from cxrscan.scanner.executors.base import Chunk
from cxrscan.scanner.records import Failure, ImageSource, ScanResult, Skip
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.system.clock import LOOK_EVERY_S, WorkingClock
from cxrscan.scanner.system.memory import limited_memory
from cxrscan.scanner.system.surroundings import safe_path

Scan = Callable[[Chunk, ScanSettings], list[ScanResult | Skip]]
_READY = "ready"
_START_S = 120.0  # longest time for a worker to start and open the model; films have --timeout
_STARTS_FORGIVEN = 3  # something else may have killed a worker while it started
# "spawn": a fork of a process that runs threads (progress bar, decoders) may deadlock.
_processes = multiprocessing.get_context("spawn")


def _scan_chunk(chunk: Chunk, settings: ScanSettings) -> list[ScanResult | Skip]:
    from cxrscan.scanner.worker import scan_chunk  # decoders and all: the parent starts sooner without

    return scan_chunk(chunk, settings)


class ProcessExecutor:
    """Scans chunks in worker processes.

    A worker that dies or takes too long is replaced and its films are tried again one by one; the film that
    does it again fails with ``worker-died`` or ``timed-out``, all others get their results.

    Parameters
    ----------
    n_workers
        Number of processes.
    timeout_s
        Longest time for a chunk, and for a film tried alone, in seconds.
    max_memory_gib
        Memory that each process may take, in GiB; 0 for no limit.
    scan
        What the workers do; a function at the top level of a module.
    starts_forgiven
        Workers in a row that may end before they are ready.
    """

    def __init__(
        self,
        n_workers: int,
        *,
        timeout_s: float = 60.0,
        max_memory_gib: float = 0.0,
        scan: Scan = _scan_chunk,
        starts_forgiven: int = _STARTS_FORGIVEN,
    ) -> None:
        self.n_workers = n_workers
        self.timeout_s = timeout_s
        self.max_memory_gib = max_memory_gib
        self.scan = scan
        self.starts_forgiven = starts_forgiven

    def run(self, chunks: Iterable[Chunk], settings: ScanSettings) -> Iterator[list[ScanResult | Skip]]:
        """See ``Executor.run``.

        Raises
        ------
        CxrscanError
            What a worker raised (the model cannot be used), or WorkerError ``workers-failed`` when
            none can be started.
        """
        clock = WorkingClock()
        team = _Team(
            chunks,
            lambda: _Worker(self.scan, settings, self.max_memory_gib, clock),
            self.timeout_s,
            self.starts_forgiven,
        )
        try:
            team.hire(self.n_workers)
            finished: list[list[ScanResult | Skip]] = []
            while True:
                team.hand_out()
                yield from finished  # the caller records them while the workers go on
                if team.busy:
                    finished = team.collect()
                elif team.is_over:
                    return
                else:
                    finished = []
                if team.waits_for_more and not finished:
                    yield []
        finally:
            team.dismiss()


class WarmWorkers:
    """Worker processes for callers in many threads, each of whom waits for one answer; some stand by.

    Parameters
    ----------
    work
        What the workers do, ``work(question, settings)``; a function at the top level of a module.
    settings
        Names the model that the workers open.
    limits
        For each question.
    """

    _N_AT_MOST = 4
    _N_STANDING_BY = 2

    def __init__(self, work: Callable[[Any, ScanSettings], Any], settings: ScanSettings, limits: Limits) -> None:
        self._work = work
        self._settings = settings
        self._max_memory_gib = limits.max_memory_gib
        self._timeout_s = limits.timeout_s
        self._room = BoundedSemaphore(self._N_AT_MOST)
        self._idle: deque[_Worker] = deque()

    def _new_worker(self) -> _Worker:
        return _Worker(self._work, self._settings, self._max_memory_gib, WorkingClock())

    def stand_by(self) -> None:
        """Start a worker for the next question."""
        self._idle.append(self._new_worker())

    def stop(self) -> None:
        """End the workers that have nothing to do."""
        while self._idle:
            self._idle.pop().stop()

    def ask(self, question: Any) -> Any:
        """Have a question answered; a Failure with ``timed-out`` or ``worker-died`` stands for the answer.

        Raises
        ------
        CxrscanError
            What the worker raised, or WorkerError ``workers-failed``.
        """
        with self._room:
            try:
                worker = self._idle.popleft()
            except IndexError:
                worker = self._new_worker()
            is_sound = False
            try:
                worker.start(question, self._timeout_s)
                while (answer := worker.outcome()) is None:
                    wait([worker.connection], min(worker.time_left_s(), LOOK_EVERY_S))
                is_sound = not isinstance(answer, Failure)
                return answer
            except CxrscanError as error:
                is_sound = not isinstance(error, WorkerError)
                raise
            finally:
                if is_sound and len(self._idle) < self._N_STANDING_BY:
                    self._idle.append(worker)
                else:
                    worker.stop()
                if not self._idle:
                    self.stand_by()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process that reads films may take."""

    timeout_s: float = 60.0
    """Longest time for one film, in seconds."""
    max_memory_gib: float = 4.0
    """Memory, in GiB, where the system can limit it; 0 for no limit."""


class _Team:
    """The workers, the chunks that they hold, and the films to be tried again."""

    def __init__(
        self, chunks: Iterable[Chunk], new_worker: Callable[[], _Worker], timeout_s: float, starts_forgiven: int
    ) -> None:
        self._chunks = iter(chunks)
        self._again: deque[Chunk] = deque()
        self._new_worker = new_worker
        self._timeout_s = timeout_s
        self._idle: list[_Worker] = []
        self._max_starts_forgiven = self._starts_forgiven = starts_forgiven
        self.busy: list[_Worker] = []
        self.is_over = False
        """Whether no further chunk will come."""
        self.waits_for_more = False
        """Whether there was no chunk when one was asked for last, but may be one later."""

    def hire(self, n_workers: int) -> None:
        self._idle += [self._new_worker() for _ in range(n_workers)]

    def hand_out(self) -> None:
        """Give every idle worker a chunk, as long as there are any."""
        self.waits_for_more = False
        while self._idle and (chunk := self._again.popleft() if self._again else self._next_chunk()):
            worker = self._idle.pop()
            if not worker.is_alive():  # it may have been killed while it had nothing to do
                worker.stop()
                worker = self._new_worker()
            worker.start(chunk, self._timeout_s)
            self.busy.append(worker)

    def _next_chunk(self) -> Chunk | None:
        chunk = next(self._chunks, None)
        self.is_over = chunk is None
        self.waits_for_more = chunk == []
        return chunk

    def collect(self) -> list[list[ScanResult | Skip]]:
        """Wait until at least one worker is done, dead or late, and take what there is.

        Where a further chunk may have come meanwhile, nothing may be there.
        """
        time_left_s = min(worker.time_left_s() for worker in self.busy)
        while not wait([worker.connection for worker in self.busy], min(time_left_s, LOOK_EVERY_S)) and time_left_s:
            if self.waits_for_more:
                break
            time_left_s = min(worker.time_left_s() for worker in self.busy)
        finished: list[list[ScanResult | Skip]] = []
        for worker in list(self.busy):
            try:
                outcome = worker.outcome()
            except WorkerError:  # it never got to a film
                if not self._starts_forgiven:
                    raise
                self._starts_forgiven -= 1
                self._again.append(worker.chunk)
                self._replace(worker)
                continue
            if outcome is None:
                continue
            if isinstance(outcome, Failure):
                self._replace(worker)
                if len(worker.chunk) > 1:
                    self._again.extend([source] for source in worker.chunk)
                else:
                    finished.append([_failed(worker.chunk[0], outcome)])
            else:
                self._starts_forgiven = self._max_starts_forgiven
                self.busy.remove(worker)
                self._idle.append(worker)
                finished.append(outcome)
        return finished

    def _replace(self, worker: _Worker) -> None:
        self.busy.remove(worker)
        worker.stop()
        self.hire(1)

    def dismiss(self) -> None:
        team = (*self._idle, *self.busy)
        for worker in team:
            worker.kill()  # all before any is waited for: each takes a while to give its memory back
        for worker in team:
            worker.stop()


class _Worker:
    """The parent's end of one worker process."""

    def __init__(self, scan: Scan, settings: ScanSettings, max_memory_gib: float, clock: WorkingClock) -> None:
        self._clock = clock
        self._process, self.connection = _started_early.pop() if _started_early else _start_process()
        self._is_ready = False
        with suppress(OSError):  # a process that has died is noticed by ``outcome``
            self.connection.send((scan, settings, max_memory_gib))
        self.chunk: Chunk = []
        self._timeout_s = _START_S
        self._deadline = 0.0

    def start(self, chunk: Chunk, timeout_s: float) -> None:
        """Send a chunk; its time runs from now, or from when the worker is ready."""
        self.chunk, self._timeout_s = chunk, timeout_s
        self._deadline = self._clock.now_s() + (timeout_s if self._is_ready else _START_S)
        with suppress(OSError):  # a worker that has died is noticed by ``outcome``
            self.connection.send(chunk)

    def time_left_s(self) -> float:
        return max(0.0, self._deadline - self._clock.now_s())

    def outcome(self) -> list[ScanResult | Skip] | Failure | None:
        """The chunk's results, why there are none, or None while the worker is at it.

        Raises
        ------
        CxrscanError
            What the worker raised, or WorkerError when it died before it could do anything.
        """
        try:
            while self.connection.poll():
                message = self.connection.recv()
                if message == _READY:
                    self._is_ready = True
                    self._deadline = self._clock.now_s() + self._timeout_s
                elif isinstance(message, CxrscanError):
                    raise message
                else:
                    return cast("list[ScanResult | Skip]", message)
        except (EOFError, OSError):
            self._process.join(1.0)
            how = f"exit code {self._process.exitcode}"
            if not self._is_ready:
                raise WorkerError("workers-failed", f"A worker process could not start ({how}).") from None
            return Failure("read", "worker-died", f"The process that worked on this film died ({how}).")
        if self.time_left_s() == 0.0:
            if not self._is_ready:
                raise WorkerError("workers-failed", f"A worker process was not ready after {_START_S:g} s.")
            return Failure("read", "timed-out", "The film took longer than the time allowed.")
        return None

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        self._process.kill()

    def stop(self) -> None:
        self.kill()
        self._process.join()
        self.connection.close()


#: What a terminal sends to all processes when Ctrl-C is pressed and when it is closed: that is the parent's affair.
_FOR_THE_PARENT = {signal.SIGINT} | ({signal.SIGHUP} if hasattr(signal, "SIGHUP") else set())


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Let a process start without heeding what a terminal sends to all."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_PARENT)
    try:
        resource_tracker.ensure_running()  # multiprocessing's helper process; starting it lifts the block of Ctrl-C
        signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_PARENT)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_starting = Lock()


@contextmanager
def without_main_module() -> Iterator[None]:
    """Let a process start without importing the script that runs here: it needs nothing of it.

    Under Streamlit that script would be the viewer's page.
    """
    with _starting:
        prepare = spawn.get_preparation_data

        def prepare_without_main(name: str) -> dict[str, Any]:
            return {key: value for key, value in prepare(name).items() if not key.startswith("init_main")}

        spawn.get_preparation_data = prepare_without_main
        try:
            yield
        finally:
            spawn.get_preparation_data = prepare


def _die_with_parent() -> None:
    """End this process when its parent has ended, also in the middle of a film that hangs."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


_started_early: list[tuple[BaseProcess, Connection]] = []


def start_early() -> None:
    """Start a process before it is known what it shall work on: it loads meanwhile what all films need.

    The next worker of this process takes it.
    """
    _started_early.append(_start_process())


def _start_process() -> tuple[BaseProcess, Connection]:
    ours, theirs = _processes.Pipe()
    process = _processes.Process(target=_serve, args=(theirs,), daemon=True)
    with safe_path(), signals_held_back(), without_main_module():
        process.start()
    theirs.close()
    return process, ours


def _load() -> None:
    import cxrscan.scanner.readers.jpeg
    import cxrscan.scanner.worker  # noqa: F401  # most films are JPEG


def _serve(connection: Connection) -> None:
    """The worker process: what to do, then chunks in, results out, until the parent hangs up."""
    for number in _FOR_THE_PARENT:
        signal.signal(number, signal.SIG_IGN)  # for systems where it could not be held back
    Thread(target=_die_with_parent, daemon=True).start()
    Thread(target=_load, daemon=True).start()
    try:
        scan, settings, max_memory_gib = connection.recv()
    except EOFError:  # there was nothing to do
        return
    trouble = _open_model(settings, max_memory_gib)  # before any film: a bundle that crashes is no film's fault
    with suppress(EOFError, OSError), limited_memory(max_memory_gib):
        connection.send(_READY if trouble is None else trouble)
        while True:
            chunk = connection.recv()
            try:
                connection.send(scan(chunk, settings))
            except CxrscanError as error:
                connection.send(error)


def _open_model(settings: ScanSettings, max_memory_gib: float) -> CxrscanError | None:
    """Open the model within the limit on memory; why that cannot be."""
    from cxrscan.scanner.worker import open_model

    try:
        with limited_memory(max_memory_gib):
            open_model(settings)
    except (CxrscanError, MemoryError):
        try:
            open_model(settings)
        except CxrscanError as error:
            return error
        return WorkerError("out-of-memory", f"The model needs more than the {max_memory_gib:g} GiB of --max-memory.")
    return None


def _failed(source: ImageSource, failure: Failure) -> ScanResult:
    return ScanResult.of(source, failure)
