"""Answers of a PACS that were saved as they came: multipart/related (RFC 2387), as WADO-RS sends objects."""

from __future__ import annotations

from cxrscan.scanner.errors import FilmError

_HEADER_END = b"\r\n\r\n"
_MAX_HEADER_BYTES = 4096


def begins_multipart(head: bytes) -> bool:
    """Whether a file begins with a boundary and the header of a part."""
    return head.lstrip(b"\r\n").startswith(b"--") and b"\r\ncontent-" in head.lower()


def first_part(data: bytes) -> bytes:
    """Content of the first part.

    Raises
    ------
    FilmError
        ``truncated``: the part is not there to its end.
    """
    start = data.find(_HEADER_END, 0, _MAX_HEADER_BYTES)
    boundary = data[:_MAX_HEADER_BYTES].lstrip(b"\r\n").partition(b"\r\n")[0]
    end = data.find(b"\r\n" + boundary, start)
    if start < 0 or end < 0:
        raise FilmError("truncated", "The answer of a PACS (multipart) was not saved to its end.")
    return data[start + len(_HEADER_END) : end]
