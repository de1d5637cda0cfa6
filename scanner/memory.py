"""A limit on a process's memory, so that one film cannot take what the others need."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_GIB = 1 << 30


@contextmanager
def limited_memory(gib: float) -> Iterator[None]:
    """Let allocations beyond a limit fail with MemoryError, where the system can (Linux); afterwards as before.

    ``RLIMIT_DATA`` counts what a process may write to. ``RLIMIT_AS`` would also count what the network's runtime
    and the allocator only reserve.

    Parameters
    ----------
    gib
        Limit in GiB; 0 for none.
    """
    if sys.platform != "linux" or gib <= 0:
        yield
        return
    import resource

    before = soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = int(gib * _GIB)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if soft == resource.RLIM_INFINITY else min(wanted, soft), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
