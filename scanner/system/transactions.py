"""Transactions of SQLite databases whose statements begin and end them by themselves."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def transaction(db: sqlite3.Connection, execute: Callable[[str], object]) -> Iterator[None]:
    """All that is written inside, or nothing.

    Parameters
    ----------
    execute
        Carries a statement out on ``db``, and tells its errors as the caller tells them.
    """
    execute("BEGIN")
    try:
        yield
        execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk may have ended it already
            db.execute("ROLLBACK")
        raise
