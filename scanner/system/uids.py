"""UIDs that follow from content: the same result is the same object, on every machine and at any time."""

from __future__ import annotations

import hashlib
import re

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_MAX_CHARACTERS = 64


def hashed_uid(*parts: object) -> str:
    """UID below 2.25 from a hash (PS3.5 section B.2).

    Parameters
    ----------
    parts
        What the UID identifies; another text, or another order, gives another UID.

    Returns
    -------
    ``2.25.`` and a decimal number of 128 bits, shaped as a UUID of version 8 (RFC 9562): at most 44 characters.
    """
    text = "\0".join(map(str, parts))
    number = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16])
    number = number & ~(0xF << 76) | 0x8 << 76  # version
    number = number & ~(0x3 << 62) | 0x2 << 62  # variant
    return f"2.25.{number}"


def is_uid(text: str) -> bool:
    """Whether a text can be a UID (PS3.5 section 9.1), and so a file's name; zeros in front are forgiven."""
    return len(text) <= _MAX_CHARACTERS and _UID.fullmatch(text) is not None
