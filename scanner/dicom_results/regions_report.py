"""The structured report of a film's regions: outlines for viewers that draw them (templates 1500 and 1410, PS3.16).

It is a report of its own: groups with and without coordinates in one report are judged by each other's templates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from highdicom.sr import (
    CodedConcept,
    FindingSite,
    GraphicTypeValues,
    ImageRegion,
    Measurement,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    SourceImageForRegion,
    TrackingIdentifier,
)
from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from cxrscan.scanner.dicom_results.answer import Answer
from cxrscan.scanner.dicom_results.document import LUNG, NO_UNITS, algorithm, make_document, referenced_frames
from cxrscan.scanner.dicom_results.film_header import FilmHeader
from cxrscan.scanner.dicom_results.modules import Kind
from cxrscan.scanner.records import Region
from cxrscan.scanner.system.uids import hashed_uid

REGIONS = Kind("regions", Comprehensive3DSRStorage, "SR", 9903, "RESEARCH ONLY cxrscan regions of the heat map")

_OPACITY = CodedConcept("112033", "DCM", "Abnormal opacity")
_SALIENCY = CodedConcept("130404", "DCM", "Saliency")
#: CID 6171.
_ZONES = {
    "upper": CodedConcept("281392002", "SCT", "Upper zone of lung"),
    "mid": CodedConcept("281393007", "SCT", "Middle zone of lung"),
    "lower": CodedConcept("281394001", "SCT", "Lower zone of lung"),
    "": LUNG,
}
_SIDES = {
    "right": CodedConcept("24028007", "SCT", "Right"),
    "left": CodedConcept("7771000", "SCT", "Left"),
    "": None,
}


def make_regions_report(film: FilmHeader, answer: Answer, predecessors: Sequence[str] = ()) -> Dataset:
    """Make the report of a film's regions, of which there must be one at least.

    Parameters
    ----------
    predecessors
        SOP Instance UIDs of earlier reports on the same film in the same series, which this one replaces.
    """
    groups = [_group(film, answer, region, number) for number, region in enumerate(answer.regions, start=1)]
    return make_document(REGIONS, film, answer, groups, predecessors)


def _group(
    film: FilmHeader, answer: Answer, region: Region, number: int
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    """TID 1410: an outline, where it lies, and its strength as a share of the model's heat scale."""
    source = SourceImageForRegion(film.sop_class, film.sop_uid, referenced_frames(film))
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=hashed_uid("tracking", film.sop_uid, film.frame, "region", number), identifier=f"Region {number}"
        ),
        referenced_region=ImageRegion(GraphicTypeValues.POLYLINE, _outline(film, answer, region), source),
        finding_type=_OPACITY,
        algorithm_id=algorithm(answer),
        finding_sites=[FindingSite(_ZONES[region.zone], _SIDES[region.side])],
        measurements=[Measurement(_SALIENCY, region.strength, NO_UNITS)],
    )


def _outline(film: FilmHeader, answer: Answer, region: Region) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Closed outline in the stored image, whose pixels may be no squares.

    Returns
    -------
    Columns and rows, float array, shape (N + 1, 2); 0 is the top left corner of the first pixel (PS3.3 C.18.6.1.2).
    """
    corners = np.asarray([*region.polygon_px, region.polygon_px[0]], dtype=np.float64)
    return (corners + 0.5) * (np.asarray(film.size_px) / answer.size_px)
