"""Is this a frontal chest film at all? Reasons, never a silent guess.

The verdicts come from the DICOM header, where there is one, and from plain statistics of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

from scanner.records import GateVerdict, Radiograph

#: Reasons that forbid a prediction; all others warn.
REJECTING = frozenset({"blank", "colour-picture", "not-a-radiograph", "other-body-part", "lateral-view"})

# Projection radiography: PS3.3 C.7.3.1.1.1; SC and OT are scans and exports of films.
_RADIOGRAPH_MODALITIES = frozenset({"CR", "DX", "DR", "RG", "RF", "XA", "PX", "SC", "OT", "XC"})
_CHEST_WORDS = ("CHEST", "THORAX", "LUNG", "THOR", "CXR", "PECHO", "TORAX", "POUMON", "BRUST")
_LATERAL_VIEWS = frozenset({"LL", "RL", "LAT", "LATERAL", "LLD", "RLD"})
_MIN_CONTRAST = 0.01  # standard deviation; a film's is 0.15 to 0.3
_MAX_CHROMA = 0.06  # training films 0; tinted scans of films up to about 0.04
_MAX_AGE_YEARS = 18.0
_MIN_SIDE_PX = 200


@dataclass(frozen=True, slots=True)
class GateDecision:
    """A verdict with its reasons, keys of ``records.GATE_REASONS``."""

    verdict: GateVerdict
    reasons: tuple[str, ...] = ()


def judge(film: Radiograph) -> GateDecision:
    """Say whether the model can judge a film.

    Returns
    -------
    GateDecision
        ``reject`` when the picture is no frontal chest film, ``warn`` when it is scored with a caveat.
    """
    reasons = (*film.reasons, *_header_reasons(film), *_picture_reasons(film))
    if REJECTING.intersection(reasons):
        return GateDecision("reject", reasons)
    return GateDecision("warn" if reasons else "ok", reasons)


def _header_reasons(film: Radiograph) -> list[str]:
    said = film.attributes
    reasons = []
    if said.modality and said.modality not in _RADIOGRAPH_MODALITIES:
        reasons.append("not-a-radiograph")
    if said.body_part and not any(word in said.body_part for word in _CHEST_WORDS):
        reasons.append("other-body-part")
    if said.view_position in _LATERAL_VIEWS:
        reasons.append("lateral-view")
    if said.patient_age_years is not None and said.patient_age_years >= _MAX_AGE_YEARS:
        reasons.append("adult")
    return reasons


def _picture_reasons(film: Radiograph) -> list[str]:
    reasons = []
    if float(film.pixels.std()) < _MIN_CONTRAST:
        reasons.append("blank")
    if film.chroma > _MAX_CHROMA:
        reasons.append("colour-picture")
    if min(film.width_px, film.height_px) < _MIN_SIDE_PX:
        reasons.append("low-resolution")
    return reasons
