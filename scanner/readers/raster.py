"""Raster pictures -> ``Radiograph``: what their formats have in common.

Pillow decodes wherever it keeps every bit, because it tells a truncated file from a whole one and reads JPEGs at a
reduced DCT scale (ITU-T T.81; libjpeg's scaled inverse DCT), which costs less than a full decode.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.readers.grey import grey_of, luminance, mean_chroma, over
from cxrscan.scanner.readers.options import ReadOptions
from cxrscan.scanner.records import FloatImage, Radiograph
from cxrscan.scanner.system.quiet import silent_warnings

Samples = npt.NDArray[Any]

Image.preinit()  # else Pillow loads its decoders while the first film waits
Image.MAX_IMAGE_PIXELS = None  # Pillow's fixed limit; ``check_size`` has one that the user can raise
_SAID = {
    "truncated": "The picture ends early.",
    "decode-failed": "The picture is damaged, or uses a feature that the decoder does not know.",
}
_DEEP_MODES = {"I;16", "I;16B", "I;16L", "I;16N", "I", "F"}
_UPRIGHT, _TURNED = 1, 5
#: How the stored picture becomes upright, by EXIF orientation (CIPA DC-008 section 4.6.5, TIFF 6.0).
_TURNS: dict[int, Callable[[FloatImage], FloatImage]] = {
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.T,
    6: lambda stored: stored[::-1].T,
    7: lambda stored: stored[::-1, ::-1].T,
    8: lambda stored: stored.T[::-1],
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture as its decoder gave it."""

    kind: str
    """``Format.kind``, the first step of ``pixel_path``."""
    values: Samples
    """shape (h, w), or (h, w, 3) for colour: bytes, wider integers or floats; not turned yet."""
    width_px: int
    """Width of the stored picture, which ``values`` may hold at reduced scale."""
    height_px: int
    alpha: Samples | None = None
    """shape (h, w), opacity in the type of ``values``."""
    depth_bits: int = 0
    """Least number of bits per value that the file states; 0 where it states no more than its container."""
    is_inverted: bool = False
    """Whether 0 is white."""
    orientation: Any = _UPRIGHT
    """What the file says of it."""
    steps: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


def read_raster(kind: str, data: bytes, options: ReadOptions) -> Radiograph:
    """Decode a picture of a format that Pillow reads as it stands.

    Raises
    ------
    FilmError
        ``too-large``, ``truncated`` or ``decode-failed``.
    """
    with decoding_errors(), Image.open(io.BytesIO(data), formats=[kind.upper()]) as image:
        check_size(*image.size, options)
        reasons = ("multi-frame",) if getattr(image, "n_frames", 1) > 1 else ()
        orientation = image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT)
        values, alpha = samples_of(image)
        return to_radiograph(Decoded(kind, values, *image.size, alpha=alpha, orientation=orientation, reasons=reasons))


@contextmanager
def decoding_errors() -> Iterator[None]:
    """Tell what decoders raise for damaged files as ``FilmError``, and keep their warnings back.

    Raises
    ------
    FilmError
        ``truncated`` or ``decode-failed``.
    """
    with silent_warnings:  # about oddities that the readers judge themselves
        try:
            yield
        except UnidentifiedImageError:
            raise FilmError("decode-failed", "The picture uses a feature that no decoder here knows.") from None
        except (
            *(ArithmeticError, AttributeError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError),
            *(ValueError, struct.error, zlib.error),
        ) as error:
            problem = str(error).lower()  # which may quote the file, and is told nobody
            code = "truncated" if "truncated" in problem or "read error" in problem else "decode-failed"
            raise FilmError(code, _SAID[code]) from error


def check_size(width_px: int, height_px: int, options: ReadOptions) -> None:
    """Refuse a picture from its header, before memory is taken.

    Raises
    ------
    FilmError
        ``too-large``.
    """
    limit = options.max_megapixels
    if width_px * height_px > limit * 1e6:
        raise FilmError(
            "too-large", f"{width_px} x {height_px} pixels are more than the limit of {limit:g} megapixels."
        )


