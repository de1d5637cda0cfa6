"""Copies of files, byte by byte: archives hold films twice, and every figure would count them twice."""

from __future__ import annotations

from typing import Literal

from scanner.records import ScanResult

Duplicates = Literal["keep", "first"]
"""Whether copies count in figures, or the first of each alone."""

_DIGITS = 32
"""Of a hash in hexadecimal; more tell no two files apart."""


def content_of(result: ScanResult) -> str:
    """What tells films apart: the bytes of the file and, of an object with several, the frame."""
    frame = result.name.rpartition("#")[2] if "#" in result.name and result.kind == "dicom" else ""
    return f"{result.sha256[:_DIGITS] or result.name}#{frame}"
