"""Results on their way to an archive: kept until they are taken, tried again ever later."""

from __future__ import annotations

import random
from threading import Event

from cxrscan.scanner.dicom_results.outgoing import Destination, Outgoing, look_at
from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.service.clock import SteadyClock
from cxrscan.scanner.service.events import Events
from cxrscan.scanner.service.ledger import Ledger, Parcel

_AT_ONCE = 64
_FIRST_WAIT_S, _LONGEST_WAIT_S = 5.0, 600.0
_LOOK_EVERY_S = 1.0


class Sending:
    """Sends what is due, in a thread of its own."""

    def __init__(self, destination: Destination, ledger: Ledger, events: Events, clock: SteadyClock) -> None:
        self._destination = destination
        self._ledger = ledger
        self._events = events
        self._clock = clock
        self._is_over = False
        self.wake = Event()
        """Set when there may be something to send."""

    def stop(self) -> None:
        """Let the thread end after what it is sending; the rest is sent after the next start."""
        self._is_over = True
        self.wake.set()

    def run(self) -> None:
        """Send until ``stop``."""
        while not self._is_over:
            self.wake.clear()
            try:
                while self.send_due() and not self._is_over:
                    pass
            except RunFolderError as error:  # a full disk: what was taken may be sent again, as the same objects
                self._events.trouble(error.code, error.message)
                self._clock.wait(self.wake, _FIRST_WAIT_S)
            self._clock.wait(self.wake, _LOOK_EVERY_S)

    def send_due(self) -> int:
        """Try everything that is due once; how much that was."""
        parcels = self._ledger.due(self._clock.now_s(), _AT_ONCE)
        objects = {parcel.path: outgoing for parcel in parcels if (outgoing := self._outgoing(parcel))}
        n_tries = {parcel.path: parcel.n_tries for parcel in parcels}
        if not objects:
            return 0
        for delivery in self._destination.deliver(list(objects.values())):
            path = delivery.outgoing.path
            if not delivery.problem:
                self._ledger.sent(path)
                self._events.note("sent")
                continue
            wait_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(n_tries[path], 30)) * random.uniform(0.5, 1.5)
            self._ledger.postpone(path, delivery.problem, self._clock.now_s() + wait_s)
            self._events.trouble("not-sent", f"A result was not sent, trial {n_tries[path] + 1}: {delivery.problem}")
        return len(objects)

    def _outgoing(self, parcel: Parcel) -> Outgoing | None:
        found = look_at(parcel.path)
        if found is None:  # somebody has deleted it
            self._ledger.sent(parcel.path)
            self._events.trouble("not-sent", "A result that was to be sent is no longer in its folder.")
            return None
        return found[0]
