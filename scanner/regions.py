"""Regions: where on a film the heat map lies, outlined in the film's own pixels.

A heat map has few cells, so the outline runs through its smooth interpolation, the one that page and viewer draw. The
shares below are of the model's heat scale and were chosen by `python -m tests.bench.regions`; docs/regions.md has the
figures.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from cxrscan.scanner.lungs import Box, Lungs
from cxrscan.scanner.records import MAX_REGIONS, FloatImage, Region, Side, Zone

OUTLINE = 0.05
"""Share of the heat scale along which a region is outlined, unless PEAK_SHARE of its lung's strongest heat is more."""
PEAK_SHARE = 0.15
"""Share of the strongest heat in a lung below which nothing belongs to a region there: strong heat has wide skirts."""
FLOOR = 0.14
"""Share of the heat scale that a region must reach somewhere; weaker heat misses radiologists' boxes too often."""
MIN_SHARE = 0.1
"""Smallest share of a film's heat that makes a region."""
GRID = 112
"""Points along one side of the smooth map."""

_COARSEST_PX = 1.0  # of the grid: how far an outline may cut a corner
_RIGHT: Side = "right"
_LEFT: Side = "left"
_ZONES: tuple[Zone, ...] = ("upper", "mid", "lower")


def smooth_weights(places: npt.NDArray[np.floating], n_cells: int) -> FloatImage:
    """Catmull-Rom interpolation (Catmull and Rom 1974) from cells to places.

    Parameters
    ----------
    places
        shape (N,), shares of the side in [0, 1].

    Returns
    -------
    float32 array, shape (N, n_cells); rows sum to 1.
    """
    at = places * n_cells - 0.5
    left = np.floor(at).astype(np.intp)
    t = at - left
    kernel = (
        ((2 - t) * t - 1) * t / 2,
        ((3 * t - 5) * t * t + 2) / 2,
        ((4 - 3 * t) * t + 1) * t / 2,
        (t - 1) * t * t / 2,
    )
    weights = np.zeros((len(places), n_cells), dtype=np.float32)
    for offset, weight in enumerate(kernel, start=-1):
        np.add.at(weights, (np.arange(len(places)), np.clip(left + offset, 0, n_cells - 1)), weight)
    return weights


@cache
def _grid_weights(n_cells: int) -> FloatImage:
    return smooth_weights((np.arange(GRID) + 0.5) / GRID, n_cells)


def smooth_heat(heat_map: FloatImage, heat_scale: float) -> FloatImage:
    """Interpolate a heat map: shares of the scale, never negative; float32, shape (GRID, GRID)."""
    weights = _grid_weights(len(heat_map))
    return np.maximum(weights @ (heat_map.astype(np.float32) / np.float32(heat_scale)) @ weights.T, 0.0)


def find_regions(
    heat_map: FloatImage,
    heat_scale: float,
    size_px: tuple[int, int],
    lungs: Lungs,
    *,
    outline: float = OUTLINE,
    peak_share: float = PEAK_SHARE,
    floor: float = FLOOR,
) -> tuple[Region, ...]:
    """Outline where a heat map lies: at most MAX_REGIONS, the largest share of the heat first.

    A region belongs to one lung: heat that reaches over the middle between the lungs is parted there.

    Parameters
    ----------
    heat_map
        float array, shape (h, w), in logit units, finite.
    heat_scale
        ``ModelSpec.heat_scale``.
    size_px
        Width and height of the film.
    outline, peak_share, floor
        As OUTLINE, PEAK_SHARE and FLOOR.
    """
    if heat_map.max(initial=0.0) < floor * heat_scale:
        return ()
    smooth = smooth_heat(heat_map, heat_scale)
    total = float(smooth.sum())
    middle = round(lungs.middle * GRID)
    found = []
    for first, end in ((0, middle), (middle, GRID)):
        half = smooth[:, first:end]
        inside = np.asarray(half >= max(outline, peak_share * float(half.max(initial=0.0))), dtype=np.uint8)
        n_labels, labels = cv2.connectedComponents(inside, connectivity=4)
        for label in range(1, n_labels):
            own = labels == label
            heat = np.where(own, half, np.float32(0))
            share = float(heat.sum()) / total
            strength = float(heat.max())
            if strength >= floor and share >= MIN_SHARE:
                found.append(_region(own, heat, first, share, strength, size_px, lungs))
    return tuple(sorted(found, key=lambda region: -region.share_of_heat)[:MAX_REGIONS])


def _region(
    own: npt.NDArray[np.bool_],
    heat: FloatImage,
    first: int,
    share: float,
    strength: float,
    size_px: tuple[int, int],
    lungs: Lungs,
) -> Region:
    """Make the record of a part of the map that begins at the column ``first``."""
    row, column = (int(place) for place in np.unravel_index(int(heat.argmax()), heat.shape))
    y = float(heat.sum(axis=1) @ (np.arange(GRID) + 0.5)) / float(heat.sum()) / GRID
    lung, side = (lungs.right, _RIGHT) if first == 0 else (lungs.left, _LEFT)
    return Region(
        polygon_px=_outline(own, first, size_px),
        hottest_px=(_pixel(first + column, size_px[0]), _pixel(row, size_px[1])),
        share_of_heat=round(min(share, 1.0), 4),
        strength=round(strength, 4),
        side=side,
        zone=_zone(y, lung),
    )


def _pixel(place: int, length_px: int) -> int:
    return min(int((place + 0.5) / GRID * length_px), length_px - 1)


def _outline(own: npt.NDArray[np.bool_], first: int, size_px: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Outline of a part of the grid as a polygon of the film's pixels."""
    contours, _ = cv2.findContours(own.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(first, 0))
    simple = cv2.approxPolyDP(max(contours, key=len), _COARSEST_PX, closed=True)[:, 0]
    return tuple((_pixel(x, size_px[0]), _pixel(y, size_px[1])) for x, y in simple.tolist())


def _zone(y: float, lung: Box) -> Zone:
    """The third of a lung's height in which a place lies; the outer ones reach beyond it."""
    share = (y - lung.top) / (lung.bottom - lung.top)
    return _ZONES[min(max(int(share * len(_ZONES)), 0), len(_ZONES) - 1)]
