"""The structured report of one film: whether it shows pneumonia (templates 1500 and 1501, PS3.16)."""

from __future__ import annotations

from collections.abc import Sequence

from highdicom.sr import (
    CodedConcept,
    FindingSite,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from cxrscan.scanner.dicom_results.answer import CALLS, Answer
from cxrscan.scanner.dicom_results.document import LUNG, NO_UNITS, algorithm, make_document, referenced_frames
from cxrscan.scanner.dicom_results.film_header import FilmHeader
from cxrscan.scanner.dicom_results.modules import Kind
from cxrscan.scanner.system.uids import hashed_uid

REPORT = Kind("report", Comprehensive3DSRStorage, "SR", 9901, "RESEARCH ONLY cxrscan pneumonia report")

PROBABILITY = CodedConcept("122157", "DCM", "Probability")
PNEUMONIA = CodedConcept("233604007", "SCT", "Pneumonia")


def make_report(film: FilmHeader, answer: Answer, predecessors: Sequence[str] = ()) -> Dataset:
    """Make the report of a film.

    Parameters
    ----------
    predecessors
        SOP Instance UIDs of earlier reports on the same film in the same series, which this one replaces.
    """
    return make_document(REPORT, film, answer, [_group(film, answer)], predecessors)


def _group(film: FilmHeader, answer: Answer) -> MeasurementsAndQualitativeEvaluations:
    """TID 1501: one finding, its probability and the call; a rejected film has no probability."""
    called = CALLS[answer.call]
    probability = [] if answer.prob_pneumonia is None else [round(answer.prob_pneumonia, 4)]
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=hashed_uid("tracking", film.sop_uid, film.frame), identifier="Pneumonia, whole film"
        ),
        finding_type=PNEUMONIA,
        algorithm_id=algorithm(answer),
        finding_sites=[FindingSite(LUNG)],
        measurements=[Measurement(PROBABILITY, value, NO_UNITS) for value in probability],
        qualitative_evaluations=[
            QualitativeEvaluation(PNEUMONIA, CodedConcept(called.value, "SCT", called.meaning)),
        ],
        source_images=[SourceImageForMeasurementGroup(film.sop_class, film.sop_uid, referenced_frames(film))],
    )
