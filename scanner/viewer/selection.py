"""Which films of a run are paged through, and in which order: the outcomes and orders of the report."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cxrscan.reports.tables.columns import COLUMNS
from cxrscan.reports.wording import OUTCOMES
from cxrscan.scanner.decision import outcomes, prediction
from cxrscan.scanner.records import POSITIVE, Band, Film
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.viewer.verdicts import Verdict

NEED_LABELS = frozenset(outcome.key for outcome in OUTCOMES.values() if outcome.kind == "truth")
"""Outcomes that only labelled films can have."""

ORDERS: dict[str, str] = {
    "errors": "Worst errors first",
    "uncertain": "Nearest the threshold first",
    "high": "Highest probability first",
    "low": "Lowest probability first",
    "path": "By path",
}

_SEARCHED = tuple(
    column for column in COLUMNS if column.kind == "text" and column.name not in {"prediction", "model", "sha256"}
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the reader wants to see."""

    order: str = "path"
    """Key of ORDERS."""
    query: str = ""
    """Words that must all occur somewhere in a film's row."""
    outcomes: frozenset[str] = frozenset()
    """Keys of OUTCOMES; none for all films."""
    low: float = 0.0
    high: float = 1.0
    """Range of probabilities; films without one are left out unless it is the whole range."""


def outcomes_of(film: Film, threshold: float, verdict: Verdict | None, refer: Band | None = None) -> frozenset[str]:
    """Return the film's outcomes at a threshold, the reader's verdict among them."""
    read = {verdict.verdict} - {""} if verdict is not None else set()
    return frozenset(outcomes(film.result, film.truth, threshold, refer)) | read


def choose(
    films: Iterable[Film],
    choice: Choice,
    verdicts: Mapping[str, Verdict],
    run: Run,
    ordered_at: float | None = None,
) -> list[Film]:
    """Return the films chosen, in the chosen order; ties keep the order of the paths.

    Parameters
    ----------
    ordered_at
        Threshold that the order goes by; the run's when not given.
    """
    words = choice.query.lower().split()
    groups = {OUTCOMES[key].group for key in choice.outcomes}
    wanted = [{key for key in choice.outcomes if OUTCOMES[key].group == group} for group in groups]

    def passes(film: Film) -> bool:
        found = outcomes_of(film, run.info.threshold, verdicts.get(film.result.name), run.info.refer)
        if not all(found & some for some in wanted) or not _in_range(film, choice):
            return False
        if not words:
            return True
        row = "\n".join(str(column.cell(film, run) or "") for column in _SEARCHED).lower()
        return all(word in row for word in words)

    return sorted(
        filter(passes, films), key=_sort_key(choice.order, run.info.threshold if ordered_at is None else ordered_at)
    )


def _in_range(film: Film, choice: Choice) -> bool:
    prob = film.result.prob_pneumonia
    if prob is None:
        return choice.low <= 0.0 and choice.high >= 1.0
    return choice.low <= prob <= choice.high


def _sort_key(order: str, threshold: float) -> Callable[[Film], tuple[float, ...]]:
    """Films without a probability come last in every order but that of the paths, in which films arrive."""

    def key(film: Film) -> tuple[float, ...]:
        prob = film.result.prob_pneumonia
        if order == "path":
            return ()
        if prob is None:
            return (math.inf,)
        if order == "errors":
            if film.truth is None:
                return (2.0,)
            distance = abs(prob - (film.truth == POSITIVE))
            return (float(prediction(film.result, threshold) == film.truth), -distance)
        return ({"uncertain": abs(prob - threshold), "high": -prob, "low": prob}[order],)

    return key
