"""What a DICOM header says: the few attributes that are read at all, and the records made from them.

Nothing but ``KEYWORDS`` is ever parsed, so a patient's name cannot get anywhere. Values are read tolerantly:
what cannot be understood counts as not stated. Functional groups of enhanced objects are not looked into.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import struct
from collections.abc import Iterable, MutableSequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal

import numpy as np
from pydicom import Dataset
from pydicom.errors import BytesLengthException
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from cxrscan.scanner import MANUFACTURER
from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.readers.dicom_pixels import GreySteps, LookupTable, Rescale, StoredFormat, Values, Window
from cxrscan.scanner.readers.dicom_terms import INTENTS, MODALITIES, OTHER, VIEWS, body_part_term
from cxrscan.scanner.readers.grey import reached_bits
from cxrscan.scanner.records import FilmAttributes

#: What pydicom lets through for damaged files.
PYDICOM_ERRORS: tuple[type[Exception], ...] = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError),
    *(struct.error, BytesLengthException),
)

_DESCRIPTION = (
    *("SpecificCharacterSet", "SOPClassUID", "Modality", "PresentationIntentType", "Manufacturer"),
    *("PatientSex", "PatientAge", "BodyPartExamined", "AnatomicRegionSequence", "ViewPosition", "ViewCodeSequence"),
    *("PatientOrientation", "BurnedInAnnotation"),
)
_PIXEL_DESCRIPTION = (
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *("PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing"),
    *("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept"),
    *("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction", "PresentationLUTShape"),
)
_PALETTE = tuple(
    f"{segmented}{colour}PaletteColorLookupTable{part}"
    for colour in ("Red", "Green", "Blue")
    for segmented, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
)
_DIAPHRAGMS = ("Collimator", "Shutter")
_EDGES = tuple(
    f"{diaphragm}{edge}Edge"
    for diaphragm in _DIAPHRAGMS
    for edge in ("LeftVertical", "RightVertical", "UpperHorizontal", "LowerHorizontal")
)
_ROUND_EDGES = tuple(
    f"{part}{diaphragm}"
    for diaphragm in _DIAPHRAGMS
    for part in ("CenterOfCircular", "RadiusOfCircular", "VerticesOfThePolygonal")
)
KEYWORDS = (*_DESCRIPTION, *_PIXEL_DESCRIPTION, *_PALETTE, *_EDGES, *_ROUND_EDGES)
"""All attributes that are read."""

_ID_KEYWORDS = {"patient_id": "PatientID", "study_uid": "StudyInstanceUID", "sop_uid": "SOPInstanceUID"}
_MOMENTS = (
    *(("AcquisitionDateTime", ""), ("AcquisitionDate", "AcquisitionTime"), ("ContentDate", "ContentTime")),
    *(("SeriesDate", "SeriesTime"), ("StudyDate", "StudyTime")),
)
"""Attributes that say when a film was taken, the closest first: (date or both, time)."""
ID_KEYWORDS = (*_ID_KEYWORDS.values(), *(keyword for pair in _MOMENTS for keyword in pair if keyword))
"""Attributes that are read only when identifiers are asked for."""
_MOMENT = re.compile(r"(\d{8})(?:(\d{2})(\d{2})?(\d{2})?)?.*", re.DOTALL)  # DA and TM, or DT: PS3.5 section 6.2
_MAX_SHIFT_DAYS = 3650

_CODE = re.compile(r"[A-Z0-9 _-]{1,16}")  # VR CS, PS3.5 section 6.2
_AGE = re.compile(r"(\d{1,3})([YMWD])")  # VR AS
_PER_YEAR = {"Y": 1.0, "M": 12.0, "W": 52.1775, "D": 365.2425}
#: CID 4010 "DX View" (PS3.16), as SNOMED CT and as the older SNOMED RT codes.
_VIEW_CODES = {
    **dict.fromkeys(("399348003", "R-10206"), "AP"),
    **dict.fromkeys(("272479007", "R-10214"), "PA"),
    **dict.fromkeys(("399173006", "R-10236"), "LL"),
    **dict.fromkeys(("399198007", "R-10232"), "RL"),
    "399067008": "LATERAL",
}
#: Their modality transform is not for display (PS3.4 section N.2.1.2): XA, XRF, both enhanced, and biplane XA.
_XRAY_SEQUENCES = {
    *("1.2.840.10008.5.1.4.1.1.12.1", "1.2.840.10008.5.1.4.1.1.12.1.1", "1.2.840.10008.5.1.4.1.1.12.2"),
    *("1.2.840.10008.5.1.4.1.1.12.2.1", "1.2.840.10008.5.1.4.1.1.12.3"),
}
_MAX_AGE_YEARS = 89.0  # older people are few enough to be told by their age (HIPAA, 45 CFR 164.514 (b)(2)(i)(C))
_MAX_TEXT = 64  # characters of VR LO, PS3.5 section 6.2
_SHAPING_ALWAYS = ("RescaleSlope", "RescaleIntercept", "PixelAspectRatio", "PixelPaddingValue")
_SHAPING = ("WindowCenter", "WindowWidth", *_SHAPING_ALWAYS)
_MAX_NUMBER_TEXT = 1024
_SPACINGS_MM = (0.01, 10.0)  # others are mistakes
_MAX_ASPECT = 4.0  # beyond it the ratio is a mistake


def film_attributes(dataset: Dataset, ids: tuple[tuple[str, str], ...] = ()) -> FilmAttributes:
    """Make the short list of what may leave the header; ``ids`` are added as they are."""
    sex = _code(dataset, "PatientSex")
    part = _code(dataset, "BodyPartExamined") or _coded_meaning(dataset, "AnatomicRegionSequence")
    return FilmAttributes(
        modality=_known(_code(dataset, "Modality"), MODALITIES),
        body_part=body_part_term(part),
        view_position=_known(_view(dataset), VIEWS),
        patient_sex=sex if sex in {"M", "F", "O"} else "",
        patient_age_years=_shown_age(age_years(_text(dataset, "PatientAge"))),
        presentation_intent=_known(_code(dataset, "PresentationIntentType"), INTENTS),
        manufacturer=_text(dataset, "Manufacturer")[:_MAX_TEXT],
        pixel_spacing_mm=pixel_spacing_mm(dataset),
        ids=ids,
    )


def pixel_spacing_mm(dataset: Dataset) -> tuple[float, float] | None:
    """Height and width of a pixel, at the patient where that is known, else at the detector; None if unstated."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):  # PS3.3 sections 10.7 and C.8.11.7
        numbers = _numbers(dataset, keyword)
        if len(numbers) == 2 and all(_SPACINGS_MM[0] <= number <= _SPACINGS_MM[1] for number in numbers):
            return round(numbers[0], 6), round(numbers[1], 6)
    return None


