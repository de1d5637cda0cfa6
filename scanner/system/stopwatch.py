"""Where the time of a run goes, stage by stage."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

_Item = TypeVar("_Item")

WORKER_STAGES = ("read", "decode", "prepare", "gate", "invoke", "thumbnail")
"""What a worker does to a film: its bytes and their hash; the pixels; the network's input; is it a chest film at all;
the network with its explanation, which are one forward pass; the small picture for the report."""
STAGES = ("walk", *WORKER_STAGES, "journal", "render")
"""All stages, in the order of the story. The workers' add up over all of them, the others are the main process's."""


class Stopwatch:
    """Adds up wall time by stage.

    Parameters
    ----------
    seconds
        What earlier sessions came to.
    """

    def __init__(self, seconds: Mapping[str, float] | None = None) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.add(seconds or {})

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add what another stopwatch measured."""
        for stage, value in seconds.items():
            self.seconds[stage] += value

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Time the block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add({stage: time.perf_counter() - start})

    def each(self, stage: str, items: Iterable[_Item]) -> Iterator[_Item]:
        """Pass items on and time how long each takes to come."""
        iterator = iter(items)
        while True:
            with self.measure(stage):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item
