"""Scan in this process: for a few films."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scanner.executors.base import Chunk
from scanner.records import ScanResult, Skip
from scanner.settings import ScanSettings
from scanner.worker import scan_chunk


class InlineExecutor:
    """Scans chunk after chunk here."""

    def run(self, chunks: Iterable[Chunk], settings: ScanSettings) -> Iterator[list[ScanResult | Skip]]:
        """See ``Executor.run``."""
        for chunk in chunks:
            yield scan_chunk(chunk, settings)
