"""One film in every transfer syntax: the same picture, and a clear word where a file cannot be decoded."""

from __future__ import annotations

import io
from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread, uid
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, encapsulate_extended

from cxrscan.scanner.errors import CxrscanError, FilmError
from cxrscan.scanner.readers import ReadOptions, read_film
from cxrscan.scanner.readers.codecs import codestream_shape
from cxrscan.scanner.records import Radiograph
from tests.builders import dicom_film, encode_frame, film_pixels

NATIVE = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
)
LOSSLESS = (
    uid.RLELossless,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
)
LOSSY = (uid.JPEGExtended12Bit, uid.JPEGLSNearLossless, uid.JPEG2000, uid.HTJ2K)
FILM = film_pixels()
DEEP = FILM.astype(np.uint16) * 16 + 7


def read(data: bytes) -> Radiograph:
    return read_film(data, ReadOptions(1.0))[0]


def name_of(syntax: uid.UID) -> str:
    return syntax.keyword


@pytest.mark.parametrize(
    ("pixels", "header"),
    [
        (FILM, {}),
        (DEEP, {"bits_stored": 12, "WindowCenter": 2048, "WindowWidth": 4096}),
        (DEEP * 16, {"RescaleSlope": 0.5, "RescaleIntercept": -100}),
        (DEEP.astype(np.int16) - 2000, {"bits_stored": 13, "PhotometricInterpretation": "MONOCHROME1"}),
        (np.stack([FILM, FILM // 2, FILM // 3], -1), {}),
    ],
    ids=["8 bit", "12 bit", "16 bit", "signed", "RGB"],
)
@pytest.mark.parametrize("syntax", [*NATIVE, *LOSSLESS], ids=name_of)
def test_lossless_syntaxes_give_one_and_the_same_film(
    syntax: uid.UID, pixels: npt.NDArray[np.generic], header: dict[str, object]
) -> None:
    film = read(dicom_film(pixels, syntax=syntax, **header))
    expected = read(dicom_film(pixels, **header))
    np.testing.assert_array_equal(film.pixels, expected.pixels)
    assert (film.pixel_path, film.chroma, film.attributes) == (
        expected.pixel_path,
        expected.chroma,
        expected.attributes,
    )


@pytest.mark.parametrize("syntax", LOSSY, ids=name_of)
def test_lossy_12_bit_films_stay_close(syntax: uid.UID) -> None:
    header = {"bits_stored": 12, "WindowCenter": 2048, "WindowWidth": 4096}
    film, expected = (read(dicom_film(DEEP, syntax=s, **header)) for s in (syntax, uid.ExplicitVRLittleEndian))
    assert np.abs(film.pixels - expected.pixels).max() < 0.02
    assert film.pixel_path == expected.pixel_path


def test_jpeg_baseline_films_stay_close() -> None:
    film = read(dicom_film(FILM, syntax=uid.JPEGBaseline8Bit))
    assert np.abs(film.pixels - FILM / 255.0).max() < 0.03


def test_jpeg_colours_stored_as_ybr_come_back_as_grey() -> None:
    stream = bytes(imagecodecs.jpeg8_encode(np.stack([FILM] * 3, -1), 95))  # as YCbCr
    data = dicom_film(
        np.stack([FILM] * 3, -1),
        syntax=uid.JPEGBaseline8Bit,
        codestreams=[stream],
        PhotometricInterpretation="YBR_FULL_422",
    )
    film = read(data)
    assert np.abs(film.pixels - FILM / 255.0).max() < 0.03
    assert film.chroma < 0.01


@given(depth=st.integers(9, 16), seed=st.integers(0, 50), syntax=st.sampled_from(LOSSLESS))
def test_every_depth_survives_every_lossless_syntax(depth: int, seed: int, syntax: uid.UID) -> None:
    pixels = np.random.default_rng(seed).integers(0, 1 << depth, (9, 11)).astype(np.uint16)
    header = {"WindowCenter": 2 ** (depth - 1), "WindowWidth": 2**depth, "VOILUTFunction": "LINEAR_EXACT"}
    film = read(dicom_film(pixels, syntax=syntax, bits_stored=depth, **header))
    np.testing.assert_allclose(film.pixels, pixels / 2**depth, atol=1e-6)


def test_a_jpeg_deeper_than_bits_stored_says_is_read_from_its_stored_bits() -> None:
    stream = bytes(imagecodecs.jpeg8_encode(DEEP, lossless=True, predictor=1, bitspersample=16))
    header = {"bits_stored": 12, "WindowCenter": 2048, "WindowWidth": 4096}
    film = read(dicom_film(DEEP, syntax=uid.JPEGLosslessSV1, codestreams=[stream], **header))
    np.testing.assert_array_equal(film.pixels, read(dicom_film(DEEP, **header)).pixels)


def test_an_8_bit_jpeg_in_a_16_bit_container_is_read() -> None:
    stream = encode_frame(FILM, uid.JPEGBaseline8Bit, 8)
    film = read(dicom_film(DEEP, syntax=uid.JPEGBaseline8Bit, bits_stored=8, codestreams=[stream]))
    assert np.abs(film.pixels - FILM / 255.0).max() < 0.03


def test_a_frame_may_lie_in_several_fragments() -> None:
    stream = encode_frame(DEEP, uid.JPEG2000Lossless, 12)
    dataset = dcmread(io.BytesIO(dicom_film(DEEP, syntax=uid.JPEG2000Lossless, bits_stored=12)))
    dataset.PixelData = encapsulate([stream], fragments_per_frame=2)
    out = io.BytesIO()
    dataset.save_as(out)
    np.testing.assert_array_equal(read(out.getvalue()).pixels, read(dicom_film(DEEP, bits_stored=12)).pixels)


def test_frames_are_found_by_an_extended_offset_table() -> None:
    frames = [encode_frame(film, uid.JPEG2000Lossless, 8) for film in (FILM, 255 - FILM)]
    dataset = dcmread(io.BytesIO(dicom_film(np.stack([FILM, FILM]), syntax=uid.JPEG2000Lossless)))
    dataset.PixelData, dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = encapsulate_extended(frames)
    out = io.BytesIO()
    dataset.save_as(out)
    films = read_film(out.getvalue(), ReadOptions(1.0, frames="all"))
    np.testing.assert_array_equal(films[0].pixels, read(dicom_film(FILM)).pixels)
    np.testing.assert_allclose(films[1].pixels, 1 - films[0].pixels, atol=1e-6)


def test_rle_segments_may_be_padded_beyond_need() -> None:
    stream = encode_frame(FILM, uid.RLELossless, 8) + b"\0\0"  # one more decoded byte
    film = read(dicom_film(FILM, syntax=uid.RLELossless, codestreams=[stream]))
    np.testing.assert_array_equal(film.pixels, read(dicom_film(FILM)).pixels)


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        (uid.MPEG4HP41, "MPEG-4"),
        (uid.UID("1.2.840.10008.1.2.4.94"), "JPIP"),
        (uid.UID("1.3.6.1.4.1.4711.1"), "one that the standard does not name"),
    ],
    ids=["video", "JPIP", "private"],
)
def test_an_unknown_syntax_is_refused_by_the_standards_name_alone(syntax: uid.UID, name: str) -> None:
    data = _with_syntax(dicom_film(FILM, syntax=uid.JPEGLosslessSV1), syntax)
    with pytest.raises(FilmError, match=name) as refusal:
        read(data)
    assert refusal.value.code == "unsupported-transfer-syntax"
    assert str(syntax) not in refusal.value.message


@pytest.mark.parametrize("syntax", [*LOSSLESS, *LOSSY], ids=name_of)
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_codestream_cut_short_is_no_film(syntax: uid.UID, kept: float) -> None:
    stream = encode_frame(DEEP, syntax, 12)
    data = dicom_film(DEEP, syntax=syntax, bits_stored=12, codestreams=[stream[: int(kept * len(stream))]])
    with pytest.raises(FilmError) as refusal:
        read(data)
    assert refusal.value.code in {"truncated", "decode-failed"}


def test_more_rle_segments_than_a_header_can_name_are_refused() -> None:
    wide = np.zeros((4, 4), dtype=np.uint8)
    header = (16).to_bytes(4, "little") + b"".join((64).to_bytes(4, "little") for _ in range(15))
    colour = {"SamplesPerPixel": 4, "BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}
    with pytest.raises(FilmError) as refusal:
        read(dicom_film(wide, syntax=uid.RLELossless, codestreams=[header + bytes(64)], **colour))
    assert refusal.value.code == "decode-failed"


@pytest.mark.parametrize("syntax", [*LOSSLESS, *LOSSY], ids=name_of)
def test_a_codestream_of_another_size_than_the_header_says_is_refused(syntax: uid.UID) -> None:
    stream = encode_frame(DEEP[:50], syntax, 12)
    data = dicom_film(DEEP, syntax=syntax, bits_stored=12, codestreams=[stream])
    with pytest.raises(FilmError) as refusal:
        read(data)
    assert refusal.value.code in {"truncated", "decode-failed"}


@pytest.mark.parametrize("syntax", [s for s in (*LOSSLESS, *LOSSY) if s != uid.RLELossless], ids=name_of)
def test_codestreams_tell_their_shape(syntax: uid.UID) -> None:
    assert codestream_shape(encode_frame(DEEP, syntax, 12)) == (*DEEP.shape, 1)


@pytest.mark.parametrize("stream", [b"", b"\xff", b"\xff\xd8\xff\xc0", b"\xff\xd8\xff\xff", b"\xff\x4f\xff\x51\0"])
def test_damaged_codestreams_tell_no_shape(stream: bytes) -> None:
    assert codestream_shape(stream) is None


@pytest.mark.parametrize("syntax", [*LOSSLESS, uid.JPEGBaseline8Bit], ids=name_of)
def test_a_codestream_of_more_samples_than_the_header_says_is_refused(syntax: uid.UID) -> None:
    stream = encode_frame(np.stack([FILM] * 3, -1), syntax, 8)
    with pytest.raises(FilmError) as refusal:
        read(dicom_film(FILM, syntax=syntax, codestreams=[stream]))
    assert refusal.value.code == "decode-failed"


@pytest.mark.parametrize(
    "header", [b"", bytes(64), b"\x02\0\0\0\x40\0\0\0\xff\xff\xff\x7f" + bytes(52)], ids=["cut", "empty", "wild"]
)
def test_a_damaged_rle_header_is_refused(header: bytes) -> None:
    stream = header + encode_frame(DEEP, uid.RLELossless, 12)[64:] if header else b"\0\0"
    with pytest.raises(FilmError) as refusal:
        read(dicom_film(DEEP, syntax=uid.RLELossless, bits_stored=12, codestreams=[stream]))
    assert refusal.value.code in {"truncated", "decode-failed"}


@pytest.mark.parametrize("syntax", [*LOSSLESS, *LOSSY], ids=name_of)
def test_damaged_codestreams_fail_and_never_crash(syntax: uid.UID) -> None:
    stream = encode_frame(DEEP, syntax, 12)
    random = np.random.default_rng(0)
    for _ in range(10):
        damaged = bytearray(stream)
        for position in random.integers(0, len(stream), 20):
            damaged[position] = random.integers(256)
        try:
            film = read(dicom_film(DEEP, syntax=syntax, bits_stored=12, codestreams=[bytes(damaged)]))
        except CxrscanError as error:
            assert error.code in {"truncated", "decode-failed"}  # noqa: PT017 - either outcome is right
        else:
            assert np.isfinite(film.pixels).all()


@pytest.mark.parametrize(
    ("stored", "said"),
    [(uid.ExplicitVRLittleEndian, uid.JPEGLosslessSV1), (uid.JPEGLosslessSV1, uid.ExplicitVRLittleEndian)],
    ids=["raw", "compressed"],
)
def test_pixels_stored_otherwise_than_the_syntax_says_are_refused(stored: uid.UID, said: uid.UID) -> None:
    with pytest.raises(FilmError, match=said.name.split(" (")[0]) as refusal:
        read(_with_syntax(dicom_film(FILM, syntax=stored), said))
    assert refusal.value.code == "bad-dicom"


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"])
def test_files_of_other_encoders_match_their_uncompressed_twin(name: str) -> None:
    film, twin = (read(Path(str(get_testdata_file(file))).read_bytes()) for file in (name, "MR_small.dcm"))
    np.testing.assert_array_equal(film.pixels, twin.pixels)


def _with_syntax(data: bytes, syntax: str) -> bytes:
    """Replace the value of (0002,0010), whatever its length."""
    start = data.index(b"\x02\x00\x10\x00UI") + 6
    length = int.from_bytes(data[start : start + 2], "little")
    value = syntax.encode() + b"\0" * (len(syntax) % 2)
    return data[:start] + len(value).to_bytes(2, "little") + value + data[start + 2 + length :]
