"""The audit log: one line of JSON for each object that a caller sent, and what became of it, in one file a month."""

from __future__ import annotations

import errno
import hmac
import json
import os
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from cxrscan.scanner.runs.id_keys import id_key
from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.service.events import utc_now

_HASH_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One object that came."""

    caller: str
    """Application entity title."""
    address: str
    sop_class: str
    sop_uid: str
    status: int
    """What was answered, PS3.4 table B.2-1."""
    size_bytes: int
    file: str = ""
    """Where it lies; empty where it was not taken."""


class AuditLog:
    """Writes entries; for several threads.

    Parameters
    ----------
    hashes_uids
        Whether SOP Instance UIDs are hashed with the run's key, or written as they are.
    """

    def __init__(self, folder: Path, *, hashes_uids: bool) -> None:
        self._folder = folder
        self._hashes_uids = hashes_uids
        self._key: bytes | None = None
        self._writing = Lock()

    def open(self, journal: Journal) -> None:
        """Get the key that identifiers of this run are hashed with, where that is needed.

        Raises
        ------
        RunFolderError
            ``output-unwritable``: the key cannot be kept.
        """
        if self._hashes_uids:
            self._key = id_key(journal)

    def write(self, entry: AuditEntry) -> None:
        """Append an entry.

        Raises
        ------
        OSError
            It is not on the disk.
        """
        at = utc_now()
        uid = entry.sop_uid
        if self._key is not None:
            uid = hmac.new(self._key, uid.encode(), "sha256").hexdigest()[:_HASH_CHARACTERS]
        line = json.dumps(
            {
                "at": at,
                "caller": entry.caller,
                "address": entry.address,
                "sop_class": entry.sop_class,
                "sop_uid": uid,
                "status": f"{entry.status:04X}",
                "size_bytes": entry.size_bytes,
                "file": entry.file,
            }
        )
        path = self._folder / f"audit-{at[:7]}.jsonl"
        with self._writing:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0), 0o600)
            try:
                _append(descriptor, f"{line}\n".encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _append(descriptor: int, line: bytes) -> None:
    """Write a line, or nothing: a disk that fills up takes a part, to which the next line would stick."""
    size_bytes = os.fstat(descriptor).st_size
    if os.write(descriptor, line) < len(line):
        os.ftruncate(descriptor, size_bytes)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
