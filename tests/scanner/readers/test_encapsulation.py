"""A whole codestream is found whatever its sequence says around it."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import uid

from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.readers import ReadOptions, read_film
from cxrscan.scanner.records import Radiograph
from tests.builders import dicom_film, encode_frame, film_pixels

FILM = film_pixels()
DEEP = FILM.astype(np.uint16) * 16 + 7
SYNTAXES = [uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.RLELossless]
EXPECTED = read_film(dicom_film(DEEP, bits_stored=12), ReadOptions())[0].pixels
DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"


def item(content: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(content)) + content


def film_with(sequence: bytes, syntax: uid.UID, pixels: np.ndarray = DEEP) -> bytes:
    """A DICOM film whose sequence of fragments is given as bytes."""
    data = dicom_film(pixels, syntax=syntax, bits_stored=12)
    start = data.index(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff") + 12
    return data[:start] + sequence


def read(data: bytes) -> Radiograph:
    return read_film(data, ReadOptions())[0]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize(
    "ending",
    [DELIMITER, b"", bytes(8), bytes(3), bytes(5000), b"\xff" * 16, b"\xfc\xff\xfc\xff\0\0\0\0", b"\xfe\xff\x00\xe0"],
    ids=[
        "delimiter",
        "nothing",
        "zeros",
        "three zeros",
        "a block of zeros",
        "ones",
        "trailing padding",
        "half an item",
    ],
)
@pytest.mark.parametrize(
    "table",
    [item(b""), item(bytes(4)), item(struct.pack("<I", 999_999)), item(struct.pack("<2I", 8, 16)), b""],
    ids=["empty", "one", "wrong", "of two frames", "none at all"],
)
def test_one_frame_is_found_whatever_its_table_and_its_end(syntax: uid.UID, ending: bytes, table: bytes) -> None:
    stream = encode_frame(DEEP, syntax, 12)
    film = read(film_with(table + item(stream) + ending, syntax))
    np.testing.assert_array_equal(film.pixels, EXPECTED)


@given(
    syntax=st.sampled_from(SYNTAXES),
    cuts=st.lists(st.integers(1, 3000), max_size=4, unique=True).map(sorted),
    table=st.binary(max_size=12),
    padding=st.integers(0, 700),
    ending=st.sampled_from([DELIMITER, bytes(8), b""]),
)
def test_one_frame_has_all_fragments(
    syntax: uid.UID, cuts: list[int], table: bytes, padding: int, ending: bytes
) -> None:
    stream = encode_frame(DEEP, syntax, 12) + bytes(padding)
    parts = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    film = read(film_with(item(table) + b"".join(map(item, parts)) + ending, syntax))
    np.testing.assert_array_equal(film.pixels, EXPECTED)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize("padding", [0, 2, 64, 65, 5000])
@pytest.mark.parametrize("filler", [b"\0", b"\xff"])
def test_padding_behind_the_end_of_a_codestream_may_be_long(syntax: uid.UID, padding: int, filler: bytes) -> None:
    stream = encode_frame(DEEP, syntax, 12) + filler * padding
    np.testing.assert_array_equal(read(film_with(item(b"") + item(stream) + DELIMITER, syntax)).pixels, EXPECTED)


@pytest.mark.parametrize("syntax", SYNTAXES[:3], ids=lambda syntax: syntax.keyword)
def test_a_codestream_cut_short_and_padded_is_no_film(syntax: uid.UID) -> None:
    stream = encode_frame(DEEP, syntax, 12)
    with pytest.raises(FilmError) as caught:
        read(film_with(item(b"") + item(stream[: len(stream) // 2] + bytes(500)) + DELIMITER, syntax))
    assert caught.value.code == "truncated"


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_as_many_fragments_as_frames_need_no_table(syntax: uid.UID) -> None:
    frames = [DEEP, 4095 - DEEP, DEEP // 2]
    streams = [encode_frame(frame, syntax, 12) for frame in frames]
    for table in (b"", struct.pack("<3I", 7, 7, 7)):
        data = film_with(item(table) + b"".join(map(item, streams)) + bytes(8), syntax, np.stack(frames))
        films = read_film(data, ReadOptions(frames="all"))
        for film, frame in zip(films, frames, strict=True):
            np.testing.assert_array_equal(film.pixels, read(dicom_film(frame, bits_stored=12)).pixels)


@given(st.binary(max_size=80), st.sampled_from(SYNTAXES))
def test_a_sequence_of_anything_is_an_error_with_a_code(sequence: bytes, syntax: uid.UID) -> None:
    with pytest.raises(FilmError) as caught:
        read(film_with(sequence, syntax))
    assert caught.value.code in {"truncated", "decode-failed"}


@pytest.mark.parametrize("factor", [1.5, 2, 3, 4])
def test_more_bytes_than_the_header_asks_for_are_no_film(factor: float) -> None:
    data = dicom_film(DEEP, bits_stored=12)
    start = len(data) - DEEP.nbytes
    more = (data[start:] * 4)[: int(DEEP.nbytes * factor) // 2 * 2]
    with pytest.raises(FilmError, match="than its header asks for") as caught:
        read(data[: start - 4] + struct.pack("<I", len(more)) + more)
    assert caught.value.code == "bad-dicom"


@pytest.mark.parametrize("padding", [2, 64, 512])
def test_some_padding_behind_the_pixels_is_borne(padding: int) -> None:
    data = dicom_film(DEEP, bits_stored=12)
    start = len(data) - DEEP.nbytes
    padded = data[: start - 4] + struct.pack("<I", DEEP.nbytes + padding) + data[start:] + bytes(padding)
    np.testing.assert_array_equal(read(padded).pixels, EXPECTED)
