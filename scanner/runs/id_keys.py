"""Keys that identifiers are hashed with: one for each run, in a folder of the user's own, never in the run folder.

A run folder travels, and whoever holds hashes and key finds a seven-digit patient number again within seconds. The
journal holds the key's name, from which the key does not follow. Deleting the key's file makes the hashes final.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import click

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.runs.journal import Journal

_NAME = re.compile(r"[0-9a-f]{32}")
_KEY_BYTES = 32


def id_key(journal: Journal) -> bytes:
    """The key of a run, the same in every session of this user; a new one where the run has none, or it is lost.

    Raises
    ------
    RunFolderError
        ``output-unwritable``: the key cannot be kept.
    """
    name = journal.get("id_key")
    folder = keys_folder()
    if isinstance(name, str) and _NAME.fullmatch(name):
        try:
            key = (folder / name).read_bytes()
        except OSError:
            key = b""
        if _name_of(key) == name:
            return key
    key = os.urandom(_KEY_BYTES)
    _keep(folder, _name_of(key), key)
    journal.put("id_key", _name_of(key))
    return key


def keys_folder() -> Path:
    """Where this user's keys lie."""
    return Path(click.get_app_dir("cxrscan")) / "keys"


def _name_of(key: bytes) -> str:
    return hashlib.sha256(b"cxrscan key " + key).hexdigest()[:32]


def _keep(folder: Path, name: str, key: bytes) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key)
    except OSError as error:
        raise RunFolderError("output-unwritable", f"{folder} cannot keep a key: {error.strerror}.") from error
