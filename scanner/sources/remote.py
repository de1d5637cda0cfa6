"""Films in buckets, in archives and on servers: every place that fsspec has a driver for.

fsspec is imported when the first such place is opened, never for films on this machine's disks.
"""

from __future__ import annotations

import errno
import hashlib
import os
import random
import re
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from cxrscan.scanner.errors import CxrscanError, RunFolderError
from cxrscan.scanner.readers import HEAD_BYTES
from cxrscan.scanner.sources.archives import what_is_wrong
from cxrscan.scanner.sources.web import driver_options, read_web
from cxrscan.scanner.system.addresses import last_part, names_server, shown_address
from cxrscan.scanner.system.bounded import read_open

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from cxrscan.scanner.records import ImageSource, Readable

#: Films of a chunk that are under way while an earlier one is decoded.
_AHEAD = 8
#: Files whose state is asked for at once.
_ASKED_AT_ONCE = 16
#: What drivers call the time of a file's last change, and the other marks of its state.
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "modified", "created", "date_time")
_MARKS = (
    *("ETag", "etag", "Last-Modified", "Content-MD5", "Digest", "CRC", "crc32c", "md5Hash", "content_md5"),
    *("generation", "VersionId", "version_id", "sha", "modify"),
)
#: Waits before a failed operation is tried again, in seconds, each varied by half so that workers spread out.
_WAITS_S = (0.5, 1.0, 2.0, 4.0)
MAX_FILM_BYTES = 420 << 20
"""A film that is larger is not read: 200 megapixels of 16 bits, and a header."""
#: So much of each film is read ahead; a larger one is read when its turn comes, so that eight do not fill the memory.
_MAX_AHEAD_BYTES = 32 << 20
#: Entries of a folder, and folders within each other, that a store may have.
_MAX_ENTRIES = 1_000_000
#: Drivers of stores that tell a file's size truly, and read it whole in one request.
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "memory"})
#: Errors that trying again cannot mend.
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
#: S3: botocore's repetitions, multiplied with ours, would exceed any film's time; reading a film in several parts
#: would cost a request more for each.
_DRIVER_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"config_kwargs": {"retries": {"total_max_attempts": 1}}, "max_concurrency": 1}
}

#: The drivers whose places hold films, by the name in a URL. fsspec knows many more: some run code that a file of
#: theirs names (reference), some keep copies of films on the disk (simplecache), some lead to other programs (jupyter).
#: ftp is left out because it sends passwords in clear.
PLACES = ("s3", "gs", "gcs", "az", "abfs", "abfss", "https", "http", "sftp", "ssh", "smb", "webhdfs", "hdfs", "memory")
#: Files that hold films, in front of the place where they lie themselves: ``zip://::s3://bucket/films.zip``.
ARCHIVES = ("zip", "tar")

