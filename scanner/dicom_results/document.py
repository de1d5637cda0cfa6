"""What the structured reports of a film have in common: Comprehensive 3D SR, template 1500 (PS3.16), IHE AI Results."""

from __future__ import annotations

from collections.abc import Sequence

from highdicom.sr import (
    AlgorithmIdentification,
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    ImageContentItem,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    RelationshipTypeValues,
)
from pydicom import Dataset

from cxrscan.scanner import MANUFACTURER
from cxrscan.scanner.dicom_results.answer import Answer
from cxrscan.scanner.dicom_results.film_header import FilmHeader
from cxrscan.scanner.dicom_results.modules import Kind, ascii_text, model_name, start_object

LUNG = CodedConcept("39607008", "SCT", "Lung")
NO_UNITS = CodedConcept("1", "UCUM", "no units")
_DEVICE = CodedConcept("121007", "DCM", "Device")
_PROCEDURE = CodedConcept("363679005", "SCT", "Imaging procedure")
_TITLE = CodedConcept("126000", "DCM", "Imaging Measurement Report")
_AI = CodedConcept("123110", "DCM", "Artificial Intelligence")
#: Modality (121139, DCM) of a film in the image library: CID 33.
_MODALITIES = {
    "CR": "Computed Radiography",
    "DX": "Digital Radiography",
    "RG": "Radiographic imaging",
    "RF": "Radiofluoroscopy",
    "XA": "X-Ray Angiography",
    "PX": "Panoramic X-Ray",
    "MG": "Mammography",
    "IO": "Intra-oral Radiography",
    "CT": "Computed Tomography",
    "MR": "Magnetic Resonance",
}
_REQUEST_TYPE_2 = (
    "AccessionNumber",
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
)
#: A measurement group: TID 1501, or TID 1410 with coordinates.
Group = MeasurementsAndQualitativeEvaluations | PlanarROIMeasurementsAndQualitativeEvaluations


def make_document(
    kind: Kind, film: FilmHeader, answer: Answer, groups: Sequence[Group], predecessors: Sequence[str]
) -> Dataset:
    """Make a report of a film.

    Parameters
    ----------
    groups
        What is measured, at least one.
    predecessors
        SOP Instance UIDs of earlier reports on the same film in the same series, which this one replaces.
    """
    dataset = start_object(kind, film, answer)
    dataset.CompletionFlag, dataset.VerificationFlag, dataset.PreliminaryFlag = "COMPLETE", "UNVERIFIED", "PRELIMINARY"
    dataset.PerformedProcedureCodeSequence = []
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.CurrentRequestedProcedureEvidenceSequence = [
        _hierarchy(film.study_uid, film.series_uid, [(str(film.sop_class), film.sop_uid)])
    ]
    requests = _requests(film)
    if requests:
        dataset.ReferencedRequestSequence = requests
    if predecessors:
        earlier = [(kind.sop_class, uid) for uid in predecessors]
        dataset.PredecessorDocumentsSequence = [_hierarchy(film.study_uid, dataset.SeriesInstanceUID, earlier)]
    (root,) = _content(film, answer, groups)
    for element in root:
        dataset.add(element)
    return dataset


def algorithm(answer: Answer) -> AlgorithmIdentification:
    """TID 4019: the model and what it was told."""
    return AlgorithmIdentification(
        name=ascii_text(answer.model.name),
        version=ascii_text(answer.model.version),
        parameters=[ascii_text(parameter) for parameter in answer.parameters],
        family=_AI,
    )


def referenced_frames(film: FilmHeader) -> list[int] | None:
    """Return the frame that a reference names; None for a film of one frame."""
    return [film.frame] if film.n_frames > 1 else None


def _content(film: FilmHeader, answer: Answer, groups: Sequence[Group]) -> MeasurementReport:
    report = MeasurementReport(
        observation_context=ObservationContext(_observer(answer)),
        procedure_reported=_PROCEDURE,
        imaging_measurements=groups,
        title=_TITLE,
    )
    items = report[0].ContentSequence
    items.insert(len(items) - 1, _image_library(film))  # TID 1500: in front of the measurements
    return report


def _observer(answer: Answer) -> ObserverContext:
    """TID 1004; the names of the General Equipment module."""
    return ObserverContext(
        _DEVICE,
        DeviceObserverIdentifyingAttributes(
            uid=answer.device_uid,
            name=MANUFACTURER,
            manufacturer_name=MANUFACTURER,
            model_name=model_name(answer),
            serial_number=answer.model.weights_sha256[:16],
        ),
    )


def _image_library(film: FilmHeader) -> ContainerContentItem:
    """TID 1600: the film and, where it is known, its modality."""
    image = ImageContentItem(
        name=CodedConcept("260753009", "SCT", "Source"),
        referenced_sop_class_uid=film.sop_class,
        referenced_sop_instance_uid=film.sop_uid,
        referenced_frame_numbers=referenced_frames(film),
        relationship_type=RelationshipTypeValues.CONTAINS,
    )
    group = _container("126200", "Image Library Group")
    if film.modality in _MODALITIES:
        group.ContentSequence.append(
            CodeContentItem(
                name=CodedConcept("121139", "DCM", "Modality"),
                value=CodedConcept(film.modality, "DCM", _MODALITIES[film.modality]),
                relationship_type=RelationshipTypeValues.HAS_ACQ_CONTEXT,
            )
        )
    group.ContentSequence.append(image)
    library = _container("111028", "Image Library")
    library.ContentSequence.append(group)
    return library


def _container(value: str, meaning: str) -> ContainerContentItem:
    container = ContainerContentItem(
        name=CodedConcept(value, "DCM", meaning), relationship_type=RelationshipTypeValues.CONTAINS
    )
    container.ContentSequence = ContentSequence()
    return container


def _hierarchy(study_uid: str, series_uid: str, objects: Sequence[tuple[str, str]]) -> Dataset:
    """Hierarchical SOP Instance Reference macro (PS3.3 C.17.2.1) for objects of one series."""
    series, study = Dataset(), Dataset()
    series.ReferencedSOPSequence = []
    for sop_class, sop_uid in objects:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_uid
        series.ReferencedSOPSequence.append(item)
    series.SeriesInstanceUID = series_uid
    study.ReferencedSeriesSequence = [series]
    study.StudyInstanceUID = study_uid
    return study


def _requests(film: FilmHeader) -> list[Dataset]:
    """Referenced Request Sequence (PS3.3 C.17.2) from the orders that the film names."""
    found = []
    for request in film.requests:
        item = Dataset()
        item.StudyInstanceUID = film.study_uid
        item.ReferencedStudySequence = []
        item.RequestedProcedureCodeSequence = []
        for keyword in (*_REQUEST_TYPE_2, "RequestedProcedureID", "RequestedProcedureDescription"):
            setattr(item, keyword, request.get(keyword, ""))
        item.AccessionNumber = item.AccessionNumber or film.patient_and_study.AccessionNumber
        found.append(item)
    return found