def age_years(text: str) -> float | None:
    """Years from an Age String such as ``034Y``, ``018M``, ``006W`` or ``010D`` (VR AS, PS3.5 section 6.2)."""
    match = _AGE.fullmatch(text.strip().upper())
    return round(int(match[1]) / _PER_YEAR[match[2]], 2) if match else None


def _known(code: str, codes: frozenset[str]) -> str:
    """A code of the standard; OTHER in the place of any other text, which may name somebody."""
    return code if not code or code in codes else OTHER


def _shown_age(years: float | None) -> float | None:
    return None if years is None else min(years, _MAX_AGE_YEARS)


def hashed_ids(dataset: Dataset, key: bytes | None) -> tuple[tuple[str, str], ...]:
    """Identifiers of patient, study and object, and when the film was taken, to join the rows of one patient.

    Parameters
    ----------
    key
        Secret of the run: the columns ``patient_id_hash``, ``study_uid_hash`` and ``sop_uid_hash`` hold the first
        128 bits of HMAC-SHA-256 (RFC 2104) in hexadecimal; ``acquired_at_shifted`` a moment that lies a number of
        days before the true one, the same for all films of a patient. None for the plain values, in columns without
        ``_hash`` and ``_shifted``.

    Returns
    -------
    (column, value) pairs; the value is empty where the header states none, and a moment is left out then.
    """
    plain = [(column, _text(dataset, keyword)) for column, keyword in _ID_KEYWORDS.items()]
    moment = _moment(dataset)
    if key is None:
        return (*plain, *([("acquired_at", moment.isoformat())] if moment else []))
    whose = next((value for _, value in plain if value), "")
    return (
        *((f"{column}_hash", _hmac(key, value).hex()[:32] if value else "") for column, value in plain),
        *([("acquired_at_shifted", _shifted(moment, key, whose).isoformat())] if moment and whose else []),
    )


