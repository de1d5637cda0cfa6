"""Bytes -> what the viewer shows: the scanner's result, and the film at full size."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from scanner.readers import HEAD_BYTES, ReadOptions, read_film, sniff_kind
from scanner.records import ImageSource, Radiograph, ScanResult, Skip
from scanner.settings import ScanSettings
from scanner.system.cores import available_cores
from scanner.worker import scan_chunk

_one_at_a_time = threading.Lock()


def film_source(name: str, data: bytes, mtime_ns: int = 0) -> ImageSource:
    """Describe a file whose bytes are at hand."""
    return ImageSource(Path(name), name, sniff_kind(data[:HEAD_BYTES]), len(data), mtime_ns, data)


def scan(sources: Sequence[ImageSource], settings: ScanSettings) -> list[ScanResult | Skip]:
    """Scan films as ``cxrscan run`` does; sessions of the viewer wait for each other, as they share one engine."""
    with _one_at_a_time:
        return scan_chunk(sources, settings)


def read_full_size(data: bytes, settings: ScanSettings, *, frame: int = 0) -> Radiograph:
    """Decode a film that the scanner could read, without reduction and with the plain identifiers of its header.

    Parameters
    ----------
    frame
        Which frame of a multi-frame DICOM object, from 0.

    Raises
    ------
    CxrscanError
        As the readers do.
    """
    options = ReadOptions(
        max_megapixels=settings.max_megapixels,
        frames="all" if frame else "first",
        window=settings.window,
        ids="plain",
        n_threads=available_cores(),  # the page waits for this picture alone
    )
    return read_film(data, options)[frame]
