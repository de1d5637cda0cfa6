"""Lungs: where they lie on drawn films, whose anatomy is that of real ones."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from cxrscan.scanner.gate import judge_lungs
from cxrscan.scanner.gate.evidence import heat_share_outside
from cxrscan.scanner.lungs import USUAL_LUNGS, LungModel, Lungs, find_lungs
from cxrscan.scanner.preprocess import to_model_input
from cxrscan.scanner.records import FloatImage
from cxrscan.scanner.synthetic_films import FilmModel, draw_film

SCALE = 2.0


@cache
def drawn(seed: int) -> FloatImage:
    """The network's input of a drawn film."""
    film = draw_film(FilmModel.load(), seed % 2, np.random.default_rng(seed), 448)
    return to_model_input(film, 224)[..., 0]


def cell(row: int, column: int) -> FloatImage:
    heat = np.zeros((7, 7), dtype=np.float32)
    heat[row, column] = SCALE
    return heat


@pytest.mark.parametrize("seed", range(6))
def test_the_lungs_are_darker_than_what_lies_around_them(seed: int) -> None:
    masks = LungModel.load().masks(drawn(seed)) > 0.5
    small = drawn(seed).reshape(28, 8, 28, 8).mean(axis=(1, 3))
    between = small[8:20, 12:16].mean()  # spine and heart
    for side in range(2):
        assert small[masks[..., side]].mean() < between


@pytest.mark.parametrize("seed", range(6))
def test_the_patients_right_lung_lies_on_the_left(seed: int) -> None:
    lungs = find_lungs(drawn(seed))
    assert lungs.right.right <= lungs.middle <= lungs.left.left
    assert 0.35 < lungs.middle < 0.65
    assert lungs.right.bottom - lungs.right.top > 0.35
    assert not lungs.are_cut_off


def test_lungs_move_with_the_film() -> None:
    picture = drawn(0)
    moved = np.pad(picture[20:], ((0, 20), (0, 0)), mode="edge")
    assert find_lungs(moved).right.top < find_lungs(picture).right.top
    assert find_lungs(moved).right.bottom < find_lungs(picture).right.bottom


def test_a_lung_that_leaves_the_film_is_cut_off() -> None:
    found = [find_lungs(np.repeat(np.repeat(drawn(seed)[:, 56:], 4, 1), 3, 1)[:, ::9][:, :224]) for seed in range(6)]
    assert sum(lungs.are_cut_off for lungs in found) >= 4


def test_a_picture_without_lungs_has_them_where_they_usually_lie() -> None:
    assert find_lungs(np.zeros((224, 224), dtype=np.float32)).middle == pytest.approx(USUAL_LUNGS.middle, abs=0.1)


def test_heat_outside_is_a_share_of_all() -> None:
    heat = cell(3, 3) + cell(0, 0)
    assert heat_share_outside(heat, 0.0, 0.0, 1.0, 1.0) == pytest.approx(0.0)
    assert heat_share_outside(heat, 3 / 7, 3 / 7, 4 / 7, 4 / 7) == pytest.approx(0.5)
    assert heat_share_outside(heat, 3.5 / 7, 3 / 7, 4 / 7, 4 / 7) == pytest.approx(0.75)
    assert heat_share_outside(np.zeros((7, 7), np.float32), 0.2, 0.2, 0.4, 0.4) == 0.0


def test_strong_heat_away_from_the_lungs_is_a_caveat() -> None:
    assert judge_lungs(USUAL_LUNGS, cell(3, 1), SCALE) == ()
    assert judge_lungs(USUAL_LUNGS, cell(6, 0), SCALE) == ("heat-outside-lungs",)
    assert judge_lungs(USUAL_LUNGS, 0.05 * cell(6, 0), SCALE) == ()
    cut = Lungs(USUAL_LUNGS.right, USUAL_LUNGS.left, are_cut_off=True)
    assert judge_lungs(cut, cell(6, 0), SCALE) == ("heat-outside-lungs", "lungs-cut-off")
