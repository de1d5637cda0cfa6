"""A run folder that a service adds films to: one owner, and any number of readers beside it.

The owner holds a lock on a file for as long as it lives. Readers that find it held read the journal as it stands at
that moment (SQLite's snapshots), and neither wait for the owner nor hold it up.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cxrscan.scanner.errors import RunFolderError

if sys.platform != "win32":
    import fcntl

LOCK_NAME = "service.lock"
"""The file that the service of a folder holds locked."""
_TRIES, _WAIT_S = 20, 0.05  # a reader holds the lock for an instant while it looks


@contextmanager
def owning(folder: Path) -> Iterator[None]:
    """Own a folder, which is made where there is none, until the block ends or the process does.

    Raises
    ------
    RunFolderError
        ``run-busy``: another service owns it; ``output-unwritable``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise RunFolderError("output-unwritable", f"{folder} cannot be written: {error.strerror}.") from error
    try:
        if not _lock_soon(lock):
            raise RunFolderError("run-busy", f"Another service works in {folder}.")
        yield
    finally:
        os.close(lock)


def _lock_soon(descriptor: int) -> bool:
    for _ in range(_TRIES):
        if _lock(descriptor, alone=True):
            return True
        time.sleep(_WAIT_S)
    return False


def grows(folder: Path) -> bool:
    """Whether a service owns a folder now."""
    try:
        lock = os.open(folder / LOCK_NAME, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return False
    try:
        return not _lock(lock, alone=False)
    finally:
        os.close(lock)


def _lock(descriptor: int, *, alone: bool) -> bool:
    """Try to lock an open file; Windows has no such locks, there every try succeeds."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
