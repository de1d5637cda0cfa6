"""Keep the folder in which a command is typed out of Python: films lie there, and nothing of it is to be imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OURS = Path(__file__).parents[3]
"""The folder that holds cxrscan; in a checkout it may be the working directory."""


def leave_working_directory_out() -> None:
    """Import nothing from the working directory, from now on and in every process that is started."""
    if sys.flags.ignore_environment and not sys.flags.safe_path:  # else the processes started would not know
        os.execv(sys.executable, [sys.executable, "-P", *sys.orig_argv[1:]])
    here = _working_directory()
    if here != str(_OURS):
        sys.path[:] = [entry for entry in sys.path if entry not in ("", here)]
    os.environ["PYTHONSAFEPATH"] = "1"
    if "PYTHONPATH" in os.environ:
        entries = os.environ["PYTHONPATH"].split(os.pathsep)
        os.environ["PYTHONPATH"] = os.pathsep.join(entry for entry in entries if Path(entry).is_absolute())


@contextmanager
def safe_path() -> Iterator[None]:
    """Let the processes that are started meanwhile import nothing from the working directory (``python -P``)."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def _working_directory() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it has been deleted
        return ""
