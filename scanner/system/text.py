"""Text from outside (file names, headers, model bundles), made safe to show."""

from __future__ import annotations

import re

# Control characters, line separators, lone surrogates, and the bidirectional controls of Unicode's annex 9.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Text with escapes (``\x1b``, ``\u202e``) in place of what could drive a terminal or reorder a line."""
    return _UNSAFE.sub(lambda found: _escape(found[0]), text)


def is_printable(text: str) -> bool:
    """Whether a text can be shown as it is."""
    return _UNSAFE.search(text) is None


def _escape(char: str) -> str:
    return f"\\x{ord(char):02x}" if ord(char) < 0x80 else f"\\u{ord(char):04x}"


def count(n: int, one: str, many: str = "") -> str:
    """Write a number with its noun in the right form: ``1 file``, ``9,634 files``."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def duration_text(seconds: float) -> str:
    """Write a duration in the two largest units that fit."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def bytes_text(n: float) -> str:
    """Write a number of bytes in the largest decimal unit that fits: ``1.4 MB``."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while n >= 1000 and len(units) > 1:
        n /= 1000
        del units[0]
    return f"{n:.0f} {units[0]}" if units[0] == "B" or n >= 100 else f"{n:.1f} {units[0]}"


def field_title(name: str) -> str:
    """Return a field's name as words: ``n_films`` -> ``Films``, ``beyond_0_05`` -> ``Beyond 0.05``."""
    words = re.sub(r"(?<=\d)_(?=\d)", ".", name.removeprefix("n_")).replace("_", " ")
    return re.sub(r"\babs\b", "absolute", re.sub(r"\bprob\b", "probability", words)).capitalize()
