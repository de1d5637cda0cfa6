"""The portraits that a bundle holds of its validation films: ``reference`` in ``model.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cxrscan.scanner.errors import BundleError
from cxrscan.scanner.evaluation.drift import PICTURE_FIGURES, Portrait
from cxrscan.scanner.metrics import FloatArray
from cxrscan.scanner.model_bundle import ModelSpec
from cxrscan.scanner.packed_arrays import pack, unpack
from cxrscan.scanner.populations.portrait import coordinates_id

MAX_FILMS = 500
"""Films of a population that a bundle keeps: about 45 KB."""


def reference_document(portraits: Sequence[Portrait], model: ModelSpec) -> dict[str, Any]:
    """Make the JSON-ready form of portraits by one network."""
    return {
        "weights_sha256": model.weights_sha256,
        "coordinates_sha256": coordinates_id(model),
        "picture_figures": list(PICTURE_FIGURES),
        "populations": [
            {
                "name": portrait.name,
                "n_films": portrait.n_films,
                "log_odds": pack(portrait.log_odds),
                "truth": pack(portrait.truth),
                **({} if portrait.features is None else {"features": pack(portrait.features)}),
                **({} if portrait.pictures is None else {"pictures": pack(portrait.pictures)}),
            }
            for portrait in portraits
        ],
    }


def references(model: ModelSpec) -> list[Portrait]:
    """Portraits of the populations that a bundle was validated on.

    Raises
    ------
    BundleError
        ``no-drift-reference``: it holds none of these weights; ``bundle-invalid``: one is no such portrait.
    """
    stored = model.reference
    if stored is None:
        raise BundleError("no-drift-reference", f"The bundle {model.label} says nothing of its validation films.")
    if stored["weights_sha256"] != model.weights_sha256:
        raise BundleError("no-drift-reference", f"What {model.label} says of its films is of other weights.")
    return [_portrait(population, stored, model) for population in stored["populations"]]


def _portrait(population: dict[str, Any], stored: dict[str, Any], model: ModelSpec) -> Portrait:
    n = population["log_odds"]["shape"][0]
    if n > MAX_FILMS:
        raise BundleError("bundle-invalid", f"A population of the reference holds more than {MAX_FILMS} films.")
    log_odds, truth = (_column(population, key, (n,)) for key in ("log_odds", "truth"))
    features = _column(population, "features", (n, -1)) if "features" in population else None
    pictures = (
        _column(population, "pictures", (n, len(stored["picture_figures"]))) if "pictures" in population else None
    )
    if not np.isin(truth, (-1, 0, 1)).all():
        raise BundleError("bundle-invalid", "The reference's truth holds something else than 1, 0 and -1.")
    gaps = ["Headers are not compared: the bundle holds none of its films."]
    if tuple(stored["picture_figures"]) != PICTURE_FIGURES:
        pictures = None
        gaps.append("Pictures are not compared: the bundle measured them in another way.")
    return Portrait(
        name=population["name"],
        log_odds=log_odds,
        truth=truth.astype(np.int8),
        features=features,
        pictures=pictures,
        n_films=population["n_films"],
        weights_sha256=model.weights_sha256,
        coordinates_sha256=stored["coordinates_sha256"],
        gaps=tuple(gaps),
    )


def _column(population: dict[str, Any], key: str, shape: tuple[int, ...]) -> FloatArray:
    """Unpack an array; -1 in the shape stands for any number."""
    values = unpack(key, population[key])
    fits = len(values.shape) == len(shape) and all(
        n in (-1, found) for n, found in zip(shape, values.shape, strict=True)
    )
    if not fits or not np.isfinite(values).all():
        raise BundleError(
            "bundle-invalid", f"The reference's {key} is not finite, or has another shape than its films."
        )
    return values.astype(np.float64)
