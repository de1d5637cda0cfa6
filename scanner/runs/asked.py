"""What ``cxrscan evaluate`` was asked of a run: kept in its journal, and answered at each rendering of the report."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.runs.stored import UnfitError, record_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxrscan.scanner.evaluation.evaluate import Asked, Evaluation
    from cxrscan.scanner.evaluation.label_file import LabelRow
    from cxrscan.scanner.run_record import Run

_KEY = "evaluation"
_MAX_ASKED = 100
_MAX_CHARACTERS = 16_000_000
"""Of the cells that are kept; those of 100,000 films take a third."""


def keep_asked(journal: Journal, asked: Asked) -> None:
    """Keep what is asked of the run, in place of what was asked before; of a huge label file without its cells."""
    n = sum(len(film) + sum(map(len, [*said, *said.values()])) for film, said in asked.cells.items())
    journal.put(_KEY, asdict(asked if n <= _MAX_CHARACTERS else replace(asked, cells={})))


def stored_asked(journal: Journal) -> Asked | None:
    """What was asked of a journal's run last; None where nothing was.

    Raises
    ------
    RunFolderError
        ``journal-format``.
    """
    stored = journal.get(_KEY)
    if stored is None:
        return None
    from cxrscan.scanner.evaluation.evaluate import Asked

    try:
        asked = record_of(Asked, stored)
    except UnfitError as error:
        raise journal.unfit(_KEY) from error
    few = max(len(asked.by), len(asked.prevalences)) <= _MAX_ASKED
    if not (few and all(0.0 < share < 1.0 for share in asked.prevalences)):
        raise journal.unfit(_KEY)
    return asked


def answer_again(journal: Journal, run: Run, rows: Mapping[str, LabelRow] | None) -> Evaluation | None:
    """Evaluate a run as it was asked last, with its labels and threshold of now.

    Parameters
    ----------
    rows
        Film -> its line, of labels that were joined just now; None where the run's own count on.

    Returns
    -------
    None where nobody asked, or no film has both a label and a call.

    Raises
    ------
    RunFolderError
        ``journal-format``.
    """
    asked = stored_asked(journal)
    if asked is None:
        return None
    from cxrscan.scanner.evaluation.evaluate import cells_of, collect_films, evaluate

    if rows is not None:
        asked = replace(asked, cells=cells_of(rows, asked.by))
        keep_asked(journal, asked)
    by = [name for name in asked.by if name != "folder" or run.info.names == "plain"]
    films = collect_films(run.films(), asked.cells, by, run.info.refer, run.info.duplicates)
    return evaluate(films, run, prevalences=asked.prevalences, exact=asked.exact) if films.truth.size else None
