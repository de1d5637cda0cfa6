"""Raster films as exports, cameras and scripts leave them: the same film, whatever surrounds its pixels.

Each case draws a film with known display values and stores it as a reported file was stored.
"""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Callable

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.readers import ReadOptions, read_film
from cxrscan.scanner.records import Radiograph
from tests.builders import encode, film_pixels

BYTES = film_pixels(1, height=60, width=80)
SHARE = BYTES / 255.0
Field = tuple[int, bytes | list[int]]
"""Type and values of a TIFF tag; fractions as two numbers each."""
BYTES_BY_TYPE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}


def read(data: bytes) -> Radiograph:
    (film,) = read_film(data, ReadOptions(1.0))
    return film


def assert_shows(film: Radiograph, wanted: npt.ArrayLike = SHARE, tolerance: float = 0.002) -> None:
    assert film.pixels.shape == np.shape(wanted)
    assert (film.width_px, film.height_px) == np.shape(wanted)[::-1]
    assert np.abs(film.pixels - wanted).max() <= tolerance


def tiff(samples: np.ndarray, tags: dict[int, Field] | None = None, order: str = "<") -> bytes:
    """A TIFF page of one strip; ``tags`` adds or replaces (type, values), bytes as they are."""
    return tiff_pages([(samples, tags or {})], order)


def tiff_pages(pages: list[tuple[np.ndarray, dict[int, Field]]], order: str = "<") -> bytes:
    """Pages in a chain."""
    out = bytearray(struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 0))
    link = 4
    for samples, more in pages:
        n_samples = samples.shape[2] if samples.ndim == 3 else 1
        pixels = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
        kind = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
        tags = {
            256: (4, [samples.shape[1]]),
            257: (4, [samples.shape[0]]),
            258: (3, [8 * samples.itemsize] * n_samples),
            259: (3, [1]),
            262: (3, [2 if n_samples >= 3 else 1]),
            273: (4, [len(out)]),
            277: (3, [n_samples]),
            278: (4, [samples.shape[0]]),
            279: (4, [len(pixels)]),
            339: (3, [kind] * n_samples),
            **more,
        }
        out += pixels + bytes(len(pixels) % 2)
        entries = b""
        for tag, (field, values) in sorted(tags.items()):
            code = "H" if field == 3 else "I"
            packed = values if isinstance(values, bytes) else struct.pack(f"{order}{len(values)}{code}", *values)
            count = len(packed) // BYTES_BY_TYPE[field]
            if len(packed) > 4:
                value = struct.pack(f"{order}I", len(out))
                out += packed + bytes(len(packed) % 2)
            else:
                value = packed.ljust(4, b"\0")
            entries += struct.pack(f"{order}HHI", tag, field, count) + value
        struct.pack_into(f"{order}I", out, link, len(out))
        out += struct.pack(f"{order}H", len(tags)) + entries
        link = len(out)
        out += bytes(4)
    return bytes(out)


# -- 1. depth


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("white", [-1, 0])
@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_fewer_bits_than_the_container_holds_are_as_bright_as_the_film(
    bits: int, white: int, image_format: str
) -> None:
    scaled = np.minimum(SHARE / SHARE.max() * (2**bits + white), 65535).astype(np.uint16)
    film = read(encode(scaled, image_format))
    assert_shows(film, SHARE / SHARE.max(), 0.005)
    assert film.pixel_path == f"{image_format.lower()}>{bits}-bit"


