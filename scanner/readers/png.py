"""PNG files (W3C Portable Network Graphics): what makes the picture, without the rest.

A chunk that no pixel needs (text, colour profile, resolution) is never looked into, whatever is wrong with it; one that
makes the picture is held against its checksum, because decoding alone fills what a damaged one lacks with black.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.readers.options import ReadOptions
from cxrscan.scanner.readers.raster import (
    Decoded,
    Samples,
    check_size,
    decode_with_pillow,
    decoding_errors,
    exif_orientation,
    to_radiograph,
)
from cxrscan.scanner.records import Radiograph

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NEEDED = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_DEEP_BITS = 16
_GREY = 0


def read_png(data: bytes, options: ReadOptions) -> Radiograph:
    """Decode a PNG file.

    Raises
    ------
    FilmError
        ``too-large``, ``truncated`` or ``decode-failed``.
    """
    with decoding_errors():
        needed, rest = [_SIGNATURE], dict[bytes, memoryview]()
        for kind, chunk in _chunks(memoryview(data)):
            is_sound = zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
            if kind in _NEEDED:
                if not is_sound:
                    raise FilmError("decode-failed", "The picture is damaged: the checksum of a part of it is wrong.")
                needed.append(bytes(chunk))
            elif is_sound:
                rest.setdefault(kind, chunk[8:-4])
        width_px, height_px, bits, colour = struct.unpack_from(">IIBB", needed[1][8:] if needed[1:] else b"")
        check_size(width_px, height_px, options)
        picture = b"".join(needed)
        if bits == _DEEP_BITS and colour != _GREY:  # Pillow keeps the high bytes only
            values, alpha = _decode_deep(picture)
        else:
            values, alpha = decode_with_pillow(picture, "PNG")
    n_frames = int.from_bytes(rest.get(b"acTL", b"")[:4], "big")  # of an animation
    return to_radiograph(
        Decoded(
            kind="png",
            values=values,
            alpha=alpha,
            width_px=width_px,
            height_px=height_px,
            orientation=exif_orientation(bytes(rest.get(b"eXIf", b""))),
            reasons=("multi-frame",) if n_frames > 1 else (),
        )
    )


def _chunks(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Kind and all bytes of each chunk up to the last."""
    start = len(_SIGNATURE)
    while start < len(data):
        kind = bytes(data[start + 4 : start + 8])
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        if end > len(data):
            raise ValueError("the file is truncated")
        if not kind.isalpha():
            raise ValueError("it holds a part without a name")
        yield kind, data[start:end]
        if kind == b"IEND":
            return
        start = end


def _decode_deep(picture: bytes) -> tuple[Samples, Samples | None]:
    import imagecodecs  # slow to import, and hardly ever needed

    values = imagecodecs.png_decode(picture)
    colours = 3 if values.shape[2] >= 3 else 1
    alpha = values[..., -1] if values.shape[2] > colours else None
    return (values[..., 0] if colours == 1 else values[..., :colours]), alpha
