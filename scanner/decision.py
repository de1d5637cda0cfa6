"""What a film is called at a threshold, and whether the call is right."""

from __future__ import annotations

from typing import Literal

from cxrscan.scanner.records import NEGATIVE, POSITIVE, REFERRED, Band, Region, ScanResult

Outcome = Literal["tp", "fp", "fn", "tn"]
"""True or false positive or negative: the cells of the 2 x 2 table."""


def is_referred(result: ScanResult, refer: Band | None) -> bool:
    """Whether a film's probability lies in the band that a person is to read."""
    prob = result.prob_pneumonia
    return refer is not None and prob is not None and refer[0] <= prob <= refer[1]


def prediction(result: ScanResult, threshold: float, refer: Band | None = None) -> str | None:
    """``PNEUMONIA`` when the probability reaches the threshold, ``NORMAL`` below it, None without a score.

    A probability in the band ``refer`` makes it ``REFER``, whatever the threshold.
    """
    return call_at(result.prob_pneumonia if result.status == "scored" else None, threshold, refer)


def call_at(prob: float | None, threshold: float, refer: Band | None = None) -> str | None:
    """What a probability, of a film or of a study, is called; see ``prediction``."""
    if prob is None:
        return None
    if refer is not None and refer[0] <= prob <= refer[1]:
        return REFERRED
    return POSITIVE if prob >= threshold else NEGATIVE


def shown_regions(result: ScanResult, called: str | None) -> tuple[Region, ...]:
    """Regions to outline on a film; none on one that is called ``NORMAL``, where they would say the opposite."""
    return result.regions if called in (POSITIVE, REFERRED) else ()


def outcome(called: str | None, truth: str | None) -> Outcome | None:
    """Hold a call against the label; None without either, and for a film that was referred."""
    if truth is None or called not in (POSITIVE, NEGATIVE):
        return None
    if called == truth:
        return "tp" if called == POSITIVE else "tn"
    return "fp" if called == POSITIVE else "fn"


def outcomes(result: ScanResult, truth: str | None, threshold: float, refer: Band | None = None) -> tuple[str, ...]:
    """Everything that a film can be found by: its call or status, its cell of the 2 x 2 table, ``warned``."""
    called = prediction(result, threshold, refer)
    if called is None:
        return (result.status,)
    found = {POSITIVE: "positive", NEGATIVE: "negative", REFERRED: "referred"}[called]
    cell = outcome(called, truth)
    return (found, *([cell] if cell else []), *(["warned"] if result.gate == "warn" else []))
