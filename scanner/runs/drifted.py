"""What ``cxrscan drift`` found of a run: kept in its journal, and told by each report until the run has other films."""

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
    journal.put(_KEY, {"n_results": journal.n_results(), "found": asdict(drift)})


def stored_drift(journal: Journal) -> Drift | None:
    """What was found last; None where nobody asked, or films have come or gone since.

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
        drift = record_of(Drift, stored["found"])
        is_of_now = stored["n_results"] == journal.n_results()
    except (UnfitError, KeyError, TypeError) as error:
        raise journal.unfit(_KEY) from error
    return drift if is_of_now else None
