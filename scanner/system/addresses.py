"""Addresses of places elsewhere (URLs, also chained ones), as they may be shown: built from allowed parts.

Scheme, host and path are taken out of an address; user, password, query and fragment have no way in. What cannot be
told apart for certain is left out rather than shown.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from cxrscan.scanner.system.text import printable

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,19}")
_HOST = re.compile(r"[\w.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
_HOSTNAME = re.compile(r"[\w.-]{1,253}|[0-9a-f:.%]{2,64}")
#: Schemes whose path ends where a query or a fragment begins; in a bucket, a file's name may hold these characters.
_WEB = frozenset({"http", "https", "ftp", "ftps", "tls", "tcp", "ws", "wss", "webdav", "webhdfs"})
#: Schemes that are followed by where the archive lies, which may be a path of this computer.
_ARCHIVES = frozenset({"zip", "tar", "libarchive"})
_BEHIND_PATH = re.compile(r"[?#;]|%3f|%23|%3b", re.IGNORECASE)
#: Parameters of a signed address, of whatever store.
_SIGNED = re.compile(r"\?[^/]*=|#[^/]*=")
_UNKNOWN = "…"


def is_address(text: str) -> bool:
    """Whether text names a place that is not a path of this computer."""
    return "://" in text


def is_elsewhere(text: str) -> bool:
    """Whether text names a place of another computer; an archive on this one is none."""
    scheme, found, rest = text.rpartition("::")[2].partition("://")
    return bool(found) and (scheme not in {*_ARCHIVES, "file"} or "://" in rest)


def names_server(address: str) -> bool:
    """Whether an address names a server: a host, and a port that can be one."""
    try:
        parts = urlsplit(address)
        return _HOSTNAME.fullmatch(parts.hostname or "") is not None and parts.port != 0
    except ValueError:  # brackets around no address, a port that is no number
        return False


def shown_address(address: str) -> str:
    """An address without anything that may be a secret: ``https://user:pw@host/film?sig=1`` is ``https://host/film``.

    Parts of a chained address (``zip://inside::https://host/archive.zip``) are shown likewise.
    """
    parts: list[str] = []
    for part in address.split("::"):
        if parts and "://" not in part and parts[-1].partition("://")[0] not in _ARCHIVES:
            parts[-1] += f"::{part}"  # of a password or a query, which may hold any character
        else:
            parts.append(part)
    return printable("::".join(map(_shown_part, parts)))


def _shown_part(part: str) -> str:
    scheme, found, rest = part.partition("://")
    if not found:
        return part
    return f"{scheme}://{_shown_place(scheme, rest)}" if _SCHEME.fullmatch(scheme) else _UNKNOWN


def without_secrets(text: str) -> str:
    """Text as it is, or as an address is shown where it is one."""
    return shown_address(text) if is_address(text) else text


def last_part(path: str) -> str:
    """Name of a file from an address or a path within a place."""
    return (shown_address(path) if is_address(path) else path).rstrip("/").rpartition("/")[2]


def _shown_place(scheme: str, rest: str) -> str:
    """Host and path of what stands behind ``://``."""
    is_web = scheme.lower() in _WEB
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority or (":" in authority and "@" in rest) or (":" in authority and not _HOST.fullmatch(authority)):
        rest = rest.rpartition("@")[2] if "@" in rest else _UNKNOWN  # a password may hold any character
    if is_web or _SIGNED.search(rest):
        rest = _BEHIND_PATH.split(rest, maxsplit=1)[0]
    host, slash, path = rest.partition("/")
    if is_web and host and not _HOST.fullmatch(host):
        host = _UNKNOWN
    return host + slash + path
