"""Find the films in folders: lazy, sorted, judged by content."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from scanner.readers.sniff import HEAD_BYTES, sniff_kind
from scanner.records import ImageSource, Skip
from scanner.text import printable

#: The file that marks a run's output folder; the walk keeps out of those.
JOURNAL_NAME = "journal.sqlite"
FILM_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".dib", ".dcm", ".dicom", ".dic", ".ima"}
)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which files to look at, by glob patterns matched against the shown path and against the bare name."""

    include: tuple[str, ...] = ()
    """When given, only files that match one of these."""
    exclude: tuple[str, ...] = ()
    """Files and folders that match one of these are left out."""

    def keeps(self, name: str) -> bool:
        """Whether a file is to be looked at."""
        return not self.drops(name) and (not self.include or _matches(name, self.include))

    def drops(self, name: str) -> bool:
        """Whether a file or folder is left out by ``exclude``."""
        return _matches(name, self.exclude)


def find_images(
    roots: Sequence[Path],
    *,
    keep: Filter | None = None,
    follow_links: bool = False,
    on_skip: Callable[[Skip], None] = lambda skip: None,
) -> Iterator[ImageSource]:
    """Walk files and folders and yield what counts as a film.

    A file counts when its content or its name says so; ``kind`` is None when only the name does. Hidden
    files, links to folders or out of the root folder, special files and cxrscan's own run folders are passed over.

    Parameters
    ----------
    roots
        Files and folders. A single folder gives names relative to it; several are told apart by a prefix.
    keep
        Patterns of names to include and exclude.
    follow_links
        Whether to follow links to folders and to files outside the root; loops are noticed.
    on_skip
        Called with every file or folder that is passed over, and the reason.

    Yields
    ------
    ImageSource
        In sorted order within each folder.
    """
    keep = keep or Filter()
    for root, prefix in zip(roots, _prefixes(roots), strict=True):
        if root.is_dir():
            yield from _Walk(str(root), keep, on_skip, follow_links=follow_links).films(prefix)
        else:
            yield from _look_at(str(root), prefix + _shown(root.name), keep, on_skip)


def count_files(roots: Sequence[Path]) -> int:
    """Number of files that ``find_images`` will look at or pass over; for the progress bar."""
    return sum(sum(len(files) for _, _, files in os.walk(root)) if root.is_dir() else 1 for root in roots)


def locate(name: str, roots: Sequence[Path]) -> Path | None:
    """Find the file that ``find_images`` gave a name, or None when it is no longer there."""
    for root, prefix in zip(roots, _prefixes(roots), strict=True):
        inside = _file_name(name.removeprefix(prefix))
        path = root / inside if root.is_dir() else root
        if name.startswith(prefix) and path.is_file() and (root.is_dir() or inside == root.name):
            return path
    return None


def _prefixes(roots: Sequence[Path]) -> list[str]:
    """What stands before the names of each root: nothing for one, the folder's (numbered) name for several.

    A file needs none, unless another one given has the same name.
    """
    if len(roots) == 1:
        return [""]
    prefixes: list[str] = []
    taken: set[str] = set()  # names of files and prefixes
    for root in roots:
        is_folder = root.is_dir()
        base = _shown(root.resolve().name if is_folder else root.name)
        prefix, name, number = (f"{base}/", "", 2) if is_folder else ("", base, 2)
        while {prefix, prefix + name} & taken:
            prefix, number = f"{base if is_folder else ''}~{number}/", number + 1
        taken |= {prefix, prefix + name} - {""}
        prefixes.append(prefix)
    return prefixes