def _hmac(key: bytes, value: str) -> bytes:
    return hmac.new(key, value.encode(), hashlib.sha256).digest()


def _shifted(moment: datetime, key: bytes, whose: str) -> datetime:
    """A moment, up to ten years earlier: whoever lacks the key knows the days between films and not which they were."""
    days = 1 + int.from_bytes(_hmac(key, f"days of {whose}")) % _MAX_SHIFT_DAYS
    return moment - timedelta(days=days)


def _moment(dataset: Dataset) -> datetime | None:
    """When the film was taken, to the second; midnight where only the day is stated."""
    for date, time in _MOMENTS:
        said = _MOMENT.fullmatch(_text(dataset, date) + (_text(dataset, time) if time else ""))
        try:
            moment = datetime.strptime(said[1], "%Y%m%d") if said else None
            if said and moment and moment.year > _MAX_SHIFT_DAYS // 365:
                hour, minute, second = (int(part or 0) for part in said.groups()[1:])
                return moment.replace(hour=hour, minute=minute, second=min(second, 59))
        except ValueError:
            continue
    return None


def decoding_options(dataset: Dataset, pixel_keyword: str, pixel_vr: str) -> dict[str, Any]:
    """Read the Image Pixel module (PS3.3 C.7.6.3) as options of pydicom's decoders."""
    samples, bits_allocated = count(dataset, "SamplesPerPixel") or 1, count(dataset, "BitsAllocated")
    photometric = _code(dataset, "PhotometricInterpretation") or ("MONOCHROME2" if samples == 1 else "RGB")
    options: dict[str, Any] = {
        "rows": count(dataset, "Rows"),
        "columns": count(dataset, "Columns"),
        "samples_per_pixel": samples,
        "photometric_interpretation": photometric,
        "bits_allocated": bits_allocated,
        "bits_stored": count(dataset, "BitsStored") or bits_allocated,
        "pixel_representation": int(is_signed(dataset)),
        "number_of_frames": max(1, count(dataset, "NumberOfFrames")),
        "pixel_keyword": pixel_keyword,
        "pixel_vr": pixel_vr,
        "view_only": True,
    }
    if samples > 1:
        options["planar_configuration"] = count(dataset, "PlanarConfiguration")
    if samples == 1 and bits_allocated <= 16:
        options["correct_unused_bits"] = False  # the table of stored values does that
    return options


