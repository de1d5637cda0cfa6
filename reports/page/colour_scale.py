"""The colours of the heat map: one scale for report and viewer, fixed per model.

Matplotlib's *inferno* (Smith and van der Walt 2015) from its purple on: even steps to the eye, readable with every
kind of colour blindness and in grey print. Opacity grows with the square of the level, so that the film stays
visible, and grey, where the map is faint.
"""

from __future__ import annotations

import base64

import numpy as np
import numpy.typing as npt

from cxrscan.scanner.records import HeatMap

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

OPACITIES: tuple[float, ...] = tuple(round((i / (len(STOPS) - 1)) ** 2, 4) for i in range(len(STOPS)))
"""Opacity at the same steps, in [0, 1]."""


HALF = 128
"""Level that a contour runs along: half of the scale."""

LINE = (255, 221, 64)
"""Red, green and blue of the contour, which no film has."""


def heat_levels(heat_map: HeatMap, scale: float) -> npt.NDArray[np.uint8]:
    """Place a heat map on the scale.

    Parameters
    ----------
    scale
        Value at the top of the scale, ``ModelSpec.heat_scale``.

    Returns
    -------
    uint8 array, shape (side, side); 255 is the top of the scale.
    """
    values = np.frombuffer(heat_map.values, dtype="<f2").astype(np.float32).reshape(heat_map.side, heat_map.side)
    share = np.clip(np.nan_to_num(values) / scale, 0.0, 1.0)
    return np.asarray(np.rint(share * 255.0), dtype=np.uint8)


def heat_word(heat_map: HeatMap, scale: float) -> str:
    """How strong a heat map is at its strongest, in the words of the report."""
    top = int(heat_levels(heat_map, scale).max(initial=0))
    return "none on this film" if top < 0.1 * 255 else "weak" if top < HALF else "strong"


def heat_text(heat_map: HeatMap | None, scale: float) -> str:
    """Return a heat map's levels as base64, the way the report carries them; empty without a map."""
    return base64.b64encode(heat_levels(heat_map, scale).tobytes()).decode() if heat_map else ""
