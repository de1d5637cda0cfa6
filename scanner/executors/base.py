"""What an executor is: chunks of files in, their results out, in any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from cxrscan.scanner.records import ImageSource, ScanResult, Skip
from cxrscan.scanner.settings import ScanSettings

Chunk = list[ImageSource]


class Executor(Protocol):
    """Runs ``cxrscan.scanner.worker.scan_chunk`` over a stream of chunks."""

    def run(self, chunks: Iterable[Chunk], settings: ScanSettings) -> Iterator[list[ScanResult | Skip]]:
        """Scan chunks as they come, never far ahead of what was asked for, and yield each one's results.

        ``ProcessExecutor`` also takes chunks from a source that goes on: an empty chunk says that none is there now,
        and then it yields an empty list at least every ``LOOK_EVERY_S``.
        """
        ...
