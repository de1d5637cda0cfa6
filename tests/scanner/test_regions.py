"""Regions: outlines of the heat in the film's own pixels."""

import numpy as np
import pytest

from cxrscan.scanner.lungs import USUAL_LUNGS
from cxrscan.scanner.records import MAX_REGIONS, Region
from cxrscan.scanner.regions import FLOOR, find_regions, smooth_heat

SCALE = 2.0
SIZE = (1400, 700)


def heat(*places: tuple[int, int], value: float = SCALE, side: int = 7):
    """A heat map with heat in a few cells, by row and column."""
    cells = np.zeros((side, side), dtype=np.float32)
    for place in places:
        cells[place] = value
    return cells


def found(cells, **options: float) -> tuple[Region, ...]:
    return find_regions(cells, SCALE, SIZE, USUAL_LUNGS, **options)


def test_heat_in_one_cell_is_a_box_around_it():
    (region,) = found(heat((2, 1)), outline=0.5)
    left, top, width, height = region.box_px
    assert left <= 1.5 * 200 <= left + width
    assert top <= 2.5 * 100 <= top + height
    assert 150 <= width <= 250
    assert 75 <= height <= 125
    assert region.hottest_px == pytest.approx((300, 250), abs=15)
    assert region.strength == pytest.approx(1.0, abs=0.05)
    assert region.place == "right mid"


@pytest.mark.parametrize(
    ("cell", "place"),
    [
        ((0, 1), "right upper"),
        ((5, 2), "right lower"),
        ((1, 5), "left upper"),
        ((3, 5), "left mid"),
        ((6, 4), "left lower"),
    ],
)
def test_side_and_zone_are_the_patients(cell, place):
    assert [region.place for region in found(heat(cell))] == [place]


def test_weak_heat_makes_no_region():
    assert found(heat((2, 1), value=0.9 * FLOOR * SCALE)) == ()
    assert len(found(heat((2, 1), value=1.3 * FLOOR * SCALE))) == 1
    assert found(heat()) == ()


def test_heat_that_crosses_the_middle_belongs_to_both_lungs():
    regions = found(heat(*((3, column) for column in range(7))))
    assert {region.side for region in regions} == {"right", "left"}
    right = next(region for region in regions if region.side == "right")
    left, _, width, _ = right.box_px
    assert left + width <= USUAL_LUNGS.middle * SIZE[0] + 1


def test_the_largest_three_come_first_with_their_shares():
    cells = heat((1, 1), (5, 1), (1, 5), (5, 5))
    cells[1, 1] *= 2
    regions = found(cells)
    shares = [region.share_of_heat for region in regions]
    assert len(regions) == MAX_REGIONS
    assert shares == sorted(shares, reverse=True)
    assert regions[0].place == "right upper"
    assert sum(shares) <= 1.0


def test_a_speck_beside_much_heat_is_left_out():
    cells = heat((1, 1), (2, 1), (1, 2), (2, 2), value=3 * SCALE)
    cells[5, 5] = 0.2 * SCALE
    assert [region.side for region in found(cells)] == ["right"]


@pytest.mark.parametrize("side", [1, 7, 10])
@pytest.mark.parametrize("size", [(1, 1), (30, 2000), (4000, 4096)])
def test_polygons_lie_on_the_film_whatever_the_map(side, size):
    cells = np.random.default_rng(0).gamma(0.4, 1.0, (side, side)).astype(np.float16)
    for region in find_regions(cells, 1.0, size, USUAL_LUNGS):
        assert all(0 <= x < size[0] and 0 <= y < size[1] for x, y in (*region.polygon_px, region.hottest_px))
        assert min(region.box_px[2:]) >= 1


def test_the_smooth_map_keeps_what_the_cells_say():
    smooth = smooth_heat(np.full((7, 7), SCALE / 2), SCALE)
    assert np.allclose(smooth, 0.5, atol=1e-5)


def test_millimetres_need_the_spacing_of_pixels():
    (region,) = found(heat((2, 1)))
    _, _, width, height = region.box_px
    assert region.size_mm(None) is None
    assert region.size_mm((0.2, 0.1)) == pytest.approx((0.1 * width, 0.2 * height))
