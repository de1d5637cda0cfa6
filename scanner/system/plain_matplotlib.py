"""matplotlib with its own defaults, whatever lies in the working directory."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def import_matplotlib() -> Any:
    """Import matplotlib; no ``matplotlibrc`` is obeyed but the one that it brings along.

    It looks for that file in the working directory first, where films lie, and whoever put them there could change
    the charts, or stop the report.
    """
    if "matplotlib" not in sys.modules:
        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it would tell of a home that cannot be written
        with _without_settings():
            import matplotlib  # noqa: F401
    return sys.modules["matplotlib"]


@contextmanager
def _without_settings() -> Iterator[None]:
    """Hide the files that matplotlib looks for while it is imported: it has no switch for that."""
    exists = os.path.exists
    named = os.environ.pop("MATPLOTLIBRC", None)

    def seen(path: Any) -> bool:
        is_settings = os.path.basename(path) == "matplotlibrc" and "mpl-data" not in os.fspath(path)  # noqa: PTH119
        return not is_settings and exists(path)

    os.path.exists = seen
    try:
        yield
    finally:
        os.path.exists = exists
        if named is not None:
            os.environ["MATPLOTLIBRC"] = named
