"""Films of random headers: one table of all bit patterns gives what the chain of the standard gives pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cxrscan.scanner.readers.dicom_pixels import (
    GreySteps,
    LookupTable,
    Rescale,
    StoredFormat,
    Window,
    apply_modality,
    apply_voi,
    is_padding,
    render_grey,
)

SIDE_PX = 60


def values_of_pixels(patterns: npt.NDArray[Any], stored: StoredFormat) -> npt.NDArray[np.float64]:
    """PS3.5 section 8.1.1 for every pixel."""
    kept = patterns.astype(np.int64) >> (stored.high_bit + 1 - stored.bits_stored)
    values = kept & ((1 << stored.bits_stored) - 1)
    if stored.signed:
        values -= (values >> (stored.bits_stored - 1)) << stored.bits_stored
    return values.astype(np.float64)


def random_steps(rng: np.random.Generator, values: npt.NDArray[np.float64]) -> GreySteps:
    """A header whose window fits the picture."""
    modality = (
        None,
        Rescale(float(rng.uniform(0.5, 3)), float(rng.integers(-2000, 2000))),
        LookupTable(np.sort(rng.integers(0, 4096, 500)).astype(np.float64), float(values.min()), 12),
    )[rng.integers(3)]
    shown = apply_modality(values, modality)
    centre, width = float(shown.mean()), max(2.0, float(np.ptp(shown)) * 0.8)
    function = ("LINEAR", "LINEAR_EXACT", "SIGMOID")[rng.integers(3)]
    table = LookupTable(rng.integers(0, 1024, 300).astype(np.float64), float(shown.min()), 10)
    return GreySteps(
        modality=modality,
        voi=table if rng.integers(4) == 0 else Window(centre, width, function),
        padding=(float(values.min()), float(values.min())) if rng.integers(2) else None,
        invert=bool(rng.integers(2)),
    )


@pytest.mark.parametrize("seed", range(60))
def test_a_table_of_patterns_gives_what_every_pixel_by_itself_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    container_bits = int(rng.choice([8, 16]))
    bits_stored = int(rng.integers(2, container_bits + 1))
    stored = StoredFormat(bits_stored, int(rng.integers(bits_stored - 1, container_bits)), bool(rng.integers(2)))
    order = ">" if rng.integers(2) else "<"
    patterns = rng.integers(0, 1 << container_bits, (SIDE_PX, SIDE_PX + 7)).astype(f"{order}u{container_bits // 8}")
    values = values_of_pixels(patterns, stored)
    steps = random_steps(rng, values)

    pixels, names = render_grey(patterns, stored, steps)

    assert pixels.dtype == np.float32
    if "window-misfit" in names or steps.voi is None:
        return  # then the window is made of a sample
    display = apply_voi(apply_modality(values, steps.modality), steps.voi)
    display = 1.0 - display if steps.invert else display
    if steps.padding is not None:
        display[is_padding(values, steps.padding)] = 0.0
    np.testing.assert_allclose(pixels, display, atol=1e-7)


def test_most_random_headers_are_compared_to_the_end() -> None:
    rng = np.random.default_rng(0)
    values = values_of_pixels(rng.integers(0, 4096, (SIDE_PX, SIDE_PX)), StoredFormat(12, 11, False))
    patterns = values.astype(np.uint16)
    names = [render_grey(patterns, StoredFormat(12, 11, False), random_steps(rng, values))[1] for _ in range(30)]
    assert sum("window-misfit" in each for each in names) < 10


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i2", "u1"])
def test_pictures_that_lie_apart_in_memory_are_looked_up_all_the_same(dtype: str) -> None:
    rng = np.random.default_rng(1)
    bits = 8 * np.dtype(dtype).itemsize
    whole = rng.integers(0, 1 << bits - 1, (90, 110)).astype(dtype)
    stored = StoredFormat(bits, bits - 1, np.dtype(dtype).kind == "i")
    window = GreySteps(voi=Window(float(whole.mean()), float(1 << bits - 1), "LINEAR_EXACT"))
    apart, _ = render_grey(whole[::2, ::3], stored, window)
    together, _ = render_grey(whole, stored, window)
    np.testing.assert_array_equal(apart, together[::2, ::3])