def extended_offsets(dataset: Dataset) -> tuple[bytes, bytes] | None:
    """Extended Offset Table and its lengths (PS3.3 C.7.6.3.1.8); None unless both are there."""
    table, lengths = (_value(dataset, keyword) for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"))
    return (table, lengths) if isinstance(table, bytes) and isinstance(lengths, bytes) else None


def count(dataset: Dataset, keyword: str) -> int:
    """Value of an attribute that counts something; 0 when it is absent or no number."""
    return max(0, int(_number(dataset, keyword, 0)))


def stored_format(dataset: Dataset, container_bits: int) -> StoredFormat:
    """Place of the stored value in its container; a High Bit that contradicts Bits Stored is mended."""
    bits_stored = count(dataset, "BitsStored") or container_bits
    high_bit = count(dataset, "HighBit")
    if not bits_stored <= high_bit + 1 <= container_bits:
        high_bit = bits_stored - 1
    return StoredFormat(bits_stored, high_bit, is_signed(dataset))


def is_signed(dataset: Dataset) -> bool:
    """Whether stored values are two's complement (Pixel Representation 1)."""
    return _number(dataset, "PixelRepresentation", 0) == 1


def grey_steps(dataset: Dataset, window: int | None) -> GreySteps:
    """Read the way from stored to display values that a header asks for.

    Parameters
    ----------
    window
        Which of several VOI LUTs or windows to take, from 0; a film with fewer gives its last. None for none.

    Raises
    ------
    FilmError
        ``bad-dicom`` for a damaged lookup table.
    """
    modality = _modality_transform(dataset)
    bits_stored = count(dataset, "BitsStored")
    return GreySteps(
        modality=modality,
        voi=None if window is None else _voi_transform(dataset, window),
        padding=_padding(dataset),
        invert=_code(dataset, "PhotometricInterpretation") == "MONOCHROME1"
        or _code(dataset, "PresentationLUTShape") == "INVERSE",
        display_bits=bits_stored if modality is None and 0 < bits_stored <= 8 and not is_signed(dataset) else None,
        exposed=exposed_area(dataset),
        ignored=_unreadable(dataset, _SHAPING if window is not None else _SHAPING_ALWAYS),
    )


def _unreadable(dataset: Dataset, keywords: Iterable[str]) -> tuple[str, ...]:
    """Which attributes hold something that is no number."""
    return tuple(keyword for keyword in keywords if None in _read_numbers(dataset, keyword))


def exposed_area(dataset: Dataset) -> tuple[slice, slice]:
    """Rows and columns inside collimator (PS3.3 C.8.7.3) and display shutter (C.7.6.11); of other shapes the box.

    The header counts from 1, and the edges themselves lie outside.
    """
    rows, columns = count(dataset, "Rows"), count(dataset, "Columns")
    top, bottom, left, right = 0, rows, 0, columns
    for diaphragm in _DIAPHRAGMS:
        for upper, lower, left_edge, right_edge in _boxes(dataset, diaphragm, rows, columns):
            top, bottom = max(top, int(upper)), min(bottom, int(lower) - 1)
            left, right = max(left, int(left_edge)), min(right, int(right_edge) - 1)
    if top >= bottom or left >= right:  # nothing would be left: the edges are wrong
        return slice(None), slice(None)
    return slice(top, bottom), slice(left, right)


def pixel_aspect(dataset: Dataset) -> float:
    """Height of a pixel over its width, from PixelAspectRatio (PS3.3 C.7.6.3.1.7) or the spacings; 1 if unstated."""
    for keyword in ("PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing"):
        numbers = _numbers(dataset, keyword)
        if len(numbers) == 2 and min(numbers) > 0:
            aspect = numbers[0] / numbers[1]
            return aspect if 1 / _MAX_ASPECT <= aspect <= _MAX_ASPECT else 1.0
    return 1.0


def says_burned_in(dataset: Dataset) -> bool:
    """Whether the header says that text is burned into the picture, which may name the patient: PS3.3 C.7.6.1.1.4."""
    return _code(dataset, "BurnedInAnnotation") == "YES"


def known_name(uid: UID) -> str:
    """The standard's name of a UID; nothing of the UID itself where the standard (PS3.6) does not know it."""
    return uid.name if uid.type else "one that the standard does not name"


def sop_class(dataset: Dataset) -> UID:
    """SOP Class UID, empty when not stated; its ``name`` is the standard's where it knows one."""
    return UID(_text(dataset, "SOPClassUID"))


def is_own_capture(dataset: Dataset) -> bool:
    """Whether a picture is a secondary capture that cxrscan made of a result, come back from the archive."""
    return _text(dataset, "Manufacturer") == MANUFACTURER and _code(dataset, "Modality") == "OT"


def _modality_transform(dataset: Dataset) -> LookupTable | Rescale | None:
    if sop_class(dataset) in _XRAY_SEQUENCES:
        return None
    tables = _items(dataset, "ModalityLUTSequence")
    if tables:
        return _lookup_table(tables[0], input_signed=is_signed(dataset))
    slope, intercept = _number(dataset, "RescaleSlope", 1.0) or 1.0, _number(dataset, "RescaleIntercept", 0.0)
    return None if (slope, intercept) == (1.0, 0.0) else Rescale(slope, intercept)


def _voi_transform(dataset: Dataset, wanted: int) -> LookupTable | Window | None:
    """Take a VOI LUT before a window, as PS3.3 C.11.2.1 leaves the choice to the reader."""
    tables = _items(dataset, "VOILUTSequence")
    if tables:
        below_zero = is_signed(dataset) or _number(dataset, "RescaleIntercept", 0.0) < 0
        return _lookup_table(tables[min(wanted, len(tables) - 1)], input_signed=below_zero)
    functions: dict[str, Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]] = {
        "LINEAR_EXACT": "LINEAR_EXACT",
        "SIGMOID": "SIGMOID",
    }
    function = functions.get(_code(dataset, "VOILUTFunction"), "LINEAR")
    smallest = 1.0 if function == "LINEAR" else 1e-9
    pairs = zip(_read_numbers(dataset, "WindowCenter"), _read_numbers(dataset, "WindowWidth"), strict=False)
    windows = [
        Window(center, width, function)
        for center, width in pairs
        if center is not None and width is not None and width >= smallest
    ]
    return windows[min(wanted, len(windows) - 1)] if windows else None


