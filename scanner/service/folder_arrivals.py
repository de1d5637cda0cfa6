"""Films that other programs write into a folder, handed in as they come to rest."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event

from cxrscan.scanner.records import ImageSource
from cxrscan.scanner.run import Session
from cxrscan.scanner.service.clock import SteadyClock
from cxrscan.scanner.service.desk import Desk
from cxrscan.scanner.service.folder_watch import FolderWatch
from cxrscan.scanner.service.ledger import Arrival
from cxrscan.scanner.service.study_mark import HEAD_BYTES, ROUTINE, StudyMark, read_study_mark
from cxrscan.scanner.sources.filters import Filter
from cxrscan.scanner.system.beneath import open_regular

_SHARE = 4.0  # walking takes at most this part of the time


class FolderArrivals:
    """Looks through a folder every few seconds, a large or slow one less often.

    Parameters
    ----------
    rest_s
        Seconds for which a file must not change before it is read.
    every_s
        Seconds between two looks.
    """

    n_connections = 0

    def __init__(
        self, root: Path, clock: SteadyClock, *, rest_s: float, every_s: float, keep: Filter | None = None
    ) -> None:
        self._watch = FolderWatch(root, rest_s, clock, keep)
        self._clock = clock
        self._every_s = every_s
        self._is_over = Event()

    @property
    def n_moving(self) -> int:
        """Files that do not rest yet."""
        return self._watch.n_moving

    def open(self, session: Session) -> None:
        """Get ready: nothing is needed."""

    def run(self, desk: Desk) -> None:
        """Hand films in until ``stop``."""
        while not self._is_over.is_set():
            began_s = time.monotonic()
            self.look(desk)
            self._clock.wait(self._is_over, max(self._every_s, _SHARE * (time.monotonic() - began_s)))

    def look(self, desk: Desk) -> None:
        """Look through the folder once."""
        for source in self._watch.poll():
            if self._is_over.is_set():
                return
            if not desk.ledger.knows(source.name, source.size_bytes, source.mtime_ns):
                desk.find(arrival_of(source))

    def stop(self) -> None:
        """Let ``run`` end."""
        self._is_over.set()


def arrival_of(source: ImageSource) -> Arrival:
    """What is to be known of a film before it is scanned."""
    mark = StudyMark("", ROUTINE)
    if source.kind == "dicom":
        try:
            with open_regular(str(source.path), within=source.within) as file:
                mark = read_study_mark(file.read(HEAD_BYTES), source.name)
        except OSError:  # the worker will tell
            pass
    return Arrival(source.name, source.size_bytes, source.mtime_ns, mark.study, mark.urgency)
