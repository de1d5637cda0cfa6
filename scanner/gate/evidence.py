"""What a picture shows that tells a chest film from anything else.

Training fits the statistics of these measures with the same code that the gate judges by. All work on the
network's square input, so that they cost a fraction of a millisecond whatever the film's size.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from cxrscan.scanner.preprocess import resize
from cxrscan.scanner.records import FloatImage

FloatArray = npt.NDArray[np.float32]

SMALL_PX = 56
"""Side of the reduced picture whose edges and borders are looked at."""
GREY_PX = 14
"""Side of the picture whose brightness is looked at."""
CELLS = 8
DIRECTIONS = 8
N_EDGES = CELLS * CELLS * DIRECTIONS
"""Length of ``edge_layout``."""
N_TURNS = 16
"""Ways in which a square picture can lie: 4 quarter turns, mirrored or not, positive or negative."""
MIRRORED, NEGATIVE = 4, 8

_LAST = DIRECTIONS - 1  # as a mask, a cheap remainder: DIRECTIONS is a power of two
_DARK = 0.02  # added to a standard deviation, so that a blank picture is not divided by zero
_WEAK_EDGES = 0.75  # cells with less edge than this count less than full; in standard deviations, summed over a cell
_CELL_PX = SMALL_PX // CELLS
_CELL_OF_PIXEL = np.add.outer(np.arange(SMALL_PX) // _CELL_PX * CELLS, np.arange(SMALL_PX) // _CELL_PX)
_FLAT = 0.04  # rows and columns that vary less belong to a border
_WHITE, _BLACK = 0.99, 0.01


def standardised(picture: FloatImage) -> FloatImage:
    """Brightness with mean 0 and standard deviation 1, so that exposure does not matter."""
    mean, deviation = (statistic.item() for statistic in cv2.meanStdDev(picture))
    return np.asarray((picture - np.float32(mean)) / np.float32(deviation + _DARK), dtype=np.float32)


def edge_layout(small: FloatImage) -> FloatArray:
    """Which way edges run, cell by cell: histograms of oriented gradients (Dalal and Triggs, CVPR 2005).

    Edges have no sign here, so that a film and its negative look the same.

    Parameters
    ----------
    small
        float32 array, shape (SMALL_PX, SMALL_PX).

    Returns
    -------
    float32 array, shape (N_EDGES,), values in [0, 1].
    """
    even = standardised(small)
    across, down = np.zeros_like(even), np.zeros_like(even)
    across[:, 1:-1] = even[:, 2:] - even[:, :-2]
    down[1:-1] = even[2:] - even[:-2]
    strength, angle = cv2.cartToPolar(across, down)
    direction = angle * np.float32(DIRECTIONS / np.pi)
    lower = direction.astype(np.intp)
    share = direction - lower  # an edge between two directions counts for both
    cell = _CELL_OF_PIXEL * DIRECTIONS
    both = np.concatenate([cell + (lower & _LAST), cell + (lower + 1 & _LAST)]).ravel()
    parts = np.concatenate([strength * (1 - share), strength * share]).ravel()
    cells = np.bincount(both, parts, N_EDGES).reshape(-1, DIRECTIONS)
    norms = np.linalg.norm(cells, axis=1, keepdims=True)
    return np.asarray(cells / (norms + _WEAK_EDGES), dtype=np.float32).ravel()


def grey_layout(small: FloatImage) -> FloatImage:
    """Where a picture is bright and where dark: float32 array, shape (GREY_PX, GREY_PX), standardised."""
    return standardised(resize(small, GREY_PX, GREY_PX))


def turned(picture: FloatImage, turn: int) -> FloatImage:
    """Turn a square picture, ``turn`` from 0 (as it is) to 15: quarter turns, then MIRRORED.

    NEGATIVE is left to the caller, because it depends on the scale of the values.
    """
    result = np.rot90(picture, turn % 4)
    return result[:, ::-1] if turn & MIRRORED else result


TURNS_OF_GREY = np.stack(
    [turned(np.arange(GREY_PX**2).reshape(GREY_PX, GREY_PX), turn).ravel() for turn in range(NEGATIVE)]  # type: ignore[arg-type]
)
"""Pixels of ``grey_layout`` in each positive orientation: int array, shape (NEGATIVE, GREY_PX**2)."""


def content_box(small: FloatImage) -> tuple[slice, slice]:
    """Rows and columns of what lies inside a uniform border; everything where nothing varies."""
    rows, columns = (np.flatnonzero(small.max(axis=axis) - small.min(axis=axis) > _FLAT) for axis in (1, 0))
    if not rows.size or not columns.size:
        return slice(0, len(small)), slice(0, len(small))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def border_share(box: tuple[slice, slice]) -> float:
    """Share of a reduced picture that lies outside a box, in [0, 1)."""
    rows, columns = box
    n_inside: int = (rows.stop - rows.start) * (columns.stop - columns.start)
    return 1.0 - n_inside / SMALL_PX**2


def sharpness(picture: FloatImage) -> float:
    """Share of the contrast that lies in detail of one pixel, in the central half of the picture."""
    margin = len(picture) // 4
    centre = picture[margin:-margin, margin:-margin]
    detail = cv2.norm(centre, cv2.blur(centre, (3, 3)), cv2.NORM_L1) / centre.size
    return float(detail / (cv2.meanStdDev(centre)[1].item() + _DARK))


def clipped_share(small: FloatImage) -> float:
    """Share of a reduced picture that is pure white or pure black, whichever is more, in [0, 1]."""
    return max(np.count_nonzero(small >= _WHITE), np.count_nonzero(small <= _BLACK)) / small.size


def heat_share_outside(heat_map: FloatImage, left: float, top: float, right: float, bottom: float) -> float:
    """Share of the heat outside a rectangle given in shares of the film's sides; 0 without heat."""
    rows, columns = (_covered(len(heat_map), *span) for span in ((top, bottom), (left, right)))
    total = float(heat_map.sum(dtype=np.float64))
    return 1.0 - float(rows @ heat_map.astype(np.float64) @ columns) / total if total > 0 else 0.0


def _covered(n_cells: int, first: float, end: float) -> npt.NDArray[np.float64]:
    """Share of each of a row's cells that a span covers."""
    edges = np.clip(np.arange(n_cells + 1) / n_cells, first, end)
    return np.diff(edges) * n_cells


def outer_heat_lead(heat_map: FloatImage) -> float:
    """How much more heat lies in the outermost cells, where a chest film shows arms, markers and text, than inside.

    Sums over the cells, in logit units: faint heat, wherever it lies, misleads nobody.
    """
    inside = float(heat_map[1:-1, 1:-1].sum())
    return float(heat_map.sum()) - 2 * inside
