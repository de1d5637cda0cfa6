"""The structured report of one film: Comprehensive 3D SR, templates 1500 and 1501 (PS3.16), IHE AI Results."""

from __future__ import annotations

from collections.abc import Sequence

from highdicom.sr import (
    AlgorithmIdentification,
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    ImageContentItem,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from cxrscan.scanner import MANUFACTURER
from cxrscan.scanner.dicom_results.answer import CALLS, Answer
from cxrscan.scanner.dicom_results.film_header import FilmHeader
from cxrscan.scanner.dicom_results.modules import Kind, ascii_text, model_name, start_object
from cxrscan.scanner.system.uids import hashed_uid

REPORT = Kind("report", Comprehensive3DSRStorage, "SR", 9901, "RESEARCH ONLY cxrscan pneumonia report")

PROBABILITY = CodedConcept("122157", "DCM", "Probability")
PNEUMONIA = CodedConcept("233604007", "SCT", "Pneumonia")
_LUNG = CodedConcept("39607008", "SCT", "Lung")
_DEVICE = CodedConcept("121007", "DCM", "Device")
_PROCEDURE = CodedConcept("363679005", "SCT", "Imaging procedure")
_TITLE = CodedConcept("126000", "DCM", "Imaging Measurement Report")
_AI = CodedConcept("123110", "DCM", "Artificial Intelligence")
_NO_UNITS = CodedConcept("1", "UCUM", "no units")
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


def make_report(film: FilmHeader, answer: Answer, predecessors: Sequence[str] = ()) -> Dataset:
    """Make the report of a film.

    Parameters
    ----------
    predecessors
        SOP Instance UIDs of earlier reports on the same film in the same series, which this one replaces.
    """
    dataset = start_object(REPORT, film, answer)
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
        earlier = [(REPORT.sop_class, uid) for uid in predecessors]
        dataset.PredecessorDocumentsSequence = [_hierarchy(film.study_uid, dataset.SeriesInstanceUID, earlier)]
    (root,) = _content(film, answer)
    for element in root:
        dataset.add(element)
    return dataset


def _content(film: FilmHeader, answer: Answer) -> MeasurementReport:
    report = MeasurementReport(
        observation_context=ObservationContext(_observer(answer)),
        procedure_reported=_PROCEDURE,
        imaging_measurements=[_group(film, answer)],
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
        referenced_frame_numbers=_frames(film),
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


def _group(film: FilmHeader, answer: Answer) -> MeasurementsAndQualitativeEvaluations:
    """TID 1501: one finding, its probability and the call; a rejected film has no probability."""
    called = CALLS[answer.call]
    probability = [] if answer.prob_pneumonia is None else [round(answer.prob_pneumonia, 4)]
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=hashed_uid("tracking", film.sop_uid, film.frame), identifier="Pneumonia, whole film"
        ),
        finding_type=PNEUMONIA,
        algorithm_id=AlgorithmIdentification(
            name=ascii_text(answer.model.name),
            version=ascii_text(answer.model.version),
            parameters=[ascii_text(parameter) for parameter in answer.parameters],
            family=_AI,
        ),
        finding_sites=[FindingSite(_LUNG)],
        measurements=[Measurement(PROBABILITY, value, _NO_UNITS) for value in probability],
        qualitative_evaluations=[
            QualitativeEvaluation(PNEUMONIA, CodedConcept(called.value, "SCT", called.meaning)),
        ],
        source_images=[SourceImageForMeasurementGroup(film.sop_class, film.sop_uid, _frames(film))],
    )


def _frames(film: FilmHeader) -> list[int] | None:
    return [film.frame] if film.n_frames > 1 else None


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
