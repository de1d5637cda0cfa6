"""What ``cxrscan drift`` found of a run: kept in its journal, and told by each report until its results change."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.runs.stored import UnfitError, record_of

if TYPE_CHECKING:
    from cxrscan.scanner.evaluation.drift import Drift

_KEY = "drift"


def keep_drift(journal: Journal, drift: Drift) -> None:
    """Keep what was found, in place of what was found before."""
    journal.put(_KEY, {"of": journal.content(), "found": asdict(drift)})


def stored_drift(journal: Journal) -> Drift | None:
    """What was found last; None where nobody asked, or the run has other results since.

    Raises
    ------
    RunFolderError
        ``journal-format``.
    """
    stored = journal.get(_KEY)
    if stored is None:
        return None
    from cxrscan.scanner.evaluation.drift import Drift

    try:
        return record_of(Drift, stored["found"]) if stored.get("of") == journal.content() else None
    except (UnfitError, KeyError, AttributeError) as error:
        raise journal.unfit(_KEY) from error
