"""JPEG, PNG, TIFF and BMP files -> ``Radiograph``.

Pillow decodes, because it tells a truncated file from a whole one, honours EXIF orientation, and reads
JPEGs at a reduced DCT scale (ITU-T T.81; libjpeg's scaled inverse DCT), which costs less than a full decode.
"""

from __future__ import annotations

import io
from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from scanner.errors import FilmError
from scanner.readers.options import ReadOptions
from scanner.records import FloatImage, Radiograph
from scanner.system.quiet import silent_stderr, silent_warnings

Image.MAX_IMAGE_PIXELS = None  # Pillow's fixed limit; ``read_raster`` has one that the user can raise
_BLOCK_PIXELS = 1 << 20  # worked on at a time where colours would take twelve bytes per pixel
_DEEP_MODES = {"I;16", "I;16B", "I;16L", "I;16N", "I", "F"}


def read_raster(data: bytes, pillow_format: str, options: ReadOptions) -> Radiograph:
    """Decode a raster film to luminance.

    Parameters
    ----------
    data
        The file's bytes.
    pillow_format
        Name of their format in Pillow.

    Raises
    ------
    FilmError
        ``not-an-image``, ``too-large``, ``truncated`` or ``decode-failed``.
    """
    with silent_warnings:  # Pillow warns about oddities that this reader judges itself
        try:
            with Image.open(io.BytesIO(data), formats=[pillow_format]) as image:
                if image.format == "PNG":
                    _verify_checksums(data)
                with silent_stderr if image.format == "TIFF" else nullcontext():  # libtiff tells of each bad line
                    return _read_open_image(image, options)
        except UnidentifiedImageError:
            raise FilmError("not-an-image", "The content is not a picture in any known format.") from None
        except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, KeyError) as error:
            # The exceptions that Pillow's decoders let through for damaged files.
            code = "truncated" if "truncated" in str(error).lower() else "decode-failed"
            raise FilmError(code, f"The picture cannot be decoded: {error}.") from error


def _verify_checksums(data: bytes) -> None:
    """Hold every chunk of a PNG against its CRC; decoding alone fills what a damaged one lacks with black."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        image.verify()


def _read_open_image(image: Image.Image, options: ReadOptions) -> Radiograph:
    width_px, height_px = image.size
    limit = options.max_megapixels
    for width, height in (image.size, _tile_size(image)):
        if width * height > limit * 1e6:
            raise FilmError("too-large", f"{width} x {height} pixels are more than the limit of {limit:g} megapixels.")
    steps = [(image.format or "").lower()]
    if image.format == "JPEG":
        image.draft("L" if image.mode == "L" else "RGB", (options.min_side_px, options.min_side_px))
        if image.size != (width_px, height_px):
            steps.append(f"1/{round(width_px / image.size[0])}")
    reasons = ("multi-frame",) if _has_pages(image) else ()
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    if orientation != 1:
        image = ImageOps.exif_transpose(image)
        steps.append("exif")
        if orientation >= 5:
            width_px, height_px = height_px, width_px
    pixels, chroma, step = _luminance(image)
    steps += [step] if step else []
    return Radiograph(pixels, width_px, height_px, ">".join(steps), chroma, reasons=reasons)


def _tile_size(image: Image.Image) -> tuple[int, int]:
    """Size of a TIFF's tiles, which are decoded whole and may be larger than the picture."""
    tags = getattr(image, "tag_v2", {})
    sides = [tags.get(tag, 0) for tag in (TiffImagePlugin.TILEWIDTH, TiffImagePlugin.TILELENGTH)]
    width, height = (side if isinstance(side, int) else 0 for side in sides)
    return width, height


def _has_pages(image: Image.Image) -> bool:
    """Whether there is a second page; counting them all takes long where a file claims very many."""
    if image.format != "TIFF":
        return getattr(image, "n_frames", 1) > 1  # from the header
    try:
        image.seek(1)
    except EOFError:
        return False
    image.seek(0)
    return True


def _luminance(image: Image.Image) -> tuple[FloatImage, float, str]:
    """Grey values in [0, 1], the mean chroma in [0, 1], and the name of the step."""
    if image.mode in _DEEP_MODES:
        return _deep_grey(np.asarray(image))
    if image.mode in {"L", "1"}:
        return _over(_values(image, "L"), 255), 0.0, ""
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        return _flatten(image.convert("RGBA"))
    rgb = _values(image, "RGB")
    return luminance(rgb), mean_chroma(rgb), "luminance"


def _values(image: Image.Image, mode: str) -> npt.NDArray[Any]:
    """Pixels in a mode, copied first only where they are in another."""
    return np.asarray(image if image.mode == mode else image.convert(mode))


def _deep_grey(values: npt.NDArray[np.generic]) -> tuple[FloatImage, float, str]:
    """Floats in [0, 1] as they are; integers over the detector's bits; anything else over its own range."""
    if np.issubdtype(values.dtype, np.integer):
        smallest, largest = values.min(), values.max()
        for bits in (8, 12, 16):  # 16-bit files often hold fewer
            if smallest >= 0 and largest < 2**bits:
                return _over(values, 2**bits - 1), 0.0, f"{bits}-bit"
    grey: FloatImage = values.astype(np.float32)
    np.nan_to_num(grey, copy=False, posinf=0.0, neginf=0.0)
    low, high = grey.min(), grey.max()
    if np.issubdtype(values.dtype, np.floating) and low >= 0.0 and high <= 1.0:
        return grey, 0.0, "float"
    half_range = max(high / 2 - low / 2, np.float32(1e-6))  # the whole may be more than a float holds
    return (grey / 2 - low / 2) / half_range, 0.0, "range"


def _over(values: npt.NDArray[np.generic], white: int) -> FloatImage:
    """Values divided by the largest that they may have, with one array taken."""
    grey: FloatImage = values.astype(np.float32)
    grey /= np.float32(white)
    return grey


def _flatten(image: Image.Image) -> tuple[FloatImage, float, str]:
    """Lay a picture with transparency on black, the background of a film."""
    black = Image.new("RGBA", image.size, (0, 0, 0, 255))
    rgb = np.asarray(Image.alpha_composite(black, image).convert("RGB"))
    return luminance(rgb), mean_chroma(rgb), "alpha"


def luminance(rgb: npt.NDArray[Any], white: float = 255.0) -> FloatImage:
    """ITU-R BT.601 luma of unsigned RGB with the given largest value, shape (H, W, 3) -> (H, W) in [0, 1]."""
    weights = np.array([0.299, 0.587, 0.114], dtype=np.float32) / np.float32(white)
    grey = np.empty(rgb.shape[:2], dtype=np.float32)
    n_rows = max(1, _BLOCK_PIXELS // rgb.shape[1])
    for row in range(0, len(rgb), n_rows):
        np.matmul(rgb[row : row + n_rows].astype(np.float32), weights, out=grey[row : row + n_rows])
    return grey


def mean_chroma(rgb: npt.NDArray[Any], white: float = 255.0) -> float:
    """Mean difference between the largest and the smallest channel of unsigned RGB, in [0, 1]."""
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]  # pairwise, because reducing over an axis of 3 is slow
    largest, smallest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    return float((largest - smallest).mean()) / white
