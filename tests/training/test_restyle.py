from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cxrscan.training.dataset import DataSet, find_all_films, load_films
from cxrscan.training.restyle import Styles, restyle, style_of
from tests.builders import film_pixels
from tests.training.films import TINY, write_data

FILM = film_pixels(3, height=224, width=224).astype(np.float32) / 255
FOREIGN = np.clip(cv2.GaussianBlur(film_pixels(8, height=224, width=224), (0, 0), 3).astype(np.float32) / 400, 0, 1)


def distance(film: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Of band energies, as a ratio, and of tones."""
    a, b = style_of(film), style_of(other)
    return float(np.abs(np.log(a.energies / b.energies)).mean()), float(np.abs(a.tones - b.tones).mean())


@pytest.mark.parametrize("seed", range(4))
def test_a_restyled_film_looks_more_like_the_other_and_shows_the_same(seed: int) -> None:
    styled = restyle(FILM, style_of(FOREIGN), np.random.default_rng(seed))
    assert styled.shape == FILM.shape
    assert styled.dtype == np.float32
    assert 0 <= styled.min() <= styled.max() <= 1
    for after, before in zip(distance(styled, FOREIGN), distance(FILM, FOREIGN), strict=True):
        assert after < 0.7 * before
    edges = [cv2.GaussianBlur(picture, (0, 0), 4) for picture in (FILM, styled)]
    assert np.corrcoef(*(picture.ravel() for picture in edges))[0, 1] > 0.8


def test_a_flat_film_stays_finite() -> None:
    flat = np.full((32, 32), 0.5, np.float32)
    assert np.isfinite(restyle(flat, style_of(FILM), np.random.default_rng(0))).all()


def test_the_style_comes_from_a_film_of_another_class_or_population(tmp_path: Path) -> None:
    first, second = (write_data(tmp_path / name, n_patients=1, films_each=2) for name in ("a", "b"))
    loaded = load_films(find_all_films([DataSet(first, "a"), DataSet(second, "b")]), TINY)
    loaded.pixels[:] = np.arange(8, dtype=np.float32)[:, None, None, None] / 8
    styles = Styles(loaded, np.arange(8))
    rng = np.random.default_rng(0)
    for i in range(8):
        mine = {k for k in range(8) if k // 2 == i // 2}
        drawn = {round(float(styles.of_another_group(i, rng).tones[0]) * 8) for _ in range(60)}
        assert drawn == set(range(8)) - mine
