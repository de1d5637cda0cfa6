"""Archives of films: one that is named itself is read as the folder that it holds."""

from __future__ import annotations

import struct
from pathlib import Path

ENDINGS = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
_ZIP, _EMPTY_ZIP = b"PK\x03\x04", b"PK\x05\x06"
_TAR, _TAR_AT = b"ustar", 257
#: What zipfile, tarfile and lzma raise for damaged archives, by name: most runs never load them.
_DAMAGE = frozenset({"BadZipFile", "ReadError", "CompressionError", "HeaderError", "LZMAError", "StreamError"})


def is_archive(name: str) -> bool:
    """Whether a file's name is that of an archive."""
    return name.lower().endswith(ENDINGS)


def address_of_archive(path: Path) -> str:
    """URL of the films in a file that is an archive; empty for any other file."""
    try:
        with path.open("rb") as file:
            head = file.read(_TAR_AT + len(_TAR))
    except OSError:
        return ""
    if head.startswith((_ZIP, _EMPTY_ZIP)):
        scheme = "zip"
    elif head[_TAR_AT:] == _TAR or (is_archive(path.name) and path.suffix.lower() != ".zip"):
        scheme = "tar"
    else:
        return ""
    return f"{scheme}://{path.absolute()}"


def what_is_wrong(error: Exception) -> str:
    """Words for an error of an archive, which trying again does not mend; empty for any other error."""
    if isinstance(error, RuntimeError) and "encrypted" in str(error):
        return "the archive is encrypted"
    if isinstance(error, NotImplementedError):
        return "the archive is compressed in a way that cannot be read"
    kind = type(error)
    if kind.__name__ in _DAMAGE or kind.__module__ == "zlib" or isinstance(error, (EOFError, struct.error)):
        return "the archive is damaged or cut short"
    return ""
