"""To which study a film belongs and how urgent it is, read from the first bytes of its file and from no more.

This is read in the service's own process, so it is bounded: nothing is unpacked, and at most a mebibyte is looked at.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from cxrscan.scanner.readers.dicom import quiet_pydicom
from cxrscan.scanner.readers.dicom_header import PYDICOM_ERRORS

HEAD_BYTES = 1 << 20
"""As much of a file as is looked at."""
ROUTINE = 1
#: Requested Procedure Priority (0040,1003), PS3.3 C.4.11, and the retired Study Priority ID (0032,000C).
_URGENCY = {"STAT": 3, "HIGH": 2, "MEDIUM": ROUTINE, "MED": ROUTINE, "ROUTINE": ROUTINE, "LOW": 0}
_PRIORITIES = ("RequestedProcedurePriority", "StudyPriorityID")
_TAGS: list[BaseTag | int] = [
    Tag(keyword) for keyword in ("StudyInstanceUID", *_PRIORITIES, "RequestAttributesSequence")
]
_LAST_TAG = 0x00401003
_META_BYTES = 4096
_UNREADABLE: tuple[type[Exception], ...] = (*PYDICOM_ERRORS, InvalidDicomError)


@dataclass(frozen=True, slots=True)
class StudyMark:
    """What decides when a film is scanned and with which others it is answered."""

    study: str
    """32 hexadecimal digits, from which the UID cannot be read."""
    urgency: int
    """3 for STAT, 2 for HIGH, 1 where nothing else is said, 0 for LOW."""


def read_study_mark(head: bytes, name: str) -> StudyMark:
    """Read the first bytes of a DICOM file.

    Parameters
    ----------
    name
        Of the file; one whose study cannot be read is a study of its own.
    """
    with quiet_pydicom():
        header = _read_header(head)
        uid, urgency = _text(header, "StudyInstanceUID"), _urgency(header)
    said = hashlib.sha256((f"uid {uid}" if uid else f"file {name}").encode("utf-8", "surrogatepass"))
    return StudyMark(said.hexdigest()[:32], urgency)


def _read_header(head: bytes) -> Dataset:
    """Read what decides, as far as it can be read."""
    if DeflatedExplicitVRLittleEndian.encode() in head[:_META_BYTES]:  # a bomb may be packed in it
        return Dataset()
    try:
        return read_partial(io.BytesIO(head), stop_when=lambda tag, vr, length: tag > _LAST_TAG, specific_tags=_TAGS)
    except _UNREADABLE:
        return Dataset()


def _urgency(header: Dataset) -> int:
    """The highest urgency that a film's header, or a request in it, states."""
    try:
        places = [header, *(header.get("RequestAttributesSequence") or ())]
        stated = [_text(place, keyword).upper() for place in places for keyword in _PRIORITIES]
    except PYDICOM_ERRORS:
        return ROUTINE
    return max((_URGENCY[text] for text in stated if text in _URGENCY), default=ROUTINE)


def _text(header: Dataset, keyword: str) -> str:
    try:
        value = header.get(keyword)
    except PYDICOM_ERRORS:
        return ""
    return str(value).strip() if isinstance(value, str) else ""
