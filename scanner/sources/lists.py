"""Films that a list names, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TextIO

from scanner.errors import RunFolderError
from scanner.records import ImageSource
from scanner.sources.filters import Rules
from scanner.sources.local import look_at
from scanner.sources.names import shown
from scanner.sources.remote import RemotePath
from scanner.sources.remote_walk import LOOKED_AT_TOGETHER, take

#: Of a list, and of a line: an endless one would fill the memory with names.
_MAX_LINES, _MAX_CHARACTERS = 5_000_000, 32_768


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
                yield from filter(None, (line.rstrip("\r\n") for line in self._bounded(file)))
        except OSError as error:
            raise RunFolderError("place-unreadable", f"{self.place} cannot be read: {error.strerror}.") from error

    def _bounded(self, file: TextIO) -> Iterator[str]:
        """Lines of a list, as long as it is one."""
        for number in range(1, _MAX_LINES + 1):
            line = file.readline(_MAX_CHARACTERS + 1)
            if not line:
                return
            if len(line) > _MAX_CHARACTERS:
                message = f"{self.place}, line {number}: longer than any path or address."
                raise RunFolderError("place-unreadable", message)
            yield line
        raise RunFolderError("place-unreadable", f"{self.place} has more than {_MAX_LINES:,} lines.")


def walk_list(films: FileList, rules: Rules) -> Iterator[ImageSource]:
    """Take a list at its word for remote films: a look into each would be a request more."""
    for is_remote, lines in groupby(films.lines(), RemotePath.is_url):
        if is_remote:
            while batch := [RemotePath(line) for line in islice(lines, LOOKED_AT_TOGETHER)]:
                yield from take(batch, [shown(str(path)) for path in batch], rules)
        else:
            for line in lines:
                yield from look_at(line, shown(line), rules)
