"""Memory: a limit, so that one film cannot take what the others need, and reuse of what training frees."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_GIB = 1 << 30
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8  # malloc.h


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


def keep_no_core_files() -> None:
    """Let this process and those that it starts leave no core files: they would hold films."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def keep_freed_memory() -> None:
    """Let the C library (glibc) keep what is freed, for this process from now on; see mallopt(3).

    TensorFlow frees the results of all layers after each training step. glibc hands blocks as large as those back to
    the system at once, which then clears them anew for the next step: up to a third of the time that a step takes.
    To be called before other threads allocate.
    """
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:  # musl has none
        mallopt(_M_ARENA_MAX, 1)  # heaps of further threads end at 64 MB, and large blocks are mapped again
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, 2**28)