@given(
    bits=st.sampled_from([8, 10, 12, 14, 16]),
    largest=st.floats(0.3, 1.0),
    container=st.sampled_from([np.uint16, np.uint32, np.int32]),
)
def test_the_scale_follows_the_bits_that_the_values_reach(bits: int, largest: float, container: type) -> None:
    scaled = (SHARE / SHARE.max() * largest * (2**bits - 1)).astype(container)
    film = read(tiff(scaled))
    np.testing.assert_allclose(film.pixels, scaled / (2**bits - 1), atol=1e-6)


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("darkness", [0.05, 0.1, 0.2])
def test_a_dark_film_whose_values_were_spread_over_16_bits_stays_dark(bits: int, darkness: float) -> None:
    few = np.rint(SHARE / SHARE.max() * darkness * (2**bits - 1)).astype(np.uint16)
    for spread in (few * 257,) if bits == 8 else (few << (16 - bits),):
        film = read(encode(spread.astype(np.uint16), "PNG"))
        assert_shows(film, spread / 65535, 1e-6)
        assert film.pixel_path == "png>16-bit"


def test_a_dark_film_of_stated_depth_stays_dark() -> None:
    dark = (SHARE * 900).astype(np.uint16)
    assert_shows(read(tiff(dark, {281: (3, [4095])})), dark / 4095, 1e-6)
    assert_shows(read(bytes(imagecodecs.jpeg8_encode(dark, lossless=True, bitspersample=12))), dark / 4095, 1e-6)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_colours_of_16_bits_keep_their_low_bytes(bits: int) -> None:
    deep = (SHARE / SHARE.max() * (2**bits - 1)).astype(np.uint16)
    opaque = np.full_like(deep, 65535)
    pictures = {
        "rgb": np.dstack([deep] * 3),
        "rgba": np.dstack([deep, deep, deep, opaque]),
        "la": np.dstack([deep, opaque]),
    }
    for name, picture in pictures.items():
        film = read(bytes(imagecodecs.png_encode(picture)))
        assert_shows(film, deep / (2**bits - 1), 2e-6)
        assert film.chroma == 0.0, name
    film = read(tiff(pictures["rgb"]))
    assert_shows(film, deep / (2**bits - 1), 2e-6)
    assert film.pixel_path == f"tiff>{bits}-bit>luminance"


def test_planes_of_colours_of_16_bits_are_put_together() -> None:
    planes = np.stack([(SHARE * top).astype(np.uint16) for top in (65535, 30000, 10000)])
    film = read(tiff_planes(planes))
    weights = np.array([0.299, 0.587, 0.114])
    assert_shows(film, np.tensordot(weights, planes, 1) / 65535, 1e-5)


def tiff_planes(planes: np.ndarray) -> bytes:
    """Three planes one after another (PlanarConfiguration 2)."""
    n_planes, height, width = planes.shape
    tags: dict[int, Field] = {
        257: (4, [height]),
        258: (3, [16] * n_planes),
        262: (3, [2]),
        277: (3, [n_planes]),
        278: (4, [height]),
        273: (4, [8 + i * planes[0].nbytes for i in range(n_planes)]),
        279: (4, [planes[0].nbytes] * n_planes),
        284: (3, [2]),
        339: (3, [1] * n_planes),
    }
    return tiff(planes.reshape(-1, width), tags)


# -- 2. tags that the decoder passes over


SAMPLES: dict[str, Callable[[], np.ndarray]] = {
    "8": lambda: BYTES,
    "16": lambda: (SHARE * 65535).astype(np.uint16),
    "14 in 16": lambda: (SHARE * 16383).astype(np.uint16),
    "float": lambda: SHARE.astype(np.float32),
}


@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize("order", ["<", ">"])
def test_white_is_zero_is_inverted_at_every_depth(samples: str, order: str) -> None:
    stored = SAMPLES[samples]()
    white = {"8": 255, "16": 65535, "14 in 16": 16383, "float": 1.0}[samples]
    film = read(tiff((white - stored).astype(stored.dtype), {262: (3, [0])}, order))
    assert_shows(film)
    assert film.pixel_path.endswith("invert")
    assert_shows(read(tiff(stored, {262: (3, [1])}, order)))


def test_a_fax_of_bits_is_white_where_it_says_so() -> None:
    bits = BYTES > 100
    out = io.BytesIO()
    Image.fromarray(bits).save(out, "TIFF", compression="group4")
    assert_shows(read(out.getvalue()), bits)