#: Threads that read ahead share a tar file's place in it, which one would move under another.
_one_at_a_time = Lock()

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RemotePath:
    """A file or folder in a place that fsspec reads; offers what the scanner needs of ``pathlib.Path``."""

    root: str = field(repr=False)
    """The URL given, such as ``s3://bucket/films`` or ``zip://::films.zip``; it tells the driver."""
    inside: str | None = field(default=None, repr=False)
    """Path as the driver calls it; None for the root itself."""

    def __str__(self) -> str:
        """The URL without user, password, query and fragment, which may hold secrets."""
        return shown_address(self.root)

    @property
    def is_web(self) -> bool:
        """Whether a web server is asked, whose addresses may differ in what is not shown of them."""
        return self.root.startswith(("http://", "https://"))

    @property
    def may_repeat(self) -> bool:
        """Whether two files may have one name here."""
        return self.is_web

    @property
    def name(self) -> str:
        """Last part of the path."""
        return last_part(self.root if self.inside is None else self.inside)

    def resolve(self) -> RemotePath:
        """The path itself: URLs are absolute."""
        return self

    def is_dir(self) -> bool:
        """Whether the root is a folder.

        Raises
        ------
        RunFolderError
            ``place-unreadable``: nothing can be read there.
        """
        try:
            if self.is_web:  # servers do not tell; the slash is the convention
                return self.root.endswith("/")
            return patiently(lambda: bool(self._system.info(self._path)["type"] == "directory"))
        except OSError as error:
            raise RunFolderError("place-unreadable", f"{self} cannot be read: {error.strerror}.") from error

    def read_bytes(self, max_bytes: int = MAX_FILM_BYTES) -> bytes:
        """Read a file, counting while it comes and trying again after a while where that may help.

        Raises
        ------
        OSError
            With ``strerror``; ``EFBIG`` for a file of more than ``max_bytes``.
        """
        return patiently(lambda: self._read(max_bytes))

    def _read(self, max_bytes: int) -> bytes:
        system = self._system
        if _is_of(system, {"http", "https"}):
            return read_web(system, self._path, max_bytes)
        if _is_of(system, _OBJECT_STORES):
            return _read_object(system, self._path, max_bytes)
        with _one_at_a_time if _is_of(system, {"tar"}) else nullcontext(), system.open(self._path, "rb") as file:
            return read_open(file, max_bytes)

    def entries(self) -> list[RemoteEntry]:
        """What lies in a folder, sorted by name; raises OSError as ``read_bytes`` does."""
        listing = patiently(lambda: self._system.ls(self._path, detail=True))
        if len(listing) > _MAX_ENTRIES:
            raise OSError(errno.EFBIG, "the listing is too long")
        here = self._path.rstrip("/")
        found = [
            _entry(RemotePath(self.root, entry["name"]), entry)
            for entry in listing
            if entry["name"].rstrip("/") != here  # buckets hold markers in the place of empty folders
        ]
        return sorted(found, key=lambda entry: entry.path.name)

    def read_heads(self, paths: Sequence[RemotePath]) -> list[bytes]:
        """First bytes of files of this root, side by side where the driver can; empty where they cannot be read."""
        names, n = [path._path for path in paths], len(paths)
        if _is_of(self._system, {"http", "https"}):
            with ThreadPoolExecutor(_AHEAD) as readers:
                return list(readers.map(self._head, names))
        heads = patiently(lambda: self._system.cat_ranges(names, [0] * n, [HEAD_BYTES] * n, on_error="return"))
        return [head if isinstance(head, bytes) else b"" for head in heads]

    def _head(self, name: str) -> bytes:
        try:
            return patiently(lambda: read_web(self._system, name, HEAD_BYTES, only_head=True))
        except OSError:
            return b""

    def ask(self) -> RemoteEntry:
        """Ask for the state of this one file, which listings of web servers do not tell; unknown where that fails."""
        try:
            return _entry(self, patiently(lambda: self._system.info(self._path)))
        except (OSError, CxrscanError):
            return RemoteEntry(self, is_folder=False)  # reading it meets the same error, and records it

    @property
    def _system(self) -> AbstractFileSystem:
        return _open(self.root)[0]

    @property
    def _path(self) -> str:
        return _open(self.root)[1] if self.inside is None else self.inside


def _read_object(system: AbstractFileSystem, path: str, max_bytes: int) -> bytes:
    """An object of a bucket, in one request; stores refuse a range of an empty one."""
    try:
        data = bytes(system.cat_file(path, start=0, end=max_bytes + 1))
    except OSError as error:
        if error.errno != errno.EINVAL or system.info(path)["size"] != 0:
            raise
        return b""
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return data


class Elsewhere(Protocol):
    """A film of a remote place."""

    def read_bytes(self, max_bytes: int = MAX_FILM_BYTES) -> bytes:
        """All bytes; OSError with ``EFBIG`` when there are more than that."""
        ...


