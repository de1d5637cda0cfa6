"""What is passed over, and why: the one set of rules for folders, lists and places elsewhere."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatch

from cxrscan.scanner.readers import promises_film
from cxrscan.scanner.records import Skip
from cxrscan.scanner.sources.archives import is_archive


class Reason(StrEnum):
    """Why a file or folder is passed over, in the words of ``-v`` and ``run.json``."""

    HIDDEN = "hidden"
    EXCLUDED = "excluded"
    NO_PICTURE = "no picture"
    ARCHIVE = "archive; one that is named itself is read"
    OWN_PICTURES = "pictures of a cxrscan run"
    TOO_MANY_FOLDERS = "more folders than are looked into"
    LINKED_FOLDER = "link to a folder; --follow-links follows it"
    LINK_IN_CIRCLES = "link to a folder that it lies in"
    LINK_OUT = "link out of the folder; --follow-links follows it"
    NO_FILE = "not a regular file"
    NAMED_TWICE = "named twice"
    NO_UID = "no valid identifiers"
    UNREADABLE = "cannot be read"
    UNREADABLE_FOLDER = "folder cannot be read"


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
class Rules:
    """Decides what is looked at, and tells what is passed over."""

    keep: Filter
    on_skip: Callable[[Skip], None]

    def skip(self, name: str, reason: Reason, detail: str | None = "") -> None:
        """Tell of something that is passed over; of a file only the shard whose it is."""
        if not self.keep.is_elsewhere(name):
            self.on_skip(Skip(name, f"{reason} ({detail})" if detail != "" else str(reason)))

    def hides(self, base: str, name: str) -> bool:
        """Whether a file or folder is one that its owner, or a Mac, hides."""
        hidden = is_hidden(base)
        if hidden:
            self.skip(name, Reason.HIDDEN)
        return hidden

    def takes_folder(self, name: str) -> bool:
        """Whether a folder is to be entered."""
        taken = not self.keep.drops(name)
        if not taken:
            self.skip(name, Reason.EXCLUDED)
        return taken

    def takes_file(self, name: str) -> bool:
        """Whether a file is to be looked at."""
        if self.keep.is_elsewhere(name):
            return False
        taken = self.keep.keeps(name)
        if not taken:
            self.skip(name, Reason.EXCLUDED)
        return taken

    def takes_film(self, name: str, kind: str | None) -> bool:
        """Whether a file counts as a film: its content, whose format is ``kind``, or its name says so."""
        taken = kind is not None or promises_film(name)
        if not taken:
            self.skip(name, Reason.ARCHIVE if is_archive(name) else Reason.NO_PICTURE)
        return taken


def is_hidden(base: str) -> bool:
    """Whether a bare name is that of a hidden file or folder."""
    return (base.startswith(".") and base != ".") or base == "__MACOSX"


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    base = name.rsplit("/", 1)[-1]
    return any(fnmatch(name, pattern) or fnmatch(base, pattern) for pattern in patterns)
