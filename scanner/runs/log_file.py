"""SQLite's write-ahead log as a file, to see whether it holds more than SQLite takes from it.

SQLite takes the transactions before the first damaged one, without a word, as after a power failure
(sqlite.org/fileformat2.html, section 4).
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

_HEADER_BYTES, _FRAME_HEADER_BYTES = 32, 24
_SUMS_ARE_BIG_ENDIAN = {0x377F0682: False, 0x377F0683: True}


def holds_more(path: Path, n_frames: int) -> bool:
    """Whether a log holds complete transactions beyond the frames that SQLite took.

    Parameters
    ----------
    n_frames
        How many frames it took.
    """
    with path.open("rb") as file:
        n_bytes = os.fstat(file.fileno()).st_size
        header = file.read(_HEADER_BYTES)
        if not _is_sound(header):
            return True
        page_bytes, salts = int.from_bytes(header[8:12], "big"), header[16:24]
        frame_bytes = _FRAME_HEADER_BYTES + page_bytes
        at = _HEADER_BYTES + n_frames * frame_bytes
        while at + frame_bytes <= n_bytes:  # a full disk cuts the last one
            file.seek(at)
            frame = file.read(_FRAME_HEADER_BYTES)
            ends_transaction = any(frame[4:8])
            if ends_transaction and frame[8:16] == salts:
                return True
            at += frame_bytes
        return False


def _is_sound(header: bytes) -> bool:
    """Whether the header's checksum is right."""
    is_big = _SUMS_ARE_BIG_ENDIAN.get(int.from_bytes(header[:4], "big"))
    if is_big is None or len(header) < _HEADER_BYTES:
        return False
    words = struct.unpack(">6I" if is_big else "<6I", header[:24])
    first = second = 0
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return (first, second) == struct.unpack(">2I", header[24:])
