"""From header, picture and network to a verdict with reasons."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cxrscan.scanner.gate import evidence
from cxrscan.scanner.gate.evidence import FloatArray
from cxrscan.scanner.gate.statistics import GateStatistics, Look
from cxrscan.scanner.lungs import Lungs
from cxrscan.scanner.model_bundle import TrainedOn
from cxrscan.scanner.readers.dicom_terms import CHEST_WORDS, OTHER_PARTS
from cxrscan.scanner.records import FilmAttributes, FloatImage, GateVerdict, Radiograph
from cxrscan.scanner.regions import FLOOR

#: Reasons that forbid a prediction; all others warn.
REJECTING = frozenset(
    {"blank", "colour-picture", "not-a-chest-film", "not-a-radiograph", "other-body-part", "lateral-view"}
)

# Modalities of chest films: PS3.3 C.7.3.1.1.1; SC and OT are scans and exports of films.
_RADIOGRAPH_MODALITIES = frozenset({"CR", "DX", "DR", "RG", "RF", "SC", "OT"})
_LATERAL_VIEWS = frozenset({"LL", "RL", "LAT", "LATERAL", "LLD", "RLD"})
_MIN_CONTRAST = 0.01  # standard deviation; a film's is 0.15 to 0.3
_SAMPLE_PX = 96  # so many pixels a side tell whether a picture is blank
_TINTED_CHROMA = 0.02  # grey pictures 0; tinted scans of films up to about 0.04
_MAX_CHROMA = 0.15
_MIN_PIXELS = 200 * 200
_MOST_OUTSIDE = 0.5  # of the heat; docs/regions.md has the rates


@dataclass(frozen=True, slots=True)
class GateDecision:
    """A verdict with its reasons, keys of ``records.GATE_REASONS``."""

    verdict: GateVerdict
    reasons: tuple[str, ...] = ()
    distance: float | None = None
    """See ``ScanResult.gate_distance``."""


def judge(film: Radiograph, trained_on: TrainedOn) -> GateDecision:
    """Say what header and pixels alone say of a film, without the training films' statistics.

    Parameters
    ----------
    trained_on
        Whose films the model knows.

    Returns
    -------
    GateDecision
        ``reject`` when the picture is no frontal chest film, ``warn`` when it is scored with a caveat.
    """
    return _decide((*film.reasons, *_header_reasons(film.attributes, trained_on), *_pixel_reasons(film)))


def judge_answer(
    reasons: tuple[str, ...], look: Look, embedding: FloatArray, heat_map: FloatImage, statistics: GateStatistics
) -> GateDecision:
    """Complete a verdict once the network has seen the film.

    Parameters
    ----------
    reasons
        What ``judge`` gave.
    look
        What ``GateStatistics.look_at`` saw in the network's input.
    embedding
        shape (C,), of the network's input, or of ``look.upright`` where there is one.
    heat_map
        shape (h, w), Grad-CAM of the network's input.
    """
    distances, limits = statistics.look_deeper(look, embedding), statistics.limits
    misfit = distances.misfit / limits.misfit
    if limits.misfit_with_edges is not None:
        misfit = max(misfit, distances.misfit_with_edges / limits.misfit_with_edges)
    strangeness = distances.strangeness / limits.strangeness
    # max() overlooks what is no number; a film with such a distance is not scored
    distance = max(misfit, strangeness) if math.isfinite(sum(distances)) else math.nan
    if misfit > 1:
        return _decide((*reasons, "not-a-chest-film"), distance)
    reasons = (*reasons, *look.reasons)
    if strangeness > 1:
        reasons = (*reasons, "unlike-training-films")
    if evidence.outer_heat_lead(heat_map) > limits.outer_heat_lead:
        reasons = (*reasons, "heat-at-edge")
    return _decide(reasons, distance)


def judge_lungs(lungs: Lungs, heat_map: FloatImage, heat_scale: float) -> tuple[str, ...]:
    """Caveats that follow from where the lungs lie on an upright film.

    Parameters
    ----------
    heat_map
        shape (h, w), Grad-CAM of the network's input.
    heat_scale
        ``ModelSpec.heat_scale``; heat too faint for a region misleads nobody.
    """
    field = lungs.field
    outside = evidence.heat_share_outside(heat_map, field.left, field.top, field.right, field.bottom)
    strays = heat_map.max() >= FLOOR * heat_scale and outside > _MOST_OUTSIDE
    return (*(["heat-outside-lungs"] if strays else []), *(["lungs-cut-off"] if lungs.are_cut_off else []))


def _decide(reasons: tuple[str, ...], distance: float | None = None) -> GateDecision:
    rejecting = tuple(reason for reason in reasons if reason in REJECTING)
    if rejecting:  # caveats say nothing about what is not scored
        return GateDecision("reject", rejecting, distance)
    return GateDecision("warn" if reasons else "ok", reasons, distance)


def _header_reasons(said: FilmAttributes, trained_on: TrainedOn) -> list[str]:
    if said == FilmAttributes():  # raster pictures, which have no header, are not blamed for that
        return []
    reasons = []
    if said.modality and said.modality not in _RADIOGRAPH_MODALITIES:
        reasons.append("not-a-radiograph")
    if said.body_part and not any(word in said.body_part for word in CHEST_WORDS):
        reasons.append("other-body-part" if said.body_part in OTHER_PARTS else "body-part-unknown")
    if said.view_position in _LATERAL_VIEWS:
        reasons.append("lateral-view")
    elif said.view_position and said.view_position not in trained_on.views:
        reasons.append("other-view")
    elif not said.view_position and len(trained_on.views) < 2:
        reasons.append("view-unknown")
    if trained_on.below_years is None:
        return reasons
    if said.patient_age_years is None:
        reasons.append("age-unknown")
    elif said.patient_age_years >= trained_on.below_years:
        reasons.append("adult")
    return reasons


def _pixel_reasons(film: Radiograph) -> list[str]:
    reasons = []
    stride = max(1, min(film.pixels.shape) // _SAMPLE_PX)
    if float(film.pixels[::stride, ::stride].std()) < _MIN_CONTRAST:
        reasons.append("blank")
    if film.chroma > _TINTED_CHROMA:
        reasons.append("colour-picture" if film.chroma > _MAX_CHROMA else "tinted")
    if film.width_px * film.height_px < _MIN_PIXELS:
        reasons.append("low-resolution")
    return reasons
