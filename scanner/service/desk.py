"""Where arrived films are handed in, and what brings them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event
from typing import Protocol

from cxrscan.scanner.run import Session
from cxrscan.scanner.service.clock import SteadyClock
from cxrscan.scanner.service.events import Events
from cxrscan.scanner.service.ledger import Arrival, Ledger

_PATIENCE_S = 0.1


class Arrivals(Protocol):
    """Where films come from: the network, or a folder."""

    def open(self, session: Session) -> None:
        """Get ready, in the thread that the journal belongs to."""
        ...

    def run(self, desk: Desk) -> None:
        """Hand films in until ``stop``; in a thread of its own."""
        ...

    def stop(self) -> None:
        """Take nothing new, finish what has begun, and let ``run`` end."""
        ...

    @property
    def n_connections(self) -> int:
        """Connections that are open."""
        ...

    @property
    def n_moving(self) -> int:
        """Files that do not rest yet."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """Where arrived films are handed in; for several threads."""

    ledger: Ledger
    events: Events
    clock: SteadyClock
    _found: Queue[Arrival]
    _wake: Event
    _stopping: Event

    def find(self, film: Arrival) -> None:
        """Hand in a film that was found in a folder; it may be a known one under another name."""
        while not self._stopping.is_set():  # what is not handed in is found after the next start
            with suppress(Full):
                self._found.put(film, timeout=_PATIENCE_S)
                self._wake.set()
                return

    def receive(self, film: Arrival) -> None:
        """Hand in a film that came by itself; it is noted when this returns.

        Raises
        ------
        RunFolderError
            ``output-unwritable``.
        """
        self.ledger.arrive(film, self.clock.now_s())
        self._wake.set()
