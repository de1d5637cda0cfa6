"""Outlines of the lungs carried to drawn films, whose anatomy is that of children, and the network that learns them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cxrscan.scanner.lungs import SMALL_PX, LungModel
from cxrscan.scanner.preprocess import resize, to_model_input
from cxrscan.scanner.records import FloatImage
from cxrscan.scanner.synthetic_films import FilmModel, draw_film
from cxrscan.training.lungs.atlas import SIDE_PX, Atlas
from cxrscan.training.lungs.fit import changed, fit, overlap

N = 24


@pytest.fixture(scope="module")
def films() -> list[FloatImage]:
    model = FilmModel.load()
    drawn = (draw_film(model, i % 2, np.random.default_rng(i), 448) for i in range(N))
    return [to_model_input(film, 224)[..., 0] for film in drawn]


@pytest.fixture(scope="module")
def outlines(films: list[FloatImage]) -> list[FloatImage]:
    atlas = Atlas.of(films, "children")
    return [atlas.carry(film)[0] for film in films]


def small(masks: FloatImage) -> FloatImage:
    return np.asarray(cv2.resize(masks, (SMALL_PX, SMALL_PX), interpolation=cv2.INTER_AREA))


def test_outlines_follow_a_film_that_is_shifted(films: list[FloatImage]) -> None:
    atlas = Atlas.of(films, "children")
    masks, _ = atlas.carry(films[0])
    shift = np.float32([[1, 0, 12], [0, 1, -8]])
    moved = np.asarray(cv2.warpAffine(films[0], shift, films[0].shape[::-1], borderMode=cv2.BORDER_REPLICATE))
    expected = np.asarray(cv2.warpAffine(masks, np.float32([[1, 0, 6], [0, 1, -4]]), (SIDE_PX, SIDE_PX)))
    assert overlap(atlas.carry(moved)[0], expected) > overlap(masks, expected)
    assert overlap(atlas.carry(moved)[0], expected) > 0.85


def test_a_film_that_is_no_chest_fits_badly(films: list[FloatImage]) -> None:
    atlas = Atlas.of(films, "children")
    noise = np.random.default_rng(0).random((224, 224), dtype=np.float32)
    assert atlas.carry(noise)[1] < min(atlas.carry(film)[1] for film in films)


def test_mirrored_films_exchange_their_lungs(films: list[FloatImage], outlines: list[FloatImage]) -> None:
    film = resize(films[0], SIDE_PX, SIDE_PX)
    rng = np.random.default_rng(1)
    for _ in range(20):
        _, masks = changed(film, outlines[0], rng)
        columns = np.arange(SIDE_PX)
        right, left = (float(masks[..., side].sum(axis=0) @ columns / masks[..., side].sum()) for side in range(2))
        assert right < left


def test_what_is_learned_is_kept_and_finds_the_lungs_again(tmp_path, films, outlines) -> None:
    model = fit([resize(film, SIDE_PX, SIDE_PX) for film in films], outlines)
    model.save(tmp_path / "lungs.npz")
    kept = LungModel.load(tmp_path / "lungs.npz")
    found = [overlap(kept.masks(film), small(masks)) for film, masks in zip(films, outlines, strict=True)]
    usual = small(np.mean(outlines, axis=0))
    assert np.mean(found) > np.mean([overlap(usual, small(masks)) for masks in outlines])
    assert np.mean(found) > 0.7
