"""Keeping what libraries write to the terminal away from it, where they have no switch of their own.

Each of these changes the whole process. Threads share the change: the first one in makes it, the last one out takes it
back, so that none takes another's change for the state to go back to.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock


class Shared:
    """A context manager for any number of threads at a time.

    Parameters
    ----------
    make
        Makes the context that all of them share.
    """

    def __init__(self, make: Callable[[], AbstractContextManager[None]]) -> None:
        self._make = make
        self._lock = Lock()
        self._n_inside = 0
        self._open = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._n_inside == 0:
                self._open.enter_context(self._make())
            self._n_inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._open.close()


@contextmanager
def _stderr_nowhere() -> Iterator[None]:
    try:
        kept = os.dup(2)
    except OSError:  # it is closed already
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _warnings_ignored() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


silent_stderr = Shared(_stderr_nowhere)
"""Sends the process's standard error nowhere for a while."""

silent_warnings = Shared(_warnings_ignored)
"""Keeps Python's warnings back for a while."""


def import_tensorflow() -> None:
    """Import TensorFlow without what it says of drivers and of processor features, which it cannot be told to leave.

    Raises
    ------
    ImportError
        It is not there, or does not load; the error says why.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silent_stderr:
        import tensorflow as tf

        tf.config.list_physical_devices()
