"""The film that a result is about: its identifiers, and the patient and study modules that the result repeats.

Only the attributes named here are read, so nothing else of a film's header can get into a result.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from pydicom import Dataset, dcmread
from pydicom.config import RAISE
from pydicom.datadict import dictionary_VM, dictionary_VR
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.uid import UID
from pydicom.valuerep import PersonName, validate_value

from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.readers.dicom_header import PYDICOM_ERRORS
from cxrscan.scanner.system.uids import is_uid

#: Type 2 of the Patient and General Study modules (PS3.3 C.7.1.1, C.7.2.1): present even if empty.
_PRESENT = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"),
)
#: Optional ones of these modules and of the Patient Study module (C.7.2.2).
_OPTIONAL = (
    *("IssuerOfPatientID", "TypeOfPatientID", "PatientBirthTime", "OtherPatientNames", "EthnicGroup"),
    *("PatientComments", "QualityControlSubject", "PatientIdentityRemoved", "DeidentificationMethod"),
    *("OtherPatientIDsSequence", "IssuerOfPatientIDQualifiersSequence", "DeidentificationMethodCodeSequence"),
    *("StudyDescription", "IssuerOfAccessionNumberSequence", "PhysiciansOfRecord", "ProcedureCodeSequence"),
    *("PatientAge", "PatientSize", "PatientWeight", "PregnancyStatus", "TimezoneOffsetFromUTC"),
)
#: Kept as they stand even where they break a rule: the archive files objects by them.
_IDENTIFYING = {"PatientName", "PatientID", "IssuerOfPatientID", "StudyID", "AccessionNumber"}
_UIDS = ("SOPInstanceUID", "SOPClassUID", "SeriesInstanceUID", "StudyInstanceUID")
_PLACE = ("Modality", "InstanceNumber", "NumberOfFrames", "PatientOrientation", "RequestAttributesSequence")
_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
_SIZE = ("Columns", "Rows")
_KEYWORDS = ("SpecificCharacterSet", *_SIZE, *_PRESENT, *_OPTIONAL, *_UIDS, *_PLACE, *_LOSSY)

_DEIDENTIFIED_HOW = ("DeidentificationMethod", "DeidentificationMethodCodeSequence")
#: Narrower than their VR: PS3.3 C.7.1.1 and C.12.1.1.8.
_RULES = {"PatientSex": re.compile("[MFO]"), "TimezoneOffsetFromUTC": re.compile(r"[+-](0\d|1[0-4])[0-5]\d")}
_NO_TEXT = {"SQ", "US"}
_ORIENTATION = re.compile(r"[APRLHF]{1,3}")  # PS3.3 C.7.6.1.1.1, bipeds
#: What PS3.5 section 6.2 allowed in dates and times of old objects.
_OLD_PUNCTUATION = {"DA": ".", "TM": ":"}
_LOSSY_SYNTAXES = {
    *("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"),  # JPEG baseline and extended
    *("1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.203"),  # JPEG-LS near-lossless, HTJ2K
}


@dataclass(frozen=True, slots=True)
class FilmHeader:
    """What a result must know of its film; of a multi-frame object, of one frame."""

    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: UID
    frame: int
    """Number of the frame that was scored, from 1."""
    n_frames: int
    size_px: tuple[int, int]
    """Columns and rows of the stored picture."""
    modality: str
    """Modality (0008,0060) as the film states it; may be empty."""
    instance_number: int
    """Instance Number (0020,0013), 1 where the film states none."""
    patient_and_study: Dataset
    """The modules that the result repeats, their Type 2 attributes present, with Specific Character Set."""
    requests: tuple[Dataset, ...]
    """Items of Request Attributes Sequence (0040,0275)."""
    orientation: tuple[str, ...]
    """Patient Orientation (0020,0020); empty unless it is a valid pair."""
    lossy: Dataset
    """The attributes on lossy compression; empty unless the film's pixels went through it."""


def read_film_header(data: bytes, frame: int = 1) -> FilmHeader:
    """Read what a result needs of a film that could be scored.

    Parameters
    ----------
    data
        The film's bytes.
    frame
        Number of the frame, from 1.

    Raises
    ------
    FilmError
        ``no-reference``: the film lacks a UID that a result must name; ``bad-dicom``.
    """
    try:
        dataset = dcmread(io.BytesIO(data), stop_before_pixels=True, force=True, specific_tags=list(_KEYWORDS))
        syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    except PYDICOM_ERRORS as error:
        raise FilmError("bad-dicom", f"The DICOM header cannot be parsed ({type(error).__name__}).") from error
    uids = {keyword: _text(dataset, keyword) for keyword in _UIDS}
    lacking = [keyword for keyword, value in uids.items() if not is_uid(value)]
    if lacking:
        raise FilmError("no-reference", f"The film has no valid {' and '.join(lacking)}, so no result can name it.")
    return FilmHeader(
        study_uid=uids["StudyInstanceUID"],
        series_uid=uids["SeriesInstanceUID"],
        sop_uid=uids["SOPInstanceUID"],
        sop_class=UID(uids["SOPClassUID"]),
        frame=frame,
        n_frames=_integer(dataset, "NumberOfFrames"),
        size_px=(_integer(dataset, "Columns"), _integer(dataset, "Rows")),
        modality=_text(dataset, "Modality"),
        instance_number=_integer(dataset, "InstanceNumber"),
        patient_and_study=_patient_and_study(dataset),
        requests=_items(dataset, "RequestAttributesSequence"),
        orientation=_orientation(dataset),
        lossy=_lossy(dataset, syntax),
    )


