"""The only resize and scale code for what the network sees; training imports it too."""

from __future__ import annotations

import math

import cv2
import numpy as np

from cxrscan.scanner.records import FloatImage

_MUCH_SMALLER = 4  # times fewer pixels; up to there OpenCV is as fast
_ROWS_AT_ONCE = 8  # more multiply by more zeros, fewer make more products


def resize(pixels: FloatImage, width_px: int, height_px: int) -> FloatImage:
    """Resample by area averaging when shrinking, bilinearly when growing.

    Parameters
    ----------
    pixels
        float32 array, shape (H, W).

    Returns
    -------
    float32 array, shape (height_px, width_px), within the range of the input.
    """
    if pixels.shape == (height_px, width_px):
        return pixels
    height, width = pixels.shape
    shrinks = height >= height_px and width >= width_px
    has_whole_blocks = height % height_px == 0 and width % width_px == 0
    if not shrinks or has_whole_blocks or height * width < _MUCH_SMALLER * height_px * width_px:
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(pixels, (width_px, height_px), interpolation=interpolation), dtype=np.float32)
    return np.ascontiguousarray(_average_rows(_average_rows(pixels, height_px).T, width_px).T)


def _average_rows(pixels: FloatImage, n_rows: int) -> FloatImage:
    """Average rows, weighted by the share of each that falls into a row of the result, shape (n_rows, W).

    OpenCV's INTER_AREA in one direction, as products of small matrices, which take a third of its time.
    """
    step = len(pixels) / n_rows
    n_products = math.ceil(n_rows / _ROWS_AT_ONCE)
    upper = (np.arange(n_products * _ROWS_AT_ONCE) * step).reshape(n_products, _ROWS_AT_ONCE, 1)
    first = upper[:, 0, 0].astype(np.intp)
    rows = first[:, np.newaxis, np.newaxis] + np.arange(math.ceil(_ROWS_AT_ONCE * step) + 1)
    shares = np.minimum(upper + step, rows + 1) - np.maximum(upper, rows)
    weights = np.asarray(np.maximum(shares, 0.0) / step, dtype=np.float32)
    averaged = np.empty((n_products * _ROWS_AT_ONCE, pixels.shape[1]), dtype=np.float32)
    for i in range(n_products):
        covered = pixels[first[i] : first[i] + rows.shape[-1]]
        np.matmul(weights[i, :, : len(covered)], covered, out=averaged[i * _ROWS_AT_ONCE : (i + 1) * _ROWS_AT_ONCE])
    return averaged[:n_rows]


def to_model_input(pixels: FloatImage, input_px: int) -> FloatImage:
    """Make the network's input from a film: the whole film squashed to a square.

    Parameters
    ----------
    pixels
        float32 array, shape (H, W), values in [0, 1], bright = dense.
    input_px
        Side of the square, from the model bundle.

    Returns
    -------
    float32 array, shape (input_px, input_px, 1), values in [0, 1].
    """
    return np.clip(resize(pixels, input_px, input_px), 0.0, 1.0)[..., np.newaxis]
