"""The heat map's fixed colour scale."""

import base64

import numpy as np
import pytest

from cxrscan.reports.page.colour_scale import STOPS, heat_levels, heat_text
from cxrscan.scanner.records import HeatMap


def stored(values, side: int = 7) -> HeatMap:
    return HeatMap(np.full((side, side), values).astype("<f2").tobytes(), side)


def test_the_same_value_has_the_same_level_in_every_film():
    faint, hot = stored(1.0), stored(np.where(np.eye(7), 4.0, 1.0))
    assert heat_levels(faint, 4.0)[0, 1] == heat_levels(hot, 4.0)[0, 1] == 64


@pytest.mark.parametrize(("value", "level"), [(0.0, 0), (4.0, 255), (9.0, 255), (-1.0, 0), (np.nan, 0), (np.inf, 255)])
def test_levels_stay_on_the_scale(value, level):
    assert heat_levels(stored(value), 4.0)[3, 3] == level


@pytest.mark.parametrize("side", [1, 7, 10, 32])
def test_a_map_of_any_side_keeps_its_rows(side):
    values = np.arange(side * side).reshape(side, side) % 5
    assert np.array_equal(heat_levels(stored(values, side), 5.0), values * 51)
    assert len(base64.b64decode(heat_text(stored(values, side), 5.0))) == side * side


@pytest.mark.parametrize("n_bytes", [0, 1, 97, 99, 100, 2 * 7 * 8])
def test_what_is_no_square_is_no_heat_map(n_bytes):
    with pytest.raises(ValueError, match="no heat map"):
        HeatMap.of_square(bytes(n_bytes))


def test_no_map_is_an_empty_text():
    assert heat_text(None, 4.0) == ""


def test_the_scale_grows_lighter_all_the_way_so_that_hue_is_not_needed():
    linear = (np.array(STOPS) / 255) ** 2.2
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    assert np.all(np.diff(luminance) > 0)
