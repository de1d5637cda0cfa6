"""Numbers of a DICOM header as systems write them: read where they can be, told where they cannot."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import DataElement, Dataset, dcmread

from cxrscan.scanner.readers import ReadOptions, read_film
from cxrscan.scanner.records import Radiograph
from tests.builders import dicom_film, film_pixels

DEEP = film_pixels(1).astype(np.uint16) * 16 + 7
CENTER, WIDTH, SLOPE, INTERCEPT = 0x00281050, 0x00281051, 0x00281053, 0x00281052


def film(*elements: tuple[int, str, object], window: int | None = 0, pixels: np.ndarray = DEEP) -> Radiograph:
    """A film of 12 bits whose header holds these elements as they are written."""
    dataset = dcmread(io.BytesIO(dicom_film(pixels, bits_stored=12)))
    for tag, vr, value in elements:
        dataset.add(element(tag, vr, value))
    out = io.BytesIO()
    dataset.save_as(out)
    return read_film(out.getvalue(), ReadOptions(window=window))[0]


def element(tag: int, vr: str, value: object) -> DataElement:
    if vr != "DS":
        return DataElement(tag, vr, value)
    raw = Dataset()
    raw.add_new(tag, "LO", value)  # text of any kind
    raw[tag].VR = "DS"
    return raw[tag]


def windowed(center: float, width: float) -> np.ndarray:
    return np.clip((DEEP - (center - 0.5)) / (width - 1) + 0.5, 0, 1)


@pytest.mark.parametrize(
    ("center", "width"),
    [("2047,5", "4096,0"), ("2047.5", "4096"), (" 2047,50 ", "4.096E3"), ("2,047.5", "4,096.0"), ("+2047.5", "4096,")],
)
def test_a_decimal_comma_is_read(center: str, width: str) -> None:
    read = film((CENTER, "DS", center), (WIDTH, "DS", width))
    np.testing.assert_allclose(read.pixels, windowed(2047.5, 4096), atol=1e-6)
    assert read.pixel_path == "dicom>window-linear"
    assert read.reasons == ()


@given(center=st.floats(500, 3000), width=st.floats(1500, 6000), digits=st.integers(0, 3))
def test_every_number_is_read_with_either_sign(center: float, width: float, digits: int) -> None:
    texts = [f"{number:.{digits}f}" for number in (center, width)]
    point, comma = (
        film((CENTER, "DS", texts[0].replace(".", sign)), (WIDTH, "DS", texts[1].replace(".", sign))) for sign in ".,"
    )
    np.testing.assert_array_equal(point.pixels, comma.pixels)
    assert point.pixel_path == comma.pixel_path == "dicom>window-linear"


@pytest.mark.parametrize("vr", ["UT", "LO", "ST", "LT", "SH"])
def test_a_window_of_another_type_is_read(vr: str) -> None:
    read = film((CENTER, vr, "2047,5"), (WIDTH, vr, "4096"))
    np.testing.assert_allclose(read.pixels, windowed(2047.5, 4096), atol=1e-6)


def test_several_windows_as_one_text_are_told_apart() -> None:
    texts = (CENTER, "UT", "1000\\2047,5"), (WIDTH, "UT", "2000\\4096")
    np.testing.assert_allclose(film(*texts).pixels, windowed(1000, 2000), atol=1e-6)
    np.testing.assert_allclose(film(*texts, window=1).pixels, windowed(2047.5, 4096), atol=1e-6)


def test_of_several_windows_the_one_that_can_be_read_is_taken() -> None:
    read = film((CENTER, "UT", "auto\\2047.5"), (WIDTH, "UT", "auto\\4096"))
    np.testing.assert_allclose(read.pixels, windowed(2047.5, 4096), atol=1e-6)
    assert read.reasons == ("number-unreadable",)


@pytest.mark.parametrize("text", ["auto", "12:4", "--", "1.2.3", "NaN", "0x20"])
@pytest.mark.parametrize(
    ("tag", "name"),
    [(CENTER, "WindowCenter"), (WIDTH, "WindowWidth"), (SLOPE, "RescaleSlope"), (INTERCEPT, "RescaleIntercept")],
)
def test_what_is_no_number_is_ignored_and_told(text: str, tag: int, name: str) -> None:
    window = [(CENTER, "DS", "2047.5"), (WIDTH, "DS", "4096")]
    read = film(*[each for each in window if each[0] != tag], (tag, "DS", text))
    assert read.reasons == ("number-unreadable",)
    assert f"ignored-{name}" in read.pixel_path
    same = film(*([] if tag in (CENTER, WIDTH) else window))
    np.testing.assert_array_equal(read.pixels, same.pixels)


def test_what_is_empty_is_not_told() -> None:
    read = film((CENTER, "DS", ""), (WIDTH, "DS", ""))
    assert (read.reasons, read.pixel_path) == ((), "dicom>percentile")


@pytest.mark.parametrize(
    ("center", "width"),
    [(40, 80), (40, 400), (-600, 1500), (32768, 65536), (20000, 4096), (-3000, 2000), (100_000, 10)],
)
def test_the_window_of_another_picture_is_not_applied(center: float, width: float) -> None:
    read = film((CENTER, "DS", str(center)), (WIDTH, "DS", str(width)))
    assert read.reasons == ("window-misfit",)
    assert read.pixel_path == "dicom>window-misfit>percentile"
    np.testing.assert_array_equal(read.pixels, film().pixels)


@pytest.mark.parametrize(
    ("center", "width"), [(2048, 4096), (1500, 1500), (2500, 800), (1024, 2048), (2048, 8192), (3000, 2000)]
)
def test_a_window_that_shows_the_picture_is_applied_bright_and_dark_ones_too(center: float, width: float) -> None:
    read = film((CENTER, "DS", str(center)), (WIDTH, "DS", str(width)))
    np.testing.assert_allclose(read.pixels, windowed(center, width), atol=1e-6)
    assert read.reasons == ()


@pytest.mark.parametrize(("entries", "first"), [([65535] * 200, 0), (list(range(0, 65536, 256)), 20_000)])
def test_a_lookup_table_that_shows_nothing_is_not_applied(entries: list[int], first: int) -> None:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, 16])
    item.add_new("LUTData", "US", entries)
    read = read_film(dicom_film(DEEP, bits_stored=12, VOILUTSequence=[item]), ReadOptions())[0]
    assert read.reasons == ("window-misfit",)
    np.testing.assert_array_equal(read.pixels, film().pixels)


def test_a_falling_rescale_turns_the_polarity() -> None:
    grey = film_pixels(1)
    header = {"RescaleSlope": -10, "RescaleIntercept": 3000, "WindowCenter": 1725, "WindowWidth": 2550}
    read = read_film(dicom_film(grey, VOILUTFunction="LINEAR_EXACT", **header), ReadOptions())[0]
    np.testing.assert_allclose(read.pixels, 1 - grey / 255, atol=1e-6)


def test_a_blank_picture_stays_blank() -> None:
    """Its noise is not stretched until it looks like something."""
    noise = np.random.default_rng(0).normal(2000, 15, DEEP.shape).astype(np.uint16)
    for center, width in ((2048, 4096), (40, 80)):
        read = film((CENTER, "DS", str(center)), (WIDTH, "DS", str(width)), pixels=noise)
        assert read.reasons == ()
        assert read.pixels.std() < 0.01


def test_no_window_at_all_on_wish() -> None:
    window = (CENTER, "DS", "1000"), (WIDTH, "DS", "2000")
    read = film(*window, (SLOPE, "DS", "2"), window=None)
    np.testing.assert_array_equal(read.pixels, film((SLOPE, "DS", "2")).pixels)
    assert read.pixel_path == "dicom>rescale>percentile"
    assert film((CENTER, "DS", "auto"), (WIDTH, "DS", "auto"), window=None).reasons == ()
