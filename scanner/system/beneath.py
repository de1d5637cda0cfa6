"""Open what lies below a folder through no link: neither the file nor a folder on the way to it may be one.

Between the walk and the worker anyone who may write to a folder can put a link in a film's place. So files are opened
from the folder's own descriptor, part by part; what is a link then is not opened.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO

#: Windows cannot open relative to a folder; there every part is looked at first.
_BY_DESCRIPTOR = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
#: A pipe in a film's place must not hold whoever opens it.
_FILE = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)


class LeadsElsewhereError(OSError):
    """A link lies on the way, or the place holds no regular file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a folder's listing."""

    name: str
    is_link: bool
    is_folder: bool
    """Whether it is a folder itself, not a link to one."""


def open_regular(path: str, *, within: str = "") -> BinaryIO:
    """Open a regular file for reading.

    Parameters
    ----------
    within
        Folder that ``path`` starts with, below which no link is followed. Empty: links are followed.

    Raises
    ------
    LeadsElsewhereError
        A link lies on the way, or this is no regular file.
    OSError
        The file cannot be opened.
    """
    descriptor = _open_beneath(path, within) if within else os.open(path, _FILE)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise LeadsElsewhereError(errno.EINVAL, "not a regular file")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def delete_regular(path: str, *, within: str) -> None:
    """Delete a file through no link; one that is gone already is no error. Raises OSError otherwise."""
    try:
        if not _BY_DESCRIPTOR:
            _refuse_links(path, within)
            os.unlink(path)
            return
        *folders, name = _parts(path, within)
        with _folder_beneath(within, folders) as folder:
            os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return


def list_folder(path: str, *, within: str = "") -> list[Entry]:
    """List a folder, sorted by name; parameters and errors of ``open_regular``."""
    if not (within and _BY_DESCRIPTOR):
        _refuse_links(path, within)
        return _listing(path)
    with _folder_beneath(within, _parts(path, within)) as folder:
        return _listing(folder)


def _listing(folder: str | int) -> list[Entry]:
    with os.scandir(folder) as listing:
        entries = [Entry(entry.name, entry.is_symlink(), entry.is_dir(follow_symlinks=False)) for entry in listing]
    return sorted(entries, key=lambda entry: entry.name)


def _open_beneath(path: str, within: str) -> int:
    if not _BY_DESCRIPTOR:
        _refuse_links(path, within)
        return os.open(path, _FILE)
    *folders, name = _parts(path, within)
    with _folder_beneath(within, folders) as folder:
        return _open_no_link(name, _FILE, folder)


@contextmanager
def _folder_beneath(within: str, parts: list[str]) -> Iterator[int]:
    """Descriptor of a folder that is reached through no link."""
    folder = os.open(within, _FOLDER)
    try:
        for part in parts:
            deeper = _open_no_link(part, _FOLDER, folder)
            os.close(folder)
            folder = deeper
        yield folder
    finally:
        os.close(folder)


def _open_no_link(name: str, how: int, folder: int) -> int:
    try:
        return os.open(name, how | _NO_LINK, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):  # systems differ in what they call a link here
            raise LeadsElsewhereError(error.errno, error.strerror) from error
        raise


def _refuse_links(path: str, within: str) -> None:
    """Look at each part below a folder; one that is swapped just now is noticed by its number afterwards."""
    for n in range(1, len(parts := _parts(path, within)) + 1 if within else 0):
        status = os.lstat(os.path.join(within, *parts[:n]))
        is_junction = getattr(status, "st_reparse_tag", 0) != 0
        if stat.S_ISLNK(status.st_mode) or is_junction:
            raise LeadsElsewhereError(errno.ELOOP, os.strerror(errno.ELOOP))


def _parts(path: str, within: str) -> list[str]:
    return list(PurePath(path).relative_to(within).parts)  # of "." a path keeps nothing
