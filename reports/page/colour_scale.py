"""The colours of the heat map: one scale for report and viewer, fixed per model.

Matplotlib's *inferno* (Smith and van der Walt 2015) from its purple on: even steps to the eye, readable with every
kind of colour blindness and in grey print. Opacity grows with the level from none to full, so that the film stays
visible where the map is faint.
"""

from __future__ import annotations

import base64

import numpy as np
import numpy.typing as npt

HEAT_SIDE = 7
"""Cells along one side of a heat map."""

STOPS: tuple[tuple[int, int, int], ...] = (
    (87, 15, 109),
    (138, 34, 105),
    (187, 55, 84),
    (227, 89, 51),
    (249, 140, 8),
    (249, 201, 50),
    (252, 255, 164),
)
"""Red, green and blue at even steps from 0 to the top of the scale."""


def heat_levels(heat_map: bytes, scale: float) -> npt.NDArray[np.uint8]:
    """Place a heat map on the scale.

    Parameters
    ----------
    heat_map
        7 x 7 little-endian float16 values in logit units.
    scale
        Value at the top of the scale, ``ModelSpec.heat_scale``.

    Returns
    -------
    uint8 array, shape (7, 7); 255 is the top of the scale.
    """
    values = np.frombuffer(heat_map, dtype="<f2").astype(np.float32).reshape(HEAT_SIDE, HEAT_SIDE)
    share = np.clip(np.nan_to_num(values) / scale, 0.0, 1.0)
    return np.asarray(np.rint(share * 255.0), dtype=np.uint8)


def heat_text(heat_map: bytes, scale: float) -> str:
    """Return a heat map's levels as base64, the way the report carries them; empty without a map."""
    return base64.b64encode(heat_levels(heat_map, scale).tobytes()).decode() if heat_map else ""
