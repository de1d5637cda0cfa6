"""Find the films in folders: lazy, sorted, judged by content."""

from __future__ import annotations

import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path

from scanner.errors import RunFolderError
from scanner.readers import HEAD_BYTES, promises_film, sniff_kind
from scanner.records import ImageSource, Skip
from scanner.runs.layout import JOURNAL_NAME
from scanner.sources.remote import RemoteEntry, RemotePath
from scanner.system.text import printable

#: Entries of a remote folder that are looked at together.
_LOOKED_AT_TOGETHER = 256


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several equal parts of the files, told by their shown names: every machine finds its own."""

    number: int
    """From 1 to ``of``."""
    of: int

    def holds(self, name: str) -> bool:
        """Whether a file belongs to this part."""
        return zlib.crc32(name.encode("utf-8", "surrogatepass")) % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which files to look at, by glob patterns matched against the shown path and against the bare name."""

    include: tuple[str, ...] = ()
    """When given, only files that match one of these."""
    exclude: tuple[str, ...] = ()
    """Files and folders that match one of these are left out."""
    shard: Shard | None = None
    """When given, only files of this part are looked at, or told of."""

    def keeps(self, name: str) -> bool:
        """Whether a file is to be looked at."""
        return not self.drops(name) and (not self.include or _matches(name, self.include))

    def drops(self, name: str) -> bool:
        """Whether a file or folder is left out by ``exclude``."""
        return _matches(name, self.exclude)

    def is_elsewhere(self, name: str) -> bool:
        """Whether a file is another shard's affair."""
        return self.shard is not None and not self.shard.holds(name)


@dataclass(frozen=True, slots=True)
class FileList:
    """Films named one a line in a text file, or on standard input."""

    place: str
    """Path of the list, or ``-``."""

    def __str__(self) -> str:
        return self.place

    def resolve(self) -> FileList:
        """The list itself."""
        return self

    def is_dir(self) -> bool:
        """It is none: its films are called as the lines name them."""
        return False

    def lines(self) -> Iterator[str]:
        """Names of files, as they come.

        Raises
        ------
        RunFolderError
            ``place-unreadable``.
        """
        try:
            with open(
                0 if self.place == "-" else self.place, errors="surrogateescape", closefd=self.place != "-"
            ) as file:
                yield from filter(None, (line.rstrip("\r\n") for line in file))
        except OSError as error:
            raise RunFolderError("place-unreadable", f"{self.place} cannot be read: {error.strerror}.") from error


Root = Path | RemotePath | FileList


