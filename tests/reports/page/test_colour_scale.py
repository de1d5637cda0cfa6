"""The heat map's fixed colour scale."""

import numpy as np
import pytest

from reports.page.colour_scale import STOPS, heat_levels, heat_text


def stored(values) -> bytes:
    return np.full((7, 7), values).astype("<f2").tobytes()


def test_the_same_value_has_the_same_level_in_every_film():
    faint, hot = stored(1.0), np.where(np.eye(7), 4.0, 1.0).astype("<f2").tobytes()
    assert heat_levels(faint, 4.0)[0, 1] == heat_levels(hot, 4.0)[0, 1] == 64


@pytest.mark.parametrize(("value", "level"), [(0.0, 0), (4.0, 255), (9.0, 255), (-1.0, 0), (np.nan, 0), (np.inf, 255)])
def test_levels_stay_on_the_scale(value, level):
    assert heat_levels(stored(value), 4.0)[3, 3] == level


def test_no_map_is_an_empty_text():
    assert heat_text(b"", 4.0) == ""


def test_the_scale_grows_lighter_all_the_way_so_that_hue_is_not_needed():
    linear = (np.array(STOPS) / 255) ** 2.2
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    assert np.all(np.diff(luminance) > 0)
