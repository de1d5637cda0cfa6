"""Films that a list names: each name has a row, whatever it leads to."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.records import ImageSource
from cxrscan.scanner.sources.filters import Rules
from cxrscan.scanner.sources.local import take_named
from cxrscan.scanner.sources.names import shown
from cxrscan.scanner.system.addresses import is_address

#: Of a list, and of a line: an endless one would fill the memory with names.
_MAX_LINES, _MAX_CHARACTERS = 5_000_000, 32_768
_CHUNK_BYTES = 1 << 16
_TELLING_BYTES = 8  # tell the encoding; find -print0 writes many at once
_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_QUOTES = "\"'"


@dataclass(frozen=True, slots=True)
class FileList:
    """Films named one a line in a text file, or on standard input."""

    place: str
    """Path of the list, or ``-``."""

    may_repeat = True
    """Two lines may give one name to two films, or name one film twice."""

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
            with open(0 if self.place == "-" else self.place, "rb", closefd=self.place != "-") as file:
                names = names_in(lambda: file.read1(_CHUNK_BYTES))
                yield from filter(None, map(_without_quotes, self._bounded(names)))
        except OSError as error:
            raise RunFolderError("place-unreadable", f"{self.place} cannot be read: {error.strerror}.") from error

    def _bounded(self, names: Iterator[str]) -> Iterator[str]:
        """Names of a list, as long as it is one."""
        for number, name in enumerate(names, start=1):
            if len(name) > _MAX_CHARACTERS:
                message = f"{self.place}, line {number}: longer than any path or address."
                raise RunFolderError("place-unreadable", message)
            if number > _MAX_LINES:
                raise RunFolderError("place-unreadable", f"{self.place} has more than {_MAX_LINES:,} lines.")
            yield name


def names_in(read: Callable[[], bytes]) -> Iterator[str]:
    """Names in a list, as soon as they are there.

    They stand one a line, ended by LF or CR LF, or by NUL as ``find -print0`` writes them; in UTF-8 or, as Windows
    writes them, in UTF-16, with a byte order mark or without.

    Parameters
    ----------
    read
        Gives the next bytes, none at the end.
    """
    head = b""
    while (len(head) < _TELLING_BYTES or not {0, 10} & set(head)) and len(head) < _CHUNK_BYTES and (chunk := read()):
        head += chunk
    encoding, mark = _encoding_of(head)
    decode = codecs.getincrementaldecoder(encoding)("surrogateescape" if encoding == "utf-8" else "replace").decode
    separator = "\0" if encoding == "utf-8" and b"\0" in head else "\n"
    rest, chunk = "", head[len(mark) :]
    while chunk:
        *names, rest = (rest + decode(chunk)).split(separator)
        yield from (name.rstrip("\r") for name in names)
        chunk = read() if len(rest) <= _MAX_CHARACTERS else b""
    yield (rest + decode(b"", True)).rstrip("\r")


def _encoding_of(head: bytes) -> tuple[str, bytes]:
    """Encoding of a list from its first bytes, and its byte order mark."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding, mark
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if zeros.count(0) >= max(3, len(zeros) / 2):  # every other byte of Latin text
            return encoding, b""
    return "utf-8", b""


def _without_quotes(line: str) -> str:
    """A name without the quotes that spreadsheets and shells put around it, unless a file is called so."""
    bare = line.strip()
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in _QUOTES and not os.path.lexists(line):
        return bare[1:-1]
    return line if os.path.lexists(line) or not os.path.lexists(bare) else bare


def walk_list(films: FileList, rules: Rules) -> Iterator[ImageSource]:
    """Take a list at its word for remote films: a look into each would be a request more."""
    for is_remote, lines in groupby(films.lines(), is_address):
        if is_remote:
            yield from _take_remote(lines, rules)
        else:
            for line in lines:
                yield from take_named(line, shown(line), rules)


def _take_remote(lines: Iterator[str], rules: Rules) -> Iterator[ImageSource]:
    from cxrscan.scanner.sources.remote import RemotePath
    from cxrscan.scanner.sources.remote_walk import LOOKED_AT_TOGETHER, take

    while batch := [RemotePath(line) for line in islice(lines, LOOKED_AT_TOGETHER)]:
        yield from take(batch, [shown(str(path)) for path in batch], rules)
