"""From the samples of a raster picture to grey values in [0, 1]: depth, colour, transparency."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cxrscan.scanner.records import FloatImage

DEPTHS = (8, 10, 12, 14, 16)
"""Bits per value that detectors and exports use, whatever the container holds."""

_BLOCK_PIXELS = 1 << 20  # worked on at a time where colours would take twelve bytes per pixel
_LATTICE_SAMPLES = 1 << 16
_REPEATED_BYTE = 257  # 8 bits spread over 16
_NEAR_WHITE = 0.9


def reached_bits(largest: float, at_least: int = 0) -> int:
    """Bits of the smallest depth whose values reach as far; 16 for more.

    Parameters
    ----------
    largest
        Largest value; ``2**bits`` itself still counts, because some scale by that.
    at_least
        What the file says of the depth where its container would hold more.
    """
    return next((bits for bits in DEPTHS if bits >= at_least and largest <= 1 << bits), DEPTHS[-1])


def depth_bits(values: npt.NDArray[np.unsignedinteger[Any]], at_least: int = 0) -> int:
    """Bits per value of a picture whose container may hold more.

    A dark picture of the container's full depth is told from one of fewer bits by its steps: whoever spreads 8, 10
    or 12 bits over 16 leaves gaps, and an export of fewer bits comes near the white of those.

    Parameters
    ----------
    values
        Unsigned integers of 16 bits, any shape, or wider ones that fit into 16.
    """
    largest = int(values.max())
    bits = reached_bits(largest, at_least)
    if bits == DEPTHS[-1] or largest == 0:
        return bits
    stride = max(1, values.size // _LATTICE_SAMPLES)
    step = int(np.gcd.reduce(values.reshape(-1)[::stride]))
    shift = (step & -step).bit_length() - 1  # times that the values can be halved
    is_shifted = shift > 0 and (bits - shift < DEPTHS[0] or largest < _NEAR_WHITE * (1 << bits))
    is_spread = step > 0 and (is_shifted or step % _REPEATED_BYTE == 0)
    return DEPTHS[-1] if is_spread else bits


def grey_of(values: npt.NDArray[Any], at_least: int = 0) -> tuple[FloatImage, str]:
    """Grey values in [0, 1] of one-sample pixels, and the name of the step where there was a choice.

    Bytes count from 0 to 255, wider integers over the bits that they reach, floats in [0, 1] as they are, and
    anything else over its own range.

    Parameters
    ----------
    values
        shape (H, W).
    at_least
        Bits per value that the file states, where its container holds more.
    """
    if values.dtype == np.uint8:
        return over(values, 255), ""
    if values.dtype.kind in "iu" and values.min() >= 0 and values.max() < 1 << DEPTHS[-1]:
        bits = depth_bits(values, at_least)
        return np.minimum(over(values, (1 << bits) - 1), 1.0), f"{bits}-bit"
    grey: FloatImage = values.astype(np.float32)
    np.nan_to_num(grey, copy=False, posinf=0.0, neginf=0.0)
    low, high = grey.min(), grey.max()
    if values.dtype.kind == "f" and low >= 0.0 and high <= 1.0:
        return grey, "float"
    half_range = max(high / 2 - low / 2, np.float32(1e-6))  # the whole may be more than a float holds
    return (grey / 2 - low / 2) / half_range, "range"


def over(values: npt.NDArray[Any], white: int) -> FloatImage:
    """Values divided by the largest that they may have, with one array taken."""
    grey: FloatImage = values.astype(np.float32)
    grey /= np.float32(white)
    return grey


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
