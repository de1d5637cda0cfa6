"""How far heat maps point to where radiologists saw something."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from cxrscan.scanner.metrics import BoolArray, FloatArray
from cxrscan.scanner.records import FloatImage


def enlarge(heat_map: FloatImage, side_px: int) -> FloatImage:
    """Lay a heat map over a square film, interpolated linearly between its cells; the report draws a smoother one.

    Parameters
    ----------
    heat_map
        float array, shape (h, w).

    Returns
    -------
    float32 array, shape (side_px, side_px).
    """
    size = (side_px, side_px)
    return np.asarray(cv2.resize(heat_map.astype(np.float32), size, interpolation=cv2.INTER_LINEAR))


def hits(heat_maps: FloatImage, masks: Sequence[FloatImage]) -> BoolArray:
    """Whether the hottest point lies in a box (pointing game: Zhang et al. 2018, "Top-down neural attention").

    Parameters
    ----------
    heat_maps
        float array, shape (N, h, w); a map without heat points nowhere.
    masks
        N float arrays, shape (S, S): 1 inside of boxes, 0 outside.

    Returns
    -------
    bool array, shape (N,).
    """
    return np.array([_hits(heat, mask) for heat, mask in zip(heat_maps, masks, strict=True)], dtype=np.bool_)


def _hits(heat_map: FloatImage, mask: FloatImage) -> bool:
    heat = enlarge(heat_map, len(mask))
    hottest = np.unravel_index(int(heat.argmax()), heat.shape)
    return bool(heat.max() > 0 and mask[hottest] > 0)


def shares_inside(heat_maps: FloatImage, masks: Sequence[FloatImage]) -> FloatArray:
    """Share of the heat that lies in boxes; 0 for a map without heat.

    Parameters
    ----------
    heat_maps
        float array, shape (N, h, w).
    masks
        N float arrays, shape (S, S): 1 inside of boxes, 0 outside.

    Returns
    -------
    float64 array, shape (N,), values in [0, 1].
    """
    return np.array([_share_inside(heat, mask) for heat, mask in zip(heat_maps, masks, strict=True)])


def _share_inside(heat_map: FloatImage, mask: FloatImage) -> float:
    heat = enlarge(heat_map, len(mask))
    total = float(heat.sum())
    return float((heat * mask).sum()) / total if total > 0 else 0.0
