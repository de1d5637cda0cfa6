"""What becomes of old films: their results leave the report, and their files go where that is asked for."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.service.clock import SteadyClock
from cxrscan.scanner.service.events import Events
from cxrscan.scanner.service.ledger import Ledger
from cxrscan.scanner.sources.names import file_name
from cxrscan.scanner.system.beneath import delete_regular
from cxrscan.scanner.system.text import count

_DAY_S = 86_400.0
_EVERY_S = 600.0
_AT_ONCE = 500


class Retention:
    """Lets go of films that arrived long ago, once they are answered and their results sent.

    Parameters
    ----------
    root
        Folder of the films.
    keep_days
        Days for which results are kept; None for ever.
    deletes_files
        Whether the films' own files and their results as DICOM objects are deleted, too.
    """

    def __init__(
        self,
        root: Path,
        keep_days: float | None,
        ledger: Ledger,
        events: Events,
        clock: SteadyClock,
        *,
        deletes_files: bool,
    ) -> None:
        self._root = root
        self._keep_days = keep_days
        self._ledger = ledger
        self._events = events
        self._clock = clock
        self._deletes_files = deletes_files
        self._not_before_s = 0.0

    def sweep(self, journal: Journal) -> int:
        """Let go of what is too old, now and then; how many films that were."""
        now_s = self._clock.now_s()
        if self._keep_days is None or now_s < self._not_before_s:
            return 0
        names = self._ledger.expired(now_s - self._keep_days * _DAY_S, now_s, _AT_ONCE)
        self._not_before_s = now_s if len(names) == _AT_ONCE else now_s + _EVERY_S
        if self._deletes_files:
            names = self._deleted(names, now_s)
        if not names:
            return 0
        journal.forget(names)
        for path in self._ledger.forget(names, is_gone=self._deletes_files):
            if self._deletes_files:
                _delete_with_empty_folders(path, levels=2)
        self._events.note("forgotten", len(names))
        self._events.say(f"{count(len(names), 'film')} older than {self._keep_days:g} days let go")
        return len(names)

    def _deleted(self, names: list[str], now_s: float) -> list[str]:
        """Delete films; which are gone. Those that cannot be deleted are tried again the next day."""
        problems = {name: problem for name in names if (problem := self._delete(name))}
        if problems:
            self._ledger.keep_until(list(problems), now_s + _DAY_S)
            why = " ".join(sorted(set(problems.values())))
            self._events.trouble("unreadable", f"{len(problems)} old films cannot be deleted: {why}")
        return [name for name in names if name not in problems]

    def _delete(self, name: str) -> str:
        """Delete a film; why it is still there, empty where it is gone."""
        path = self._root / file_name(name)
        try:
            delete_regular(str(path), within=str(self._root))
        except OSError as error:
            return f"{error.strerror}."
        if path.parent != self._root:
            with suppress(OSError):  # others are in it
                path.parent.rmdir()
        return ""


def _delete_with_empty_folders(path: Path, levels: int) -> None:
    """Delete a result, and the folders of its series and study once they are empty."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
        for folder in list(path.parents)[:levels]:
            folder.rmdir()
