"""One resize for training and scanning."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrscan.scanner.preprocess import resize, to_model_input


def test_shrinking_averages_areas() -> None:
    pixels = np.array([[0, 1, 0, 0], [1, 0, 0, 0]], dtype=np.float32)
    assert resize(pixels, 2, 1).tolist() == [[0.5, 0.0]]


@given(height=st.integers(1, 300), width=st.integers(1, 300), share=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)))
def test_shrinking_is_opencvs_area_interpolation(height: int, width: int, share: tuple[float, float]) -> None:
    pixels = np.random.default_rng(0).random((height, width), dtype=np.float32)
    shape = max(1, int(width * share[0])), max(1, int(height * share[1]))
    expected = cv2.resize(pixels, shape, interpolation=cv2.INTER_AREA).reshape(shape[::-1])
    np.testing.assert_allclose(resize(pixels, *shape), expected, atol=1e-6)
    cut = pixels[height // 3 :, width // 4 :]  # not contiguous
    if cut.shape[0] >= shape[1] and cut.shape[1] >= shape[0]:
        np.testing.assert_array_equal(resize(cut, *shape), resize(cut.copy(), *shape))


def test_the_whole_film_is_squashed_to_the_square() -> None:
    pixels = np.zeros((50, 200), dtype=np.float32)
    pixels[:, 100:] = 1.0
    prepared = to_model_input(pixels, 32)
    assert prepared.shape == (32, 32, 1)
    np.testing.assert_allclose(prepared[:, :16], 0.0, atol=1e-6)
    np.testing.assert_allclose(prepared[:, 16:], 1.0, atol=1e-6)


@given(height=st.integers(1, 90), width=st.integers(1, 90), seed=st.integers(0, 9))
def test_any_size_gives_a_square_in_range(height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).random((height, width), dtype=np.float32)
    prepared = to_model_input(pixels, 48)
    assert prepared.shape == (48, 48, 1)
    assert prepared.dtype == np.float32
    assert prepared.min() >= pixels.min() - 1e-6
    assert prepared.max() <= pixels.max() + 1e-6


@pytest.mark.parametrize("size", [(96, 112), (64, 64)])
def test_the_input_is_left_unchanged(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).random(size, dtype=np.float32)
    before = pixels.copy()
    to_model_input(pixels, 64)
    np.testing.assert_array_equal(pixels, before)