@pytest.mark.parametrize(("tag", "value"), [(254, 1), (254, 5), (255, 2)])
def test_a_preview_is_not_scored_in_place_of_the_film(tag: int, value: int) -> None:
    preview = film_pixels(2, height=15, width=20)
    film = read(tiff_pages([(preview, {tag: (4, [value])}), (BYTES, {})]))
    assert_shows(film)
    assert film.reasons == ()
    assert read(tiff_pages([(BYTES, {}), (preview, {tag: (4, [value])})])).reasons == ()
    assert read(tiff_pages([(BYTES, {}), (preview, {})])).reasons == ("multi-frame",)


def test_a_preview_alone_is_shown() -> None:
    assert_shows(read(tiff(BYTES, {254: (4, [1])})))


def test_a_film_below_its_preview_is_found() -> None:
    """As cameras write it (TIFF/EP): the first directory is a preview and names the one of the picture."""
    chained = bytearray(
        tiff_pages([(film_pixels(2, height=15, width=20), {254: (4, [1]), 330: (4, [0])}), (BYTES, {})])
    )
    first = struct.unpack_from("<I", chained, 4)[0]
    n_entries = struct.unpack_from("<H", chained, first)[0]
    link = first + 2 + 12 * n_entries
    second = struct.unpack_from("<I", chained, link)[0]
    at = next(
        first + 2 + 12 * i for i in range(n_entries) if chained[first + 2 + 12 * i : first + 4 + 12 * i] == b"J\1"
    )
    struct.pack_into("<I", chained, at + 8, second)
    struct.pack_into("<I", chained, link, 0)
    assert_shows(read(bytes(chained)))


@pytest.mark.parametrize("alpha", [0, 255])
@pytest.mark.parametrize("header", [40, 108])
def test_the_fourth_byte_of_a_bmp_may_be_anything(alpha: int, header: int) -> None:
    pixels = np.dstack([BYTES, BYTES, BYTES, np.full_like(BYTES, alpha)])[::-1].tobytes()
    info = struct.pack("<IiiHHIIiiII", header, 80, 60, 1, 32, 3 if header > 40 else 0, len(pixels), 0, 0, 0, 0)
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000).ljust(68, b"\0") if header > 40 else b""
    head = struct.pack("<2sIHHI", b"BM", 14 + header + len(pixels), 0, 0, 14 + header)
    assert_shows(read(head + info + masks + pixels))


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "WEBP"])
def test_a_picture_that_would_be_all_transparent_is_shown(image_format: str) -> None:
    options = {"lossless": True, "exact": True} if image_format == "WEBP" else {}
    clear = np.dstack([BYTES, BYTES, BYTES, np.zeros_like(BYTES)])
    assert_shows(read(encode(clear, image_format, **options)))


TURNED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.T,
    6: lambda upright: np.rot90(upright),
    7: lambda upright: upright[::-1, ::-1].T,
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("orientation", TURNED)
def test_a_turned_film_has_the_size_of_the_upright_one_in_every_format(orientation: int) -> None:
    stored = np.ascontiguousarray(TURNED[orientation](BYTES))
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_shows(read(tiff(stored, {274: (3, [orientation])})))
    assert_shows(read(tiff(stored.astype(np.uint16) * 257, {274: (3, [orientation])})))
    assert_shows(read(encode(stored, "PNG", exif=exif)))
    assert_shows(read(encode(stored, "WEBP", exif=exif, lossless=True)))
    assert_shows(read(encode(stored, "JPEG", exif=exif, quality=100)), tolerance=0.03)


# -- 5. metadata that the score does not need


def jpeg_with(*segments: bytes) -> bytes:
    data = encode(BYTES, "JPEG", quality=100)
    return data[:2] + b"".join(segments) + data[2:]


