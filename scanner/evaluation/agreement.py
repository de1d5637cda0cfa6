"""How far readers say the same of the same films, and the model with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cxrscan.scanner.evaluation.patients import patient_of
from cxrscan.scanner.metrics import cohen_kappa, fleiss_kappa, observed_agreement
from cxrscan.scanner.records import Estimate


@dataclass(frozen=True, slots=True)
class Opinion:
    """What somebody says about a film."""

    film: str
    """Its path, as the run names it."""
    sha256: str
    """Hash of the file, empty where the sheet has none; another content is another film."""
    who: str
    """A reader, or the model at a threshold."""
    said: str
    """``pneumonia``, ``no-pneumonia`` or ``unsure``."""
    is_reader: bool = True
    """Whether a person said it."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody with opinions."""

    name: str
    is_reader: bool
    n_said: Mapping[str, int]
    """What was said -> films."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two who read the same films, at least one of them a person."""

    first: str
    second: str
    n_films: int
    """Films that both have an opinion on."""
    observed: float | None
    """Share of these films on which they say the same; None without such a film."""
    kappa: Estimate
    """Cohen's."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far several readers and the model agree."""

    readers: tuple[Reader, ...]
    """People first."""
    pairs: tuple[Pair, ...]
    n_films_of_all: int
    """Films that every person has read."""
    fleiss: Estimate | None
    """Kappa of all people on these films; None with fewer than three of them."""


def measure_agreement(opinions: Iterable[Opinion]) -> Agreement:
    """Hold opinions against each other, each pair on the films that both have.

    Of two opinions of the same person on the same film the later counts. ``unsure`` is a category like the others.
    """
    said: dict[str, dict[tuple[str, str], str]] = {}
    is_reader: dict[str, bool] = {}
    for opinion in opinions:
        said.setdefault(opinion.who, {})[opinion.film, opinion.sha256] = opinion.said
        is_reader[opinion.who] = opinion.is_reader
    names = sorted(said, key=lambda name: (not is_reader[name], name))
    people = [name for name in names if is_reader[name]]
    shared = _shared(said, people)
    return Agreement(
        readers=tuple(Reader(name, is_reader[name], _counts(said[name].values())) for name in names),
        pairs=tuple(_pair(said, *pair) for pair in combinations(names, 2) if is_reader[pair[0]]),
        n_films_of_all=len(shared),
        fleiss=fleiss_kappa(*_table(said, people, shared)) if len(people) > 2 else None,
    )


_Said = Mapping[str, Mapping[tuple[str, str], str]]


def _pair(said: _Said, first: str, second: str) -> Pair:
    films = _shared(said, [first, second])
    calls, patients = _table(said, [first, second], films)
    observed = observed_agreement(calls) if films else None
    return Pair(first, second, len(films), observed, cohen_kappa(calls, patients))


def _shared(said: _Said, names: Sequence[str]) -> list[tuple[str, str]]:
    """Films that all of them have an opinion on, in order."""
    return sorted(set.intersection(*(set(said[name]) for name in names))) if names else []


def _table(
    said: _Said, names: Sequence[str], films: Sequence[tuple[str, str]]
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.intp]], np.ndarray[tuple[int, ...], np.dtype[np.str_]]]:
    """Calls, shape (films, names), and whose film each is."""
    number = {word: i for i, word in enumerate(sorted({word for each in said.values() for word in each.values()}))}
    calls = np.array([[number[said[name][film]] for name in names] for film in films], dtype=np.intp)
    return calls.reshape(len(films), len(names)), np.array([patient_of(name) or name for name, _ in films], np.str_)


def _counts(words: Iterable[str]) -> dict[str, int]:
    counts = {"pneumonia": 0, "no-pneumonia": 0, "unsure": 0}
    for word in words:
        counts[word] += 1
    return counts
