"""Scan in this process: for programs that want no others, and films that no other can see (``memory://``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scanner.executors.base import Chunk
from scanner.records import ScanResult, Skip
from scanner.settings import ScanSettings
from scanner.system.memory import limited_memory
from scanner.worker import scan_chunk


class InlineExecutor:
    """Scans chunk after chunk here.

    Parameters
    ----------
    max_memory_gib
        Memory that this process may take meanwhile, in GiB; 0 for no limit.
    """

    def __init__(self, *, max_memory_gib: float = 0.0) -> None:
        self.max_memory_gib = max_memory_gib

    def run(self, chunks: Iterable[Chunk], settings: ScanSettings) -> Iterator[list[ScanResult | Skip]]:
        """See ``Executor.run``."""
        for chunk in chunks:
            with limited_memory(self.max_memory_gib):
                outcomes = scan_chunk(chunk, settings)
            yield outcomes