def exif_segment(tag: int, field: int, payload: bytes, count: int | None = None) -> bytes:
    entry = struct.pack(">HHI", tag, field, len(payload) if count is None else count) + payload.ljust(4, b"\0")[:4]
    content = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


PLAIN_JPEG = read(encode(BYTES, "JPEG", quality=100)).pixels


@pytest.mark.parametrize(
    "segment",
    [
        exif_segment(0x011A, 2, b"abc"),  # resolution as text
        exif_segment(0x0131, 5, b"\0\0\0\1"),  # Software as a fraction that lies beyond the end
        exif_segment(0x0131, 99, b"xy"),
        exif_segment(0x8769, 4, b"\xff\xff\xff\xff"),  # a directory beyond the end
        b"\xff\xe1\x00\x08Exif\0\0",
        b"\xff\xe1\x00\x20Exif\0\0MM\0*" + bytes(20),
        b"\xff\xe2\x00\x12ICC_PROFILE\0\1\1!!",
        b"\xff\xe2\x00\x0aMPF\0II*\0",
        b"\xff\xfe\x00\x04\xff\xff",
        b"\xff\xed\x00\x18Photoshop 3.0\0" + b"8BIM\x04\x04\x00\xff",
    ],
)
def test_damaged_metadata_of_a_jpeg_changes_nothing(segment: bytes) -> None:
    film = read(jpeg_with(segment))
    np.testing.assert_array_equal(film.pixels, PLAIN_JPEG)
    assert film.reasons == ()


@given(st.binary(max_size=64), st.sampled_from([*range(0xE1, 0xEE), 0xEF, 0xFE]))
def test_no_metadata_whatever_keeps_a_jpeg_from_being_read(content: bytes, marker: int) -> None:
    film = read(jpeg_with(bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content))
    np.testing.assert_array_equal(film.pixels, PLAIN_JPEG)


@pytest.mark.parametrize(
    ("segment", "turned", "reasons"),
    [
        (exif_segment(0x0112, 2, b"6\0"), True, ()),  # text that is a number
        (exif_segment(0x0112, 2, b"up\0"), False, ("orientation-unknown",)),
        (exif_segment(0x0112, 3, b"\0\x63", 1), False, ("orientation-unknown",)),
        (exif_segment(0x0112, 3, b"\0\0", 1), False, ()),  # cameras that do not know write 0
        (exif_segment(0x0112, 4, b"\0\0\0\6", 1), True, ()),
        (exif_segment(0x0112, 5, b"\0\0\0\1", 1), False, ("orientation-unknown",)),
    ],
)
def test_an_orientation_of_any_type_is_understood_or_warned_about(
    segment: bytes, turned: bool, reasons: tuple[str, ...]
) -> None:
    film = read(jpeg_with(segment))
    assert film.pixels.shape == (PLAIN_JPEG.T.shape if turned else PLAIN_JPEG.shape)
    assert film.reasons == reasons


