"""JPEG 2000 films are decoded without their finest detail where the values stay right, and in full elsewhere."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from pydicom import uid

from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.preprocess import to_model_input
from cxrscan.scanner.readers import ReadOptions, read_film
from cxrscan.scanner.records import Radiograph
from tests.builders import dicom_film, film_pixels

MIN_SIDE_PX = 120
SYNTAXES = [uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless]


@pytest.fixture(scope="module")
def stored() -> npt.NDArray[np.uint16]:
    return film_pixels(3, height=500, width=620).astype(np.uint16) * 16


def read(data: bytes, min_side_px: int = MIN_SIDE_PX) -> Radiograph:
    return read_film(data, ReadOptions(min_jpeg_2000_px=min_side_px))[0]


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_coarse_film_is_the_full_one_without_its_detail(
    stored: npt.NDArray[np.uint16], syntax: str, photometric: str
) -> None:
    data = dicom_film(
        stored,
        syntax=syntax,
        bits_stored=12,
        PhotometricInterpretation=photometric,
        WindowCenter=2000,
        WindowWidth=3600,
        RescaleSlope=1,
        RescaleIntercept=-24,
    )
    full, reduced = read(data, 10_000), read(data)
    assert reduced.pixels.shape == (500, 620)
    assert reduced.pixel_path == full.pixel_path.replace("dicom>", "dicom>1/4>")
    assert (reduced.width_px, reduced.height_px) == (620, 500)
    averages = [cv2.resize(film.pixels, (124, 100), interpolation=cv2.INTER_AREA) for film in (full, reduced)]
    assert np.abs(averages[0] - averages[1]).mean() < 0.002


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(("height", "width"), [(501, 620), (500, 621), (503, 618), (502, 623)])
def test_a_ramp_stays_where_it_is_whatever_its_sides_divide_by(syntax: str, height: int, width: int) -> None:
    down, across = np.mgrid[:height, :width].astype(np.uint16)
    window = {"bits_stored": 12, "WindowCenter": 2048, "WindowWidth": 4096}
    data = dicom_film(400 + 3 * down + 2 * across, syntax=syntax, **window)
    full, coarse = read(data, 10_000), read(data)
    assert "1/" in coarse.pixel_path
    inside = (slice(8, -8), slice(8, -8))  # at the edges the ramp breaks off
    np.testing.assert_allclose(coarse.pixels[inside], full.pixels[inside], atol=3 / 4095)


def test_film_by_film_the_network_sees_nearly_the_same(stored: npt.NDArray[np.uint16]) -> None:
    noise = np.random.default_rng(0).integers(0, 16, stored.shape, dtype=np.uint16)
    window = {"bits_stored": 12, "WindowCenter": 2048, "WindowWidth": 4096}
    data = dicom_film(stored + noise, syntax=uid.JPEG2000Lossless, **window)
    exact, seen = (to_model_input(read(data, side).pixels, MIN_SIDE_PX) for side in (10_000, MIN_SIDE_PX))
    assert float(np.sqrt(np.square(exact - seen).mean())) < 0.005


def test_eight_bits_keep_their_values(stored: npt.NDArray[np.uint16]) -> None:
    eight = np.full((500, 620), 77, dtype=np.uint8)
    film = read(dicom_film(eight, syntax=uid.JPEG2000Lossless, WindowCenter=128, WindowWidth=256))
    assert film.pixel_path.startswith("dicom>1/4>")
    np.testing.assert_allclose(film.pixels, (77 - 127.5) / 255 + 0.5, atol=1e-6)


def test_the_percentile_window_looks_at_the_exposed_part(stored: npt.NDArray[np.uint16]) -> None:
    framed = stored.copy()
    framed[:200] = 4095
    collimator = {"CollimatorShape": "RECTANGULAR", "CollimatorUpperHorizontalEdge": 200}
    edges = {
        "CollimatorLowerHorizontalEdge": 500,
        "CollimatorLeftVerticalEdge": 1,
        "CollimatorRightVerticalEdge": 620,
    }
    data = dicom_film(framed, syntax=uid.JPEG2000Lossless, bits_stored=12, **collimator, **edges)
    full, reduced = read(data, 10_000), read(data)
    assert "percentile" in reduced.pixel_path
    assert abs(float(full.pixels[220:].mean()) - float(reduced.pixels[220:].mean())) < 0.02


@pytest.mark.parametrize(
    "unusual",
    [{"PixelPaddingValue": 0}, {"PixelRepresentation": 1}],
    ids=["padding", "signed"],
)
def test_what_could_be_blended_wrongly_is_decoded_in_full(
    stored: npt.NDArray[np.uint16], unusual: dict[str, int]
) -> None:
    data = dicom_film(stored // 2, syntax=uid.JPEG2000Lossless, bits_stored=12, **unusual)
    assert "1/" not in read(data).pixel_path


def test_colour_and_small_films_are_decoded_in_full(stored: npt.NDArray[np.uint16]) -> None:
    colour = np.repeat((stored >> 4).astype(np.uint8)[..., np.newaxis], 3, axis=2)
    assert "1/" not in read(dicom_film(colour, syntax=uid.JPEG2000Lossless)).pixel_path
    assert "1/" not in read(dicom_film(stored, syntax=uid.JPEG2000Lossless, bits_stored=12), 251).pixel_path


def test_a_truncated_film_stays_truncated(stored: npt.NDArray[np.uint16]) -> None:
    data = dicom_film(stored, syntax=uid.JPEG2000Lossless, bits_stored=12)
    with pytest.raises(FilmError) as caught:
        read(data[: len(data) // 2])
    assert caught.value.code == "truncated"