class _Walk:
    """The walk through one root folder."""

    def __init__(self, root: str, keep: Filter, on_skip: Callable[[Skip], None], *, follow_links: bool) -> None:
        self._root = root
        self._real_root = _real_folder(root)
        self._keep = keep
        self._on_skip = on_skip
        self._follow_links = follow_links

    def films(self, prefix: str) -> Iterator[ImageSource]:
        """Yield what counts as a film; folders wait on a stack, because they may lie deeper than Python recurses."""
        stack = [self._entries(self._root, prefix)]
        while stack:
            entry, name = next(stack[-1], (None, ""))
            if entry is None:
                stack.pop()
            elif _is_hidden(entry.name):
                self._on_skip(Skip(name, "hidden"))
            elif _is_folder(entry, follow_symlinks=False) or (_is_folder(entry) and self._may_enter(entry, name)):
                if self._keep.drops(name):
                    self._on_skip(Skip(name, "excluded"))
                else:
                    stack.append(self._entries(entry.path, f"{name}/"))
            elif not _is_folder(entry) and self._may_read(entry, name):
                yield from _look_at(entry.path, name, self._keep, self._on_skip)

    def _entries(self, folder: str, prefix: str) -> Iterator[tuple[os.DirEntry[str], str]]:
        """Yield a folder's entries with their shown names, in order; none of an unreadable or of a run's folder."""
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            self._on_skip(Skip(prefix or folder, f"folder cannot be read ({error.strerror})"))
            return
        if any(entry.name == JOURNAL_NAME for entry in entries):
            self._on_skip(Skip(prefix or folder, "folder of a cxrscan run"))
            return
        for entry in entries:
            yield entry, prefix + _shown(entry.name)

    def _may_enter(self, entry: os.DirEntry[str], name: str) -> bool:
        """Whether to follow a link to a folder."""
        if not self._follow_links:
            self._on_skip(Skip(name, "link to a folder"))
            return False
        target = _real_folder(entry.path)
        folder = entry.path
        while folder != self._root:
            folder = os.path.dirname(folder)
            if _real_folder(folder).startswith(target):
                self._on_skip(Skip(name, "link to a folder that it lies in"))
                return False
        return True

    def _may_read(self, entry: os.DirEntry[str], name: str) -> bool:
        """Whether to look at a file, or to follow a link to one."""
        if self._follow_links or not entry.is_symlink() or os.path.realpath(entry.path).startswith(self._real_root):
            return True
        self._on_skip(Skip(name, "link out of the folder"))
        return False


def _real_folder(path: str) -> str:
    """Where a folder really lies, with a separator at the end."""
    return os.path.join(os.path.realpath(path), "")


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _is_folder(entry: os.DirEntry[str], *, follow_symlinks: bool = True) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow_symlinks)
    except OSError:  # a link to itself, or into a folder that may not be looked into
        return False


def _look_at(path: str, name: str, keep: Filter, on_skip: Callable[[Skip], None]) -> Iterator[ImageSource]:
    """Yield the file if it counts as a film."""
    if not keep.keeps(name):
        on_skip(Skip(name, "excluded"))
        return
    # of "film.dcm.gz" too: that it must be unpacked first is to be told, not passed over
    promised = os.path.splitext(name.lower().removesuffix(".gz"))[1] in FILM_SUFFIXES
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            on_skip(Skip(name, "not a regular file"))
            return
        with open(path, "rb") as file:
            kind = sniff_kind(file.read(HEAD_BYTES))
    except OSError as error:
        if promised:  # the worker meets the same error and records it
            yield ImageSource(Path(path), name, None)
        else:
            on_skip(Skip(name, f"cannot be read ({error.strerror})"))
        return
    if kind is not None or promised:
        yield ImageSource(Path(path), name, kind, status.st_size, status.st_mtime_ns)
    else:
        on_skip(Skip(name, "no picture"))


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    base = name.rsplit("/", 1)[-1]
    return any(fnmatch(name, pattern) or fnmatch(base, pattern) for pattern in patterns)


def _file_name(shown: str) -> str:
    """The name that ``_shown`` made text of."""
    return re.sub(r"\\(?:\\|x(..)|u(....))", _unescaped, shown)


def _unescaped(escape: re.Match[str]) -> str:
    byte, char = (int(digits, 16) if digits else None for digits in escape.groups())
    if byte is not None:
        return chr(byte) if byte < 0x80 else os.fsdecode(bytes([byte]))
    return "\\" if char is None else chr(char)


def _shown(name: str) -> str:
    """A file name as text that any output can hold, a different one for each name.

    Bytes that are no UTF-8 and characters that could drive a terminal become backslash escapes, and so that these
    stay unmistakable, a backslash becomes two.
    """
    return printable(os.fsencode(name.replace("\\", "\\\\")).decode("utf-8", "backslashreplace"))
