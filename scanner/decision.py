"""What a film is called."""

from __future__ import annotations

from scanner.records import NEGATIVE, POSITIVE, REFERRED, Band, ScanResult


def is_referred(result: ScanResult, refer: Band | None) -> bool:
    """Whether a film's probability lies in the band that a person is to read."""
    prob = result.prob_pneumonia
    return refer is not None and prob is not None and refer[0] <= prob <= refer[1]


def prediction(result: ScanResult, threshold: float, refer: Band | None = None) -> str | None:
    """``PNEUMONIA`` when the probability reaches the threshold, ``NORMAL`` below it, None without a score.

    A probability in the band ``refer`` makes it ``REFER``, whatever the threshold.
    """
    if result.status != "scored" or result.prob_pneumonia is None:
        return None
    if is_referred(result, refer):
        return REFERRED
    return POSITIVE if result.prob_pneumonia >= threshold else NEGATIVE
