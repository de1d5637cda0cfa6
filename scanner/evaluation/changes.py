"""What changed since an earlier run: films that came and went, other calls, and other probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cxrscan.scanner.evaluation.film_notes import FilmNote, only_of_content
from cxrscan.scanner.evaluation.studies import repeat_of
from cxrscan.scanner.model_bundle import ModelSpec

Kind = Literal["new", "content", "status", "call", "probability", "renamed", "gone"]

KINDS: dict[Kind, tuple[str, str]] = {
    "new": ("film is new", "films are new"),
    "content": ("file has another content under the same name", "files have another content under the same name"),
    "status": (
        "file has a score now and had none, or the other way round",
        "files have a score now and had none, or the other way round",
    ),
    "call": ("film is called otherwise", "films are called otherwise"),
    "probability": (
        "film has another probability, beyond repeat variation",
        "films have another probability, beyond repeat variation",
    ),
    "renamed": ("film has another name", "films have another name"),
    "gone": ("film is gone", "films are gone"),
}
"""What changed, the first that holds; and of one film and of several, in words."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A run of before."""

    name: str
    called_by: str
    """Its model, and the threshold that its films were called at."""
    notes: tuple[FilmNote, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A film that changed."""

    kind: Kind
    now: FilmNote | None
    """None for one that is gone."""
    before: FilmNote | None
    """None for a new one."""

    @property
    def name(self) -> str:
        """What the film is called, now where it is there."""
        film = self.now or self.before
        return film.name if film is not None else ""


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed between two runs."""

    since: str
    called_by: tuple[str, str]
    """Model and threshold of the earlier run and of this one."""
    n_same: int
    """Films of both runs that did not change."""
    found: Mapping[str, Change]
    """Film -> what changed, films that are there; in the order of KINDS, then by the size of the change."""
    gone: tuple[Change, ...]
    repeat: float | None
    """As in ``StudySummary``; None: the bundle is silent, so probabilities were not compared."""


def find_changes(earlier: Earlier, notes: Sequence[FilmNote], model: ModelSpec, called_by: str) -> Changes:
    """Hold the films of a run against those of an earlier one.

    A film is the same when its name is; else when it is the only one of its content, in both runs.

    Parameters
    ----------
    notes
        All films of this run.
    model
        Of this run; probabilities are held against its repeat variation.
    called_by
        As of ``Earlier``, of this run.
    """
    repeat = repeat_of(model)
    pairs, gone = _pairs(earlier.notes, notes)
    changes = [Change(kind, now, before) for now, before in pairs if (kind := _kind(now, before, model, repeat))]
    order = list(KINDS)
    changes.sort(key=lambda change: (order.index(change.kind), -_size(change), change.name))
    return Changes(
        since=earlier.name,
        called_by=(earlier.called_by, called_by),
        n_same=len(notes) - len(changes),
        found={change.name: change for change in changes},
        gone=tuple(Change("gone", None, before) for before in gone),
        repeat=repeat,
    )


def _pairs(
    before: Sequence[FilmNote], now: Sequence[FilmNote]
) -> tuple[list[tuple[FilmNote, FilmNote | None]], list[FilmNote]]:
    """Films of now with what they were, and those that are gone."""
    by_name, names = {film.name: film for film in before}, {film.name for film in now}
    left = only_of_content([film for film in before if film.name not in names])
    fresh = only_of_content([film for film in now if film.name not in by_name])
    pairs: list[tuple[FilmNote, FilmNote | None]] = []
    moved = set()
    for film in now:
        was = by_name.get(film.name)
        if was is None and film.sha256 in fresh and (was := left.get(film.sha256)) is not None:
            moved.add(was.name)
        pairs.append((film, was))
    return pairs, [film for film in before if film.name not in names and film.name not in moved]


def _kind(now: FilmNote, before: FilmNote | None, model: ModelSpec, repeat: float | None) -> Kind | None:
    if before is None:
        return "new"
    if before.sha256 != now.sha256:
        return "content"
    if before.status != now.status:
        return "status"
    if before.called != now.called:
        return "call"
    if now.prob is not None and before.prob is not None and repeat is not None:
        was, is_now = (model.log_odds(prob, now.population) for prob in (before.prob, now.prob))
        if abs(is_now - was) > repeat:
            return "probability"
    return "renamed" if before.name != now.name else None


def _size(change: Change) -> float:
    now, before = change.now, change.before
    if now is None or before is None or now.prob is None or before.prob is None:
        return 0.0
    return abs(now.prob - before.prob)
