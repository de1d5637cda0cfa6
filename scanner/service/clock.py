"""The time of a service: Unix time that never jumps while the process lives, and may run fast in a simulation."""

from __future__ import annotations

import time
from threading import Event


class SteadyClock:
    """Tells the time, and waits.

    Parameters
    ----------
    speed
        Seconds of this clock in a second.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._began_s, self._origin_s = time.time(), time.monotonic()

    def now_s(self) -> float:
        """Seconds since 1970; they pass steadily, also when the system's clock is put right."""
        return self._began_s + (time.monotonic() - self._origin_s) * self._speed

    def wait(self, event: Event, seconds: float) -> bool:
        """Wait for an event, at most some seconds of this clock; whether it came."""
        return event.wait(seconds / self._speed)
