"""Whether a run's films are of the kind that its model knows: said before any count of positives."""

from __future__ import annotations

from cxrscan.scanner.records import Fit
from cxrscan.scanner.system.text import count

OUTSIDE = frozenset({"unlike-training-films", "adult", "other-view"})
"""Gate reasons that put a film outside what the model was trained on; the others tell of the picture's quality."""

_DOUBTFUL, _POOR = 0.1, 0.2
"""Shares of the scored films. Of films of the training hospital the gate marks 2 to 3 % so."""

FIT_RULE = (
    f"Share of the scored films with a reason {', '.join(sorted(OUTSIDE))}: "
    f"good up to {_DOUBTFUL:.0%}, doubtful up to {_POOR:.0%}, poor above."
)


def judge_fit(n_outside: int, n_judged: int) -> Fit | None:
    """Judge a run by the share of films that its model does not know; None where the gate judged no scored film.

    Parameters
    ----------
    n_outside
        Scored films with a gate reason of OUTSIDE.
    n_judged
        Scored films that the gate has looked at.
    """
    if not n_judged:
        return None
    share = n_outside / n_judged
    return Fit("poor" if share > _POOR else "doubtful" if share > _DOUBTFUL else "good", n_outside, n_judged)


def fit_sentence(fit: Fit | None) -> str:
    """What a reader is told first; empty where the films fit."""
    if fit is None or fit.level == "good":
        return ""
    share = f"{fit.n_outside:,} of {count(fit.n_judged, 'scored film')} differ{'s' if fit.n_outside == 1 else ''}"
    if fit.level == "poor":
        return (
            f"These films are not like those that the model was trained on: {share}. "
            "Do not use the probabilities or the calls."
        )
    return (
        f"Some of these films are not like those that the model was trained on: {share}. "
        "Their probabilities may be no better than chance."
    )
