"""Raster films: every format to the same grey picture."""

from __future__ import annotations

import io
import resource

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.readers import ReadOptions, read_film
from cxrscan.scanner.records import Radiograph
from tests.bench.bombs import BOMBS, tiff_with_pages
from tests.builders import encode, film_pixels


def read(data: bytes, *, min_side_px: int = 4096, max_megapixels: float = 1.0) -> Radiograph:
    (film,) = read_film(data, ReadOptions(max_megapixels, min_side_px))
    return film


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP"])
def test_lossless_formats_keep_every_grey_value(image_format: str) -> None:
    pixels = film_pixels()
    film = read(encode(pixels, image_format))
    np.testing.assert_array_equal(film.pixels, pixels.astype(np.float32) / 255.0)
    assert (film.width_px, film.height_px) == (112, 96)
    assert film.pixel_path == image_format.lower()
    assert film.chroma == 0.0


def test_jpeg_stays_close_to_the_picture() -> None:
    pixels = film_pixels()
    film = read(encode(pixels, "JPEG", quality=95))
    assert np.abs(film.pixels - pixels / 255.0).mean() < 0.01


def test_a_large_jpeg_is_decoded_at_reduced_scale_and_says_so() -> None:
    data = encode(film_pixels(height=800, width=1000), "JPEG", quality=95)
    small, whole = read(data, min_side_px=200), read(data)
    assert small.pixels.shape == (200, 250)
    assert (small.width_px, small.height_px) == (1000, 800)
    assert small.pixel_path == "jpeg>1/4"
    means = whole.pixels.reshape(200, 4, 250, 4).mean(axis=(1, 3))
    assert np.abs(small.pixels - means).mean() < 0.01


def test_grey_stored_as_colour_reads_like_grey() -> None:
    pixels = film_pixels()
    film = read(encode(np.stack([pixels] * 3, axis=2), "PNG"))
    np.testing.assert_allclose(film.pixels, pixels / 255.0, atol=1e-6)
    assert film.chroma == 0.0


def test_colour_becomes_luminance_and_is_noticed() -> None:
    red = np.zeros((40, 40, 3), dtype=np.uint8)
    red[..., 0] = 255
    film = read(encode(red, "PNG"))
    np.testing.assert_allclose(film.pixels, 0.299, atol=1e-6)
    assert film.chroma == 1.0


@pytest.mark.parametrize(("top", "step"), [(65535, "16-bit"), (4095, "12-bit"), (255, "8-bit")])
def test_deep_grey_uses_its_own_range(top: int, step: str) -> None:
    ramp = np.linspace(0, top, 2500).reshape(50, 50).astype(np.uint16)
    for image_format in ("PNG", "TIFF"):
        film = read(encode(ramp, image_format))
        np.testing.assert_allclose(film.pixels, ramp / np.float32(top), atol=1e-6)
        assert film.pixel_path == f"{image_format.lower()}>{step}"


def test_float_tiff_outside_the_unit_range_is_scaled_by_its_own() -> None:
    ramp = np.linspace(-500.0, 1500.0, 400, dtype=np.float32).reshape(20, 20)
    film = read(encode(ramp, "TIFF"))
    assert (film.pixels.min(), film.pixels.max()) == (0.0, 1.0)


def test_transparency_lies_on_black() -> None:
    rgba = np.full((30, 30, 4), 200, dtype=np.uint8)
    rgba[:15, :, 3] = 0
    film = read(encode(rgba, "PNG"))
    assert film.pixels[:15].max() == 0.0
    assert film.pixels[15:].min() > 0.0


def test_palette_is_looked_up() -> None:
    picture = Image.fromarray(film_pixels()).convert("P", palette=Image.Palette.ADAPTIVE)
    out = io.BytesIO()
    picture.save(out, "PNG")
    assert np.abs(read(out.getvalue()).pixels - film_pixels() / 255.0).mean() < 0.02


