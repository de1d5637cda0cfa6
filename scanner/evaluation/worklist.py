"""In which order studies are to be read: the most urgent first, and none forgotten that the model cannot judge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cxrscan.scanner.evaluation.fit import OUTSIDE
from cxrscan.scanner.evaluation.studies import Study
from cxrscan.scanner.model_bundle import Calibration, log_odds

RULE = (
    "Urgency is the probability of pneumonia at the given prevalence. Where the model does not know such films it is "
    "half-way to the prevalence. Where no film was scored it is the prevalence, where a wanted view is missing the "
    "prevalence at least. Among equals those with more missing views come first, then the older ones."
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A study on the worklist."""

    study: Study
    urgency: float
    """In [0, 1]; the larger, the sooner."""
    why: tuple[str, ...]
    """What the urgency is made of besides the probability: ``no-score``, ``outside``, ``missing-view``."""
    missing_views: tuple[str, ...]


def order_by_urgency(
    studies: Iterable[Study], *, prior: float, prevalence: float, views: Sequence[str] = ()
) -> list[Entry]:
    """Put studies in the order in which they are to be read; RULE says how.

    Parameters
    ----------
    prior
        Share of films with pneumonia that the probabilities assume, in (0, 1).
    prevalence
        Share of the studies here that show pneumonia, in (0, 1).
    views
        DICOM View Positions that every study should have.
    """
    shift = log_odds(prevalence) - log_odds(prior)
    entries = [_entry(study, shift, prevalence, views) for study in studies]
    return sorted(entries, key=_place)


def _place(entry: Entry) -> tuple[float, int, bool, str, str]:
    study = entry.study
    return -entry.urgency, -len(entry.missing_views), not study.acquired, study.acquired, study.name


def _entry(study: Study, shift: float, prevalence: float, views: Sequence[str]) -> Entry:
    missing = tuple(view for view in views if view not in study.views)
    urgency, why = prevalence, []
    if study.prob is None:
        why.append("no-score")
    else:
        urgency = Calibration(1.0, shift).probability(log_odds(study.prob))  # Bayes' rule
        if any(not OUTSIDE.isdisjoint(film.reasons) for film in study.deciding):
            urgency = (urgency + prevalence) / 2
            why.append("outside")
    if missing:
        urgency = max(urgency, prevalence)
        why.append("missing-view")
    return Entry(study, urgency, tuple(why), missing)