def _patient_and_study(film: Dataset) -> Dataset:
    """Copy the two modules: what identifies as it stands, of the rest only what keeps the rules."""
    copy = Dataset()
    character_set = _character_set(film)
    if character_set:
        copy.SpecificCharacterSet = character_set
    for keyword in (*_PRESENT, *_OPTIONAL):
        value = _in_its_type(keyword, _value(film, keyword))
        if keyword not in _IDENTIFYING:
            value = _conformant(keyword, value)
        if value not in (None, ""):
            _keep(copy, keyword, value)
        if keyword in _PRESENT and keyword not in copy:
            setattr(copy, keyword, "")
    copy.StudyInstanceUID = _text(film, "StudyInstanceUID")
    if not any(keyword in copy for keyword in _DEIDENTIFIED_HOW):  # Type 1C beside it, and nobody knows it any more
        copy.pop("PatientIdentityRemoved", None)
    return copy


def _character_set(film: Dataset) -> object:
    """The film's Specific Character Set; Latin-1 where it states none but does not keep to ASCII."""
    stated = _value(film, "SpecificCharacterSet")
    if stated:
        return stated
    texts = [str(_value(film, keyword) or "") for keyword in (*_PRESENT, *_OPTIONAL)]
    return "" if all(map(str.isascii, texts)) else "ISO_IR 100"


def _in_its_type(keyword: str, value: object) -> object:
    """A value that the film states under another VR than the standard's: as text, where the standard has text."""
    vr = dictionary_VR(keyword)
    if value is None or isinstance(value, str | MultiValue | Sequence) or vr in _NO_TEXT:
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1").strip(" \0")
    return value if vr == "PN" and isinstance(value, PersonName) else str(value)


def _keep(copy: Dataset, keyword: str, value: object) -> None:
    """Add an attribute to a data set, unless it holds what cannot be written."""
    alone = Dataset()
    try:
        if "SpecificCharacterSet" in copy:
            alone.SpecificCharacterSet = copy.SpecificCharacterSet
        setattr(alone, keyword, value)
        encoded = DicomBytesIO()
        encoded.is_implicit_VR, encoded.is_little_endian = False, True
        write_dataset(encoded, alone)
    except PYDICOM_ERRORS:
        return
    setattr(copy, keyword, value)


def _conformant(keyword: str, value: object) -> object:
    """A value that keeps the rules of its VR, mended where old objects had other ones; None for any other."""
    vr = dictionary_VR(keyword)
    if value in (None, "") or vr == "SQ":
        return value
    if isinstance(value, MultiValue) and dictionary_VM(keyword) == "1":
        return None
    if vr in _OLD_PUNCTUATION:
        value = str(value).replace(_OLD_PUNCTUATION[vr], "")
    if keyword in _RULES:
        return value if _RULES[keyword].fullmatch(str(value)) else None
    try:
        for item in value if isinstance(value, MultiValue) else [value]:
            validate_value(vr, item if vr in _NO_TEXT else str(item), RAISE)
    except ValueError:
        return None
    return value


def _orientation(film: Dataset) -> tuple[str, ...]:
    value = _value(film, "PatientOrientation")
    parts = tuple(map(str, value)) if isinstance(value, MultiValue) else ()
    return parts if len(parts) == 2 and all(map(_ORIENTATION.fullmatch, parts)) else ()


def _lossy(film: Dataset, syntax: str) -> Dataset:
    """PS3.3 C.7.6.1.1.5: once lossy, a picture and all that is made from it say so."""
    kept = Dataset()
    if _text(film, "LossyImageCompression") == "01" or syntax in _LOSSY_SYNTAXES:
        kept.LossyImageCompression = "01"
        for keyword in _LOSSY[1:]:
            value = _conformant(keyword, _in_its_type(keyword, _value(film, keyword)))
            if value:
                _keep(kept, keyword, value)
    return kept


def _value(film: Dataset, keyword: str) -> object:
    """Value of an attribute; None when absent or beyond understanding."""
    try:
        return film.get(keyword)
    except PYDICOM_ERRORS:
        return None


def _items(film: Dataset, keyword: str) -> tuple[Dataset, ...]:
    value = _value(film, keyword)
    if not isinstance(value, Sequence):
        return ()
    kept = Dataset()
    _keep(kept, keyword, value)
    return tuple(kept.get(keyword, ()))


def _text(film: Dataset, keyword: str) -> str:
    value = _value(film, keyword)
    return value.strip() if isinstance(value, str) else ""


def _integer(film: Dataset, keyword: str) -> int:
    """A number of at least 1."""
    try:
        return max(1, int(str(_value(film, keyword) or 1)))
    except ValueError:
        return 1
