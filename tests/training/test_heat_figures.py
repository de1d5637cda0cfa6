from __future__ import annotations

import numpy as np

from cxrscan.training.films import Box, boxes_mask
from cxrscan.training.heat_figures import hits, shares_inside

LOWER_RIGHT = boxes_mask((Box(0.5, 0.5, 0.5, 0.5),), 70)


def heat_at(row: int, column: int) -> np.ndarray:
    heat = np.zeros((7, 7), np.float32)
    heat[row, column] = 2.0
    return heat


def test_boxes_are_drawn_where_they_lie() -> None:
    assert LOWER_RIGHT.mean() == 0.25
    assert LOWER_RIGHT[35:, 35:].all()
    two = boxes_mask((Box(0, 0, 0.1, 1), Box(0.9, 0, 0.1, 1)), 70)
    np.testing.assert_allclose(two.mean(), 0.2, atol=0.01)
    assert boxes_mask((Box(0.9, 0.9, 0.5, 0.5),), 70).sum() == 49, "what reaches beyond the film is cut off"


def test_the_hottest_point_hits_or_misses_and_no_heat_misses() -> None:
    maps = np.stack([heat_at(5, 5), heat_at(1, 5), np.zeros((7, 7))])
    assert hits(maps, [LOWER_RIGHT] * 3).tolist() == [True, False, False]


def test_the_share_inside_is_of_the_heat_that_is_drawn() -> None:
    maps = np.stack([heat_at(5, 5), heat_at(1, 1), np.ones((7, 7)), np.zeros((7, 7))])
    np.testing.assert_allclose(shares_inside(maps, [LOWER_RIGHT] * 4), [1, 0, 0.25, 0], atol=0.01)
