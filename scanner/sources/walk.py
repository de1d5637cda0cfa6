"""Find the films in folders: lazy, sorted, judged by content."""

from __future__ import annotations

import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from itertools import groupby, islice
from pathlib import Path

from scanner.errors import RunFolderError
from scanner.readers import HEAD_BYTES, promises_film, sniff_kind
from scanner.records import ImageSource, Readable, Skip
from scanner.runs.layout import JOURNAL_NAME, RUN_PICTURES, is_journal, is_run
from scanner.sources.remote import RemoteEntry, RemotePath, ask_for_states
from scanner.system.beneath import Entry, list_folder, open_regular
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

    A file counts when its content or its name says so; ``kind`` is None when only the name does. Hidden files, links
    to folders or out of the root folder, special files and the pictures of cxrscan's own runs are passed over.

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
    sources = _walk_roots(roots, keep, on_skip, follow_links=follow_links)
    if any(isinstance(root, FileList) or (isinstance(root, RemotePath) and root.is_web) for root in roots):
        sources = _told_apart(sources, on_skip)
    yield from sources


def _walk_roots(
    roots: Sequence[Root], keep: Filter, on_skip: Callable[[Skip], None], *, follow_links: bool
) -> Iterator[ImageSource]:
    for root, prefix in zip(roots, _prefixes(roots), strict=True):
        if isinstance(root, RemotePath):
            yield from _walk_place(root, prefix, keep, on_skip)
        elif isinstance(root, FileList):
            yield from _walk_list(root, keep, on_skip)
        elif root.is_dir():
            yield from _Walk(str(root), keep, on_skip, follow_links=follow_links).films(prefix)
        else:
            yield from _look_at(str(root), prefix + _shown(root.name), keep, on_skip)


def _told_apart(sources: Iterator[ImageSource], on_skip: Callable[[Skip], None]) -> Iterator[ImageSource]:
    """Give what a list or a server calls like another film a name of its own, and pass over what it names twice."""
    places: dict[str, Readable] = {}
    for source in sources:
        name, number = source.name, 2
        while places.get(name, source.path) != source.path:
            name, number = f"~{number}/{source.name}", number + 1
        if name in places:
            on_skip(Skip(source.name, "named twice"))
        else:
            places[name] = source.path
            yield replace(source, name=name)


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
        self._within = "" if follow_links else root

    def films(self, prefix: str) -> Iterator[ImageSource]:
        """Yield what counts as a film; folders wait on a stack, because they may lie deeper than Python recurses."""
        stack = [self._entries(self._root, prefix)]
        while stack:
            entry, path, name = next(stack[-1], (None, "", ""))
            if entry is None:
                stack.pop()
            elif _is_hidden(entry.name):
                self._on_skip(Skip(name, "hidden"))
            elif entry.is_folder or (entry.is_link and os.path.isdir(path) and self._may_enter(path, name)):
                if self._keep.drops(name):
                    self._on_skip(Skip(name, "excluded"))
                else:
                    stack.append(self._entries(path, f"{name}/"))
            elif not entry.is_link:
                yield from _look_at(path, name, self._keep, self._on_skip, within=self._within)
            elif not os.path.isdir(path):
                yield from self._follow(path, name)

    def _entries(self, folder: str, prefix: str) -> Iterator[tuple[Entry, str, str]]:
        """Yield a folder's entries with their paths and shown names, in order; none of an unreadable folder."""
        try:
            entries = list_folder(folder, within=self._within)
        except OSError as error:
            self._on_skip(Skip(prefix or folder, f"folder cannot be read ({error.strerror})"))
            return
        own = RUN_PICTURES if any(entry.name == JOURNAL_NAME for entry in entries) and is_run(folder) else frozenset()
        for entry in entries:
            if entry.is_folder and entry.name in own:
                self._on_skip(Skip(f"{prefix}{entry.name}/", "pictures of a cxrscan run"))
            else:
                yield entry, os.path.join(folder, entry.name), prefix + _shown(entry.name)

    def _may_enter(self, path: str, name: str) -> bool:
        """Whether to follow a link to a folder."""
        if not self._follow_links:
            self._on_skip(Skip(name, "link to a folder"))
            return False
        target = _real_folder(path)
        folder = path
        while folder != self._root:
            folder = os.path.dirname(folder)
            if _real_folder(folder).startswith(target):
                self._on_skip(Skip(name, "link to a folder that it lies in"))
                return False
        return True

    def _follow(self, path: str, name: str) -> Iterator[ImageSource]:
        """Look at the file that a link leads to, by the way that has no link in it."""
        if self._follow_links:
            yield from _look_at(path, name, self._keep, self._on_skip)
            return
        real = os.path.realpath(path)
        if real.startswith(self._real_root):
            yield from _look_at(real, name, self._keep, self._on_skip, within=self._real_root)
        else:
            self._on_skip(Skip(name, "link out of the folder"))