STORED_AS = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.T,
    6: lambda upright: np.rot90(upright),
    7: lambda upright: upright[::-1, ::-1].T,
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("orientation", STORED_AS)
def test_exif_orientation_is_undone(orientation: int) -> None:
    upright = film_pixels(height=48, width=64)
    stored = np.ascontiguousarray(STORED_AS[orientation](upright))
    exif = Image.Exif()
    exif[0x0112] = orientation
    film = read(encode(stored, "JPEG", quality=100, exif=exif))
    assert (film.width_px, film.height_px) == (64, 48)
    assert np.abs(film.pixels - upright / 255.0).mean() < 0.01


def test_of_a_tiff_with_pages_the_first_is_read_with_a_warning() -> None:
    pages = [Image.fromarray(film_pixels(seed)) for seed in (1, 2)]
    out = io.BytesIO()
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
    film = read(out.getvalue())
    assert film.reasons == ("multi-frame",)
    np.testing.assert_array_equal(film.pixels, film_pixels(1) / np.float32(255))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"Dear colleague", "not-an-image"),
        (encode(film_pixels(), "JPEG")[:1200], "truncated"),
        (encode(film_pixels(), "PNG")[:1500], "truncated"),
        (encode(np.zeros((2000, 2000), np.uint8), "PNG"), "too-large"),
        (encode(film_pixels(), "BMP")[:40], "truncated"),
        (encode(film_pixels(), "PNG")[:200] + bytes(9000), "decode-failed"),
    ],
)
def test_bad_files_have_a_code(data: bytes, code: str) -> None:
    with pytest.raises(FilmError) as caught:
        read(data)
    assert caught.value.code == code
    assert caught.value.hint


@given(st.data())
def test_damage_is_an_error_with_a_code_or_a_picture_in_range(data: st.DataObject) -> None:
    image_format = data.draw(st.sampled_from(["JPEG", "PNG", "TIFF", "BMP"]))
    damaged = bytearray(encode(film_pixels(height=24, width=24), image_format))
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        film = read(bytes(damaged))
    except FilmError:
        return
    assert film.pixels.dtype == np.float32
    assert film.pixels.min() >= 0.0
    assert film.pixels.max() <= 1.0


@pytest.mark.parametrize(
    "bomb",
    [
        "PNG 50,000 x 50,000, header only",
        "PNG 50,000 x 50,000, whole",
        "JPEG header 65,500 x 65,500",
        "TIFF 64 x 64 in a tile of 46,000 x 46,000",
        "TIFF 64 x 64 in a tile of 2^31 x 2^31",
        "BMP header 100,000 x 100,000",
    ],
)
def test_a_bomb_is_refused_before_memory_is_taken(bomb: str) -> None:
    data = BOMBS[bomb]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FilmError) as caught:
        read(data, max_megapixels=200.0)
    assert caught.value.code in {"too-large", "decode-failed"}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_a_limit_beyond_pillows_own_is_heeded() -> None:
    with pytest.raises(FilmError) as caught:
        read(BOMBS["PNG 50,000 x 50,000, header only"](), max_megapixels=3_000.0)
    assert caught.value.code != "too-large"


def test_pages_without_number_are_not_counted() -> None:
    assert read(tiff_with_pages(100_000), min_side_px=16).reasons == ("multi-frame",)


def test_floats_of_the_widest_range_stay_in_range() -> None:
    """Found by fuzzing: their difference is more than a float holds."""
    widest = np.finfo(np.float32).max
    film = read(encode(np.linspace(-1.0, 1.0, 400, dtype=np.float32).reshape(20, 20) * widest, "TIFF"))
    np.testing.assert_allclose(film.pixels, np.linspace(0.0, 1.0, 400).reshape(20, 20), atol=1e-6)


def test_damage_inside_a_tiff_is_not_told_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    bits = Image.fromarray(film_pixels(height=200, width=200)).convert("1")
    out = io.BytesIO()
    bits.save(out, "TIFF", compression="group4")
    damaged = bytearray(out.getvalue())
    damaged[100:1100:50] = bytes(0xFF ^ byte for byte in damaged[100:1100:50])
    with Image.open(io.BytesIO(damaged)) as image:
        image.load()
    assert "Bad code word" in capfd.readouterr().err  # by itself libtiff tells
    read(bytes(damaged))
    assert capfd.readouterr().err == ""
