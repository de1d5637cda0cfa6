"""What must be known of a run's films to hold them against what others say of the same ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cxrscan.scanner.decision import prediction
from cxrscan.scanner.records import Film, RunInfo, Status


@dataclass(frozen=True, slots=True)
class FilmNote:
    """A film, in short."""

    name: str
    sha256: str
    status: Status
    prob: float | None
    population: str
    called: str | None


def note(film: Film, info: RunInfo) -> FilmNote:
    """Take note of a film, as its run calls it."""
    result = film.result
    called = prediction(result, info.threshold, info.refer)
    return FilmNote(result.name, result.sha256, result.status, result.prob_pneumonia, result.population, called)


def noting(films: Iterable[Film], info: RunInfo, notes: list[FilmNote]) -> Iterator[Film]:
    """Hand films on and take note of each, so that it costs no further pass over a run."""
    for film in films:
        notes.append(note(film, info))
        yield film


def only_of_content(notes: Sequence[FilmNote]) -> Mapping[str, FilmNote]:
    """Content -> the film that has it, where only one has."""
    found: dict[str, FilmNote | None] = {}
    for one in notes:
        if one.sha256:
            found[one.sha256] = None if one.sha256 in found else one
    return {content: one for content, one in found.items() if one is not None}
