"""What report and capture have in common: patient, study, series, equipment and SOP Common modules."""

from __future__ import annotations

import io
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from cxrscan.scanner import MANUFACTURER
from cxrscan.scanner.dicom_results.answer import Answer
from cxrscan.scanner.dicom_results.film_header import FilmHeader
from cxrscan.scanner.system.uids import hashed_uid

_MAX_TEXT = 64  # characters of VR LO
_PROCESSING = ("109102", "DCM", "Processing Equipment")
_IMPLEMENTATION_UID = hashed_uid("implementation", MANUFACTURER)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of result, and the series of a study that holds it."""

    name: str
    """Part of the UIDs: never changes."""
    sop_class: str
    modality: str
    series_number: int
    """High, so that it is free and stands behind the films."""
    description: str
    """Series Description (0008,103E)."""


def series_uid(kind: Kind, film: FilmHeader) -> str:
    """Series Instance UID of the results of a kind in a film's study."""
    return hashed_uid("series", kind.name, film.study_uid)


def sop_uid(kind: Kind, film: FilmHeader, answer: Answer) -> str:
    """SOP Instance UID of a result: from film, frame, weights, version, settings and result, never from the clock."""
    prob = "" if answer.prob_pneumonia is None else f"{answer.prob_pneumonia:.4f}"
    heat = "" if answer.heat_map is None else answer.heat_map.values.hex()
    stated = (answer.version, answer.model.label, *answer.parameters, prob, answer.call or "", heat)
    return hashed_uid(kind.name, film.sop_uid, film.frame, *stated)


def start_object(kind: Kind, film: FilmHeader, answer: Answer) -> Dataset:
    """Make a data set with everything that is not particular to its kind."""
    dataset = deepcopy(film.patient_and_study)
    dataset.SOPClassUID = UID(kind.sop_class)
    dataset.SOPInstanceUID = sop_uid(kind, film, answer)
    dataset.SeriesInstanceUID = series_uid(kind, film)
    dataset.Modality = kind.modality
    dataset.SeriesNumber = kind.series_number
    dataset.SeriesDescription = kind.description
    dataset.InstanceNumber = film.instance_number
    at = _local(answer.at, dataset)
    date, time = f"{at:%Y%m%d}", f"{at:%H%M%S}"
    dataset.ContentDate = dataset.InstanceCreationDate = date
    dataset.ContentTime = dataset.InstanceCreationTime = time
    for name, value in _equipment(answer).items():
        setattr(dataset, name, value)
    dataset.ContributingEquipmentSequence = [_contributing(answer)]
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = UID(kind.sop_class)
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(sop_uid(kind, film, answer))
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = UID(_IMPLEMENTATION_UID)
    dataset.file_meta.ImplementationVersionName = f"CXRSCAN {answer.version}"[:16]
    return dataset


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """Return an item of a code sequence (PS3.3 section 8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def film_reference(film: FilmHeader) -> Dataset:
    """Return an item that references the film, and its frame where it has several (PS3.3 table 10-3)."""
    item = Dataset()
    item.ReferencedSOPClassUID = film.sop_class
    item.ReferencedSOPInstanceUID = film.sop_uid
    if film.n_frames > 1:
        item.ReferencedFrameNumber = film.frame
    return item


def ascii_text(text: str) -> str:
    """Text for an object whose character set is the film's: what is not ASCII becomes ``?``."""
    return text.encode("ascii", "replace").decode("ascii")


def model_name(answer: Answer) -> str:
    """Name and version of the model as the objects state them, at most 64 characters."""
    return ascii_text(answer.model.label)[:_MAX_TEXT]


def encode(dataset: Dataset) -> bytes:
    """Return the file's bytes (PS3.10), the same ones for the same content."""
    out = io.BytesIO()
    dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def _equipment(answer: Answer) -> dict[str, object]:
    """General Equipment module (PS3.3 C.7.5.1) and, with the same names, the observer of the report."""
    return {
        "Manufacturer": MANUFACTURER,
        "ManufacturerModelName": model_name(answer),
        "DeviceSerialNumber": answer.model.weights_sha256[:16],
        "SoftwareVersions": f"{MANUFACTURER} {answer.version}",
    }


def _contributing(answer: Answer) -> Dataset:
    """Contributing Equipment as IHE AI Results, section 6.5.3.1, demands it: with the Device UID."""
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [code(*_PROCESSING)]
    for name, value in _equipment(answer).items():
        setattr(item, name, value)
    item.DeviceUID = answer.device_uid
    return item


def _local(at: datetime, dataset: Dataset) -> datetime:
    """A moment in the object's time zone: the film's where it states one, else this machine's (PS3.3 C.12.1.1.8)."""
    stated = str(dataset.get("TimezoneOffsetFromUTC", ""))
    if stated:
        minutes = int(stated[1:3]) * 60 + int(stated[3:5])
        return at.astimezone(timezone(timedelta(minutes=-minutes if stated[0] == "-" else minutes)))
    return at.astimezone()
