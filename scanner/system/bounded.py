"""Read a file no further than it may reach, before it takes memory."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from scanner.system.beneath import open_regular


def read_bounded(path: Path, max_bytes: int, *, within: str = "") -> bytes:
    """Bytes of a regular file; ``within`` as of ``beneath.open_regular``.

    Raises
    ------
    OSError
        With ``strerror``: it cannot be opened, is a pipe or a device, or holds more than ``max_bytes`` (``EFBIG``).
    """
    with open_regular(str(path), within=within) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return data
