"""What readers say of a run's films, beside the model: where they disagree, and how far they agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from cxrscan.scanner.evaluation.agreement import Agreement, Opinion, measure_agreement
from cxrscan.scanner.evaluation.film_notes import FilmNote, only_of_content
from cxrscan.scanner.records import NEGATIVE, POSITIVE, REFERRED

UNSURE = "unsure"
_OF_CALL = {POSITIVE: "pneumonia", NEGATIVE: "no-pneumonia", REFERRED: UNSURE}


@dataclass(frozen=True, slots=True)
class ReadFilm:
    """A film that somebody has read."""

    note: FilmNote
    said: Mapping[str, str]
    """Reader -> verdict."""
    disagreement: int
    """Over all pairs of readers and model: 2 for opposite answers, 1 where one of them is unsure."""


@dataclass(frozen=True, slots=True)
class Readings:
    """What several readers say of a run's films."""

    readers: tuple[str, ...]
    films: Mapping[str, ReadFilm]
    """Name -> a film that has been read, the largest disagreement first."""
    agreement: Agreement
    """Of the readers, and the model as it calls the films now."""
    n_left_out: int
    """Verdicts on films that the run does not hold, or not with this content."""


def gather_readings(opinions: Iterable[Opinion], notes: Sequence[FilmNote], model: str) -> Readings:
    """Hold readers' opinions against a run's films.

    Parameters
    ----------
    opinions
        Those of readers count; the model's own are taken from the run as it calls the films now.
    notes
        All films of the run. An opinion is on the film of its name, else on the only one of its content.
    model
        What the model is called in the agreement.
    """
    by_name, by_content = {one.name: one for one in notes}, only_of_content(notes)
    said: dict[str, dict[str, str]] = {}
    placed: list[Opinion] = []
    n_left_out = 0
    for opinion in opinions:
        film = by_name.get(opinion.film)
        if film is None or opinion.sha256 not in ("", film.sha256):
            film = by_content.get(opinion.sha256)
        if film is None:
            n_left_out += opinion.is_reader
        elif opinion.is_reader:
            said.setdefault(film.name, {})[opinion.who] = opinion.said
            placed.append(replace(opinion, film=film.name, sha256=film.sha256))
    films = [ReadFilm(by_name[name], who, _disagreement(by_name[name], who)) for name, who in said.items()]
    films.sort(key=lambda film: (-film.disagreement, film.note.name))
    placed += [
        Opinion(film.note.name, film.note.sha256, model, _OF_CALL[film.note.called], is_reader=False)
        for film in films
        if film.note.called is not None
    ]
    readers = tuple(dict.fromkeys(opinion.who for opinion in placed if opinion.is_reader))
    return Readings(readers, {film.note.name: film for film in films}, measure_agreement(placed), n_left_out)


def _disagreement(film: FilmNote, said: Mapping[str, str]) -> int:
    voices = [*said.values(), *([_OF_CALL[film.called]] if film.called is not None else [])]
    pairs = ((a, b) for a, b in combinations(voices, 2) if a != b)
    return sum(1 if UNSURE in pair else 2 for pair in pairs)
