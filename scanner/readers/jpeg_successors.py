"""JPEG 2000 (ITU-T T.800) and JPEG XL (ISO/IEC 18181) files, which imagecodecs decodes with every bit."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from cxrscan.scanner.readers.options import ReadOptions
from cxrscan.scanner.readers.raster import Decoded, Samples, check_size, decoding_errors, to_radiograph
from cxrscan.scanner.records import Radiograph

_START_OF_CODESTREAM = b"\xff\x4f\xff\x51"
_JPEG_XL_CODESTREAM = b"\xff\x0a"
_BOXES_BYTES = 1 << 16  # the codestream begins among the first
_MAX_SAMPLES = 4
#: Width over height by code, and bits of a side by selector: ISO/IEC 18181-1 annex C.2.
_RATIOS = (None, *map(Fraction, ("1", "6/5", "4/3", "3/2", "16/9", "5/4", "2")))
_SIDE_BITS = (9, 13, 18, 30)


def read_jpeg_2000(data: bytes, options: ReadOptions) -> Radiograph:
    """Decode a JPEG 2000 file, or a bare codestream.

    Raises
    ------
    FilmError
        ``too-large``, ``truncated`` or ``decode-failed``.
    """
    with decoding_errors():
        import imagecodecs  # slow to import, and hardly ever needed

        start = data.index(_START_OF_CODESTREAM, 0, _BOXES_BYTES) + 8  # SIZ: T.800 A.5.1
        right, bottom, left, top = (int.from_bytes(data[start + i : start + i + 4], "big") for i in (0, 4, 8, 12))
        width_px, height_px = right - left, bottom - top
        n_samples, bits = int.from_bytes(data[start + 32 : start + 34], "big"), (data[start + 34] & 0x7F) + 1
        check_size(width_px, height_px, options)
        values, alpha = _parted(imagecodecs.jpeg2k_decode(data), n_samples)
    depth_bits = bits if 8 < bits < 16 else 0
    return to_radiograph(Decoded("jp2", values, width_px, height_px, alpha=alpha, depth_bits=depth_bits))


def read_jpeg_xl(data: bytes, options: ReadOptions) -> Radiograph:
    """Decode the first frame of a JPEG XL file, or of a bare codestream.

    Raises
    ------
    FilmError
        ``too-large``, ``truncated`` or ``decode-failed``.
    """
    with decoding_errors():
        import imagecodecs  # slow to import, and hardly ever needed

        width_px, height_px = _jpeg_xl_size(data)
        check_size(width_px, height_px, options)
        values = imagecodecs.jpegxl_decode(data, index=0)  # upright already
        values, alpha = _parted(values, 1 if values.ndim == 2 else values.shape[-1])
        height_px, width_px = values.shape[:2]
    return to_radiograph(Decoded("jxl", values, width_px, height_px, alpha=alpha))


def _parted(values: Any, n_samples: int) -> tuple[Samples, Samples | None]:
    """Colours and opacity."""
    if n_samples > _MAX_SAMPLES:
        raise ValueError(f"it holds {n_samples} samples per pixel")
    if values.ndim == 2:
        return values, None
    colours = 3 if n_samples >= 3 else 1
    return (values[..., :3] if colours == 3 else values[..., 0]), values[..., -1] if n_samples > colours else None


def _jpeg_xl_size(data: bytes) -> tuple[int, int]:
    """Width and height that a codestream claims; its bits count from the lowest of each byte."""
    start = data.index(_JPEG_XL_CODESTREAM, 0, _BOXES_BYTES) + len(_JPEG_XL_CODESTREAM)
    bits = int.from_bytes(data[start : start + 16], "little")

    def take(n: int) -> int:
        nonlocal bits
        taken = bits & ((1 << n) - 1)
        bits >>= n
        return taken

    is_small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if is_small else take(_SIDE_BITS[take(2)]) + 1

    height_px = side()
    ratio = _RATIOS[take(3)]
    return (int(height_px * ratio) if ratio else side()), height_px
