"""Read a file no further than it may reach, before it takes memory."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from cxrscan.scanner.system.beneath import open_regular

if TYPE_CHECKING:
    from _typeshed import SupportsRead

_PIECE_BYTES = 1 << 20


def read_bounded(path: Path, max_bytes: int, *, within: str = "") -> bytes:
    """Bytes of a regular file; ``within`` as of ``beneath.open_regular``.

    Raises
    ------
    OSError
        With ``strerror``: it cannot be opened, is a pipe or a device, or holds more than ``max_bytes`` (``EFBIG``).
    """
    with open_regular(str(path), within=within) as file:
        return read_open(file, max_bytes)


def read_open(file: SupportsRead[bytes], max_bytes: int) -> bytes:
    """Bytes of an open file, piece by piece: reading takes memory for all that is asked for.

    Raises
    ------
    OSError
        ``EFBIG``: it holds more than ``max_bytes``.
    """
    data = bytearray()
    while piece := file.read(_PIECE_BYTES):
        data += piece
        if len(data) > max_bytes:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return bytes(data)
