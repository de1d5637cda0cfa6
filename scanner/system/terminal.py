"""Standard error that never stops the work: its disk may be full, and its reader gone or asleep."""

from __future__ import annotations

import io
import os
import select
import sys
from typing import Any

_PATIENCE_S = 5.0


def let_telling_fail() -> None:
    """Make messages to standard error that cannot be written vanish, instead of stopping who tells them."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:  # closed streams: files of ours must not take their place
        pass
    os.close(number)
    if sys.stderr is None or sys.stderr is sys.__stderr__:
        encoding = getattr(sys.stderr, "encoding", "utf-8")
        log = io.BufferedWriter(_Log(2, "w", closefd=False))
        sys.stderr = io.TextIOWrapper(log, encoding, "backslashreplace", line_buffering=True)


class _Log(io.FileIO):
    """A file that takes all that is written, and passes on what its system takes."""

    _patience_s = _PATIENCE_S

    def write(self, data: Any) -> int:
        try:
            if self._takes_more():
                return super().write(data)
        except OSError:
            pass
        return len(memoryview(data))

    def _takes_more(self) -> bool:
        """Wait for a reader that is slow, but only once for one that has fallen asleep (a pager, Ctrl-S)."""
        if os.name != "posix":  # Windows can wait for sockets alone
            return True
        is_ready = bool(select.select([], [self], [], self._patience_s)[1])
        self._patience_s = _PATIENCE_S if is_ready else 0.0
        return is_ready
