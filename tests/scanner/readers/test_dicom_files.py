"""DICOM files as they come: without preamble, cut short, too large, or no film at all."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, uid

from cxrscan.scanner.errors import CxrscanError, NotAFilmError
from cxrscan.scanner.readers import ReadOptions, read_film
from tests.bench.bombs import BOMBS, peak_mebibytes
from tests.builders import dicom_file, dicom_film, film_pixels

FILM = film_pixels()
DATA_SET_START = b"\x08\0\x16\0"  # SOP Class UID


def code_of(data: bytes, **reading: object) -> str:
    with pytest.raises(CxrscanError) as refusal:
        read_film(data, ReadOptions(**{"max_megapixels": 1.0, **reading}))  # type: ignore[arg-type]
    return refusal.value.code


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_a_data_set_without_preamble_and_meta_header_is_read(syntax: str) -> None:
    data = dicom_film(FILM, syntax=syntax)
    start = data.index(b"\0\x08\0\x16" if syntax == uid.ExplicitVRBigEndian else DATA_SET_START)
    film = read_film(data[start:], ReadOptions(1.0))[0]
    np.testing.assert_allclose(film.pixels, FILM / 255, atol=1e-6)


def test_a_file_without_preamble_but_with_meta_header_is_read() -> None:
    film = read_film(dicom_film(FILM, syntax=uid.JPEG2000Lossless)[132:], ReadOptions(1.0))[0]
    np.testing.assert_allclose(film.pixels, FILM / 255, atol=1e-6)


@pytest.mark.parametrize("sop_class", ["1.2.3.4", None])
def test_a_bare_data_set_that_does_not_prove_to_be_dicom_is_refused(sop_class: str | None) -> None:
    data = dicom_film(FILM, SOPClassUID=sop_class or uid.ComputedRadiographyImageStorage)
    start = data.index(DATA_SET_START if sop_class else b"\x08\0\x18\0")
    assert code_of(data[start:]) == "not-an-image"


@pytest.mark.parametrize("kept", [0.01, 0.02, 0.03, 0.05, 0.1, 0.5, 0.999])
def test_a_file_cut_short_is_no_film(kept: float) -> None:
    data = dicom_film(FILM, Manufacturer="M" * 60)
    assert code_of(data[: 132 + int(kept * (len(data) - 132))]) in {"bad-dicom", "no-pixels", "truncated"}


def test_a_dicomdir_is_told() -> None:
    directory = Dataset()
    directory.SOPClassUID = uid.MediaStorageDirectoryStorage
    directory.FileSetID = "ARCHIVE"
    with pytest.raises(NotAFilmError) as refusal:
        read_film(dicom_file(directory), ReadOptions(1.0))
    assert refusal.value.code == "dicomdir"


def test_an_object_without_pixels_names_what_it_is() -> None:
    report = Dataset()
    report.SOPClassUID = uid.ComprehensiveSRStorage
    with pytest.raises(NotAFilmError, match="Comprehensive SR"):
        read_film(dicom_file(report), ReadOptions(1.0))


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.JPEG2000Lossless, uid.RLELossless])
def test_a_header_that_claims_too_much_is_refused_before_memory_is_taken(syntax: str) -> None:
    data = dicom_film(FILM, syntax=syntax, Rows=60_000, Columns=60_000)
    tracemalloc.start()
    try:
        assert code_of(data, max_megapixels=200.0) == "too-large"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


def test_a_deflated_data_set_cannot_swell_beyond_the_limit() -> None:
    data = dicom_film(np.zeros((2000, 2000), np.uint16), syntax=uid.DeflatedExplicitVRLittleEndian)
    assert len(data) < 20_000
    tracemalloc.start()
    try:
        assert code_of(data, max_megapixels=0.1) == "too-large"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


@pytest.mark.parametrize("n_values", [1, 2, 256], ids=["flat", "two values", "noise"])
def test_deflated_data_sets_are_read_however_much_they_were_made_smaller(n_values: int) -> None:
    film = np.random.default_rng(0).integers(0, n_values, (300, 400)).astype(np.uint8)
    deflated, plain = (
        read_film(dicom_film(film, syntax=syntax, WindowCenter=128, WindowWidth=256), ReadOptions())[0]
        for syntax in (uid.DeflatedExplicitVRLittleEndian, uid.ExplicitVRLittleEndian)
    )
    np.testing.assert_array_equal(deflated.pixels, plain.pixels)


@pytest.mark.parametrize("header", [{}, {"WindowCenter": 2048, "WindowWidth": 4096}], ids=["percentile", "window"])
def test_a_large_film_reads_within_three_times_its_pixels(header: dict[str, object]) -> None:
    pixels = np.arange(4300 * 3500, dtype=np.uint32).astype(np.uint16).reshape(4300, 3500)
    data = dicom_film(pixels, **header)
    tracemalloc.start()
    try:
        film = read_film(data, ReadOptions())[0]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert film.pixels.shape == (4300, 3500)
    assert peak < 3 * pixels.nbytes


@pytest.mark.parametrize(
    ("start", "junk", "code"), [(400, b"\xff" * 20, "bad-dicom"), (-500, b"", "truncated")], ids=["damaged", "cut"]
)
def test_a_damaged_deflated_data_set_is_refused(start: int, junk: bytes, code: str) -> None:
    assert code_of(dicom_film(FILM, syntax=uid.DeflatedExplicitVRLittleEndian)[:start] + junk) == code


@pytest.mark.parametrize("garbage", [b"\xff" * 50, b"\2\0\2\0U\0\4\0 1.2"], ids=["nothing", "unknown VR"])
def test_garbage_behind_a_preamble_is_refused(garbage: bytes) -> None:
    assert code_of(bytes(128) + b"DICM" + garbage) == "bad-dicom"


@pytest.mark.parametrize(
    ("bomb", "code"),
    [
        ("DICOM header 65,535 x 65,535", "too-large"),
        ("DICOM header 14,000 x 14,000", "truncated"),
        ("DICOM header 65,535 samples per pixel", "bad-dicom"),
        ("DICOM JPEG header 14,000 x 14,000", "decode-failed"),
        ("DICOM JPEG 2000 header 65,000 x 65,000", "too-large"),
        ("DICOM JPEG 2000 of 16,000 components", "bad-dicom"),
        ("DICOM 14,000 x 14,000 with pixels four times as high", "too-large"),
    ],
)
def test_a_bomb_is_refused_before_memory_is_taken(bomb: str, code: str) -> None:
    data = BOMBS[bomb]()
    for syntax in (uid.JPEG2000Lossless, uid.JPEGBaseline8Bit):  # loads the decoders, which are no film's memory
        read_film(dicom_film(FILM, syntax=syntax), ReadOptions(1.0))
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = peak_mebibytes()
    assert code_of(data, max_megapixels=200.0) == code
    assert peak_mebibytes() - before < 48