@dataclass(frozen=True, slots=True)
class RemoteEntry:
    """One line of a folder's listing, or what a server says of one file."""

    path: RemotePath
    is_folder: bool
    size_bytes: int | None = None
    """None where the driver does not tell, as in listings of web servers."""
    mtime_ns: int | None = None
    """None where the driver does not tell."""
    etag: str = ""
    """Digest of what else tells this state of the file from another; empty where the driver tells nothing."""

    @property
    def is_known(self) -> bool:
        """Whether anything but the size tells this state of the file from another."""
        return self.mtime_ns is not None or bool(self.etag)


def ask_for_states(entries: Sequence[RemoteEntry]) -> list[RemoteEntry]:
    """Ask, side by side, for the states of files of which nothing is known."""
    unknown = [entry.path for entry in entries if not entry.is_known]
    if not unknown:
        return list(entries)
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as askers:
        known = dict(zip(unknown, askers.map(RemotePath.ask, unknown), strict=True))
    return [known.get(entry.path, entry) for entry in entries]


def read_ahead(sources: Sequence[ImageSource]) -> Iterator[ImageSource]:
    """Read the next films while the caller decodes one: a request to a bucket takes longer than most decoding."""
    with ThreadPoolExecutor(_AHEAD) as readers:
        waiting: deque[ImageSource] = deque()
        for source in sources:
            ahead = readers.submit(_read_some, cast("Path | Elsewhere", source.path))
            waiting.append(replace(source, path=_BeingRead(ahead, source.path)))
            if len(waiting) > _AHEAD:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()


def _read_some(path: Path | Elsewhere) -> bytes:
    """Read a film that may wait in memory; one that is too large for that is read again when its turn comes."""
    return path.read_bytes() if isinstance(path, Path) else path.read_bytes(_MAX_AHEAD_BYTES)


@dataclass(frozen=True, slots=True)
class _BeingRead:
    """A file whose bytes are on their way."""

    reading: Future[bytes]
    path: Readable

    def read_bytes(self) -> bytes:
        try:
            return self.reading.result()
        except OSError as error:
            if error.errno != errno.EFBIG:
                raise
        return self.path.read_bytes()


def upload(files: Sequence[Path], folder: Path, target: RemotePath) -> None:
    """Copy files of a folder to a remote folder, under their paths within the folder.

    Raises
    ------
    RunFolderError
        ``upload-failed``.
    """
    system, there = _open(target.root)
    for file in files:
        path = f"{there.rstrip('/')}/{file.relative_to(folder).as_posix()}"
        try:
            data = _read_own(file)
            patiently(lambda path=path, data=data: system.pipe_file(path, data))  # type: ignore[misc]
        except OSError as error:
            raise RunFolderError("upload-failed", f"{file} cannot be copied to {target}: {error.strerror}.") from error


def _read_own(file: Path) -> bytes:
    """Bytes of a file that was written here, never of what a link in its place leads to."""
    with os.fdopen(os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)), "rb") as it:
        return it.read()


@lru_cache(maxsize=16)
def _open(url: str) -> tuple[AbstractFileSystem, str]:
    """The driver for a URL, and the path as it calls it; once per process.

    Raises
    ------
    CxrscanError
        ``place-refused``, ``extra-missing`` or ``place-unreadable``.
    """
    archive, found, path = url.partition("://")
    if found and archive in ARCHIVES and "::" not in url:
        url = f"{archive}://::{path}"
    options = {name: option for name, option in _DRIVER_OPTIONS.items() if f"{name}://" in url}
    shown = RemotePath(url)
    _refuse_other_drivers(url, shown)
    last = url.rpartition("::")[2]
    if last.startswith(("http://", "https://")) and not names_server(last):
        raise RunFolderError("place-unreadable", f"{shown} is no address of a server.")
    try:
        is_chained = "::" in url
        for scheme in ("http", "https"):
            if f"{scheme}://" in url:
                options |= {scheme: driver_options()} if is_chained else driver_options()
        if url.startswith("tar://") and url.lower().endswith(".tgz"):  # which fsspec does not know as gzip
            options["tar"] = {"compression": "gzip"}
        from fsspec.core import url_to_fs

        system, path = patiently(lambda: url_to_fs(url, use_listings_cache=False, **options))
    except ImportError as error:
        raise CxrscanError("extra-missing", f"{shown} needs a driver: {error}.") from error
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise RunFolderError("place-unreadable", f"{shown} cannot be opened: {said}.") from None
    return system, str(path)


