"""Have the films of a run changed? One population of films held against another, and what the change is.

Four aspects of the films are compared: scores, embeddings, pictures and headers. All their tests are one family, so
that films which have not changed raise an alarm in 1 of 100 comparisons, however many aspects there are.
docs/drift.md tells the method and its rates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.metrics import BoolArray, FloatArray
from cxrscan.scanner.metrics.energy import (
    Distances,
    energy_test,
    euclidean_distances,
    films_needed,
    mismatch_distances,
    mixture_test,
)
from cxrscan.scanner.records import Estimate
from cxrscan.scanner.system.text import count

Aspect = Literal["scores", "embeddings", "pictures", "headers"]
Cause = Literal["none", "prevalence", "appearance", "headers", "unknown"]
"""What changed: nothing that was seen; how common pneumonia is; how films look; what headers say; not to be told."""

LEVEL = 0.01
"""Largest p-value that is an alarm."""
PICTURE_FIGURES = ("brightness", "contrast", "sharpness", "black_share", "white_share", "border_share", "aspect_ratio")
HEADER_FIELDS = (
    *("view_position", "patient_sex", "age_band", "manufacturer", "modality", "body_part", "presentation_intent"),
    "kind",
)
_MOST_CHANGES = 4
_LEAST_FILMS = 10


@dataclass(frozen=True, eq=False)
class Portrait:
    """What a population of films looks like: up to some hundred of them, one for each patient."""

    name: str
    log_odds: FloatArray
    """shape (N,), the network's uncalibrated log-odds of pneumonia."""
    truth: NDArray[np.int8]
    """shape (N,): 1 pneumonia, 0 normal, -1 not known."""
    features: FloatArray | None = None
    """shape (N, K), the embeddings in the gate's coordinates; None where they were not kept."""
    pictures: FloatArray | None = None
    """shape (N, len(PICTURE_FIGURES)); None without thumbnails."""
    headers: tuple[tuple[str, ...], ...] | None = None
    """For each film the HEADER_FIELDS; None where no film states any."""
    n_films: int = 0
    """Scored films that these stand for."""
    n_without_patient: int = 0
    """Films among these that nothing says the patient of: they count as films of different patients."""
    weights_sha256: str = ""
    """The network that gave scores and embeddings."""
    coordinates_sha256: str = ""
    """The gate's coordinates that the features are in."""
    gaps: tuple[str, ...] = field(default=())
    """Sentences on what is missing."""

    @property
    def n(self) -> int:
        """Films that are compared."""
        return int(self.log_odds.size)


@dataclass(frozen=True, slots=True)
class Change:
    """A figure that is no longer what it was."""

    name: str
    reference: float
    """Mean of a number, or share of a header's value."""
    current: float
    shift: float
    """Difference in standard deviations of the reference; of a share, the difference itself."""


@dataclass(frozen=True, slots=True)
class AspectDrift:
    """How one aspect of the films differs."""

    aspect: Aspect
    share: float
    """Size of the difference, in [0, 1]: the energy distance over twice the mean distance between the films."""
    p_value: float
    """Adjusted for all aspects together."""
    changes: tuple[Change, ...]
    """The largest first; none for embeddings, which have no names."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Two populations of films, compared."""

    reference: str
    n_reference: int
    n_films: int
    """Films of the run that were compared."""
    n_scored: int
    """Scored films of the run."""
    level: float
    aspects: tuple[AspectDrift, ...]
    cause: Cause
    prevalence: Estimate | None
    """Share of pneumonia that explains the scores best; None unless the reference has films of both classes."""
    reference_prevalence: float | None
    n_needed: int | None
    """Films that showed the change in 4 of 5 samples; None without a change."""
    gaps: tuple[str, ...]
    """Sentences on what could not be compared."""

    @property
    def is_found(self) -> bool:
        """Whether the films have changed."""
        return self.cause != "none"


def nearest(references: Sequence[Portrait], current: Portrait) -> Portrait:
    """Of several populations the one that a run's films resemble most, by all aspects together."""

    def difference(reference: Portrait) -> float:
        family, is_second, _ = _family(reference, current)
        return float(sum(each.share for each in energy_test(list(family.values()), is_second, n_draws=0)))

    return min(references, key=difference) if current.n else references[0]


def find_drift(
    reference: Portrait, current: Portrait, *, level: float = LEVEL, counts_films: bool = True, seed: int = 0
) -> Drift:
    """Compare a run's films with those of a reference, and name what changed.

    Parameters
    ----------
    counts_films
        Whether to find out how many films show a change, which takes longer than all the rest.

    Raises
    ------
    RunFolderError
        ``too-few-films``: fewer than 10 on a side; ``nothing-to-compare``: the two have no aspect in common.
    """
    for portrait in (reference, current):
        if portrait.n < _LEAST_FILMS:
            of = count(portrait.n, "patient")
            raise RunFolderError("too-few-films", f"{portrait.name} has scored films of {of}.")
    family, is_second, gaps = _family(reference, current)
    if not family:
        raise RunFolderError("nothing-to-compare", " ".join(gaps))
    found = dict(zip(family, energy_test(list(family.values()), is_second, seed=seed), strict=True))
    seen = [aspect for aspect, each in found.items() if each.p_value <= level]
    cause: Cause = "none"
    share = None
    prevalence = _prevalence(reference)
    if "scores" in family and prevalence is not None:
        looks = {aspect: distances for aspect, distances in family.items() if aspect != "headers"}
        mixture = mixture_test(list(looks.values()), looks["scores"], *_classes(reference, current), seed=seed)
        share = mixture.share
        explained = min(each.p_value for each in mixture.differences) > level
        cause = _cause(seen, explained, _excludes(share, prevalence))
    elif seen:
        cause = "headers" if seen == ["headers"] else "unknown"
    return Drift(
        reference=reference.name,
        n_reference=reference.n,
        n_films=current.n,
        n_scored=current.n_films,
        level=level,
        aspects=tuple(
            AspectDrift(aspect, each.share, each.p_value, _changes(aspect, reference, current))
            for aspect, each in found.items()
        ),
        cause=cause,
        prevalence=share,
        reference_prevalence=prevalence,
        n_needed=films_needed(list(family.values()), is_second, level, seed=seed) if seen and counts_films else None,
        gaps=gaps,
    )


