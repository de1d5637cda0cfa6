"""Time in which work can be done."""

from __future__ import annotations

import time

LOOK_EVERY_S = 0.25
"""How often whoever waits by a ``WorkingClock`` looks at it at least, in seconds."""


class WorkingClock:
    """A clock that stands still while its process does, as between Ctrl-Z and ``fg``.

    It counts at most twice ``LOOK_EVERY_S`` between two looks.
    """

    def __init__(self) -> None:
        self._seen_at = time.monotonic()
        self._now_s = 0.0

    def now_s(self) -> float:
        """Seconds of work since the clock was made."""
        seen_at = time.monotonic()
        self._now_s += min(seen_at - self._seen_at, 2 * LOOK_EVERY_S)
        self._seen_at = seen_at
        return self._now_s
