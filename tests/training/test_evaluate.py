from __future__ import annotations

import numpy as np
import pytest

from training.evaluate import heat_scale, heat_spread


def test_a_map_that_is_the_same_everywhere_has_no_spread() -> None:
    assert heat_spread(np.full((3, 7, 7), 2.5)) == pytest.approx(0)


def test_one_hot_place_spreads_more_than_a_slope() -> None:
    spot = np.zeros((1, 7, 7))
    spot[0, 2, 3] = 4
    slope = np.broadcast_to(np.linspace(1, 2, 7), (1, 7, 7))
    assert heat_spread(spot) == pytest.approx(np.sqrt(48))
    assert 0.1 < heat_spread(slope) < 0.3


def test_maps_without_heat_do_not_count() -> None:
    maps = np.zeros((5, 7, 7))
    assert heat_spread(maps) == 0
    maps[0, 0, 0] = 1
    assert heat_spread(maps) == pytest.approx(np.sqrt(48))


def test_the_heat_scale_is_a_high_percentile_of_the_films_maxima_and_never_zero() -> None:
    maps = np.zeros((101, 7, 7))
    maps[:, 3, 3] = np.arange(101)
    assert heat_scale(maps) == pytest.approx(99)
    assert heat_scale(np.zeros((4, 7, 7))) > 0
