"""Thumbnails look like the film."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrscan.scanner.thumbnail import make_thumbnail
from tests.builders import film_pixels


def decode(jpeg: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_UNCHANGED))


@given(height=st.integers(1, 900), width=st.integers(1, 900))
def test_the_longer_side_is_as_asked_and_nothing_is_enlarged(height: int, width: int) -> None:
    picture = decode(make_thumbnail(np.zeros((height, width), dtype=np.float32), 100))
    shrunk = min(1.0, 100 / max(height, width))
    assert picture.shape == (max(1, round(height * shrunk)), max(1, round(width * shrunk)))


@pytest.mark.parametrize("width", [330, 400, 639, 641, 900, 1281, 2000])  # on both sides of each number of blocks
def test_a_thumbnail_is_the_film_averaged(width: int) -> None:
    film = film_pixels(1, height=width * 4 // 5, width=width)
    thumbnail = decode(make_thumbnail(film.astype(np.float32) / 255, 320))
    averaged = cv2.resize(film, thumbnail.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(thumbnail.astype(float) - averaged).mean() < 2.0


def test_every_pixel_counts() -> None:
    noise = np.random.default_rng(0).random((800, 800), dtype=np.float32)
    averaged = noise.reshape(200, 4, 200, 4).mean(axis=(1, 3)).std() * 255
    assert decode(make_thumbnail(noise, 200)).std() < 1.1 * averaged