def decode_with_pillow(data: bytes, pillow_format: str) -> tuple[Samples, Samples | None]:
    """Samples and opacity of a picture whose size has been checked."""
    with Image.open(io.BytesIO(data), formats=[pillow_format]) as image:
        return samples_of(image)


def samples_of(image: Image.Image) -> tuple[Samples, Samples | None]:
    """Samples and opacity of an open picture; grey as it is stored, all else as red, green and blue."""
    if image.mode in _DEEP_MODES or image.mode == "L":
        return np.asarray(image), None
    if image.mode == "1":
        return np.asarray(image.convert("L")), None
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        rgba = np.asarray(image if image.mode == "RGBA" else image.convert("RGBA"))
        return rgba[..., :3], rgba[..., 3]
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB")), None


def to_radiograph(decoded: Decoded) -> Radiograph:
    """Make a film of a decoded picture: grey, bright = dense, upright."""
    pixels, chroma, step = _grey(decoded)
    if decoded.is_inverted:
        pixels = 1.0 - pixels
    orientation, is_known = orientation_of(decoded.orientation)
    if orientation != _UPRIGHT:
        pixels = np.ascontiguousarray(_TURNS[orientation](pixels))
    size = (decoded.width_px, decoded.height_px)
    width_px, height_px = size if orientation < _TURNED else size[::-1]
    steps = [
        *(decoded.kind, *decoded.steps),
        *(["exif"] if orientation != _UPRIGHT else []),
        *([step] if step else []),
        *(["invert"] if decoded.is_inverted else []),
    ]
    reasons = decoded.reasons if is_known else (*decoded.reasons, "orientation-unknown")
    return Radiograph(pixels, width_px, height_px, ">".join(steps), chroma, reasons=reasons)


def orientation_of(said: Any) -> tuple[int, bool]:
    """EXIF orientation, 1 to 8, and whether what a file says of it can be understood; 0 says nothing."""
    if isinstance(said, tuple) and said:
        said = said[0]
    text = said.decode("latin-1") if isinstance(said, bytes) else str(said)
    number = int(text) if text.strip().isdecimal() else -1
    return (number or _UPRIGHT, True) if number in range(9) else (_UPRIGHT, False)


def exif_orientation(exif: bytes) -> Any:
    """What an EXIF block, without its ``Exif`` prefix, says of the orientation; 1 where it is damaged or silent."""
    found = Image.Exif()
    try:
        with silent_warnings:
            found.load(exif)
            return found.get(ExifTags.Base.Orientation, _UPRIGHT)
    except (ArithmeticError, AttributeError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error):
        return _UPRIGHT


def _grey(decoded: Decoded) -> tuple[FloatImage, float, str]:
    """Grey values in [0, 1], the mean chroma in [0, 1], and the name of the step."""
    values, alpha = decoded.values, decoded.alpha
    if alpha is not None and not alpha.any():
        alpha = None  # nothing would be left: a fourth channel that nobody has filled
    if values.ndim == 2:
        grey, step = grey_of(values, decoded.depth_bits)
        return (grey, 0.0, step) if alpha is None else (grey * _opacity(alpha), 0.0, "alpha")
    white, step = 255.0, "luminance"
    if values.dtype != np.uint8:  # three channels of one depth
        deep, depth = grey_of(values.reshape(len(values), -1), decoded.depth_bits)
        values, white, step = deep.reshape(values.shape), 1.0, f"{depth}>luminance"
    if alpha is not None:  # on black, the background of a film
        values, step = values * _opacity(alpha)[..., np.newaxis], "alpha"
    return luminance(values, white), mean_chroma(values, white), step


def _opacity(alpha: Samples) -> FloatImage:
    """Opacity in [0, 1]."""
    return over(alpha, np.iinfo(alpha.dtype).max) if alpha.dtype.kind in "iu" else alpha.astype(np.float32)