def _is_of(system: AbstractFileSystem, protocols: Collection[str]) -> bool:
    found = system.protocol
    return not {found, *(() if isinstance(found, str) else found)}.isdisjoint(protocols)


def _refuse_other_drivers(url: str, shown: RemotePath) -> None:
    """Refuse a URL that leads to another driver than those of places for films.

    Raises
    ------
    RunFolderError
        ``place-refused``.
    """
    *archives, place = url.split("::")
    are_archives = all(re.fullmatch(rf"({'|'.join(ARCHIVES)})://[^\n]*", archive) for archive in archives)
    scheme, found, _ = place.partition("://")
    # Behind an archive a path needs no scheme; but fsspec takes a single word for the name of a driver.
    is_path = bool(archives) and not found and not re.fullmatch(r"[a-z]*|data:.*", place, re.DOTALL)
    if "\n" in url or not are_archives or not (is_path or scheme in (*PLACES, *(["file"] if archives else []))):
        raise RunFolderError("place-refused", f"{shown} is not an address of a place for films.")


class OwnWordsError(OSError):
    """An error that we worded, so that its words hold no address and no secret."""


def patiently(operation: Callable[[], _T]) -> _T:
    """Try an operation until it succeeds, fails for good, or patience ends; failure is an OSError with ``strerror``."""
    for wait_s in (*_WAITS_S, None):
        try:
            return operation()
        except _FINAL as error:
            number = error.errno or {FileNotFoundError: errno.ENOENT, PermissionError: errno.EACCES}.get(type(error))
            # A driver's own words may hold the address, with its secrets; the system's do not.
            raise OSError(number or errno.EIO, os.strerror(number or errno.EIO)) from None
        except (CxrscanError, ImportError, ValueError):
            raise
        except MemoryError:
            raise
        except Exception as error:  # each driver has exceptions of its own
            if wrong := what_is_wrong(error):
                raise OSError(errno.EIO, wrong) from None
            if wait_s is None or getattr(error, "errno", None) == errno.EFBIG:
                number = error.errno if isinstance(error, OSError) and error.errno else errno.EIO
                said = os.strerror(number) if number != errno.EIO else type(error).__name__
                raise OSError(number, error.strerror if isinstance(error, OwnWordsError) else said) from None
        time.sleep(wait_s * random.uniform(0.5, 1.5))
    raise AssertionError("unreachable")


def _entry(path: RemotePath, facts: dict[str, Any]) -> RemoteEntry:
    """What a driver says of a file or folder; nothing of it is believed to be of the right type."""
    size, marks = facts.get("size"), "\n".join(f"{key}={facts[key]}" for key in _MARKS if facts.get(key))
    return RemoteEntry(
        path,
        facts["type"] == "directory" or facts["name"].endswith("/"),
        size if isinstance(size, int) and size >= 0 else None,
        _mtime_ns(facts),
        hashlib.blake2b("\n".join(marks).encode(errors="backslashreplace"), digest_size=16).hexdigest()
        if marks
        else "",
    )


def _mtime_ns(facts: dict[str, Any]) -> int | None:
    """When a file was changed last, in nanoseconds, by whichever name its driver has for that."""
    for key in _TIMES:
        value = facts.get(key)
        try:
            if isinstance(value, str):
                value = datetime.fromisoformat(value)
            elif isinstance(value, tuple):
                value = datetime(*value)
            if isinstance(value, datetime):
                return int(value.timestamp()) * 10**9
            if isinstance(value, (int, float)):
                return int(value) * 10**9
        except (ValueError, TypeError, OverflowError):  # no time that there is: as good as none
            continue
    return None
