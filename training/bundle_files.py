"""The files of a bundle, as training and adapting write them, and how its figures stand in ``model.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cxrscan.scanner.errors import TrainingError
from cxrscan.scanner.model_bundle import CARD_NAME, SPEC_NAME, WEIGHTS_NAME, OperatingPoint, check_document
from cxrscan.scanner.records import Estimate
from cxrscan.scanner.system.whole_files import write_whole

_LARGEST_FIGURE = 1e9  # beyond what a bundle may state


def write_files(folder: Path, weights: bytes, document: Mapping[str, Any], card: str) -> None:
    """Write ``model.tflite``, ``model.json`` and ``MODEL_CARD.md``, once the document is checked.

    Raises
    ------
    BundleError
        ``bundle-invalid``.
    TrainingError
        ``output-unwritable``.
    """
    spec = _spec(document)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError("output-unwritable", f"{folder} cannot be made: {error.strerror}.") from error
    write_whole(folder / WEIGHTS_NAME, weights)
    write_whole(folder / SPEC_NAME, spec)
    write_whole(folder / CARD_NAME, card.encode())


def write_spec(folder: Path, document: Mapping[str, Any]) -> None:
    """Write ``model.json``, once it is checked; raises ``BundleError`` as ``write_files`` does."""
    write_whole(folder / SPEC_NAME, _spec(document))


def _spec(document: Mapping[str, Any]) -> bytes:
    check_document(document, where=SPEC_NAME)
    return (json.dumps(document, indent=2) + "\n").encode()


def point_document(point: OperatingPoint) -> dict[str, Any]:
    """An operating point as ``model.json`` has it, under its name."""
    return {
        "threshold": point.threshold,
        "rule": point.rule,
        "data": point.data,
        "sensitivity": estimate_document(point.sensitivity),
        "specificity": estimate_document(point.specificity),
    }


def estimate_document(estimate: Estimate) -> dict[str, float]:
    """A figure as ``model.json`` has it."""
    figures = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {name: float(value) for name, value in figures.items() if value is not None}


def says_something(estimate: Estimate) -> bool:
    """Whether there is a figure; that of films which are told apart without a fault may have no end."""
    figures = estimate_document(estimate)
    return "value" in figures and all(abs(figure) < _LARGEST_FIGURE for figure in figures.values())
