"""A run as a whole: what is true of it, the model that scored it, and its films."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cxrscan.scanner.model_bundle import ModelSpec
from cxrscan.scanner.records import Film, RunInfo

PLACES = frozenset({"paths", "from_file", "output", "labels", "model", "cluster", "upload"})
"""Arguments of a run that name files and folders, which say more of a user than a report should."""


def _no_films() -> Iterable[Film]:
    return ()


@dataclass(frozen=True, slots=True)
class Run:
    """What outputs and the viewer are made of."""

    info: RunInfo
    model: ModelSpec
    films: Callable[[], Iterable[Film]] = _no_films
    """Gives the films in order of their names, as often as it is called; none where one film is looked at by itself."""
