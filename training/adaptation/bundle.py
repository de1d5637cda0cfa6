"""The adapted bundle: the parent's description with what is new, its lineage, and the weights."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cxrscan.scanner.model_bundle import SPEC_NAME, ModelSpec, OperatingPoint, check_document
from cxrscan.scanner.records import Estimate
from cxrscan.training.adaptation.card import render_adapted_card
from cxrscan.training.adaptation.forgetting import Remembered
from cxrscan.training.adaptation.graph import read_head, with_head
from cxrscan.training.adaptation.local_films import LocalFilms
from cxrscan.training.adaptation.measure import Measured, share_estimate
from cxrscan.training.adaptation.rungs import Adapted
from cxrscan.training.bundle_files import estimate_document, point_document, says_something, write_files
from cxrscan.training.calibrate import sigmoid

SHARE = "share"
"""Name of the operating point that calls a wanted share of the films; nobody has validated it."""
_FEWEST_OF_A_VIEW = 20
_MAX_LIMITS, _MAX_LINEAGE, _MAX_NAME = 32, 32, 64
_HOTTEST = 99
_PRIOR = 0.5  # both classes count the same where a site's films are fitted to


@dataclass(frozen=True, slots=True)
class Parent:
    """The bundle that is adapted."""

    spec: ModelSpec
    document: Mapping[str, Any]
    weights: bytes


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is written."""

    document: Mapping[str, Any]
    weights: bytes


def adapted_bundle(
    parent: Parent,
    films: LocalFilms,
    measured: Measured,
    site: str,
    *,
    forced: bool,
    remembered: Remembered | None = None,
) -> Bundle:
    """Make the bundle of a rung.

    Parameters
    ----------
    films
        Those that it was fitted on.
    site
        Where they come from, in words.
    forced
        Whether it is written although the interval of the gain holds a loss.
    remembered
        What became of the parent's validation films; None where they were not given.
    """
    adapted = measured.adapted
    weights, heat_scale, difference = _weights(parent, films, adapted)
    ours = films.embeddings if adapted.tuned is None else adapted.tuned.embeddings
    heat = {
        "before": _heat(parent.weights, films.embeddings[~films.truth], parent.spec.heat_scale),
        "after": _heat(weights, ours[~films.truth], heat_scale),
    }
    date = datetime.now(UTC).date().isoformat()
    entry = {
        "parent": _identity(parent),
        "site": site,
        "date": date,
        "rung": measured.rung,
        "n_films": films.n,
        "n_positive": films.n_positive,
        "n_patients": films.n_patients,
        "gain_of": measured.gain_of,
        "gain": estimate_document(measured.gain),
        "forced": forced,
    }
    after, before = (f"{site}, {when}" for when in ("films held back", "the same films before"))
    document = {
        **parent.document,
        "version": _version(date, site),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "calibration": {
            "prior": parent.spec.prior if measured.rung == "threshold" else _PRIOR,
            "populations": {"": asdict(adapted.calibration)},
        },
        "heat_scale": heat_scale,
        "operating_points": {name: _point(point, films, measured) for name, point in adapted.points.items()},
        "default_operating_point": measured.point,
        "trained_on": _trained_on(parent.spec, films),
        "validation": {
            after: _figures(measured.after.figures(films.truth, measured.point)),
            before: _figures(measured.before.figures(films.truth, measured.point)),
            **_validation_of_parent(remembered),
            f"{site}, heat of the films without pneumonia": heat,
        },
        "export": {"max_abs_prob_difference": difference, "n_films": films.n, "weights": "float16"},
        "limits": [*_limits(site, films, measured, remembered, forced=forced), *parent.document["limits"]][
            :_MAX_LIMITS
        ],
        "lineage": [*parent.document.get("lineage", []), entry][-_MAX_LINEAGE:],
    }
    document.pop("temperature", None)  # of a parent that states no calibration
    if adapted.tuned is not None:
        document["gate"] = adapted.tuned.gate
    if weights != parent.weights:
        document.pop("reference", None)  # scores of the parent's validation films, which are no longer these
    check_document(document, where=SPEC_NAME)
    return Bundle(document, weights)


def bundle_by_share(parent: Parent, probs: Sequence[float], share: float, site: str) -> Bundle:
    """Make a bundle whose default threshold calls a wanted share of films without labels; its figures are not known.

    Parameters
    ----------
    probs
        Probabilities of the films, each by the calibration of its population, which the bundle keeps.
    """
    date = datetime.now(UTC).date().isoformat()
    entry = {"parent": _identity(parent), "site": site, "date": date, "rung": SHARE, "n_films": len(probs)}
    point = {
        "threshold": float(np.quantile(probs, 1 - share)),
        "rule": f"calls {share:g} of the films; not validated",
        "data": f"{len(probs)} films of {site} without labels",
        "sensitivity": {},
        "specificity": {},
    }
    limit = f"The threshold `{SHARE}` was set at {site} by a share of positive calls. No label has validated it."
    document = {
        **parent.document,
        "version": _version(date, site),
        "operating_points": {**parent.document["operating_points"], SHARE: point},
        "default_operating_point": SHARE,
        "limits": [limit, *parent.document["limits"]][:_MAX_LIMITS],
        "lineage": [*parent.document.get("lineage", []), entry][-_MAX_LINEAGE:],
    }
    check_document(document, where=SPEC_NAME)
    return Bundle(document, parent.weights)


