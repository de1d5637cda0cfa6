"""What ``report --verdicts`` and ``report --since`` add: readers beside the model, and what changed since a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from cxrscan.reports.evaluation.agreement import kappa_text
from cxrscan.reports.page.evaluation import FigureTable
from cxrscan.reports.tables.change_file import FILE_NAME
from cxrscan.reports.wording import VERDICTS, figure_text, prob_text
from cxrscan.scanner.evaluation.changes import KINDS, Change, Changes
from cxrscan.scanner.evaluation.film_notes import FilmNote
from cxrscan.scanner.evaluation.second_readers import ReadFilm, Readings
from cxrscan.scanner.system.text import count

_LISTED = 25
"""Films in a table of the page; the list of films has all."""


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """Sentences and tables, ready to print."""

    lead: str
    notes: tuple[str, ...]
    tables: tuple[FigureTable, ...]


def readers_view(readings: Readings) -> ComparisonView:
    """Make the view of what readers say: the largest disagreements, and how far they agree."""
    films = [film for film in readings.films.values() if film.disagreement]
    left_out = count(readings.n_left_out, "verdict is", "verdicts are")
    return ComparisonView(
        lead=f"{count(len(readings.readers), 'reader')} and the model differ on {len(films):,} of "
        f"{count(len(readings.films), 'film')} that have been read",
        notes=(
            "Kappa is 1 for full agreement and 0 for what chance would give; unsure counts as an answer of its own.",
            *([f"{left_out} on films that are not in this run, and left out."] if readings.n_left_out else []),
        ),
        tables=(_agreement(readings), *([_disagreements(readings, films)] if films else [])),
    )


def _agreement(readings: Readings) -> FigureTable:
    found = readings.agreement
    rows = [
        (f"{pair.first} and {pair.second}", f"{pair.n_films:,}", _share(pair.observed), kappa_text(pair.kappa))
        for pair in found.pairs
    ]
    if found.fleiss is not None:
        rows.append(("All readers (Fleiss)", f"{found.n_films_of_all:,}", "", kappa_text(found.fleiss)))
    return FigureTable("Agreement", ("Who", "Films read by both", "The same on", "Kappa (95 % interval)"), tuple(rows))


def _share(observed: float | None) -> str:
    return "" if observed is None else figure_text(observed, "share")


def _disagreements(readings: Readings, films: list[ReadFilm]) -> FigureTable:
    caption = "Largest disagreements" + _of(len(films))
    rows = (
        (
            film.note.name,
            _call(film.note),
            *(VERDICTS.get(film.said.get(who, ""), "") for who in readings.readers),
        )
        for film in films[:_LISTED]
    )
    return FigureTable(caption, ("Film", "Model", *readings.readers), tuple(rows))


def _of(n: int) -> str:
    return f", {_LISTED} of {n:,}" if n > _LISTED else ""


def _call(film: FilmNote | None) -> str:
    if film is None:
        return ""
    return f"{film.called} {prob_text(film.prob, 2)}" if film.called and film.prob is not None else film.status


def changes_view(changes: Changes) -> ComparisonView:
    """Make the view of what changed since an earlier run."""
    n = Counter(change.kind for change in _all(changes))
    of = changes.n_same + len(changes.found)
    told = "; ".join(count(n[kind], *words) for kind, words in KINDS.items() if n[kind])
    before, now = changes.called_by
    return ComparisonView(
        lead=f"{len(changes.found):,} of {count(of, 'file')} changed since {changes.since}",
        notes=tuple(
            filter(
                None,
                (
                    f"{told}." if told else "",
                    f"Films were called by {before}, and are now by {now}." if before != now else "",
                    _repeat(changes),
                    f"{FILE_NAME} has all of them." if told else "",
                ),
            )
        ),
        tables=_tables(changes),
    )


def _all(changes: Changes) -> Iterable[Change]:
    return (*changes.found.values(), *changes.gone)


def _repeat(changes: Changes) -> str:
    if changes.repeat is None:
        return (
            "The model does not say how far its answers on versions of one film lie apart, so only calls are compared."
        )
    return "Repeat variation: what 95 of 100 pairs of versions of one film stay below."


def _tables(changes: Changes) -> tuple[FigureTable, ...]:
    some = [change for change in _all(changes) if change.kind not in ("new", "renamed")]
    if not some:
        return ()
    rows = ((change.name, change.kind, _call(change.before), _call(change.now)) for change in some[:_LISTED])
    return (FigureTable("What changed" + _of(len(some)), ("Film", "Change", "Before", "Now"), tuple(rows)),)