def _real_folder(path: str) -> str:
    """Where a folder really lies, with a separator at the end."""
    return os.path.join(os.path.realpath(path), "")


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _walk_place(root: RemotePath, prefix: str, keep: Filter, on_skip: Callable[[Skip], None]) -> Iterator[ImageSource]:
    if not root.is_dir():
        yield from _take([root], [prefix + _shown(root.name)], keep, on_skip)
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
    journals = [entry.path for entry in entries if entry.path.name == JOURNAL_NAME]
    own = RUN_PICTURES if journals and is_journal(root.read_heads(journals)[0]) else frozenset()
    rest = iter(entries)
    while batch := list(islice(rest, _LOOKED_AT_TOGETHER)):
        looked_at = [entry.path for entry in batch if _needs_look(entry, prefix, keep)]
        heads = dict(zip(looked_at, root.read_heads(looked_at), strict=True)) if looked_at else {}
        for entry in _with_states(batch, prefix, keep, heads):
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
                    yield _remote_source(entry, name, kind)
                else:
                    on_skip(Skip(name, "no picture"))
            elif base in own:
                on_skip(Skip(f"{name}/", "pictures of a cxrscan run"))
            elif keep.drops(name):
                on_skip(Skip(name, "excluded"))
            else:
                try:
                    below = entry.path.entries()
                except OSError as error:
                    on_skip(Skip(f"{name}/", f"folder cannot be read ({error.strerror})"))
                else:
                    yield from _walk_entries(root, below, f"{name}/", keep, on_skip)


def _with_states(
    batch: list[RemoteEntry], prefix: str, keep: Filter, heads: Mapping[RemotePath, bytes]
) -> Iterator[RemoteEntry]:
    """Complete what listings do not tell of the films among them."""
    films = [entry for entry in batch if _is_wanted(entry, prefix, keep) and _may_be_film(entry, prefix, heads)]
    known = {entry.path: entry for entry in ask_for_states(films)}
    for entry in batch:
        yield known.get(entry.path, entry)


def _may_be_film(entry: RemoteEntry, prefix: str, heads: Mapping[RemotePath, bytes]) -> bool:
    return promises_film(prefix + _shown(entry.path.name)) or sniff_kind(heads.get(entry.path, b"")) is not None


def _is_wanted(entry: RemoteEntry, prefix: str, keep: Filter) -> bool:
    """Whether this is a file that the filters leave to this run."""
    name = prefix + _shown(entry.path.name)
    return not (entry.is_folder or _is_hidden(entry.path.name) or keep.is_elsewhere(name)) and keep.keeps(name)


def _remote_source(entry: RemoteEntry, name: str, kind: str | None = None) -> ImageSource:
    return ImageSource(entry.path, name, kind, entry.size_bytes, entry.mtime_ns, etag=entry.etag)


def _needs_look(entry: RemoteEntry, prefix: str, keep: Filter) -> bool:
    is_named = promises_film(prefix + _shown(entry.path.name))
    return not is_named and entry.size_bytes != 0 and _is_wanted(entry, prefix, keep)


def _walk_list(films: FileList, keep: Filter, on_skip: Callable[[Skip], None]) -> Iterator[ImageSource]:
    """Take a list at its word for remote films: a look into each would be a request more."""
    for is_remote, lines in groupby(films.lines(), RemotePath.is_url):
        if is_remote:
            while batch := [RemotePath(line) for line in islice(lines, _LOOKED_AT_TOGETHER)]:
                yield from _take(batch, [_shown(str(path)) for path in batch], keep, on_skip)
        else:
            for line in lines:
                yield from _look_at(line, _shown(line), keep, on_skip)


def _take(
    paths: Sequence[RemotePath], names: Sequence[str], keep: Filter, on_skip: Callable[[Skip], None]
) -> Iterator[ImageSource]:
    """Yield remote files that were named themselves."""
    wanted: list[tuple[RemotePath, str]] = []
    for path, name in zip(paths, names, strict=True):
        if keep.is_elsewhere(name):
            continue
        if keep.keeps(name):
            wanted.append((path, name))
        else:
            on_skip(Skip(name, "excluded"))
    states = ask_for_states([RemoteEntry(path, is_folder=False) for path, _ in wanted])
    for entry, (_, name) in zip(states, wanted, strict=True):
        yield _remote_source(entry, name)


def _look_at(
    path: str, name: str, keep: Filter, on_skip: Callable[[Skip], None], *, within: str = ""
) -> Iterator[ImageSource]:
    """Yield the file if it counts as a film; see ``ImageSource.within``."""
    if keep.is_elsewhere(name):
        return
    if not keep.keeps(name):
        on_skip(Skip(name, "excluded"))
        return
    promised = promises_film(name)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            on_skip(Skip(name, "not a regular file"))
            return
        with open_regular(path, within=within) as file:
            status = os.fstat(file.fileno())
            kind = sniff_kind(file.read(HEAD_BYTES))
    except OSError as error:
        if promised:  # the worker meets the same error and records it
            yield ImageSource(Path(path), name, None, within=within)
        else:
            on_skip(Skip(name, f"cannot be read ({error.strerror})"))
        return
    if kind is not None or promised:
        yield ImageSource(
            Path(path),
            name,
            kind,
            status.st_size,
            status.st_mtime_ns,
            within=within,
            inode=status.st_ino or None,
            device=status.st_dev or None,
        )
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
