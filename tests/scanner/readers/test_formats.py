"""Formats told from a file's first bytes."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import uid

from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.readers import (
    FORMATS,
    HEAD_BYTES,
    Format,
    ReadOptions,
    promises_film,
    read_film,
    sniff_kind,
    without_ending,
)
from tests.builders import dicom_film, encode, film_pixels

FILM = film_pixels()
README = Path(__file__).parents[3] / "README.md"
META_END = b"1.2.840.10008.1.2.1\0"


def without_preamble(syntax: str) -> bytes:
    """The data set alone: no preamble and no meta header."""
    data = dicom_film(FILM, syntax=syntax)
    first = {True: b"\x08\0\x16\0", False: b"\0\x08\0\x16"}[syntax != uid.ExplicitVRBigEndian]
    return data[data.index(first) :]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (encode(FILM, "JPEG"), "jpeg"),
        (encode(FILM, "PNG"), "png"),
        (encode(FILM, "TIFF"), "tiff"),
        (encode(FILM, "TIFF", big_tiff=True), "tiff"),
        (b"MM\0*" + bytes(200), "tiff"),
        (encode(FILM, "BMP"), "bmp"),
        (dicom_film(FILM), "dicom"),
        (dicom_film(FILM)[132:], "dicom"),
        (without_preamble(uid.ImplicitVRLittleEndian), "dicom"),
        (without_preamble(uid.ExplicitVRLittleEndian), "dicom"),
        (without_preamble(uid.ExplicitVRBigEndian), "dicom"),
        (b"II*\0".ljust(128, b"\0") + b"DICM", "dicom"),
        (b"BMW 3 series, well kept, one owner, low mileage", None),
        (b"\x08\0 is eight", None),
        (b"\x02\0\0\0" * 40, None),
        (gzip.compress(dicom_film(FILM)), None),
        (b"%PDF-1.7", None),
        (b"", None),
    ],
    ids=str,
)
def test_the_format_is_told_from_the_content(data: bytes, kind: str | None) -> None:
    assert sniff_kind(data[:HEAD_BYTES]) == kind


@given(st.binary(max_size=HEAD_BYTES))
def test_any_bytes_are_judged_without_an_exception(head: bytes) -> None:
    assert sniff_kind(head) in {*(each.kind for each in FORMATS), None}


def test_random_bytes_are_hardly_ever_taken_for_a_film() -> None:
    noise = np.random.default_rng(0).bytes(HEAD_BYTES * 20_000)
    heads = [noise[start : start + HEAD_BYTES] for start in range(0, len(noise), HEAD_BYTES)]
    assert [sniff_kind(head) for head in heads] == [None] * len(heads)


def test_gzip_is_told() -> None:
    with pytest.raises(FilmError) as caught:
        read_film(gzip.compress(dicom_film(FILM)), ReadOptions())
    assert caught.value.code == "gzipped"


@pytest.mark.parametrize("before", [b"", b"\r\n"])
@pytest.mark.parametrize(
    "headers", [b"Content-Type: application/dicom", b"content-length: 7\r\nContent-Type: x/y; a=b"]
)
def test_an_answer_of_a_pacs_is_unwrapped(before: bytes, headers: bytes) -> None:
    film = dicom_film(FILM)
    part = b"--a1b2\r\n" + headers + b"\r\n\r\n" + film
    for end in (b"\r\n--a1b2--\r\n", b"\r\n--a1b2\r\nContent-Type: application/dicom\r\n\r\nanother\r\n--a1b2--"):
        answer = before + part + end
        assert sniff_kind(answer[:HEAD_BYTES]) == "dicom"
        (unwrapped,) = read_film(answer, ReadOptions())
        np.testing.assert_array_equal(unwrapped.pixels, read_film(film, ReadOptions())[0].pixels)
    with pytest.raises(FilmError) as caught:
        read_film(before + part[: len(part) // 2], ReadOptions())
    assert caught.value.code == "truncated"


@pytest.mark.parametrize("stray", [b"\r\n", b"\xef\xbb\xbf", b"\n\n \t"])
@pytest.mark.parametrize(
    "film", [encode(FILM, "PNG"), encode(FILM, "JPEG"), dicom_film(FILM)[132:]], ids=["png", "jpeg", "dicom"]
)
def test_stray_bytes_in_front_of_a_film_are_passed_over(stray: bytes, film: bytes) -> None:
    assert sniff_kind((stray + film)[:HEAD_BYTES]) == sniff_kind(film[:HEAD_BYTES])
    np.testing.assert_array_equal(
        read_film(stray + film, ReadOptions())[0].pixels, read_film(film, ReadOptions())[0].pixels
    )


def test_the_preamble_of_a_dicom_file_may_be_missing_before_its_prefix() -> None:
    film = dicom_film(FILM)
    np.testing.assert_array_equal(
        read_film(film[128:], ReadOptions())[0].pixels, read_film(film, ReadOptions())[0].pixels
    )


def test_what_is_of_no_format_is_told_which_are_read() -> None:
    with pytest.raises(FilmError, match="none of DICOM, JPEG") as caught:
        read_film(b"%PDF-1.7", ReadOptions())
    assert caught.value.code == "not-an-image"


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.kind)
def test_every_format_has_names_and_stands_in_the_readme(each: Format) -> None:
    for ending in each.endings:
        assert promises_film(f"IM 01{ending.upper()}")
        assert promises_film(f"x{ending}.gz")
        assert without_ending(f"1.2.840{ending}") == "1.2.840"
    assert not each.is_read or each.title in README.read_text(encoding="utf-8")


def test_dots_in_a_name_are_no_ending() -> None:
    assert without_ending("1.2.840.113") == "1.2.840.113"
    assert not promises_film("1.2.840.113")


def test_sniffing_imports_no_imaging_library() -> None:
    code = "import sys, cxrscan.scanner.readers; print({'pydicom', 'imagecodecs', 'PIL', 'cv2'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