@pytest.mark.parametrize(
    "tags",
    [
        {282: (2, b"72\0"), 283: (2, b"72\0")},
        {282: (5, [1, 0]), 296: (2, b"inch\0")},
        {305: (3, [7])},
        {305: (5, [1, 2]), 306: (4, [1])},
        {34675: (7, b"no profile")},
        {700: (7, b"<x:xmpmeta")},
        {34665: (4, [4_000_000])},
        {270: (2, b"\xff\xfe description\0")},
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_damaged_metadata_of_a_tiff_changes_nothing(tags: dict[int, Field], deep: bool) -> None:
    stored = BYTES.astype(np.uint16) * 257 if deep else BYTES
    film = read(tiff(stored, tags))
    assert_shows(film, tolerance=1e-6)
    assert film.reasons == ()


def test_an_orientation_of_a_tiff_that_is_no_number_is_warned_about() -> None:
    film = read(tiff(BYTES, {274: (2, b"up\0")}))
    assert_shows(film)
    assert film.reasons == ("orientation-unknown",)
    assert read(tiff(np.ascontiguousarray(np.rot90(BYTES)), {274: (2, b"6\0")})).reasons == ()


def png_chunk(kind: bytes, content: bytes, crc: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + content) if crc is None else crc
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1), crc=1),
        png_chunk(b"pHYs", b"short"),
        png_chunk(b"iCCP", b"big\0\0" + zlib.compress(bytes(3_000_000))),
        png_chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(30_000_000))),
        png_chunk(b"tEXt", b"Comment\0" + b"x" * 2_000_000),
        png_chunk(b"eXIf", b"MM\0*rubbish"),
        png_chunk(b"gAMA", b""),
        png_chunk(b"tIME", b"", crc=0),
    ],
)
def test_damaged_or_huge_metadata_of_a_png_changes_nothing(chunk: bytes) -> None:
    data = encode(BYTES, "PNG")
    film = read(data[:33] + chunk + data[33:])
    assert_shows(film, tolerance=1e-6)
    assert film.reasons == ()


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT"])
def test_a_wrong_checksum_of_what_makes_the_picture_is_told(kind: bytes) -> None:
    data = bytearray(encode(BYTES, "PNG"))
    at = data.index(kind)
    length = int.from_bytes(data[at - 4 : at], "big")
    data[at + 4 + length] ^= 1
    with pytest.raises(FilmError, match="damaged") as caught:
        read(bytes(data))
    assert caught.value.code == "decode-failed"


def test_a_profile_or_text_of_pillows_own_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    text = PngImagePlugin.PngInfo()
    text.add_itxt("Comment", "film", zip=True)
    assert_shows(read(encode(BYTES, "PNG", icc_profile=profile, pnginfo=text, dpi=(72, 72))), tolerance=1e-6)


