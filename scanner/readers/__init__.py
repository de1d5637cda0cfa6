"""Bytes of a film -> ``Radiograph``; ``read_film`` is the door, ``FORMATS`` says what it reads."""

from __future__ import annotations

from cxrscan.scanner.readers.formats import (
    FORMATS,
    HEAD_BYTES,
    TITLES,
    Format,
    promises_film,
    read_film,
    sniff_kind,
    without_ending,
)
from cxrscan.scanner.readers.options import ReadOptions

__all__ = [
    "FORMATS",
    "HEAD_BYTES",
    "TITLES",
    "Format",
    "ReadOptions",
    "promises_film",
    "read_film",
    "sniff_kind",
    "without_ending",
]