def _lookup_table(item: Dataset, *, input_signed: bool) -> LookupTable:
    """Read an item of a Modality or VOI LUT Sequence: PS3.3 C.11.1.1.1."""
    descriptor = _numbers(item, "LUTDescriptor")
    if len(descriptor) != 3:
        raise FilmError("bad-dicom", "A lookup table has no valid descriptor.")
    n_entries, first, bits = int(descriptor[0]) or 65536, _with_sign(descriptor[1], input_signed), int(descriptor[2])
    entries = _lut_entries(item, n_entries)
    if len(entries) < n_entries or bits not in range(1, 17):
        raise FilmError("bad-dicom", "A lookup table holds fewer entries than it says, or of no valid depth.")
    largest = int(entries.max())
    return LookupTable(entries, first, min(max(bits, largest.bit_length()), reached_bits(largest)), bits)


def _lut_entries(item: Dataset, n_entries: int) -> Values:
    """LUT Data as US, SS or OW; 8-bit entries may be packed two to a word."""
    data = _value(item, "LUTData")
    if isinstance(data, bytes):
        order = ">" if item.original_encoding[1] is False else "<"
        dtype = np.dtype(np.uint8) if len(data) < 2 * n_entries else np.dtype(f"{order}u2")
        entries = np.frombuffer(data[: len(data) // dtype.itemsize * dtype.itemsize], dtype).astype(np.float64)
    else:
        entries = np.array(_numbers(item, "LUTData"), dtype=np.float64)
    return np.where(entries < 0, entries + 65536, entries)[:n_entries]


def _padding(dataset: Dataset) -> tuple[float, float] | None:
    stated = _numbers(dataset, "PixelPaddingValue")
    if not stated:
        return None
    limits = (stated[0], _number(dataset, "PixelPaddingRangeLimit", stated[0]))
    low, high = sorted(_with_sign(limit, is_signed(dataset)) for limit in limits)
    return low, high


def _with_sign(value: float, signed: bool) -> float:
    """Undo a 16-bit value's reading with the wrong sign: its VR is US or SS by Pixel Representation."""
    if signed:
        return value - 65536 if value >= 32768 else value
    return value + 65536 if value < 0 else value


def _boxes(dataset: Dataset, diaphragm: str, rows: int, columns: int) -> list[tuple[float, float, float, float]]:
    """Upper, lower, left and right edge of each opening that the header describes."""
    boxes = []
    if any(f"{diaphragm}{edge}Edge" in dataset for edge in ("LeftVertical", "UpperHorizontal")):
        boxes.append(
            (
                _number(dataset, f"{diaphragm}UpperHorizontalEdge", 0),
                _number(dataset, f"{diaphragm}LowerHorizontalEdge", rows + 1),
                _number(dataset, f"{diaphragm}LeftVerticalEdge", 0),
                _number(dataset, f"{diaphragm}RightVerticalEdge", columns + 1),
            )
        )
    centre = _numbers(dataset, f"CenterOfCircular{diaphragm}")
    radius = _number(dataset, f"RadiusOfCircular{diaphragm}", 0)
    if len(centre) == 2 and radius > 0:
        boxes.append((centre[0] - radius, centre[0] + radius, centre[1] - radius, centre[1] + radius))
    vertices = _numbers(dataset, f"VerticesOfThePolygonal{diaphragm}")
    if len(vertices) >= 6 and len(vertices) % 2 == 0:
        boxes.append((min(vertices[::2]), max(vertices[::2]), min(vertices[1::2]), max(vertices[1::2])))
    return boxes


def _view(dataset: Dataset) -> str:
    """What the header says of the view, plainly, by a code, or by where the rows of the picture run."""
    return _code(dataset, "ViewPosition") or _view_from_code(dataset) or _view_from_rows(dataset)


def _view_from_rows(dataset: Dataset) -> str:
    """``LATERAL`` where rows run to the front or back of the body (PS3.3 section C.7.6.1.1.1)."""
    towards = _value(dataset, "PatientOrientation")
    rows = str(towards[0]) if isinstance(towards, MutableSequence) and len(towards) == 2 else ""
    return "LATERAL" if rows[:1] in ("A", "P") else ""


def _view_from_code(dataset: Dataset) -> str:
    views = _items(dataset, "ViewCodeSequence")
    return _VIEW_CODES.get(_text(views[0], "CodeValue"), "") if views else ""


def _coded_meaning(dataset: Dataset, keyword: str) -> str:
    items = _items(dataset, keyword)
    return _code(items[0], "CodeMeaning") if items else ""


def _value(dataset: Dataset, keyword: str) -> Any:
    """Value of an attribute, None when absent, empty or beyond understanding."""
    tag = _tag(keyword)
    try:
        return dataset[tag].value if tag in dataset else None
    except PYDICOM_ERRORS:
        return None


@cache
def _tag(keyword: str) -> BaseTag:
    """Tag of a keyword, which pydicom looks up anew for every use."""
    return Tag(keyword)


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    value = _value(dataset, keyword)
    return list(value) if isinstance(value, Sequence) else []


def _text(dataset: Dataset, keyword: str) -> str:
    value = _value(dataset, keyword)
    text = value if isinstance(value, str) else ""
    return "".join(character for character in text if character.isprintable()).strip()


def _code(dataset: Dataset, keyword: str) -> str:
    """Value of VR CS, upper case; empty when it is free text, which may hold anything."""
    code = _text(dataset, keyword).upper()
    return code if _CODE.fullmatch(code) else ""


def _numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Values of an attribute that holds numbers; empty when it is absent, or one of them is none."""
    numbers = _read_numbers(dataset, keyword)
    return tuple(number for number in numbers if number is not None) if None not in numbers else ()


def _read_numbers(dataset: Dataset, keyword: str) -> list[float | None]:
    """Values of an attribute, None for those that are no numbers; whatever its VR, and as text with a decimal comma."""
    value = _value(dataset, keyword)
    if value is None or isinstance(value, str):
        values: list[Any] = (value or _raw_text(dataset, keyword)).split("\\")
    else:
        values = list(value) if isinstance(value, MutableSequence) else [value]
    return [] if values == [""] else [_number_of(each) for each in values]


def _raw_text(dataset: Dataset, keyword: str) -> str:
    """Text of an attribute whose value pydicom does not understand; empty when there is none."""
    tag = _tag(keyword)
    try:
        raw = dataset.get_item(tag) if tag in dataset else None
    except PYDICOM_ERRORS:
        return ""
    value = getattr(raw, "value", None)
    return value.decode("latin-1").strip(" \0") if isinstance(value, bytes) and len(value) < _MAX_NUMBER_TEXT else ""


def _number_of(value: Any) -> float | None:
    if isinstance(value, str):
        value = value.strip(" \0\t")
        commas = value.count(",")
        value = value.replace(",", "." if commas == 1 and "." not in value else "")
    try:
        number = float(value)
    except (ValueError, TypeError):
        return None
    return number if math.isfinite(number) else None


def _number(dataset: Dataset, keyword: str, default: float) -> float:
    numbers = _numbers(dataset, keyword)
    return numbers[0] if numbers else default
