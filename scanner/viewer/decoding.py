"""Bytes -> what the viewer shows: the scanner's result, and the film at full size."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.executors.processes import Limits, WarmWorkers
from cxrscan.scanner.readers import HEAD_BYTES, ReadOptions, read_film, sniff_kind
from cxrscan.scanner.records import Failure, ImageSource, Radiograph, ScanResult, Skip
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.system.beneath import open_regular
from cxrscan.scanner.system.cores import available_cores


def film_source(name: str, data: bytes, mtime_ns: int = 0) -> ImageSource:
    """Describe a file whose bytes are at hand."""
    return ImageSource(Path(name), name, sniff_kind(data[:HEAD_BYTES]), len(data), mtime_ns, data)


def scan(
    sources: Sequence[ImageSource], settings: ScanSettings, limits: Limits | None = None
) -> list[ScanResult | Skip]:
    """Scan films as ``cxrscan run`` does, each in a process with limits; a film that breaks them fails alone."""
    found: list[ScanResult | Skip] = []
    for source in sources:
        said = workers(settings, limits or Limits()).ask(source)
        if isinstance(said, Failure):
            said = [ScanResult(source.name, source.kind, source.size_bytes, source.mtime_ns, failure=said)]
        found += said
    return found


def read_full_size(
    film: bytes | Path,
    settings: ScanSettings,
    limits: Limits | None = None,
    *,
    frame: int = 0,
    window: int | None = 0,
    sha256: str = "",
    max_megapixels: float | None = None,
) -> Radiograph:
    """Decode a film that the scanner could read, without reduction and with the plain identifiers of its header.

    Parameters
    ----------
    film
        Its bytes, or the file that holds them.
    frame
        Which frame of a multi-frame DICOM object, from 0.
    window
        Which of its windows, as in ``ReadOptions``.
    sha256
        What the bytes must be; empty for anything.
    max_megapixels
        Larger pictures are refused; None: as ``settings`` say.

    Raises
    ------
    CxrscanError
        As the readers do; ``timed-out`` or ``worker-died``; ``changed`` when the bytes are others.
    """
    said = workers(settings, limits or Limits()).ask(
        _FullSize(film, frame, window, sha256, max_megapixels or settings.max_megapixels)
    )
    if isinstance(said, Failure):
        raise FilmError(said.code, said.message)
    picture: Radiograph = said
    return picture


@lru_cache(maxsize=1)
def workers(settings: ScanSettings, limits: Limits) -> WarmWorkers:
    """Processes that read films for all sessions of the viewer: what comes from outside is not decoded in its own."""
    return WarmWorkers(_answer, settings, limits)


@dataclass(frozen=True, slots=True)
class _FullSize:
    """A film that is wanted as it is."""

    film: bytes | Path
    frame: int
    window: int | None
    sha256: str
    max_megapixels: float


def _answer(question: ImageSource | _FullSize, settings: ScanSettings) -> Any:
    """Do the work of a worker process."""
    if isinstance(question, ImageSource):
        from cxrscan.scanner.worker import scan_chunk  # the viewer's own process needs no engine for this

        return scan_chunk([question], settings)
    try:
        return _read_full_size(question)
    except MemoryError as error:
        raise FilmError("out-of-memory", "The film needs more memory than --max-memory allows.") from error


def _read_full_size(wanted: _FullSize) -> Radiograph:
    data = wanted.film if isinstance(wanted.film, bytes) else _bytes_of(wanted.film)
    if wanted.sha256 and hashlib.sha256(data).hexdigest() != wanted.sha256:
        raise FilmError("changed", "The file is no longer the one that was scanned.")
    options = ReadOptions(
        max_megapixels=wanted.max_megapixels,
        frames="all" if wanted.frame else "first",
        window=wanted.window,
        ids="plain",
        n_threads=available_cores(),  # the page waits for this picture alone
    )
    return read_film(data, options)[wanted.frame]


def _bytes_of(path: Path) -> bytes:
    try:
        with open_regular(str(path)) as file:
            return file.read()
    except OSError as error:
        raise FilmError("unreadable", f"The file cannot be read: {error.strerror}.") from error
