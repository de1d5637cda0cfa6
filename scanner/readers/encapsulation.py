"""Compressed frames as they lie in DICOM objects: PS3.5 annex A.4, read for what it says and not for how it ends."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

from pydicom.encaps import get_frame

_ITEM = b"\xfe\xff\x00\xe0"
_CODESTREAMS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP")  # JPEG and JPEG-LS, JPEG 2000, and in boxes
_RLE_HEADER_BYTES = 64


def frame_bytes(data: bytes, start: int, index: int, n_frames: int, offsets: tuple[bytes, bytes] | None) -> bytes:
    """Join the fragments of one frame.

    Where frames and fragments tell by their number what belongs together, no offset table is asked: one frame has all
    fragments, and as many frames as fragments have one each. The sequence ends where the next item should begin and
    something else stands.

    Parameters
    ----------
    start
        Where the first item begins.
    offsets
        Extended Offset Table and its lengths, when there are.

    Raises
    ------
    ValueError
        The frame is not there, or cannot be told from its neighbours.
    """
    items = list(_items(data, start))
    fragments = items if items and _is_fragment(items[0]) else items[1:]
    if n_frames == 1 and fragments:
        return b"".join(fragments)
    if len(fragments) == n_frames:
        return bytes(fragments[index])
    buffer = io.BytesIO(data)
    buffer.seek(start)
    return get_frame(buffer, index, number_of_frames=n_frames, extended_offsets=offsets)


def _items(data: bytes, start: int) -> Iterator[memoryview]:
    """Values of the items, the offset table's first; one that reaches beyond the file as far as it is there."""
    view = memoryview(data)
    while data[start : start + 4] == _ITEM and start + 8 <= len(data):
        length = int.from_bytes(data[start + 4 : start + 8], "little")
        yield view[start + 8 : start + 8 + length]
        start += 8 + length


def _is_fragment(item: memoryview) -> bool:
    """Whether the first item is a fragment already, because the writer left the offset table out."""
    head = bytes(item[:_RLE_HEADER_BYTES])
    if len(head) < _RLE_HEADER_BYTES:
        return False
    if head.startswith(_CODESTREAMS):
        return True
    n_segments, *segments = struct.unpack("<16I", head)
    return 0 < n_segments < 16 and segments[0] == _RLE_HEADER_BYTES and not any(segments[n_segments:])
