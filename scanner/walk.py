"""Find the films in folders: lazy, sorted, judged by content."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from scanner.readers.sniff import HEAD_BYTES, sniff_kind
from scanner.records import ImageSource, Skip

#: The file that marks a run's output folder; the walk keeps out of those.
JOURNAL_NAME = "journal.sqlite"
FILM_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".dib", ".dcm", ".dicom", ".dic", ".ima"}
)


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


def find_images(
    roots: Sequence[Path], *, keep: Filter | None = None, on_skip: Callable[[Skip], None] = lambda skip: None
) -> Iterator[ImageSource]:
    """Walk files and folders and yield what counts as a film.

    A file counts when its content or its name says so; ``kind`` is None when only the name does. Hidden
    files, links to folders, special files and cxrscan's own run folders are passed over.

    Parameters
    ----------
    roots
        Files and folders. A single folder gives names relative to it; several are told apart by a prefix.
    keep
        Patterns of names to include and exclude.
    on_skip
        Called with every file or folder that is passed over, and the reason.

    Yields
    ------
    ImageSource
        In sorted order within each folder.
    """
    keep = keep or Filter()
    if keep.shard is not None:
        on_skip = _only_of(keep, on_skip)
    for root, prefix in zip(roots, _prefixes(roots), strict=True):
        if root.is_dir():
            yield from _walk_folder(str(root), prefix, keep, on_skip)
        else:
            yield from _look_at(str(root), prefix + _shown(root.name), keep, on_skip)


def count_files(roots: Sequence[Path]) -> int:
    """Number of files that ``find_images`` will look at or pass over; for the progress bar."""
    return sum(sum(len(files) for _, _, files in os.walk(root)) if root.is_dir() else 1 for root in roots)


def locate(name: str, roots: Sequence[Path]) -> Path | None:
    """Find the file that ``find_images`` gave a name, or None when it is no longer there."""
    for root, prefix in zip(roots, _prefixes(roots), strict=True):
        inside = name.removeprefix(prefix)
        path = root / inside if root.is_dir() else root
        if name.startswith(prefix) and path.is_file() and (root.is_dir() or inside == _shown(root.name)):
            return path
    return None


def _prefixes(roots: Sequence[Path]) -> list[str]:
    """What stands before the names of each root: nothing for one, the folder's (numbered) name for several."""
    if len(roots) == 1:
        return [""]
    prefixes: list[str] = []
    for root in roots:
        base = _shown(root.resolve().name) if root.is_dir() else ""
        prefix, number = f"{base}/" if base else "", 2
        while prefix and prefix in prefixes:
            prefix, number = f"{base}~{number}/", number + 1
        prefixes.append(prefix)
    return prefixes


def _walk_folder(folder: str, prefix: str, keep: Filter, on_skip: Callable[[Skip], None]) -> Iterator[ImageSource]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        on_skip(Skip(prefix or folder, f"folder cannot be read ({error.strerror})"))
        return
    if any(entry.name == JOURNAL_NAME for entry in entries):
        on_skip(Skip(prefix or folder, "folder of a cxrscan run"))
        return
    for entry in entries:
        name = prefix + _shown(entry.name)
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            on_skip(Skip(name, "hidden"))
        elif entry.is_dir(follow_symlinks=False):
            if keep.drops(name):
                on_skip(Skip(name, "excluded"))
            else:
                yield from _walk_folder(entry.path, f"{name}/", keep, on_skip)
        elif entry.is_symlink() and entry.is_dir():
            on_skip(Skip(name, "link to a folder"))
        else:
            yield from _look_at(entry.path, name, keep, on_skip)


def _look_at(path: str, name: str, keep: Filter, on_skip: Callable[[Skip], None]) -> Iterator[ImageSource]:
    """Yield the file if it counts as a film."""
    if keep.is_elsewhere(name):
        return
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


def _only_of(keep: Filter, on_skip: Callable[[Skip], None]) -> Callable[[Skip], None]:
    """Tell of a shard's own files only, so that the shards together count each once."""
    return lambda skip: None if keep.is_elsewhere(skip.name) else on_skip(skip)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    base = name.rsplit("/", 1)[-1]
    return any(fnmatch(name, pattern) or fnmatch(base, pattern) for pattern in patterns)


def _shown(name: str) -> str:
    """A file name as text that any output can hold: bytes that are no UTF-8 become backslash escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
