"""A result as an Observation of HL7 FHIR, R4 and R5 alike: for systems that read no DICOM."""

from __future__ import annotations

from typing import Any

from cxrscan.scanner import NOTICE
from cxrscan.scanner.dicom_results.answer import CALLS
from cxrscan.scanner.dicom_results.read_back import ResultSaid

_SNOMED = "http://snomed.info/sct"
_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_VALUES = {code.meaning: code.value for code in CALLS.values()}


def observation(said: ResultSaid) -> dict[str, Any]:
    """Make the resource of a report on pneumonia; it names the study and the film, and no patient.

    Raises
    ------
    ValueError
        The object is a report of regions or a capture, which hold no value.
    """
    if said.kind != "report":
        raise ValueError("only a report on pneumonia holds a value")
    return {
        "resourceType": "Observation",
        "identifier": [_uid(said.sop_uid)],
        "status": "preliminary",
        "category": [_concept(_CATEGORY, "imaging", "Imaging")],
        "code": _concept(_SNOMED, "233604007", "Pneumonia"),
        **({"effectiveDateTime": _date(said.content_at)} if said.content_at[:8].isdecimal() else {}),
        **({"valueCodeableConcept": _presence(said.presence)} if said.presence else {}),
        "bodySite": _concept(_SNOMED, "39607008", "Lung"),
        "device": {"identifier": _uid(said.device_uid), "display": said.model},
        "derivedFrom": [{"type": "ImagingStudy", "identifier": _uid(said.study_uid)}],
        "note": [{"text": f"Film {said.film_sop_uid}, frame {said.film_frame}. {NOTICE}"}],
        **({} if said.prob_pneumonia is None else {"component": [_probability(said.prob_pneumonia)]}),
    }


def _presence(meaning: str) -> dict[str, Any]:
    return _concept(_SNOMED, _VALUES[meaning], meaning)


def _probability(prob: float) -> dict[str, Any]:
    unit = {"value": prob, "system": "http://unitsofmeasure.org", "code": "1"}
    return {"code": _concept(_DCM, "122157", "Probability"), "valueQuantity": unit}


def _concept(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _uid(uid: str) -> dict[str, str]:
    """A DICOM UID as FHIR writes it (ImagingStudy, notes)."""
    return {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}


def _date(content_at: str) -> str:
    return f"{content_at[:4]}-{content_at[4:6]}-{content_at[6:8]}"
