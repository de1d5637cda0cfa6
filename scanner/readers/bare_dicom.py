"""Recognise a DICOM data set that begins without preamble, from its first bytes (PS3.5 section 7.1)."""

from __future__ import annotations

import struct

_SHORT_VRS = {
    *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN"),
    *(b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
}
_LONG_VRS = {b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC", b"UR"}
_MAX_FIRST_LENGTH = 1024  # the first element is a group length, a character set, a type or a UID


def looks_like_bare_dataset(head: bytes, n_bytes: int) -> bool:
    """Whether a file without preamble may begin with a DICOM data element (PS3.5 section 7.1).

    Wanted is an element of group 0002 or 0008 whose value is followed by an element with a larger tag,
    explicit or implicit VR, little endian, or explicit VR big endian. Reading decides in the end.

    Parameters
    ----------
    n_bytes
        Length of the head of a file that is not shorter.
    """
    return any(_first_elements_fit(head, order, n_bytes) for order in "<>")


def _first_elements_fit(head: bytes, order: str, n_bytes: int) -> bool:
    first = _tag(head, 0, order)
    if first is None or first[0] not in (0x0002, 0x0008):
        return False
    explicit = head[4:6] in _SHORT_VRS | _LONG_VRS
    if explicit and head[4:6] in _SHORT_VRS:
        start, length = 8, struct.unpack_from(f"{order}H", head, 6)[0]
    elif explicit and len(head) >= 12:
        start, length = 12, struct.unpack_from(f"{order}I", head, 8)[0]
    elif order == "<":
        start, length = 8, struct.unpack_from("<I", head, 4)[0]
    else:
        return False  # big endian is always explicit
    if length > _MAX_FIRST_LENGTH:
        return False
    second = _tag(head, start + length, order)
    beyond = second is None and len(head) >= n_bytes  # the value runs past what was read
    return explicit if beyond else second is not None and first < second and second[0] <= first[0] + 0x20


def _tag(head: bytes, offset: int, order: str) -> tuple[int, int] | None:
    if len(head) < offset + 8:
        return None
    group, element = struct.unpack_from(f"{order}HH", head, offset)
    return group, element
