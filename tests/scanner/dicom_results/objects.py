"""Films with headers as archives have them, and what a run says of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from pydicom import Dataset, uid

from cxrscan.scanner.dicom_results.answer import Answer
from cxrscan.scanner.readers.dicom import quiet_pydicom
from cxrscan.scanner.records import HeatMap
from tests.builders import dicom_film, film_pixels
from tests.reports.films import MODEL

FILM = film_pixels(1, height=256, width=240)
DEEP = FILM.astype(np.uint16) * 16
N_RESULTS = 3
"""Objects about FILM with the shipped model: report, report of regions, capture."""
WINDOW = {"bits_stored": 12, "WindowCenter": 2048, "WindowWidth": 4096}
STUDY = "1.2.826.0.1.3680043.10.1.1"
SERIES = f"{STUDY}.2"

COMPRESSED_8_BIT = (uid.RLELossless, uid.JPEGBaseline8Bit, uid.JPEGLSNearLossless, uid.JPEG2000, uid.HTJ2KLossless)
COMPRESSED_12_BIT = (
    *(uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless),
    *(uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian),
)


def film(number: int = 1, pixels: Any = FILM, *, study: int = 1, **attributes: Any) -> bytes:
    """File bytes of a DX film in a study of its number; attributes are added or replaced."""
    study_uid = f"1.2.826.0.1.3680043.10.1.{study}"
    header = {
        "StudyInstanceUID": study_uid,
        "SeriesInstanceUID": f"{study_uid}.2",
        "SOPInstanceUID": f"{study_uid}.2.{number}",
        "PatientID": f"P{study}",
        "PatientName": "Doe^Jane",
        "ReferringPhysicianName": "",
        "InstanceNumber": number,
    }
    return dicom_film(pixels, **{**header, **attributes})


def order() -> Dataset:
    """An item of Request Attributes Sequence."""
    item = Dataset()
    item.RequestedProcedureID, item.RequestedProcedureDescription = "RP-7", "Chest PA"
    item.AccessionNumber, item.ScheduledProcedureStepID = "A-42", "SPS-1"
    return item


@quiet_pydicom()  # some break rules, as archives' films do
def archive_films() -> dict[str, bytes]:
    """Films of different codecs, kinds, character sets and gaps in their headers, each with its file name."""
    headers: dict[str, dict[str, Any]] = {
        "plain": {},
        "full": {
            "PatientBirthDate": "20210203",
            "PatientSex": "F",
            "StudyDate": "20260101",
            "StudyTime": "101500",
            "AccessionNumber": "A-42",
            "StudyID": "S1",
            "StudyDescription": "Chest",
            "PatientAge": "004Y",
            "PatientWeight": "17.5",
            "PatientSize": "1.04",
            "IssuerOfPatientID": "HOSPITAL",
            "RequestAttributesSequence": [order()],
            "PatientOrientation": ["L", "F"],
        },
        "cr": {"SOPClassUID": uid.ComputedRadiographyImageStorage, "Modality": "CR"},
        "latin": {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^Jürgen"},
        "utf8": {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "Łukasz^Żółć=山田^太郎"},
        "gb18030": {"SpecificCharacterSet": "GB18030", "PatientName": "Wang^XiaoDong=王^小东"},
        "japanese": {"SpecificCharacterSet": ["", "ISO 2022 IR 87"], "PatientName": "Yamada^Tarou=山田^太郎"},
        "greek": {"SpecificCharacterSet": "ISO_IR 126", "PatientName": "Διονυσιος"},
        "sex": {"PatientSex": "W", "PatientAge": "4", "PatientBirthDate": "unknown", "StudyTime": "noon"},
        "old": {"StudyDate": "1996.02.29", "StudyTime": "10:11:12.5", "PatientBirthDate": "1990.01.31"},
        "removed": {"PatientIdentityRemoved": "YES"},
        "zone": {"TimezoneOffsetFromUTC": "+0530", "StudyDate": "20260101"},
        "lossy": {"LossyImageCompression": "01", "LossyImageCompressionRatio": "12.5"},
        "orientation": {"PatientOrientation": ["X", "nonsense"]},
        "monochrome1": {"PhotometricInterpretation": "MONOCHROME1"},
    }
    films = {name: film(1, study=number, **header) for number, (name, header) in enumerate(headers.items(), 10)}
    lacking = ("PatientID", "PatientName", "ReferringPhysicianName", "InstanceNumber", "ViewPosition", "Modality")
    films |= {f"no-{name}": film(1, study=40 + n, without=[name]) for n, name in enumerate(lacking)}
    films["bare"] = film(1, study=50, without=lacking)
    films |= {s.keyword: film(1, study=60 + n, syntax=s) for n, s in enumerate(COMPRESSED_8_BIT)}
    films |= {s.keyword: film(1, DEEP, study=70 + n, syntax=s, **WINDOW) for n, s in enumerate(COMPRESSED_12_BIT)}
    films |= {f"one-study-{number}": film(number, study=80) for number in (1, 2, 3)}
    angiography = {"SOPClassUID": uid.XRayAngiographicImageStorage, "Modality": "XA"}
    films["frames"] = film(1, np.stack([FILM, FILM[:, ::-1]]), study=90, **angiography)
    films["colour"] = film(1, np.stack([FILM] * 3, axis=2), study=91)
    return films


def answer(prob: float | None = 0.91237, call: str | None = "PNEUMONIA", **others: Any) -> Answer:
    """What a run says of a film."""
    stated: dict[str, Any] = {
        "gate_reasons": ("age-unknown", "other-view"),
        "heat_map": HeatMap(np.full((7, 7), 3.0, "<f2").tobytes(), 7),
        "regions": (),
        "size_px": (FILM.shape[1], FILM.shape[0]),
        "model": MODEL,
        "threshold": 0.6697,
        "threshold_name": "sens95",
        "refer": None,
        "version": "0.1.0",
        "at": datetime(2026, 11, 26, 12, 0, 5, tzinfo=UTC),
    }
    return Answer(prob, call, **{**stated, **others})
