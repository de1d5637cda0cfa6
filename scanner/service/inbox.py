"""Received objects on disk: each lies there whole, and stays there through a power failure, before it is answered.

Files are called by hashes of what they hold; nothing that a caller sends becomes a path. The same object sent twice is
one file.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from pathlib import Path
from threading import Lock

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.service.ledger import Arrival
from cxrscan.scanner.service.study_mark import HEAD_BYTES, read_study_mark

FILMS_NAME = "received"
"""Folder of the objects in a service's run folder, one folder a study."""
_HALF_NAME = "receiving"
"""Folder of objects that are being written; whatever lies there at the start was never answered."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


class Inbox:
    """Writes objects; for several threads.

    Parameters
    ----------
    folder
        The run folder.
    min_free_bytes
        Space that is left on the disk at least.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        self.films, self._half = folder / FILMS_NAME, folder / _HALF_NAME
        self._min_free_bytes = min_free_bytes
        self._placing = Lock()
        try:
            for each in (folder, self.films, self._half):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
            for half in self._half.iterdir():
                half.unlink()
        except OSError as error:
            raise RunFolderError("output-unwritable", f"{folder} cannot be written: {error.strerror}.") from error

    def has_room(self, n_bytes: int) -> bool:
        """Whether the disk can take so much more."""
        return shutil.disk_usage(self._half).free - n_bytes >= self._min_free_bytes

    def keep(self, meta: bytes, syntax: str, dataset: bytes) -> Arrival:
        """Write an object, and return once it lies safely on the disk.

        Parameters
        ----------
        meta
            Preamble and file meta information (PS3.10 section 7.1).
        syntax
            Transfer Syntax UID.
        dataset
            The object as it was sent.

        Raises
        ------
        OSError
            It is not on the disk, as when that is full; nothing is left of it.
        """
        digest = hashlib.sha256(syntax.encode() + dataset).hexdigest()[:32]
        mark = read_study_mark(meta + dataset[: HEAD_BYTES - len(meta)], digest)
        study = self.films / mark.study
        path = study / f"{digest}.dcm"
        if not path.exists():
            self._write(path, meta, dataset)
        _sync_folder(study)
        status = path.stat()
        return Arrival(f"{mark.study}/{path.name}", status.st_size, status.st_mtime_ns, mark.study, mark.urgency)

    def _write(self, path: Path, meta: bytes, dataset: bytes) -> None:
        half = self._half / f"{secrets.token_hex(16)}.part"
        try:
            with os.fdopen(os.open(half, _NEW, 0o600), "wb") as file:
                file.write(meta)
                file.write(dataset)
                file.flush()
                os.fsync(file.fileno())
            with self._placing:
                if not path.parent.is_dir():
                    path.parent.mkdir(mode=0o700)
                    _sync_folder(self.films)
                if not path.exists():  # the same object may have come twice at once
                    half.rename(path)
        finally:
            half.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """See to it that a folder's entries outlive a power failure."""
    if os.name != "posix":  # Windows opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
