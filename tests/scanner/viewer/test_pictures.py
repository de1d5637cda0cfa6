"""Pixels of the viewer."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from cxrscan.reports.page.colour_scale import LINE, heat_word
from cxrscan.scanner.records import HeatMap, Region
from cxrscan.scanner.viewer.pictures import (
    OUTLINE_COLOUR,
    Viewport,
    annotated_png,
    data_url,
    draw_outlines,
    render_contour,
    render_film,
    render_overlay,
)
from tests.builders import film_pixels
from tests.reports.films import heat_map

RAMP = np.tile(np.linspace(0, 1, 400, dtype=np.float32), (300, 1))
FLAT = np.full((300, 400), 0.5, dtype=np.float32)
COLD = HeatMap(bytes(98), 7)


def spot(row: int, column: int, value: float = 4.0, side: int = 7) -> HeatMap:
    cells = np.zeros((side, side), dtype="<f2")
    cells[row, column] = value
    return HeatMap(cells.tobytes(), side)


def test_a_film_is_scaled_to_the_long_side_in_its_proportions() -> None:
    assert render_film(RAMP, Viewport(), long_side_px=900).shape == (675, 900)
    assert render_film(RAMP.T, Viewport(), long_side_px=200).shape == (200, 150)


def test_every_viewport_of_a_film_gives_a_picture_of_one_size() -> None:
    shapes = {render_film(RAMP, Viewport(zoom, x, 1 - x)).shape for zoom in (1, 1.5, 8) for x in (0.0, 0.3, 1.0)}
    assert shapes == {(675, 900)}


def test_the_window_maps_its_ends_to_black_and_white() -> None:
    grey = render_film(RAMP, Viewport(), (0.25, 0.75), long_side_px=400)
    assert (grey[:, :99] == 0).all()
    assert (grey[:, 301:] == 255).all()
    assert abs(int(grey[0, 200]) - 128) <= 2
    assert np.array_equal(render_film(RAMP, Viewport(), long_side_px=400)[0], np.rint(RAMP[0] * 255))


def test_outlines_lie_where_their_regions_do_in_every_viewport() -> None:
    square = Region(((100, 75), (199, 75), (199, 149), (100, 149)), (150, 110), 1.0, 1.0, side="right", zone="mid")
    grey = render_film(FLAT, Viewport(), long_side_px=400)
    drawn = draw_outlines(grey, [square], (400, 300), Viewport()).astype(int)
    marked = np.argwhere(np.abs(drawn - grey[..., np.newaxis]).sum(axis=2) > 100)
    assert np.abs(marked[:, 0].max() - 149) <= 5
    assert np.abs(marked[:, 1].max() - 199) <= 5
    assert tuple(drawn[112, 100]) == OUTLINE_COLOUR
    zoomed = render_film(FLAT, Viewport(2.0, 0.25, 0.25), long_side_px=400)
    assert tuple(draw_outlines(zoomed, [square], (400, 300), Viewport(2.0, 0.25, 0.25))[225, 201]) == OUTLINE_COLOUR
    aside = Viewport(4.0, 1.0, 1.0)
    assert np.array_equal(draw_outlines(grey, [square], (400, 300), aside)[..., 0], grey)


def test_a_window_without_width_is_a_step() -> None:
    assert set(np.unique(render_film(RAMP, Viewport(), (0.5, 0.5)))) == {0, 255}


def test_zoom_shows_the_part_around_the_centre_and_stays_inside_the_film() -> None:
    assert Viewport(2.0, 0.5, 0.5).columns == (0.25, 0.75)
    assert Viewport(4.0, 0.0, 1.0).columns == (0.0, 0.25)
    assert Viewport(4.0, 0.0, 1.0).rows == (0.75, 1.0)
    shown = render_film(RAMP, Viewport(2.0), long_side_px=400)
    assert abs(int(shown[0, 0]) - 64) <= 2
    assert abs(int(shown[0, -1]) - 191) <= 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1)])
def test_the_smallest_films_can_be_shown_at_any_zoom(shape: tuple[int, int]) -> None:
    film = render_film(np.ones(shape, dtype=np.float32), Viewport(8.0, 1.0, 1.0), long_side_px=80)
    assert (film == 255).all()
    assert render_overlay(film, heat_map(), 4.0, Viewport(8.0), 1.0).shape == (*film.shape, 3)


@pytest.mark.parametrize(("heat", "opacity"), [(COLD, 1.0), (heat_map(), 0.0)])
def test_no_heat_or_no_opacity_leaves_the_film_as_it_is(heat: HeatMap, opacity: float) -> None:
    film = render_film(RAMP, Viewport())
    overlay = render_overlay(film, heat, 4.0, Viewport(), opacity)
    assert np.array_equal(overlay, np.repeat(film[..., np.newaxis], 3, axis=2))


def test_the_hottest_cell_has_the_top_colour_of_the_reports_scale() -> None:
    film = render_film(FLAT, Viewport(), long_side_px=700)
    overlay = render_overlay(film, HeatMap(np.full((7, 7), 9.0, dtype="<f2").tobytes(), 7), 4.0, Viewport(), 1.0)
    assert overlay[200, 300].tolist() == [252, 255, 164]


def test_a_faint_map_looks_faint() -> None:
    film = render_film(FLAT, Viewport())

    def colour(value: float) -> float:
        overlay = render_overlay(film, spot(3, 3, value), 4.0, Viewport(), 0.6).astype(int)
        return float(np.abs(overlay - film[..., np.newaxis]).max())

    assert 0 < colour(0.4) < colour(2.0) < colour(4.0)


@pytest.mark.parametrize("side", [3, 7, 10, 32])
def test_a_hot_cell_is_shown_on_its_place_in_the_film(side: int) -> None:
    film = render_film(FLAT, Viewport(), long_side_px=700)
    whole = render_overlay(film, spot(1, side - 2, side=side), 4.0, Viewport(), 1.0).astype(int)
    rows, columns = np.nonzero(np.abs(whole - 128).sum(axis=2) > 150)
    assert abs(rows.mean() / 525 - 1.5 / side) < 0.01
    assert abs(columns.mean() / 700 - (side - 1.5) / side) < 0.01


@pytest.mark.parametrize("side", [1, 2])
def test_the_smallest_heat_maps_are_shown_too(side: int) -> None:
    film = render_film(FLAT, Viewport(), long_side_px=70)
    overlay = render_overlay(film, HeatMap(np.full(side * side, 4.0, "<f2").tobytes(), side), 4.0, Viewport(), 1.0)
    assert (overlay == [252, 255, 164]).all()


def test_a_contour_runs_around_what_reaches_half_of_the_scale() -> None:
    film = render_film(FLAT, Viewport(), long_side_px=700)
    drawn = render_contour(film, spot(1, 5), 4.0, Viewport())
    line = (drawn == LINE).all(axis=2)
    rows, columns = np.nonzero(line)
    assert abs(rows.mean() / 525 - 1.5 / 7) < 0.02
    assert abs(columns.mean() / 700 - 5.5 / 7) < 0.02
    assert 0 < line.mean() < 0.02
    assert (drawn[~line] == film[0, 0]).all()
    assert not line[int(rows.mean()), int(columns.mean())]


def test_a_map_below_half_of_the_scale_has_no_contour() -> None:
    film = render_film(FLAT, Viewport(), long_side_px=700)
    for heat in (COLD, spot(1, 5, value=1.9)):
        assert (render_contour(film, heat, 4.0, Viewport()) == film[..., np.newaxis]).all()
    assert (heat_word(COLD, 4.0), heat_word(spot(0, 0, 1.9), 4.0)) == ("none on this film", "weak")
    assert heat_word(spot(0, 0), 4.0) == "strong"


def test_the_heat_map_stays_on_its_place_in_the_film_when_zoomed() -> None:
    film = render_film(FLAT, Viewport(), long_side_px=700)
    whole = render_overlay(film, spot(1, 5), 4.0, Viewport(), 1.0).astype(int)
    view = Viewport(2.0, 1.0, 0.0)
    zoomed = render_overlay(render_film(FLAT, view, long_side_px=700), spot(1, 5), 4.0, view, 1.0).astype(int)
    assert np.abs(zoomed[::2, ::2] - whole[:263, 350:]).max() <= 8  # half a pixel apart


def test_a_picture_on_the_page_is_the_one_that_was_rendered_to_the_eye() -> None:
    grey = render_film(film_pixels(1).astype(np.float32) / 255, Viewport())
    colour = render_overlay(grey, heat_map(), 4.0, Viewport(), 0.5)
    for picture in (grey, colour):
        head, data = data_url(picture).split(",")
        assert head == "data:image/jpeg;base64"
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(int)
        assert np.abs(shown - picture).mean() < 1


def test_the_annotated_picture_holds_both_panes_and_its_text() -> None:
    film = render_film(RAMP, Viewport(), long_side_px=400)
    overlay = render_overlay(film, heat_map(), 4.0, Viewport(), 0.6)

    def page(heading: str, footing: str) -> np.ndarray:
        picture = annotated_png([film, overlay], [heading, "second line"], [footing], "4 logit units")
        return np.asarray(Image.open(io.BytesIO(picture)))

    plain = page("NORMAL", "notice")
    top = next(y for y in range(plain.shape[0]) if np.array_equal(plain[y, 24:424, 0], film[0]))
    assert np.array_equal(plain[top : top + 300, 24:424, 0], film)
    assert np.array_equal(plain[top : top + 300, 448:848], overlay)
    other_heading, other_footing = page("PNEUMONIA", "notice"), page("NORMAL", "other")
    assert not np.array_equal(plain[:top], other_heading[:top])
    assert np.array_equal(plain[top:], other_heading[top:])
    assert np.array_equal(plain[: top + 300], other_footing[: top + 300])
    assert not np.array_equal(plain, other_footing)


def test_long_and_odd_names_fit_the_annotated_picture() -> None:
    film = render_film(RAMP, Viewport(), long_side_px=200)
    name = "a/" + "long folder/" * 40 + "fil\nm.jpg"
    narrow = Image.open(io.BytesIO(annotated_png([film], ["NORMAL", name], ["x" * 900], "")))
    assert narrow.size[0] == 760
