"""JPEG files (ITU-T T.81) and JPEG-LS files (T.87): what makes the picture, without the rest.

Metadata is cut off before the picture is decoded, whatever is wrong with it; only the orientation is read from it.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

from PIL import Image

from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.readers.options import ReadOptions
from cxrscan.scanner.readers.raster import (
    Decoded,
    check_size,
    decoding_errors,
    exif_orientation,
    samples_of,
    to_radiograph,
)
from cxrscan.scanner.records import Radiograph

_START_OF_SCAN, _ADOBE, _JFIF, _EXIF_OR_XMP, _COMMENT = 0xDA, 0xEE, 0xE0, 0xE1, 0xFE
_APPLICATION = range(0xE0, 0xF0)
_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_BY_PILLOW = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
"""Sequential and progressive, with Huffman and arithmetic coding; of 8 bits."""
_LOSSLESS, _JPEG_LS = 0xC3, 0xF7
_UNKNOWN = {
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "a hierarchical JPEG"),
    0xCB: "a lossless JPEG with arithmetic coding",
}
_END = b"\xff\xd9"
_EXIF = b"Exif\0\0"
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=\"|>)\s*([0-9])")


@dataclass(frozen=True, slots=True)
class _Jpeg:
    """What stands before the first scan of a file."""

    picture: bytes
    """The file without metadata."""
    frame: int = 0xC0
    """Marker of the frame: the process by which the picture is coded (T.81 table B.1)."""
    bits: int = 8
    width_px: int = 0
    height_px: int = 0
    orientation: Any = 1


def read_jpeg(data: bytes, options: ReadOptions) -> Radiograph:
    """Decode a JPEG file, at reduced scale where that leaves enough pixels.

    Raises
    ------
    FilmError
        ``too-large``, ``truncated`` or ``decode-failed``.
    """
    with decoding_errors():
        jpeg = _look_into(data)
        check_size(jpeg.width_px, jpeg.height_px, options)
        if jpeg.frame in _UNKNOWN:
            raise FilmError("decode-failed", f"The picture is {_UNKNOWN[jpeg.frame]}, which no decoder here knows.")
        if jpeg.frame in _BY_PILLOW and jpeg.bits == 8:
            return to_radiograph(_decode(jpeg, options))
        return to_radiograph(_decode_deep(jpeg))


def _decode(jpeg: _Jpeg, options: ReadOptions) -> Decoded:
    with Image.open(io.BytesIO(jpeg.picture), formats=["JPEG"]) as image:
        width_px, height_px = image.size
        check_size(width_px, height_px, options)
        image.draft("L" if image.mode == "L" else "RGB", (options.min_side_px, options.min_side_px))
        steps = (f"1/{round(width_px / image.size[0])}",) if image.size != (width_px, height_px) else ()
        values, _ = samples_of(image)
    return Decoded("jpeg", values, width_px, height_px, orientation=jpeg.orientation, steps=steps)


def _decode_deep(jpeg: _Jpeg) -> Decoded:
    """Decode what Pillow does not: 12 bits, lossless JPEG and JPEG-LS."""
    import imagecodecs  # slow to import, and hardly ever needed

    if _END not in jpeg.picture:  # the decoders fill what is missing with grey
        raise FilmError("truncated", "The picture cannot be decoded: the file is truncated.")
    decode = imagecodecs.jpegls_decode if jpeg.frame == _JPEG_LS else imagecodecs.jpeg8_decode
    step = "jpeg-ls" if jpeg.frame == _JPEG_LS else "lossless" if jpeg.frame == _LOSSLESS else ""
    return Decoded(
        kind="jpeg",
        values=decode(jpeg.picture),
        width_px=jpeg.width_px,
        height_px=jpeg.height_px,
        depth_bits=jpeg.bits if jpeg.bits < 16 else 0,
        orientation=jpeg.orientation,
        steps=(step,) if step else (),
    )


def _look_into(data: bytes) -> _Jpeg:
    """Read the segments before the first scan; a file whose segments make no sense is left to the decoder."""
    kept = [data[:2]]
    found: dict[str, Any] = {}
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker in _NO_LENGTH:  # fill bytes, and markers that stand alone
            at += 1 if marker == 0xFF else 2
            continue
        if marker == _START_OF_SCAN:
            is_bare = sum(map(len, kept)) == at  # then no copy is needed
            return _Jpeg(data if is_bare else b"".join((*kept, data[at:])), **found)
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        content = data[at + 4 : end]
        if marker in _FRAMES and len(content) >= 5:
            bits, height, width = content[0], content[1:3], content[3:5]
            sides = {"height_px": int.from_bytes(height, "big"), "width_px": int.from_bytes(width, "big")}
            found |= {"frame": marker, "bits": bits, **sides}
        if marker == _EXIF_OR_XMP:
            found |= _orientation(content, found)
        if marker in {_JFIF, _ADOBE} or not (marker in _APPLICATION or marker == _COMMENT):
            kept.append(data[at:end])
        at = end
    return _Jpeg(data)


def _orientation(content: bytes, found: dict[str, Any]) -> dict[str, Any]:
    """What a segment of metadata says of the orientation; EXIF before XMP."""
    if content.startswith(_EXIF):
        return {"orientation": exif_orientation(content[len(_EXIF) :])}
    said = _XMP_ORIENTATION.search(content)
    return {"orientation": int(said[1])} if said and "orientation" not in found else {}
