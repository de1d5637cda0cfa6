"""Files appear whole or not at all, and where they were meant to: no link in their place or before it is followed.

Somebody else may have prepared the folder that is written to. So a file is written under a name that nobody can guess,
made anew, and then moved into its place, where it replaces a link instead of following it.
"""

from __future__ import annotations

import io
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from cxrscan.scanner.errors import RunFolderError

HALF_NAME = re.compile(r"\.(.+)\.[0-9a-f]{32}\.part")
"""Name of a file that is being written, or that a killed process has left; the group is what it was to be called."""
_BY_DESCRIPTOR = os.open in os.supports_dir_fd and os.rename in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)


def followed(folder: Path) -> Path:
    """The folder that a link leads to which the user named; inside of it no link is followed."""
    return folder.resolve() if folder.is_symlink() else folder


def make_folder(folder: Path) -> None:
    """Make a folder where there is none.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError("output-unwritable", f"{folder} cannot be made: {error.strerror}.") from error


@contextmanager
def replacing(path: Path, *, mode: int = 0o666, outlives_power: bool = False) -> Iterator[BinaryIO]:
    """Open a new file beside ``path``, and move it into its place when all went well.

    Parameters
    ----------
    mode
        Rights of the file, as far as the umask leaves them.
    outlives_power
        Whether the file is whole, or not there, after a power failure too; that takes some milliseconds.

    Raises
    ------
    RunFolderError
        ``output-unwritable``, also where the folder is a link; the half-written file is deleted and an earlier
        ``path`` stays as it was.
    """
    name = f".{path.name}.{secrets.token_hex(16)}.part"
    try:
        with _folder(path.parent) as folder:
            place = name if folder is not None else str(path.with_name(name))
            try:
                with os.fdopen(os.open(place, _NEW, mode, dir_fd=folder), "wb") as file:
                    yield file
                    if outlives_power:
                        file.flush()
                        os.fsync(file.fileno())
                target = path.name if folder is not None else str(path)
                os.replace(place, target, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                _unlink(place, folder)
                raise
    except OSError as error:
        raise RunFolderError("output-unwritable", f"{path} cannot be written: {error.strerror or error}.") from error


@contextmanager
def replacing_text(path: Path, encoding: str = "utf-8") -> Iterator[TextIO]:
    r"""Open a new text file as ``replacing`` does; lines end as they are written.

    File names that are no valid UTF-8 (they carry surrogates) are written with backslashes, ``\udce9``.
    """
    with replacing(path) as file:
        stream = io.TextIOWrapper(file, encoding, errors="backslashreplace", newline="")
        yield stream
        stream.flush()
        stream.detach()


def write_whole(path: Path, data: bytes, *, mode: int = 0o666, outlives_power: bool = False) -> None:
    """Write a file as ``replacing`` does."""
    with replacing(path, mode=mode, outlives_power=outlives_power) as file:
        file.write(data)


def delete_halves(folder: Path, names: frozenset[str]) -> None:
    """Delete what killed processes have left of files of these names."""
    for path in folder.iterdir():
        half = HALF_NAME.fullmatch(path.name)
        if half and half[1] in names:
            path.unlink(missing_ok=True)


@contextmanager
def _folder(path: Path) -> Iterator[int | None]:
    """Descriptor of a folder that is no link; None where the system opens nothing relative to one."""
    if not _BY_DESCRIPTOR:
        if path.is_symlink() or getattr(path.lstat(), "st_reparse_tag", None):
            raise OSError(f"{path} is a link")
        yield None
        return
    folder = os.open(path, _FOLDER)
    try:
        yield folder
    finally:
        os.close(folder)


def _unlink(place: str, folder: int | None) -> None:
    try:
        os.unlink(place, dir_fd=folder)
    except OSError:
        return
