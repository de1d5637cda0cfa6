"""What ``cxrscan drift`` adds to the report."""

from __future__ import annotations

from dataclasses import dataclass

from cxrscan.reports.evaluation.drift import (
    ASPECTS,
    basis_sentence,
    change_text,
    drift_sentence,
    needed_sentence,
    p_text,
    prevalence_sentence,
)
from cxrscan.reports.page.evaluation import FigureTable
from cxrscan.reports.wording import fixed
from cxrscan.scanner.evaluation.drift import Drift


@dataclass(frozen=True, slots=True)
class DriftView:
    """The drift, ready to print."""

    is_found: bool
    sentence: str
    """What changed, in plain words."""
    notes: tuple[str, ...]
    """What was compared, how common pneumonia is, how many films show the change, what could not be compared."""
    table: FigureTable


def drift_view(drift: Drift) -> DriftView:
    """Make the view of a drift."""
    told = (basis_sentence(drift), prevalence_sentence(drift), needed_sentence(drift), *drift.gaps)
    return DriftView(drift.is_found, drift_sentence(drift), tuple(filter(None, told)), _table(drift))


def _table(drift: Drift) -> FigureTable:
    rows = tuple(
        (
            ASPECTS[aspect.aspect],
            fixed(aspect.share, 3),
            p_text(aspect.p_value),
            "; ".join(map(change_text, aspect.changes)) if aspect.p_value <= drift.level else "",
        )
        for aspect in drift.aspects
    )
    caption = (
        f"Differences from the reference: 0 none, 1 largest; p for all together, {drift.level:g} and less a change"
    )
    return FigureTable(caption, ("Aspect", "Difference", "p", "Largest changes"), rows)
