"""What a service tells of itself: a rotating log, counts that last, and the last troubles for the status page."""

from __future__ import annotations

import json
import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.service.ledger import Ledger
from cxrscan.scanner.system.text import printable

LOG_NAME = "service.log"
LogFormat = Literal["text", "json"]
_MOST_BYTES, _N_OLD = 10_000_000, 9
_N_TROUBLES = 20
_logger = logging.getLogger("cxrscan.service")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that went wrong; names no patient."""

    at: str
    """ISO 8601, UTC."""
    code: str
    message: str


class Events:
    """Notes what happens; for several threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._troubles: deque[Trouble] = deque(maxlen=_N_TROUBLES)

    def note(self, what: str, n: int = 1) -> None:
        """Count something; a full disk loses the count, and stops nobody who counts."""
        with suppress(RunFolderError):
            self._ledger.count(what, n)

    def say(self, message: str, *, level: int = logging.INFO) -> None:
        """Write a line into the log."""
        _logger.log(level, "%s", printable(message))

    def trouble(self, code: str, message: str) -> None:
        """Note that something went wrong."""
        text = printable(message)
        self._troubles.append(Trouble(utc_now(), code, text))
        _logger.warning("%s [%s]", text, code)

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """The last ones, newest first."""
        return tuple(reversed(self._troubles))


def utc_now() -> str:
    """Time as ISO 8601, in whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def start_log(folder: Path, level: str, log_format: LogFormat) -> None:
    """Write the log into a folder, at most ten files of 10 MB each.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = RotatingFileHandler(folder / LOG_NAME, maxBytes=_MOST_BYTES, backupCount=_N_OLD, encoding="utf-8")
    except OSError as error:
        raise RunFolderError("output-unwritable", f"{folder} cannot be written: {error.strerror}.") from error
    handler.setFormatter(_JsonLines() if log_format == "json" else _Lines())
    logging.raiseExceptions = False  # a full disk loses lines of the log, and nothing else
    _logger.handlers[:] = [handler]
    _logger.setLevel(level.upper())
    _logger.propagate = False


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        return f"{at:%Y-%m-%dT%H:%M:%SZ}  {record.levelname:7}  {record.getMessage()}"


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        return json.dumps(
            {"at": f"{at:%Y-%m-%dT%H:%M:%S.%f}Z", "level": record.levelname.lower(), "message": record.getMessage()}
        )
