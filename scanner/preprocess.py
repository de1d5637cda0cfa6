"""The only resize and scale code in the project; training imports it too."""

from __future__ import annotations

import cv2
import numpy as np

from scanner.records import FloatImage


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
    shrinks = pixels.shape[0] >= height_px and pixels.shape[1] >= width_px
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width_px, height_px), interpolation=interpolation), dtype=np.float32)


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
