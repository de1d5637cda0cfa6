"""The trial of a model bundle: what a stranger made is opened, and used once, in a process of its own.

The process may take so much memory (Linux) and time and no more; should it crash, swell or hang, the command tells so.
The bundle that comes with cxrscan needs no trial: the tests of this project hold it against the schema.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cxrscan.scanner.errors import BundleError, WorkerError
from cxrscan.scanner.executors.base import Chunk
from cxrscan.scanner.model_bundle import (
    DEFAULT_BUNDLE,
    BundleFiles,
    ModelSpec,
    parse_description,
    read_description,
    read_weights,
)
from cxrscan.scanner.records import Failure, ImageSource, ScanResult, Skip
from cxrscan.scanner.settings import ScanSettings

_TIMEOUT_S = 60.0
_MAX_MEMORY_GIB = 4.0
_SIDE_PX = 320
#: Failures that are a film's affair and not the bundle's; ``model verify`` bears none.
_BEARABLE = frozenset({"no-number"})


@dataclass(frozen=True, slots=True)
class TriedBundle:
    """A bundle that may be used, as it was read once."""

    spec: ModelSpec
    files: BundleFiles

    @property
    def document(self) -> dict[str, Any]:
        """Content of ``model.json``."""
        return parse_description(self.files.description, self.spec.folder, check=False)

    def hold(self, settings: ScanSettings) -> ScanSettings:
        """Settings with which workers take this bundle and no other."""
        return replace(
            settings,
            model=self.spec.folder,
            model_is_checked=True,
            model_sha256=self.spec.description_sha256,
            model_files=None if self.files.weights is None else self.files,
        )


def open_bundle(folder: Path) -> TriedBundle:
    """Read a bundle, after a trial unless it is the one that comes with cxrscan.

    Raises
    ------
    BundleError
        ``bundle-missing``, ``bundle-invalid`` or ``bundle-hash``.
    """
    files = BundleFiles(read_description(folder))
    if folder == DEFAULT_BUNDLE:
        return TriedBundle(files.spec(folder, check=False), files)
    files = replace(files, weights=read_weights(folder))
    if files.description != read_description(DEFAULT_BUNDLE):
        for failure in _failures(folder, files):
            if failure.code not in _BEARABLE:
                raise BundleError("bundle-invalid", f"{folder} fails in a trial: {failure.message}")
    return TriedBundle(files.spec(folder, check=False), files)


def verify_bundle(folder: Path) -> ModelSpec:
    """Read a bundle after a trial, whichever it is, and bear no failure; errors of ``open_bundle``."""
    files = BundleFiles(read_description(folder), read_weights(folder))
    for failure in _failures(folder, files):
        raise BundleError("bundle-invalid", f"{folder} fails in a trial: {failure.message}")
    return files.spec(folder, check=False)


def _failures(folder: Path, files: BundleFiles) -> list[Failure]:
    """What went wrong with the pictures that a bundle was tried on.

    Raises
    ------
    BundleError
        It cannot be opened.
    """
    from cxrscan.scanner.executors.processes import ProcessExecutor

    executor = ProcessExecutor(
        1, timeout_s=_TIMEOUT_S, max_memory_gib=_MAX_MEMORY_GIB, scan=scan_patterns, starts_forgiven=0
    )
    settings = ScanSettings(model=folder, model_files=files, gate="warn")
    try:
        (outcomes,) = executor.run([[ImageSource(folder, "pattern", None)]], settings)
    except WorkerError as error:
        raise BundleError("bundle-invalid", f"{folder} cannot be opened: {error.message}") from error
    return [outcome.failure for outcome in outcomes if isinstance(outcome, ScanResult) and outcome.failure is not None]


def scan_patterns(chunk: Chunk, settings: ScanSettings) -> list[ScanResult | Skip]:
    """Scan two pictures drawn here, a ramp and noise, as films are scanned; the work of the trial's process."""
    import cv2
    import numpy as np

    from cxrscan.scanner.worker import scan_chunk

    ramp = np.tile(np.linspace(0, 255, _SIDE_PX, dtype=np.uint8), (_SIDE_PX, 1))
    noise = np.random.default_rng(0).integers(0, 256, (_SIDE_PX, _SIDE_PX), dtype=np.uint8)
    pictures = [cv2.imencode(".png", picture)[1].tobytes() for picture in (ramp, noise)]
    films = [replace(chunk[0], name=f"pattern {i}", data=data) for i, data in enumerate(pictures)]
    return scan_chunk(films, settings)
