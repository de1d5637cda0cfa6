"""Formats told from a file's first bytes."""

from __future__ import annotations

import gzip
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import uid

from scanner.readers.sniff import HEAD_BYTES, is_gzip, sniff_kind
from tests.builders import dicom_film, encode, film_pixels

FILM = film_pixels()
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
    assert sniff_kind(head) in {"jpeg", "png", "tiff", "bmp", "dicom", None}


def test_random_bytes_are_hardly_ever_taken_for_a_film() -> None:
    noise = np.random.default_rng(0).bytes(HEAD_BYTES * 20_000)
    heads = [noise[start : start + HEAD_BYTES] for start in range(0, len(noise), HEAD_BYTES)]
    assert [sniff_kind(head) for head in heads] == [None] * len(heads)


def test_gzip_is_told() -> None:
    assert is_gzip(gzip.compress(b"film")[:HEAD_BYTES])
    assert not is_gzip(dicom_film(FILM)[:HEAD_BYTES])


def test_sniffing_imports_no_imaging_library() -> None:
    code = "import sys, scanner.readers.sniff; print({'pydicom', 'imagecodecs', 'PIL', 'cv2'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