def test_a_second_picture_of_a_phones_jpeg_may_be_cut_or_missing() -> None:
    """MPO: the main picture is whole, whatever its table says of others."""
    out = io.BytesIO()
    colours = Image.fromarray(np.dstack([BYTES] * 3))
    colours.save(out, "MPO", save_all=True, append_images=[colours], quality=100)
    whole = out.getvalue()
    for data in (whole, whole[: len(whole) * 6 // 10]):
        assert_shows(read(data), tolerance=0.02)
        assert read(data).reasons == ()


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("photometric", [0, 1])
def test_a_tiff_of_few_bits_is_read_with_either_polarity(bits: int, photometric: int) -> None:
    values = BYTES >> (8 - bits)
    stored = values if photometric else (1 << bits) - 1 - values
    digits = (stored[..., np.newaxis] >> np.arange(bits - 1, -1, -1)) & 1
    packed = np.packbits(digits.reshape(len(stored), -1).astype(np.uint8), axis=1)
    tags: dict[int, Field] = {256: (4, [80]), 258: (3, [bits]), 262: (3, [photometric]), 279: (4, [packed.size])}
    assert_shows(read(tiff(packed, tags)), values / ((1 << bits) - 1))


# -- 6. pictures that were taken for none


def as_jpeg(deep: np.ndarray, **options: object) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(deep, **options))


DEEP = (SHARE * 4095).astype(np.uint16)
FILES: dict[str, tuple[bytes, float]] = {
    "12-bit JPEG": (as_jpeg(DEEP, level=100, bitspersample=12), 0.01),
    "lossless JPEG, 8 bits": (as_jpeg(BYTES, lossless=True), 1e-6),
    "lossless JPEG, 12 bits": (as_jpeg(DEEP, lossless=True, bitspersample=12), 0.001),
    "lossless JPEG, 16 bits": (as_jpeg((SHARE * 65535).astype(np.uint16), lossless=True), 0.001),
    "JPEG-LS": (bytes(imagecodecs.jpegls_encode(DEEP)), 0.001),
    "TIFF, 2 samples of 16 bits": (tiff(np.dstack([DEEP * 16, DEEP]), {338: (3, [0])}), 0.001),
    "TIFF, grey and opacity of 16 bits": (tiff(np.dstack([DEEP, np.full_like(DEEP, 65535)]), {338: (3, [2])}), 0.001),
    "TIFF, float16": (tiff(SHARE.astype(np.float16)), 0.001),
    "TIFF, float64": (tiff(SHARE), 0.001),
    "TIFF, signed 16 bits": (tiff((SHARE * 4095).astype(np.int16)), 0.001),
    "JPEG 2000": (bytes(imagecodecs.jpeg2k_encode(DEEP, level=0, reversible=True, bitspersample=12)), 0.001),
    "JPEG 2000 codestream": (
        bytes(imagecodecs.jpeg2k_encode(DEEP, level=0, codecformat="j2k", reversible=True, bitspersample=12)),
        0.001,
    ),
    "JPEG XL": (bytes(imagecodecs.jpegxl_encode(DEEP, lossless=True, bitspersample=12)), 0.001),
    "JPEG XL in boxes": (bytes(imagecodecs.jpegxl_encode(BYTES, lossless=True, usecontainer=True)), 1e-6),
    "WebP": (encode(BYTES, "WEBP", lossless=True), 1e-6),
    "AVIF": (encode(BYTES, "AVIF", quality=100), 0.02),
}


@pytest.mark.parametrize("name", FILES)
def test_what_a_library_at_hand_reads_is_read(name: str) -> None:
    data, tolerance = FILES[name]
    film = read(data)
    assert_shows(film, tolerance=tolerance)
    assert film.chroma < 0.01


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_is_told_and_never_half_a_film(name: str) -> None:
    data, _ = FILES[name]
    if name.startswith("TIFF"):
        data = data[: 8 + 100] + data[8 + 100 :][: -len(data) // 2]  # its directory stands at the end
    with pytest.raises(FilmError) as caught:
        read(data[: len(data) * 2 // 3])
    assert caught.value.code in {"truncated", "decode-failed"}


@pytest.mark.parametrize("name", FILES)
def test_a_limit_holds_in_every_format(name: str) -> None:
    with pytest.raises(FilmError) as caught:
        read_film(FILES[name][0], ReadOptions(max_megapixels=0.004))
    assert caught.value.code == "too-large"


@pytest.mark.parametrize(
    ("photometric", "n_samples", "said"), [(3, 1, "palette"), (5, 4, "CMYK"), (6, 3, "YCbCr"), (8, 3, "CIELab")]
)
def test_deep_colours_that_are_no_rgb_are_named_and_never_taken_for_it(
    photometric: int, n_samples: int, said: str
) -> None:
    deep = np.dstack([DEEP] * n_samples) if n_samples > 1 else DEEP
    with pytest.raises(FilmError, match=said) as caught:
        read(tiff(deep, {262: (3, [photometric])}))
    assert caught.value.code == "decode-failed"


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"\0\0\0\x18ftypheic" + bytes(200), "decode-failed", "HEIC"),
        (b"%PDF-1.7", "not-an-image", "PDF"),
        (encode(BYTES, "GIF"), "not-an-image", "GIF"),
        (b"<!DOCTYPE html><title>Log in", "not-an-image", "web page"),
        (bytes(5000), "not-an-image", "zeros"),
        (base64.b64encode(encode(BYTES, "JPEG")), "not-an-image", "base64"),
        (tiff(BYTES, {259: (3, [34712])}), "decode-failed", "JPEG 2000"),
        (
            b"\xff\xd8\xff\xc5\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00\xff\xda\x00\x02",
            "decode-failed",
            "hierarchical",
        ),
    ],
)
def test_what_is_not_read_is_named(data: bytes, code: str, said: str) -> None:
    with pytest.raises(FilmError, match=said) as caught:
        read(data)
    assert caught.value.code == code