def write_adapted(folder: Path, bundle: Bundle) -> None:
    """Write the files of a bundle.

    Raises
    ------
    TrainingError
        ``output-unwritable``.
    """
    write_files(folder, bundle.weights, bundle.document, render_adapted_card(bundle.document))


def _weights(parent: Parent, films: LocalFilms, adapted: Adapted) -> tuple[bytes, float, float]:
    """Weights, the top of the heat maps' colour scale, and how far float16 moves a probability."""
    if adapted.tuned is not None:
        tuned = adapted.tuned
        return (
            tuned.graph,
            float(np.clip(tuned.heat_scale, 1e-6, 1e6)),
            tuned.max_abs_difference / adapted.temperature / 4,
        )
    if not adapted.head.weights.size:
        return parent.weights, parent.spec.heat_scale, 0.0
    old = read_head(parent.weights)
    weights = with_head(parent.weights, old.extended(adapted.head, films.embeddings))
    kept = read_head(weights)
    hottest = [float(np.percentile(head.net_heat(films.embeddings[films.truth]), _HOTTEST)) for head in (old, kept)]
    scale = parent.spec.heat_scale * hottest[1] / hottest[0] if min(hottest) > 0 else parent.spec.heat_scale
    calibration = adapted.calibration
    prob = sigmoid(calibration.scale * kept.log_odds(films.embeddings) + calibration.offset)
    return weights, float(np.clip(scale, 1e-6, 1e6)), float(np.abs(prob - adapted.prob(films)).max())


def _heat(graph: bytes, embeddings: npt.NDArray[np.float32], scale: float) -> dict[str, float]:
    """Median of the heat over a film, in units of the colour scale."""
    return {"value": float(np.median(read_head(graph).net_heat(embeddings))) / scale}


def _identity(parent: Parent) -> dict[str, str]:
    return {
        "name": parent.spec.name,
        "version": parent.spec.version,
        "weights_sha256": parent.spec.weights_sha256,
        "description_sha256": parent.spec.description_sha256,
    }


def _version(date: str, site: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9._+-]+", "-", site).strip("-") or "site"
    return f"{date.replace('-', '.')}-{plain}"[:_MAX_NAME]


def _point(point: OperatingPoint, films: LocalFilms, measured: Measured) -> dict[str, Any]:
    """An operating point with what it does on films held back."""
    called = measured.after.called[point.name]
    found = replace(
        point,
        data=f"{point.data}; figures of films held back",
        sensitivity=share_estimate(called[films.truth]),
        specificity=share_estimate(~called[~films.truth]),
    )
    return point_document(found)


def _trained_on(parent: ModelSpec, films: LocalFilms) -> dict[str, Any]:
    """The parent's views and ages, and those of which there were enough films here."""
    views = Counter(str(each["view"]).upper() for each in films.circumstances if "view" in each)
    new = [view for view, n in views.items() if n >= _FEWEST_OF_A_VIEW and re.fullmatch(r"[A-Z]{1,16}", view)]
    below = parent.trained_on.below_years
    n_older = sum(
        isinstance(each.get("age"), float) and below is not None and float(each["age"]) >= below
        for each in films.circumstances
    )
    return {
        "views": list(dict.fromkeys([*parent.trained_on.views, *new]))[:16],
        "below_years": None if n_older >= _FEWEST_OF_A_VIEW else below,
    }


def _validation_of_parent(remembered: Remembered | None) -> dict[str, Any]:
    if remembered is None:
        return {}
    return {
        "the parent's validation films": _figures(remembered.after),
        "the parent's validation films before": _figures(remembered.before),
    }


def _limits(
    site: str, films: LocalFilms, measured: Measured, remembered: Remembered | None, *, forced: bool
) -> list[str]:
    limits = [f"Adapted to {films.n} films of {films.n_patients} people at {site}; other places are untested."]
    if remembered is not None and remembered.is_loss:
        limits.append("Films that its parent was validated on are told apart worse than by its parent.")
    elif remembered is None and (measured.adapted.head.weights.size or measured.adapted.tuned is not None):
        limits.append("How it does on the films that its parent was validated on is not known.")
    if forced:
        limits.append("Written by force: on films held back the interval of the gain includes a loss.")
    return limits


def _figures(figures: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {name: estimate_document(estimate) for name, estimate in figures.items() if says_something(estimate)}
