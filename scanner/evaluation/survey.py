"""One pass over a run's films: everything that the outputs need to know before they write the first line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from cxrscan.scanner.decision import prediction
from cxrscan.scanner.evaluation.copies import content_of
from cxrscan.scanner.evaluation.fit import OUTSIDE, judge_fit
from cxrscan.scanner.metrics import BoolArray, FloatArray
from cxrscan.scanner.records import POSITIVE, REFERRED, Band, Counts, Film, Fit

EXAMPLES = 50
"""Films listed by name under each reason; the table shows all of them."""


@dataclass(slots=True)
class Problem:
    """Films that share a reason for having no score."""

    n: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)
    """(path, message) of the first films."""

    def add(self, name: str, message: str) -> None:
        """Count a film."""
        self.n += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append((name, message))


@dataclass(frozen=True, slots=True)
class Survey:
    """What a run's films amount to at one threshold."""

    counts: Counts
    truth: BoolArray
    """shape (N,), of the films that have both a truth and a probability; True for pneumonia."""
    prob: FloatArray
    """shape (N,), probability of the same films."""
    distance: FloatArray
    """shape (N,), gate distance of the same films; infinite where there is none."""
    answered: BoolArray
    """shape (N,), which of the same films were not referred; figures are of these."""
    all_probs: FloatArray
    """shape (M,), probability of every scored film."""
    failures: dict[str, Problem]
    """Error code -> films."""
    rejects: dict[str, Problem]
    """Gate reasons, separated by spaces -> films."""
    warnings: dict[str, int]
    """Gate reason -> scored films."""
    fit: Fit | None
    """How far the scored films are those that the model knows; None where the gate judged none."""
    unscored_truth: dict[str, int]
    """Truth -> labelled films without a score."""
    referred_truth: dict[str, int]
    """Truth -> labelled films that were referred."""
    id_names: tuple[str, ...]
    """Identifier columns that any film carries."""
    images: tuple[tuple[int, int], ...]
    """(rank, size in bytes) of each film's thumbnail, in order; rank 0 is what a reader looks at first."""

    @property
    def labelled(self) -> bool:
        """Whether any film has a truth."""
        return bool(self.truth.size or self.unscored_truth)


# Films this close to the threshold count as uncertain, and are worth a look.
_UNCERTAIN = 0.15


def survey_films(films: Iterable[Film], threshold: float, refer: Band | None = None) -> Survey:
    """Count, collect and rank a run's films."""
    n_by_status: Counter[str] = Counter()
    n_warned = n_judged = n_outside = 0
    n_by_call: Counter[str | None] = Counter()
    labelled: list[tuple[bool, float, float, bool]] = []
    all_probs: list[float] = []
    failures: dict[str, Problem] = {}
    rejects: dict[str, Problem] = {}
    warnings: Counter[str] = Counter()
    unscored_truth: Counter[str] = Counter()
    referred_truth: Counter[str] = Counter()
    id_names: dict[str, None] = {}
    images: list[tuple[int, int]] = []
    contents: set[str] = set()
    for film in films:
        result = film.result
        n_by_status[result.status] += 1
        id_names.update(dict.fromkeys(name for name, _ in result.attributes.ids))
        called = prediction(result, threshold, refer)
        n_by_call[called] += 1
        images.append((_rank(film, called, threshold), len(result.thumbnail)))
        if result.failure is not None:
            failures.setdefault(result.failure.code, Problem()).add(result.name, result.failure.message)
        elif result.status == "rejected":
            rejects.setdefault(" ".join(result.gate_reasons), Problem()).add(result.name, "")
        if result.status == "scored" and result.prob_pneumonia is not None:
            all_probs.append(result.prob_pneumonia)
            contents.add(content_of(result))
            n_warned += result.gate == "warn"
            n_judged += result.gate is not None
            n_outside += not OUTSIDE.isdisjoint(result.gate_reasons)
            warnings.update(result.gate_reasons)
            if film.truth is not None:
                distance = np.inf if result.gate_distance is None else result.gate_distance
                labelled.append((film.truth == POSITIVE, result.prob_pneumonia, distance, called != REFERRED))
                if called == REFERRED:
                    referred_truth[film.truth] += 1
        elif film.truth is not None:
            unscored_truth[film.truth] += 1
    counts = Counts(
        n_films=len(images),
        n_scored=n_by_status["scored"],
        n_rejected=n_by_status["rejected"],
        n_failed=n_by_status["failed"],
        n_warned=n_warned,
        n_positive=n_by_call[POSITIVE],
        n_referred=n_by_call[REFERRED],
        n_copies=n_by_status["scored"] - len(contents),
    )
    truth, prob, distances, answered = zip(*labelled, strict=True) if labelled else ((), (), (), ())
    return Survey(
        counts=counts,
        truth=np.array(truth, dtype=np.bool_),
        prob=np.array(prob, dtype=np.float64),
        distance=np.array(distances, dtype=np.float64),
        answered=np.array(answered, dtype=np.bool_),
        all_probs=np.array(all_probs, dtype=np.float64),
        failures=failures,
        rejects=rejects,
        warnings=dict(warnings),
        fit=judge_fit(n_outside, n_judged),
        unscored_truth=dict(unscored_truth),
        referred_truth=dict(referred_truth),
        id_names=tuple(id_names),
        images=tuple(images),
    )


def _rank(film: Film, called: str | None, threshold: float) -> int:
    """Rank a film by how soon a reader looks at it.

    0 wrong, 1 referred, warned or rejected, 2 positive or uncertain, 3 rest.
    """
    result = film.result
    if called is None or called == REFERRED or result.prob_pneumonia is None:
        return 1
    if film.truth is not None and film.truth != called:
        return 0
    if result.gate == "warn":
        return 1
    uncertain = abs(result.prob_pneumonia - threshold) < _UNCERTAIN
    return 2 if called == POSITIVE or uncertain else 3
