"""One row per case: what the header says, and what becomes of the pixels (or the code of the refusal).

Each row draws a tiny film with known stored values; adding a test is adding a row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, uid

from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.readers import ReadOptions, read_film
from tests.builders import dicom_film

RAMP = np.arange(0, 4096, 273, dtype=np.uint16).reshape(4, 4)  # 0, 273 … 4095
BYTES = np.arange(0, 256, 17, dtype=np.uint8).reshape(4, 4)  # 0, 17 … 255
LINEAR = (RAMP - 2047.5) / 4095 + 0.5  # what window 2048 / 4096 makes of RAMP
FULL_WINDOW = {"bits_stored": 12, "WindowCenter": 2048, "WindowWidth": 4096}


def lut(
    entries: list[int], first: int = 0, bits: int = 16, vr: str = "US", n_entries: int | None = None
) -> list[Dataset]:
    """Sequence with one lookup table."""
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [n_entries or len(entries), first, bits])
    words = np.array(entries, dtype="<u2")
    item.add_new("LUTData", vr, words.tobytes() if vr == "OW" else entries)
    return [item]


def packed_lut(entries: list[int]) -> list[Dataset]:
    """Sequence with one 8-bit lookup table, two entries to a word."""
    (item,) = lut(entries, bits=8, vr="OW")
    item.LUTData = bytes(entries)
    return [item]


@dataclass
class Case:
    """A film and what is expected of it."""

    name: str
    pixels: np.ndarray
    header: dict[str, Any]
    path: str
    expected: Any
    """Display values, broadcast to the shape of the film."""
    reading: dict[str, Any] = field(default_factory=dict)


IDENTITY_16 = list(range(0, 65536, 4369))  # 16 entries from black to white
STAIRS = np.arange(16, dtype=np.uint8).reshape(4, 4)

CASES = [
    # stored values: PS3.3 C.7.6.3, PS3.5 8.1
    Case("12 bits in 16", RAMP, FULL_WINDOW, "window-linear", LINEAR),
    Case("bits above the high bit are ignored", RAMP | 0xA000, FULL_WINDOW, "window-linear", LINEAR),
    Case("high bit 15 of 12 stored", RAMP << 4 | 0x5, {**FULL_WINDOW, "HighBit": 15}, "window-linear", LINEAR),
    Case("impossible high bit", RAMP, {**FULL_WINDOW, "HighBit": 3}, "window-linear", LINEAR),
    Case(
        "signed",
        RAMP.astype(np.int16) - 2048,
        {"bits_stored": 12, "WindowCenter": 0, "WindowWidth": 4096},
        "window-linear",
        LINEAR,
    ),
    Case(
        "signed pattern without sign extension",
        ((RAMP.astype(np.int16) - 2048) & 0x0FFF).astype(np.int16),
        {"bits_stored": 12, "WindowCenter": 0, "WindowWidth": 4096},
        "window-linear",
        LINEAR,
    ),
    Case("8 bits without window are display values", BYTES, {}, "full-range", BYTES / 255),
    Case("6 bits without window are display values", BYTES >> 2, {"bits_stored": 6}, "full-range", (BYTES >> 2) / 63),
    Case(
        "32 bits",
        RAMP.astype(np.uint32) * 1000,
        {"WindowCenter": 2_047_500, "WindowWidth": 4_095_000, "VOILUTFunction": "LINEAR_EXACT"},
        "window-linear-exact",
        RAMP / 4095,
    ),
    # modality: PS3.3 C.11.1
    Case(
        "rescale before window",
        RAMP,
        {"bits_stored": 12, "RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": 3096, "WindowWidth": 8191},
        "rescale>window-linear",
        np.clip((2.0 * RAMP - 1000 - 3095.5) / 8190 + 0.5, 0, 1),
    ),
    Case(
        "identity rescale is no step",
        RAMP,
        {**FULL_WINDOW, "RescaleSlope": 1, "RescaleIntercept": 0},
        "window-linear",
        LINEAR,
    ),
    Case(
        "modality LUT as US",
        STAIRS,
        {
            "ModalityLUTSequence": lut(IDENTITY_16),
            "WindowCenter": 32767.5,
            "WindowWidth": 65535,
            "VOILUTFunction": "LINEAR_EXACT",
        },
        "modality-lut>window-linear-exact",
        STAIRS / 15,
    ),
    Case(
        "modality LUT of XA is not for display",
        STAIRS,
        {"SOPClassUID": uid.XRayAngiographicImageStorage, "ModalityLUTSequence": lut(IDENTITY_16)},
        "full-range",
        STAIRS / 255,
    ),
    Case(
        "rescale of XRF is not for display",
        BYTES,
        {"SOPClassUID": uid.XRayRadiofluoroscopicImageStorage, "RescaleSlope": -1, "RescaleIntercept": 255},
        "full-range",
        BYTES / 255,
    ),
    # VOI: PS3.3 C.11.2
    *(
        Case(
            f"VOI LUT of {bits} bits that says 16",
            STAIRS,
            {"VOILUTSequence": lut([round(i / 15 * (2**bits - 1)) for i in range(16)])},
            f"voi-lut>{bits}-bit",
            np.rint(STAIRS / 15 * (2**bits - 1)) / (2**bits - 1),
        )
        for bits in (8, 10, 12, 14)
    ),
    Case(
        "VOI LUT scaled by 4096, which says 16 bits",
        STAIRS,
        {"VOILUTSequence": lut([round(i / 15 * 4096) for i in range(16)])},
        "voi-lut>12-bit",
        np.minimum(np.rint(STAIRS / 15 * 4096) / 4095, 1),
    ),
    *(
        Case(
            f"RGB of {bits} bits that says 16",
            np.dstack([np.arange(16, dtype=np.uint16).reshape(4, 4) * ((2**bits - 1) // 15)] * 3),
            {},
            f"{bits}-bit>luminance",
            np.arange(16).reshape(4, 4) * ((2**bits - 1) // 15) / (2**bits - 1),
        )
        for bits in (8, 10, 12, 14)
    ),
    Case("VOI LUT as OW", STAIRS, {"VOILUTSequence": lut(IDENTITY_16, vr="OW")}, "voi-lut", STAIRS / 15),
    Case(
        "VOI LUT before window",
        STAIRS,
        {**FULL_WINDOW, "bits_stored": 8, "VOILUTSequence": lut(IDENTITY_16)},
        "voi-lut",
        STAIRS / 15,
    ),
    Case(
        "VOI LUT of 8-bit entries, packed",
        STAIRS,
        {"VOILUTSequence": packed_lut(list(range(0, 256, 17)))},
        "voi-lut",
        STAIRS / 15,
    ),
    Case(
        "VOI LUT clamps beyond its ends",
        STAIRS,
        {"VOILUTSequence": lut([0, 65535], first=7)},
        "voi-lut",
        (STAIRS > 7).astype(float),
    ),
    Case(
        "VOI LUT of negative values",
        STAIRS.astype(np.int8) - 8,
        {"VOILUTSequence": lut(IDENTITY_16, first=-8)},
        "voi-lut",
        STAIRS / 15,
    ),
    Case(
        "VOI LUT with more bits than it says",
        STAIRS,
        {"VOILUTSequence": lut(IDENTITY_16, bits=12)},
        "voi-lut",
        STAIRS / 15,
    ),
    Case(
        "LINEAR_EXACT",
        BYTES,
        {"WindowCenter": 127.5, "WindowWidth": 255, "VOILUTFunction": "LINEAR_EXACT"},
        "window-linear-exact",
        BYTES / 255,
    ),
    Case(
        "SIGMOID",
        BYTES,
        {"WindowCenter": 100, "WindowWidth": 80, "VOILUTFunction": "SIGMOID"},
        "window-sigmoid",
        1 / (1 + np.exp(-4 * (BYTES - 100.0) / 80)),
    ),
    Case("width 1 is a threshold", BYTES, {"WindowCenter": 100, "WindowWidth": 1}, "window-linear", BYTES > 99.5),
    Case(
        "first of several windows",
        BYTES,
        {"WindowCenter": [100, 7], "WindowWidth": [1, 1]},
        "window-linear",
        BYTES > 99,
    ),
    Case(
        "second window when told so",
        BYTES,
        {"WindowCenter": [7, 100], "WindowWidth": [1, 1]},
        "window-linear",
        BYTES > 99,
        {"window": 1},
    ),
    Case(
        "last window when there are fewer",
        BYTES,
        {"WindowCenter": [7, 100], "WindowWidth": [1, 1]},
        "window-linear",
        BYTES > 99,
        {"window": 9},
    ),
    Case(
        "window of no width counts as none", BYTES, {"WindowCenter": 100, "WindowWidth": 0}, "full-range", BYTES / 255
    ),
    Case("percentile window", RAMP, {}, "percentile", np.clip((RAMP - 20.475) / (4095 - 40.95), 0, 1)),
    Case("film of one value", np.full((4, 4), 700, np.uint16), {}, "percentile", 0.5),
    # polarity: PS3.3 C.7.6.3.1.2, C.11.6
    Case("MONOCHROME1", BYTES, {"PhotometricInterpretation": "MONOCHROME1"}, "full-range>invert", 1 - BYTES / 255),
    Case("INVERSE shape", BYTES, {"PresentationLUTShape": "INVERSE"}, "full-range>invert", 1 - BYTES / 255),
    Case(
        "MONOCHROME1 with INVERSE shape inverts once",
        BYTES,
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
        "full-range>invert",
        1 - BYTES / 255,
    ),
    # padding: PS3.3 C.7.5.1.1.2
    Case(
        "padding is black, also when inverted",
        BYTES,
        {"PhotometricInterpretation": "MONOCHROME1", "PixelPaddingValue": 0},
        "full-range>invert>padding",
        np.where(BYTES == 0, 0, 1 - BYTES / 255),
    ),
    Case(
        "padding range",
        BYTES,
        {"PixelPaddingValue": 221, "PixelPaddingRangeLimit": 255},
        "full-range>padding",
        np.where(BYTES >= 221, 0, BYTES / 255),
    ),
    Case(
        "signed padding",
        RAMP.astype(np.int16) - 2048,
        {"bits_stored": 12, "PixelPaddingValue": -2048, "WindowCenter": 0, "WindowWidth": 4096},
        "window-linear>padding",
        np.where(RAMP == 0, 0, LINEAR),
    ),
    Case(
        "padding is kept out of the percentiles",
        np.where(RAMP == 4095, 60000, RAMP).astype(np.uint16),
        {"PixelPaddingValue": 60000},
        "percentile>padding",
        np.where(RAMP == 4095, 0, np.clip((RAMP - 19.11) / (3822 - 38.22), 0, 1)),
    ),
    Case(
        "nothing but padding",
        np.full((4, 4), 60000, np.uint16),
        {"PixelPaddingValue": 60000},
        "percentile>padding",
        0.0,
    ),
    # colour: PS3.3 C.7.6.3.1.2
    Case("RGB of one grey", np.stack([BYTES] * 3, -1), {}, "luminance", BYTES / 255),
    Case(
        "RGB by plane",
        np.stack([BYTES] * 3).reshape(4, 4, 3),
        {"PlanarConfiguration": 1},
        "luminance",
        BYTES / 255,
    ),
    Case(
        "RGB weighs its channels",
        np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8),
        {},
        "luminance",
        [0.299, 0.587, 0.114],
    ),
    Case(
        "16-bit RGB",
        np.stack([RAMP] * 3, -1),
        {"bits_stored": 12},
        "luminance",
        RAMP / 4095,
    ),
    Case(
        "YBR_FULL",
        np.stack([BYTES, np.full_like(BYTES, 128), np.full_like(BYTES, 128)], -1),
        {"PhotometricInterpretation": "YBR_FULL"},
        "luminance",
        BYTES / 255,
    ),
    Case(
        "PALETTE COLOR",
        STAIRS,
        {
            "PhotometricInterpretation": "PALETTE COLOR",
            **{
                f"{colour}PaletteColorLookupTable{part}": value
                for colour in ("Red", "Green", "Blue")
                for part, value in (
                    ("Descriptor", [16, 0, 16]),
                    ("Data", np.arange(0, 65536, 4369, dtype="<u2").tobytes()),
                )
            },
        },
        "palette>luminance",
        STAIRS / 15,
    ),
]


def read(pixels: np.ndarray, header: dict[str, Any], **reading: Any) -> Any:
    return read_film(dicom_film(pixels, **header), ReadOptions(**{"max_megapixels": 1.0, **reading}))[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pixels_become_display_values(case: Case) -> None:
    film = read(case.pixels, case.header, **case.reading)
    shape = case.pixels.shape[:2]
    assert film.pixel_path == f"dicom>{case.path}"
    assert (film.pixels.dtype, film.pixels.shape) == (np.float32, shape)
    assert (film.height_px, film.width_px) == shape
    np.testing.assert_allclose(film.pixels, np.broadcast_to(case.expected, shape).astype(float), atol=2e-6)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"without": ["Rows"]}, "bad-dicom"),
        ({"Columns": 0}, "bad-dicom"),
        ({"without": ["BitsAllocated"]}, "bad-dicom"),
        ({"BitsAllocated": 7}, "decode-failed"),
        ({"VOILUTSequence": [Dataset()]}, "bad-dicom"),
        ({"VOILUTSequence": lut([1, 2, 3], n_entries=9)}, "bad-dicom"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "bad-dicom"),
        ({"Rows": 5}, "truncated"),
        ({"without": ["PixelData"]}, "no-pixels"),
        ({"Rows": 60_000, "Columns": 60_000}, "too-large"),
        ({"SOPClassUID": uid.BasicTextSRStorage, "without": ["PixelData"]}, "non-image-object"),
        ({"SOPClassUID": uid.KeyObjectSelectionDocumentStorage, "without": ["PixelData"]}, "non-image-object"),
        (
            {"SOPClassUID": uid.GrayscaleSoftcopyPresentationStateStorage, "without": ["PixelData"]},
            "non-image-object",
        ),
        ({"SOPClassUID": uid.EncapsulatedPDFStorage, "without": ["PixelData"]}, "non-image-object"),
        ({"SOPClassUID": "1.3.12.2.1107.5.9.1", "without": ["PixelData"]}, "non-image-object"),
    ],
    ids=str,
)
def test_what_cannot_be_shown_is_refused_with_its_code(header: dict[str, Any], code: str) -> None:
    with pytest.raises(CxrscanError) as refusal:
        read(BYTES, header)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("aspect", "shape"),
    [
        ({"PixelAspectRatio": [2, 1]}, (8, 4)),
        ({"PixelAspectRatio": [1, 2]}, (4, 8)),
        ({"PixelSpacing": [0.3, 0.15]}, (8, 4)),
        ({"ImagerPixelSpacing": [0.15, 0.3]}, (4, 8)),
        ({"PixelAspectRatio": [1, 1]}, (4, 4)),
        ({"PixelAspectRatio": [1, 1000]}, (4, 4)),
        ({"PixelSpacing": [0, 0]}, (4, 4)),
    ],
    ids=str,
)
def test_pixels_are_made_square(aspect: dict[str, Any], shape: tuple[int, int]) -> None:
    film = read(BYTES, aspect)
    assert film.pixels.shape == shape
    assert (film.height_px, film.width_px) == (4, 4)
    assert film.pixel_path.endswith(">aspect") == (shape != (4, 4))


def test_colour_spaces_without_a_way_to_grey_are_refused() -> None:
    with pytest.raises(CxrscanError, match="colour space") as refusal:
        read(np.stack([BYTES] * 3, -1), {"PhotometricInterpretation": "HSV"})
    assert refusal.value.code == "decode-failed"


COLLIMATED = np.pad(RAMP // 4 + 1000, 3, constant_values=40_000).astype(np.uint16)
COLLIMATED[0, 0] = 0  # so that the borders are not of one value
COLLIMATED[-1, -1] = 0


@pytest.mark.parametrize(
    "edges",
    [
        {
            "CollimatorShape": "RECTANGULAR",
            "CollimatorLeftVerticalEdge": 3,
            "CollimatorRightVerticalEdge": 8,
            "CollimatorUpperHorizontalEdge": 3,
            "CollimatorLowerHorizontalEdge": 8,
        },
        {
            "ShutterShape": "RECTANGULAR",
            "ShutterLeftVerticalEdge": 3,
            "ShutterRightVerticalEdge": 8,
            "ShutterUpperHorizontalEdge": 3,
            "ShutterLowerHorizontalEdge": 8,
        },
        {"CollimatorShape": "CIRCULAR", "CenterOfCircularCollimator": [5, 5], "RadiusOfCircularCollimator": 2},
        {"CollimatorShape": "POLYGONAL", "VerticesOfThePolygonalCollimator": [3, 3, 3, 8, 8, 8, 8, 3]},
    ],
    ids=["collimator", "shutter", "circle", "polygon"],
)
def test_collimation_borders_stay_out_of_the_percentile_window(edges: dict[str, Any]) -> None:
    inside = read(COLLIMATED, edges).pixels[4:6, 4:6]
    assert inside.max() - inside.min() > 0.3  # with the borders it would be 0.01


def test_borders_of_one_value_stay_out_of_the_percentile_window() -> None:
    bordered = np.pad(RAMP, 3, constant_values=60_000)
    np.testing.assert_array_equal(read(bordered, {}).pixels[3:-3, 3:-3], read(RAMP, {}).pixels)


def test_collimator_edges_that_leave_nothing_are_ignored() -> None:
    wrong = {"CollimatorLeftVerticalEdge": 4, "CollimatorRightVerticalEdge": 1}
    np.testing.assert_array_equal(read(RAMP, wrong).pixels, read(RAMP, {}).pixels)


def test_colour_tells_its_chroma() -> None:
    colours = np.array([[[255, 0, 0], [50, 50, 50]]], np.uint8)
    assert read(colours, {}).chroma == pytest.approx(0.5)
    assert read(BYTES, {}).chroma == 0.0


def test_for_processing_films_are_told() -> None:
    assert read(RAMP, {"PresentationIntentType": "FOR PROCESSING"}).reasons == ("for-processing",)
    assert read(RAMP, {"PresentationIntentType": "FOR PRESENTATION"}).reasons == ()


def test_of_several_frames_the_first_is_read_and_told() -> None:
    film = read(np.stack([BYTES, 255 - BYTES]), {})
    np.testing.assert_allclose(film.pixels, BYTES / 255, atol=1e-6)
    assert film.reasons == ("multi-frame",)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEG2000Lossless])
def test_all_frames_are_read_when_asked_for(syntax: str) -> None:
    data = dicom_film(np.stack([BYTES, 255 - BYTES, BYTES // 2]), syntax=syntax)
    films = read_film(data, ReadOptions(max_megapixels=1.0, frames="all"))
    assert [round(float(film.pixels.mean()), 3) for film in films] == [0.5, 0.5, 0.249]
    assert {film.reasons for film in films} == {()}
    np.testing.assert_allclose(films[1].pixels, 1 - films[0].pixels, atol=1e-6)


def test_all_frames_together_must_keep_the_limit() -> None:
    data = dicom_film(np.stack([BYTES] * 3))
    with pytest.raises(CxrscanError, match="larger than the limit of 4e-05 megapixels") as refusal:
        read_film(data, ReadOptions(max_megapixels=40e-6, frames="all"))
    assert refusal.value.code == "too-large"


def test_a_first_frame_is_read_though_later_ones_are_missing() -> None:
    film = read(BYTES, {"NumberOfFrames": 5})
    np.testing.assert_allclose(film.pixels, BYTES / 255, atol=1e-6)
