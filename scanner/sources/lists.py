"""Films that a list names, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice

from scanner.errors import RunFolderError
from scanner.records import ImageSource
from scanner.sources.filters import Rules
from scanner.sources.local import look_at
from scanner.sources.names import shown
from scanner.sources.remote import RemotePath
from scanner.sources.remote_walk import LOOKED_AT_TOGETHER, take


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


def walk_list(films: FileList, rules: Rules) -> Iterator[ImageSource]:
    """Take a list at its word for remote films: a look into each would be a request more."""
    for is_remote, lines in groupby(films.lines(), RemotePath.is_url):
        if is_remote:
            while batch := [RemotePath(line) for line in islice(lines, LOOKED_AT_TOGETHER)]:
                yield from take(batch, [shown(str(path)) for path in batch], rules)
        else:
            for line in lines:
                yield from look_at(line, shown(line), rules)
