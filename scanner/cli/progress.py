"""What a scan says while it runs: a bar on a terminal, stamped lines in a log, nothing when asked to be quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, TextIO

from cxrscan.scanner.system.text import printable
from cxrscan.version import __version__

if TYPE_CHECKING:
    from tqdm import tqdm

    from cxrscan.scanner.records import ScanResult, Skip
    from cxrscan.scanner.run import Start

_EVERY_S = 60.0
"""Seconds between two lines of a log."""


class Progress:
    """Counts files and tells of them: the way that all scans share."""

    def __init__(self, stream: TextIO, *, verbose: bool) -> None:
        self._stream = stream
        self._verbose = verbose
        self.n_files = self.n_new = self.n_failed = 0
        self.n_total: int | None = None
        """Files in all, once they are counted."""

    def start(self, start: Start) -> None:
        """Tell that the workers are starting."""

    def file(self, outcome: ScanResult | Skip | None) -> None:
        """Count a file; None is one that an earlier session did."""
        self.n_files += 1
        self.n_new += outcome is not None
        self.n_failed += getattr(outcome, "failure", None) is not None
        if self._verbose and (line := _line(outcome)):
            self.say(printable(line))

    def wants_total(self) -> bool:
        """Whether to count the files, which walks the folder once more."""
        return False

    def say(self, line: str) -> None:
        """Write a line."""
        self._stream.write(f"{line}\n")
        self._stream.flush()


class Bar(Progress):
    """A bar on a terminal."""

    def __init__(self, stream: TextIO, bar: tqdm[Any], *, verbose: bool) -> None:
        super().__init__(stream, verbose=verbose)
        self._bar = bar

    def wants_total(self) -> bool:
        """A bar has an end."""
        return True

    def file(self, outcome: ScanResult | Skip | None) -> None:
        """Count a file and move the bar."""
        super().file(outcome)
        self._bar.total = self.n_total
        self._bar.update()

    def say(self, line: str) -> None:
        """Write a line above the bar."""
        self._bar.write(line, file=self._stream)


class Log(Progress):
    """Stamped lines: one at the start and one every minute, also while no film comes back."""

    def __init__(self, stream: TextIO, where: str, *, verbose: bool, every_s: float = _EVERY_S) -> None:
        super().__init__(stream, verbose=verbose)
        self._where = where
        self._every_s = every_s
        self._done = Event()
        self._began = time.monotonic()

    def start(self, start: Start) -> None:
        """Tell what begins, and go on telling how far it is."""
        self._stamped(f"cxrscan {__version__}, {start.model}: {self._where}")
        if start.n_there:
            self._stamped(f"continuing: {start.n_there:,} results are there")
        self._began = time.monotonic()
        Thread(target=self._tell_minutes, daemon=True).start()

    def wants_total(self) -> bool:
        """Wait until the first line is near; a scan that is over by then needs no total."""
        return not self._done.wait(self._every_s / 2)

    def close(self) -> None:
        """Stop telling."""
        self._done.set()

    def _tell_minutes(self) -> None:
        while not self._done.wait(self._every_s):
            of = "" if self.n_total is None else f" of {self.n_total:,}"
            rate = self.n_new / (time.monotonic() - self._began)
            self._stamped(f"{self.n_files:,}{of} files, {self.n_failed:,} failed, {rate:.1f} a second")

    def _stamped(self, line: str) -> None:
        self.say(printable(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {line}"))


@contextmanager
def progress(where: str, count_files: Callable[[], int | None], *, quiet: bool, verbose: bool) -> Iterator[Progress]:
    """Choose how a scan tells of itself on standard error.

    Parameters
    ----------
    where
        What is scanned into what, for a log.
    count_files
        How many files there are; called beside the scan, it may take minutes.
    """
    with _teller(where, quiet=quiet, verbose=verbose) as teller:

        def count() -> None:
            if teller.wants_total():
                teller.n_total = count_files()

        Thread(target=count, daemon=True).start()
        yield teller


@contextmanager
def _teller(where: str, *, quiet: bool, verbose: bool) -> Iterator[Progress]:
    stream = sys.stderr
    if quiet:
        yield Progress(stream, verbose=verbose)
    elif stream.isatty():
        from tqdm import tqdm  # slow to import, and of no use in a log

        with tqdm(unit=" files", dynamic_ncols=True) as bar:
            yield Bar(stream, bar, verbose=verbose)
    else:
        with closing(Log(stream, where, verbose=verbose)) as log:
            yield log


def _line(outcome: ScanResult | Skip | None) -> str:
    """What ``-v`` says of a file: nothing of those that went well."""
    failure = getattr(outcome, "failure", None)
    if failure is not None:
        return f"failed   {outcome.name}: {failure.message} [{failure.code}]"  # type: ignore[union-attr]
    if getattr(outcome, "gate", None) == "reject":
        return f"rejected {outcome.name}: {', '.join(outcome.gate_reasons)}"  # type: ignore[union-attr]
    reason = getattr(outcome, "reason", None)
    return f"skipped  {outcome.name}: {reason}" if reason else ""  # type: ignore[union-attr]
