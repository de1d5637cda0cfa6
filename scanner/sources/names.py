"""Names of files as text that every output can hold, and the way back."""

from __future__ import annotations

import os
import re

from cxrscan.scanner.system.text import printable


def shown(name: str) -> str:
    """A file name as text that any output can hold, a different one for each name.

    Bytes that are no UTF-8 and characters that could drive a terminal become backslash escapes, and so that these
    stay unmistakable, a backslash becomes two. A name that ends like a frame's (``film.dcm#2``) has its ``#`` escaped.
    """
    text = printable(os.fsencode(name.replace("\\", "\\\\")).decode("utf-8", "backslashreplace"))
    return re.sub(r"#(?=\d+$)", r"\\x23", text)


def file_name(shown: str) -> str:
    """The name that ``shown`` made text of."""
    return re.sub(r"\\(?:\\|x(..)|u(....))", _unescaped, shown)


def _unescaped(escape: re.Match[str]) -> str:
    byte, char = (int(digits, 16) if digits else None for digits in escape.groups())
    if byte is not None:
        return chr(byte) if byte < 0x80 else os.fsdecode(bytes([byte]))
    return "\\" if char is None else chr(char)
