"""What a result object says: the way back from the archive.

Reads reports after TID 1500 with a TID 1501 group on pneumonia, cxrscan's or another program's; of cxrscan's own also
reports of regions and captures.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
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

UNREADABLE: tuple[type[Exception], ...] = (*PYDICOM_ERRORS, InvalidDicomError)
"""What is raised for files that are damaged, or no DICOM objects."""
_GROUP, _PNEUMONIA, _PROBABILITY = "125007", "233604007", "122157"
_REGION, _SALIENCY, _SITE, _LATERALITY = "111030", "130404", "363698007", "272741003"
_SOURCES = ("121112", "260753009")
_NAME, _VERSION, _PARAMETERS = "111001", "111003", "111002"
_PRESENCE = {code.value: code.meaning for code in CALLS.values()}


@dataclass(frozen=True, slots=True)
class RegionSaid:
    """A region as a report outlines it."""

    place: str
    """Laterality and site: ``right lower zone of lung``."""
    strength: float
    """Share of the model's heat scale; may exceed 1."""
    outline_px: tuple[tuple[float, float], ...]
    """Columns and rows of the stored picture, from 0 at the top left corner of the first pixel; closed."""


@dataclass(frozen=True, slots=True)
class ResultSaid:
    """What one object says about one film."""

    kind: Literal["report", "regions", "capture"]
    sop_uid: str
    study_uid: str
    film_sop_uid: str
    film_frame: int
    """From 1."""
    model: str
    """Name and version."""
    device_uid: str
    content_at: str
    """Content Date and Time, ``YYYYMMDD`` and ``HHMMSS``."""
    predecessors: tuple[str, ...]
    """SOP Instance UIDs of the reports that this one replaces."""
    presence: str = ""
    """Of a report: ``Present``, ``Absent`` or ``Indeterminate``."""
    prob_pneumonia: float | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    """Algorithm Parameters that read ``name=value``."""
    regions: tuple[RegionSaid, ...] = ()
    """Of a report of regions: the largest share of the heat first."""
    description: str = ""
    """Of a capture: its Derivation Description."""

    @property
    def sentence(self) -> str:
        """The object in one sentence."""
        frame = f", frame {self.film_frame}" if self.film_frame > 1 else ""
        about = f"of film {self.film_sop_uid}{frame}"
        if self.kind == "capture":
            return f"Picture {about}: {self.description}"
        if self.kind == "regions":
            places = ", ".join(f"{region.place} (strength {region.strength:.2f})" for region in self.regions)
            return f"Regions {about}: {places}; by {self.model}. Research only, not for diagnosis."
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
    except UNREADABLE as error:
        raise FilmError("bad-dicom", f"The object cannot be parsed ({type(error).__name__}).") from error
    if said is None:
        name = UID(str(dataset.get("SOPClassUID", ""))).name or "of no stated kind"
        raise FilmError("no-result", f"The object is no result on pneumonia: {name}.")
    return said


def source_of(report: Dataset) -> tuple[str, int] | None:
    """The film that a report is about, by SOP Instance UID and frame; None for another kind of report."""
    group = _group(report)
    about = next(_outlines(report), None) if group is None else group
    return None if about is None else _source(about)


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
    if group is not None:
        return _report(dataset, group)
    groups = [group for group in _groups(dataset) if any(_outlines(group))]
    return _region_report(dataset, groups) if groups and is_result(dataset) else None


def _report(dataset: Dataset, group: Dataset) -> ResultSaid:
    presence = next((_code(item.ConceptCodeSequence[0]) for item in _named(group, _PNEUMONIA)), "")
    said = _said("report", dataset, _source(group), _algorithm(group))
    return replace(
        said,
        presence=_PRESENCE.get(presence, ""),
        prob_pneumonia=_number(group, _PROBABILITY),
        parameters=_parameters(group),
    )


def _region_report(dataset: Dataset, groups: list[Dataset]) -> ResultSaid:
    said = _said("regions", dataset, _source(next(_outlines(groups[0]))), _algorithm(groups[0]))
    return replace(said, parameters=_parameters(groups[0]), regions=tuple(map(_region, groups)))


def _region(group: Dataset) -> RegionSaid:
    numbers = [float(number) for number in next(_outlines(group)).GraphicData]
    site = next(_named(group, _SITE))
    words = [_meaning(item) for item in (*_named(site, _LATERALITY), site)]
    return RegionSaid(
        place=" ".join(words).lower(),
        strength=_number(group, _SALIENCY) or 0.0,
        outline_px=tuple(zip(numbers[::2], numbers[1::2], strict=True)),
    )


def _capture(dataset: Dataset) -> ResultSaid:
    source = dataset.SourceImageSequence[0]
    film = str(source.ReferencedSOPInstanceUID), int(source.get("ReferencedFrameNumber", 1))
    said = _said("capture", dataset, film, printable(str(dataset.get("ManufacturerModelName", ""))))
    return replace(said, description=printable(str(dataset.get("DerivationDescription", ""))))


def _said(
    kind: Literal["report", "regions", "capture"], dataset: Dataset, film: tuple[str, int], model: str
) -> ResultSaid:
    return ResultSaid(
        kind=kind,
        sop_uid=str(dataset.SOPInstanceUID),
        study_uid=str(dataset.StudyInstanceUID),
        film_sop_uid=film[0],
        film_frame=film[1],
        model=model,
        device_uid=_device_uid(dataset),
        content_at=f"{dataset.get('ContentDate', '')}{dataset.get('ContentTime', '')}",
        predecessors=predecessors_of(dataset),
    )


def _algorithm(group: Dataset) -> str:
    return " ".join(_text(item) for code in (_NAME, _VERSION) for item in _named(group, code))


def _parameters(group: Dataset) -> dict[str, str]:
    stated = [_text(item).partition("=") for item in _named(group, _PARAMETERS)]
    return {name: value for name, equals, value in stated if equals}


def _number(group: Dataset, concept: str) -> float | None:
    """The first measurement of a kind."""
    measured = [item.MeasuredValueSequence for item in _named(group, concept)]
    number = float(measured[0][0].NumericValue) if measured and measured[0] else math.nan
    return number if math.isfinite(number) else None


def _group(dataset: Dataset) -> Dataset | None:
    """The measurement group whose evaluations name pneumonia."""
    return next((group for group in _groups(dataset) if any(_named(group, _PNEUMONIA))), None)


def _groups(dataset: Dataset) -> Iterator[Dataset]:
    return (node for node in _nodes(dataset) if _concept(node) == _GROUP)


def _outlines(dataset: Dataset) -> Iterator[Dataset]:
    """The outlines in a report or group; each has the film below it."""
    return (node for node in _nodes(dataset) if _concept(node) == _REGION)


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


def _meaning(item: Dataset) -> str:
    return printable(str(item.ConceptCodeSequence[0].get("CodeMeaning", "")))


def _text(item: Dataset) -> str:
    return printable(str(item.get("TextValue", "")))
