from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cxrscan.scanner.records import Estimate
from cxrscan.training.bundle_files import says_something
from cxrscan.training.evaluate import _parts, heat_scale, heat_spread
from cxrscan.training.films import FilmFile
from tests.training.films import loaded_films


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


def film(label: bool, population: str, view: str = "", finding: str = "") -> FilmFile:
    return FilmFile("", label, "", (), population=population, view=view, finding=finding)


def test_figures_are_told_for_what_divides_a_population() -> None:
    films = [
        film(False, "children", "AP"),
        film(True, "children", "AP"),
        film(True, "adults", "AP", "opacity"),
        film(True, "adults", "PA", "opacity"),
        film(False, "adults", "PA", "normal"),
        film(False, "adults", "", "other"),
    ]
    loaded = replace(loaded_films({"n": ["a"] * 6}), films=tuple(films))
    parts = {name: np.flatnonzero(mine).tolist() for name, mine in _parts(loaded, np.arange(6)).items()}
    assert parts == {
        "adults, AP": [2],
        "adults, PA": [3, 4],
        "adults, pneumonia or normal": [2, 3, 4],
        "adults, pneumonia or other": [2, 3, 5],
    }


def test_a_figure_without_end_is_left_out() -> None:
    assert says_something(Estimate(0.9, 0.8, 1.0))
    assert not says_something(Estimate(None))
    assert not says_something(Estimate(2e9))
    assert not says_something(Estimate(5.0, -3e12, 3e12))
