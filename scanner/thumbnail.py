"""Small pictures for the report."""

from __future__ import annotations

import math

import cv2

from cxrscan.scanner.preprocess import resize
from cxrscan.scanner.records import FloatImage

_JPEG_QUALITY = 80


def make_thumbnail(pixels: FloatImage, long_side_px: int) -> bytes:
    """A grey JPEG of a film, aspect ratio kept, never enlarged.

    Parameters
    ----------
    pixels
        float32 array, shape (H, W), values in [0, 1].
    long_side_px
        Length of the longer side of the result.
    """
    height, width = pixels.shape
    scale = min(1.0, long_side_px / max(height, width))
    block = math.ceil(0.5 / scale)  # whole blocks are averaged many times faster; the rest, at an edge, is left out
    if block > 1 and min(height, width) >= block:
        rows, columns = height // block, width // block
        pixels = resize(pixels[: rows * block, : columns * block], columns, rows)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size)  # bilinear, which up to two to one leaves no pixel out
    grey = cv2.convertScaleAbs(small, alpha=255.0)  # rounds and saturates
    return bytes(cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1])