def _cause(seen: Sequence[Aspect], explained: bool, share_changed: bool) -> Cause:
    if not seen:
        return "none"
    if list(seen) == ["headers"]:
        return "headers"
    if not explained:
        return "appearance"
    return "prevalence" if share_changed else "unknown"


def _prevalence(portrait: Portrait) -> float | None:
    """Share of pneumonia; None unless all films have a class and both classes have ten films."""
    n_positive, n_negative = (int((portrait.truth == label).sum()) for label in (1, 0))
    if n_positive + n_negative < portrait.n or min(n_positive, n_negative) < _LEAST_FILMS:
        return None
    return n_positive / portrait.n


def _excludes(estimate: Estimate, value: float) -> bool:
    return not (estimate.low is not None and estimate.high is not None and estimate.low <= value <= estimate.high)


def _classes(reference: Portrait, current: Portrait) -> tuple[BoolArray, BoolArray]:
    """Whether each film is of the run, and whether it is a reference film with pneumonia."""
    is_second = np.repeat([False, True], [reference.n, current.n])
    return is_second, np.concatenate([reference.truth == 1, np.zeros(current.n, dtype=np.bool_)])


def _family(reference: Portrait, current: Portrait) -> tuple[dict[Aspect, Distances], BoolArray, tuple[str, ...]]:
    """Distances of all films by each aspect that both have, and what had to be left out."""
    family: dict[Aspect, Distances] = {}
    gaps = [*reference.gaps, *current.gaps]
    if reference.weights_sha256 == current.weights_sha256:
        both = np.concatenate([reference.log_odds, current.log_odds])
        family["scores"] = euclidean_distances(both[:, np.newaxis])
        if reference.features is not None and current.features is not None:
            if _coordinates(reference) == _coordinates(current):
                family["embeddings"] = euclidean_distances(np.concatenate([reference.features, current.features]))
            else:
                gaps.append("Embeddings are not compared: the gate has been fitted anew meanwhile.")
    else:
        gaps.append("Scores and embeddings are not compared: they come from different networks.")
    if reference.pictures is not None and current.pictures is not None:
        family["pictures"] = euclidean_distances(np.concatenate([reference.pictures, current.pictures]))
    if reference.headers is not None and current.headers is not None:
        columns = zip(*reference.headers, *current.headers, strict=True)
        codes = np.stack([np.unique(column, return_inverse=True)[1] for column in columns], axis=1)
        family["headers"] = mismatch_distances(codes)
    elif not any(gap.startswith("Headers") for gap in gaps):
        gaps.append("Headers are not compared: the films state none.")
    if any(portrait.n_without_patient for portrait in (reference, current)):
        gaps.append("Of some films nothing tells whose they are; each counts as a patient's only one.")
    return family, np.repeat([False, True], [reference.n, current.n]), tuple(dict.fromkeys(gaps))


def _coordinates(portrait: Portrait) -> tuple[str, int]:
    """What the features of two portraits must have in common: their coordinates, and how many these are."""
    return portrait.coordinates_sha256, 0 if portrait.features is None else portrait.features.shape[-1]


def _changes(aspect: Aspect, reference: Portrait, current: Portrait) -> tuple[Change, ...]:
    """What makes up a difference, the largest first."""
    if aspect == "scores":
        return (_change("log_odds", reference.log_odds, current.log_odds),)
    changes: list[Change] = []
    if aspect == "pictures" and reference.pictures is not None and current.pictures is not None:
        columns = zip(PICTURE_FIGURES, reference.pictures.T, current.pictures.T, strict=True)
        changes = [_change(name, before, now) for name, before, now in columns]
    if aspect == "headers" and reference.headers is not None and current.headers is not None:
        rows = zip(HEADER_FIELDS, zip(*reference.headers, strict=True), zip(*current.headers, strict=True), strict=True)
        changes = [change for name, before, now in rows for change in _share_changes(name, before, now)]
    largest = sorted(changes, key=lambda change: -abs(change.shift))
    return tuple(change for change in largest[:_MOST_CHANGES] if change.shift)


def _change(name: str, reference: FloatArray, current: FloatArray) -> Change:
    before, now, spread = float(reference.mean()), float(current.mean()), float(reference.std())
    return Change(name, before, now, (now - before) / max(spread, 1e-6))


def _share_changes(name: str, reference: Sequence[str], current: Sequence[str]) -> list[Change]:
    before, now = Counter(reference), Counter(current)
    changes = []
    for value in sorted({*before, *now}):
        shares = before[value] / len(reference), now[value] / len(current)
        changes.append(Change(f"{name}: {value or 'not stated'}", *shares, shares[1] - shares[0]))
    return changes