def find_images(
    roots: Sequence[Root],
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
        Files and folders, here or remote, and lists of files. A single folder gives names relative to it; several
        are told apart by a prefix. Listed films are called as the list names them.
    keep
        Patterns of names to include and exclude.
    follow_links
        Whether to follow links to folders and to files outside the root; loops are noticed.
    on_skip
        Called with every file or folder that is passed over, and the reason.

    Yields
    ------
    ImageSource
        In sorted order within each folder, in a list's own order.

    Raises
    ------
    RunFolderError
        ``place-unreadable``: a remote place or a list cannot be read at all.
    """
    keep = keep or Filter()
    if keep.shard is not None:
        on_skip = _only_of(keep, on_skip)
    for root, prefix in zip(roots, _prefixes(roots), strict=True):
        if isinstance(root, RemotePath):
            yield from _walk_place(root, prefix, keep, on_skip)
        elif isinstance(root, FileList):
            yield from _walk_list(root, keep, on_skip)
        elif root.is_dir():
            yield from _Walk(str(root), keep, on_skip, follow_links=follow_links).films(prefix)
        else:
            yield from _look_at(str(root), prefix + _shown(root.name), keep, on_skip)


def count_files(roots: Sequence[Root]) -> int | None:
    """Number of files that ``find_images`` will look at or pass over; None where counting costs too much."""
    folders = [root for root in roots if isinstance(root, Path)]
    if len(folders) < len(roots):
        return None
    return sum(sum(len(files) for _, _, files in os.walk(root)) if root.is_dir() else 1 for root in folders)


def locate(name: str, roots: Sequence[Path]) -> Path | None:
    """Find the file that ``find_images`` gave a name, or None when it is no longer there."""
    for root, prefix in zip(roots, _prefixes(roots), strict=True):
        inside = _file_name(name.removeprefix(prefix))
        path = root / inside if root.is_dir() else root
        if name.startswith(prefix) and path.is_file() and (root.is_dir() or inside == root.name):
            return path
    return None


def _prefixes(roots: Sequence[Root]) -> list[str]:
    """What stands before the names of each root: nothing for one, the folder's (numbered) name for several.

    A file needs none, unless another one given has the same name; a list never has one.
    """
    if len(roots) == 1:
        return [""]
    prefixes: list[str] = []
    taken: set[str] = set()  # names of files and prefixes
    for root in roots:
        if isinstance(root, FileList):
            prefixes.append("")
            continue
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


def _walk_place(root: RemotePath, prefix: str, keep: Filter, on_skip: Callable[[Skip], None]) -> Iterator[ImageSource]:
    if not root.is_dir():
        yield from _take(root, prefix + _shown(root.name), keep, on_skip)
        return
    try:
        entries = root.entries()
    except OSError as error:
        raise RunFolderError("place-unreadable", f"{root} cannot be read: {error.strerror}.") from error
    yield from _walk_entries(root, entries, prefix, keep, on_skip)


def _walk_entries(
    root: RemotePath, entries: list[RemoteEntry], prefix: str, keep: Filter, on_skip: Callable[[Skip], None]
) -> Iterator[ImageSource]:
    """Follow the rules of ``_Walk`` where each look is a request: a name that promises a film is believed."""
    if any(entry.path.name == JOURNAL_NAME for entry in entries):
        on_skip(Skip(prefix or str(root), "folder of a cxrscan run"))
        return
    rest = iter(entries)
    while batch := list(islice(rest, _LOOKED_AT_TOGETHER)):
        looked_at = [entry.path for entry in batch if _needs_look(entry, prefix, keep)]
        heads = dict(zip(looked_at, root.read_heads(looked_at), strict=True)) if looked_at else {}
        for entry in batch:
            base, name = entry.path.name, prefix + _shown(entry.path.name)
            if _is_hidden(base):
                on_skip(Skip(name, "hidden"))
            elif not entry.is_folder:
                kind = sniff_kind(heads.get(entry.path, b""))
                if keep.is_elsewhere(name):
                    pass
                elif not keep.keeps(name):
                    on_skip(Skip(name, "excluded"))
                elif kind is not None or promises_film(name):
                    yield ImageSource(entry.path, name, kind, entry.size_bytes or 0, entry.mtime_ns)
                else:
                    on_skip(Skip(name, "no picture"))
            elif keep.drops(name):
                on_skip(Skip(name, "excluded"))
            else:
                try:
                    below = entry.path.entries()
                except OSError as error:
                    on_skip(Skip(f"{name}/", f"folder cannot be read ({error.strerror})"))
                else:
                    yield from _walk_entries(root, below, f"{name}/", keep, on_skip)


def _needs_look(entry: RemoteEntry, prefix: str, keep: Filter) -> bool:
    name = prefix + _shown(entry.path.name)
    return (
        not (entry.is_folder or _is_hidden(entry.path.name) or promises_film(name) or keep.is_elsewhere(name))
        and entry.size_bytes != 0
        and keep.keeps(name)
    )


def _walk_list(films: FileList, keep: Filter, on_skip: Callable[[Skip], None]) -> Iterator[ImageSource]:
    """Take a list at its word for remote films: a look at each would be a request."""
    for line in films.lines():
        if RemotePath.is_url(line):
            yield from _take(RemotePath(line), str(RemotePath(line)), keep, on_skip)
        else:
            yield from _look_at(line, _shown(line), keep, on_skip)


def _take(path: RemotePath, name: str, keep: Filter, on_skip: Callable[[Skip], None]) -> Iterator[ImageSource]:
    """Yield a remote file that was named itself."""
    if keep.is_elsewhere(name):
        return
    if keep.keeps(name):
        yield ImageSource(path, name, None)
    else:
        on_skip(Skip(name, "excluded"))


def _look_at(path: str, name: str, keep: Filter, on_skip: Callable[[Skip], None]) -> Iterator[ImageSource]:
    """Yield the file if it counts as a film."""
    if keep.is_elsewhere(name):
        return
    if not keep.keeps(name):
        on_skip(Skip(name, "excluded"))
        return
    promised = promises_film(name)
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


def _only_of(keep: Filter, on_skip: Callable[[Skip], None]) -> Callable[[Skip], None]:
    """Tell of a shard's own files only, so that the shards together count each once."""
    return lambda skip: None if keep.is_elsewhere(skip.name) else on_skip(skip)


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
    stay unmistakable, a backslash becomes two. A name that ends like a frame's (``film.dcm#2``) has its ``#`` escaped.
    """
    text = printable(os.fsencode(name.replace("\\", "\\\\")).decode("utf-8", "backslashreplace"))
    return re.sub(r"#(?=\d+$)", r"\\x23", text)
