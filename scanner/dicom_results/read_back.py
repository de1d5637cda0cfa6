"""What a result object says: the way back from the archive.

Reads reports after TID 1500 with a TID 1501 group on pneumonia, cxrscan's or another program's, and cxrscan's captures.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, SecondaryCaptureImageStorage

from cxrscan.scanner import MANUFACTURER
from cxrscan.scanner.dicom_results.answer import CALLS
from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.readers.dicom import quiet_pydicom
from cxrscan.scanner.readers.dicom_header import PYDICOM_ERRORS
from cxrscan.scanner.system.text import printable

_UNREADABLE: tuple[type[Exception], ...] = (*PYDICOM_ERRORS, InvalidDicomError)
_GROUP, _PNEUMONIA, _PROBABILITY = "125007", "233604007", "122157"
_SOURCES = ("121112", "260753009")
_NAME, _VERSION, _PARAMETERS = "111001", "111003", "111002"
_PRESENCE = {code.value: code.meaning for code in CALLS.values()}


@dataclass(frozen=True, slots=True)
class ResultSaid:
    """What one object says about one film."""

    kind: Literal["report", "capture"]
    sop_uid: str
    study_uid: str
    film_sop_uid: str
    film_frame: int
    """From 1."""
    presence: str
    """``Present``, ``Absent`` or ``Indeterminate``; empty in a capture, which says it in ``description``."""
    prob_pneumonia: float | None
    model: str
    """Name and version."""
    device_uid: str
    parameters: dict[str, str]
    """Algorithm Parameters that read ``name=value``."""
    description: str
    """Of a capture: its Derivation Description."""
    predecessors: tuple[str, ...]
    """SOP Instance UIDs of the reports that this one replaces."""
    content_at: str
    """Content Date and Time, ``YYYYMMDD`` and ``HHMMSS``."""

    @property
    def sentence(self) -> str:
        """The object in one sentence."""
        frame = f", frame {self.film_frame}" if self.film_frame > 1 else ""
        about = f"of film {self.film_sop_uid}{frame}"
        if self.kind == "capture":
            return f"Picture {about}: {self.description}"
        prob = "no probability" if self.prob_pneumonia is None else f"probability {self.prob_pneumonia:.4f}"
        threshold = self.parameters.get("threshold")
        at = f" (threshold {threshold}, {self.parameters.get('operating point', '')})" if threshold else ""
        reasons = self.parameters.get("gate reasons")
        caveats = f"; caveats: {reasons.replace(' ', ', ')}" if reasons else ""
        return (
            f"Report {about}: pneumonia {self.presence.lower() or 'not judged'}, {prob}{at}{caveats}; by {self.model}. "
            "Research only, not for diagnosis."
        )


def read_result(data: bytes) -> ResultSaid:
    """Read a result object.

    Raises
    ------
    FilmError
        ``bad-dicom``, or ``no-result`` for an object of another kind.
    """
    try:
        with quiet_pydicom():
            dataset = dcmread(io.BytesIO(data), stop_before_pixels=True)
            said = _read(dataset)
    except _UNREADABLE as error:
        raise FilmError("bad-dicom", f"The object cannot be parsed ({type(error).__name__}).") from error
    if said is None:
        name = UID(str(dataset.get("SOPClassUID", ""))).name or "of no stated kind"
        raise FilmError("no-result", f"The object is no result on pneumonia: {name}.")
    return said


def source_of(report: Dataset) -> tuple[str, int] | None:
    """The film that a report is about, by SOP Instance UID and frame; None for another kind of report."""
    group = _group(report)
    return None if group is None else _source(group)


def predecessors_of(report: Dataset) -> tuple[str, ...]:
    """SOP Instance UIDs of the reports that one replaces."""
    return tuple(
        str(reference.ReferencedSOPInstanceUID)
        for study in report.get("PredecessorDocumentsSequence", ())
        for series in study.ReferencedSeriesSequence
        for reference in series.ReferencedSOPSequence
    )


def is_result(dataset: Dataset) -> bool:
    """Whether an object was made by cxrscan."""
    return dataset.get("Manufacturer") == MANUFACTURER and dataset.get("Modality") in {"SR", "OT"}


def _read(dataset: Dataset) -> ResultSaid | None:
    if dataset.get("SOPClassUID") == SecondaryCaptureImageStorage and is_result(dataset):
        return _capture(dataset)
    group = _group(dataset)
    return None if group is None else _report(dataset, group)


def _report(dataset: Dataset, group: Dataset) -> ResultSaid:
    film, frame = _source(group)
    presence = next((_code(item.ConceptCodeSequence[0]) for item in _named(group, _PNEUMONIA)), "")
    measured = [item.MeasuredValueSequence for item in _named(group, _PROBABILITY)]
    stated = [_text(item).partition("=") for item in _named(group, _PARAMETERS)]
    return ResultSaid(
        kind="report",
        sop_uid=str(dataset.SOPInstanceUID),
        study_uid=str(dataset.StudyInstanceUID),
        film_sop_uid=film,
        film_frame=frame,
        presence=_PRESENCE.get(presence, ""),
        prob_pneumonia=float(measured[0][0].NumericValue) if measured and measured[0] else None,
        model=" ".join(_text(item) for code in (_NAME, _VERSION) for item in _named(group, code)),
        device_uid=_device_uid(dataset),
        parameters={name: value for name, equals, value in stated if equals},
        description="",
        predecessors=predecessors_of(dataset),
        content_at=f"{dataset.get('ContentDate', '')}{dataset.get('ContentTime', '')}",
    )


def _capture(dataset: Dataset) -> ResultSaid:
    source = dataset.SourceImageSequence[0]
    return ResultSaid(
        kind="capture",
        sop_uid=str(dataset.SOPInstanceUID),
        study_uid=str(dataset.StudyInstanceUID),
        film_sop_uid=str(source.ReferencedSOPInstanceUID),
        film_frame=int(source.get("ReferencedFrameNumber", 1)),
        presence="",
        prob_pneumonia=None,
        model=printable(str(dataset.get("ManufacturerModelName", ""))),
        device_uid=_device_uid(dataset),
        parameters={},
        description=printable(str(dataset.get("DerivationDescription", ""))),
        predecessors=(),
        content_at=f"{dataset.get('ContentDate', '')}{dataset.get('ContentTime', '')}",
    )


def _group(dataset: Dataset) -> Dataset | None:
    """The measurement group whose evaluations name pneumonia."""
    groups = (node for node in _nodes(dataset) if _concept(node) == _GROUP)
    return next((group for group in groups if any(_named(group, _PNEUMONIA))), None)


def _source(group: Dataset) -> tuple[str, int]:
    image = next((item for code in _SOURCES for item in _named(group, code)), None)
    if image is None:
        raise LookupError("no source image")
    reference = image.ReferencedSOPSequence[0]
    frame = reference.get("ReferencedFrameNumber", 1)
    return str(reference.ReferencedSOPInstanceUID), int(frame if isinstance(frame, int | str) else frame[0])


def _device_uid(dataset: Dataset) -> str:
    found = (str(item.DeviceUID) for item in dataset.get("ContributingEquipmentSequence", ()) if "DeviceUID" in item)
    return next(found, "")


def _nodes(node: Dataset) -> Iterator[Dataset]:
    """All content items below one, a report's in the order of its text; deep trees are no trouble."""
    waiting = [node]
    while waiting:
        item = waiting.pop()
        yield item
        waiting.extend(reversed(list(item.get("ContentSequence", ()))))


def _named(node: Dataset, concept: str) -> Iterator[Dataset]:
    """The children of a content item with a concept name."""
    return (item for item in node.get("ContentSequence", ()) if _concept(item) == concept)


def _concept(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return _code(names[0]) if names else ""


def _code(item: Dataset) -> str:
    return str(item.get("CodeValue", ""))


def _text(item: Dataset) -> str:
    return printable(str(item.get("TextValue", "")))
