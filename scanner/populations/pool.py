"""The films of a run that may be put on a reading list."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.evaluation.patients import whose
from cxrscan.scanner.metrics import FloatArray
from cxrscan.scanner.model_bundle import ModelSpec, log_odds
from cxrscan.scanner.populations.portrait import as_kept, embedded_features
from cxrscan.scanner.records import Film

MAX_FILMS = 20_000
"""Films that are chosen from, drawn by lot from more."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Films to choose from, one of each patient."""

    names: tuple[str, ...]
    sha256: tuple[str, ...]
    log_odds: FloatArray
    """shape (N,)"""
    features: FloatArray
    """shape (N, K), the embeddings in the gate's coordinates."""
    n_left_out: int
    """Scored films of patients of whom a film has been read."""


def pool_of(
    films: Callable[[], Iterable[Film]],
    model: ModelSpec,
    read: Collection[str],
    where: str,
    patients: Mapping[str, str],
) -> Pool:
    """Gather the scored films of patients of whom none has been read.

    Parameters
    ----------
    films
        Gives the films as often as it is called.
    read
        Names of films that have been read.
    where
        Run folder, for errors.
    patients
        File name -> patient, where there is a table of them.

    Raises
    ------
    RunFolderError
        ``no-embeddings``.
    """
    known = {_patient(film, patients) for film in films() if film.result.name in read}
    best: dict[str, tuple[str, str]] = {}
    n_left_out = 0
    for film in films():
        if film.result.prob_pneumonia is None:
            continue
        if _patient(film, patients) in known:
            n_left_out += 1
            continue
        lot = hashlib.sha256(film.result.name.encode()).hexdigest(), film.result.name
        best[_patient(film, patients)] = min(best.get(_patient(film, patients), lot), lot)
    chosen = {name for _, name in sorted(best.values())[:MAX_FILMS]}
    results = [film.result for film in films() if film.result.name in chosen]
    features = embedded_features(results, model)
    if results and features is None:
        raise RunFolderError("no-embeddings", f"{where} keeps no embeddings of its films.")
    return Pool(
        tuple(result.name for result in results),
        tuple(result.sha256 for result in results),
        as_kept([log_odds(result.prob_pneumonia or 0.0) for result in results]),
        as_kept([[]]) if features is None else features,
        n_left_out,
    )


def _patient(film: Film, patients: Mapping[str, str]) -> str:
    return whose(film.result, patients) or f"film {film.result.name}"
