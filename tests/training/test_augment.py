from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from cxrscan.training.augment import SHIFT, augment, augment_with_mask, mix, shifted_copy
from cxrscan.training.config import AugmentConfig
from tests.builders import film_pixels

OFF = AugmentConfig(rotation_deg=0, zoom=0, shift=0, flip=False)
FILM = film_pixels(3, height=64, width=64).astype(np.float32) / 255


def varied(config: AugmentConfig, seed: int = 0) -> np.ndarray:
    return augment(FILM, np.random.default_rng(seed), config)


def test_without_any_kind_the_film_stays_as_it_is() -> None:
    np.testing.assert_allclose(varied(OFF), FILM, atol=1e-6)


KINDS: dict[str, float | bool] = {
    "rotation_deg": 10,
    "zoom": 0.2,
    "shift": 0.1,
    "flip": True,
    "brightness": 0.2,
    "contrast": 0.4,
    "gamma": 0.5,
    "jpeg_quality_min": 40,
    "resample": 1.0,
    "blur_px": 1.0,
    "noise": 0.05,
    "border": 1.0,
    "erase": 1.0,
    "sides": 1.0,
}


@pytest.mark.parametrize(
    "kind", [field.name for field in fields(AugmentConfig) if field.name not in {"plain", "restyle"}]
)
def test_each_kind_changes_some_films_and_keeps_shape_and_range(kind: str) -> None:
    films = [varied(replace(OFF, **{kind: KINDS[kind]}), seed) for seed in range(12)]
    assert any(np.abs(film - FILM).max() > 0.02 for film in films)
    for film in films:
        assert film.shape == FILM.shape
        assert film.dtype == np.float32
        assert 0 <= film.min() <= film.max() <= 1


def test_plain_films_are_at_most_mirrored() -> None:
    for seed in range(12):
        film = varied(replace(SHIFT, flip=True, plain=1.0), seed)
        assert any(np.array_equal(film, wanted) for wanted in (FILM, FILM[:, ::-1]))


def test_flipping_mirrors_the_film_without_blurring_it() -> None:
    films = [varied(replace(OFF, flip=True), seed) for seed in range(12)]
    mirrored = [film for film in films if np.abs(film - FILM).max() > 0.02]
    assert 2 < len(mirrored) < 10
    np.testing.assert_allclose(mirrored[0], FILM[:, ::-1], atol=1e-5)


def test_the_film_handed_in_is_left_alone() -> None:
    before = FILM.copy()
    varied(SHIFT)
    np.testing.assert_array_equal(FILM, before)


def test_the_shifted_copy_follows_from_its_seed_and_differs_from_film_to_film() -> None:
    films = np.stack([FILM, FILM])[..., np.newaxis]
    copy = shifted_copy(films, 5)
    np.testing.assert_array_equal(copy, shifted_copy(films, 5))
    assert copy.shape == films.shape
    assert np.abs(copy[0] - copy[1]).max() > 0.02
    assert np.abs(copy - shifted_copy(films, 6)).max() > 0.02


def test_mixing_lays_a_soft_part_of_another_film_over_some_films() -> None:
    films = np.linspace(0, 1, 40, dtype=np.float32)[:, None, None] * np.ones((40, 224, 224), np.float32)
    mixed, other, part = mix(films, np.random.default_rng(0), 0.5)
    touched = part.max(axis=(1, 2)) > 0
    assert 10 <= touched.sum() <= 30
    np.testing.assert_array_equal(mixed[~touched], films[~touched])
    np.testing.assert_array_equal(other[~touched], np.flatnonzero(~touched))
    np.testing.assert_allclose(mixed, films * (1 - part) + films[other] * part, atol=1e-6)
    assert part.min() >= 0
    assert part.max() <= 1 + 1e-6
    shares = part[touched].mean(axis=(1, 2))
    assert 0.02 < shares.min() < shares.max() < 0.7
    assert np.abs(np.diff(part, axis=2)).max() < 0.5, "an edge that a network could learn to see"


def test_mixing_nothing_leaves_all_films_as_they_are() -> None:
    films = np.random.default_rng(0).random((4, 32, 32), dtype=np.float32)
    mixed, other, part = mix(films, np.random.default_rng(0), 0.0)
    np.testing.assert_array_equal(mixed, films)
    np.testing.assert_array_equal(other, np.arange(4))
    assert not part.any()


def test_what_is_known_of_places_moves_with_the_film() -> None:
    spot = np.zeros((64, 64), np.float32)
    spot[20:28, 36:44] = 1
    moving = replace(OFF, rotation_deg=20, zoom=0.3, shift=0.1, flip=True)
    for seed in range(8):
        film, mask = augment_with_mask(spot, spot.copy(), np.random.default_rng(seed), moving)
        np.testing.assert_allclose(mask, film, atol=1e-6)
        plain, mirrored = augment_with_mask(spot, spot.copy(), np.random.default_rng(seed), replace(moving, plain=1.0))
        np.testing.assert_array_equal(mirrored, plain)


def test_tones_and_covers_leave_the_mask_alone_and_a_uniform_one_stays_so() -> None:
    mask = np.zeros((64, 64), np.float32)
    mask[5:9] = 1
    colours = replace(OFF, contrast=0.4, gamma=0.5, border=1.0, erase=1.0, noise=0.05)
    np.testing.assert_array_equal(augment_with_mask(FILM, mask, np.random.default_rng(0), colours)[1], mask)
    everywhere = np.ones((64, 64), np.float32)
    moved = augment_with_mask(FILM, everywhere, np.random.default_rng(0), replace(OFF, shift=0.3))[1]
    np.testing.assert_array_equal(moved, everywhere)
