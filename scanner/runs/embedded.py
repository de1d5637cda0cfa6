"""The embeddings of a run: what the network made of its films before the head, film by film."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.records import Film
from cxrscan.scanner.runs.journal import Journal, stored_model


@dataclass(frozen=True, slots=True)
class EmbeddedFilm:
    """A scored film with what the network made of it."""

    film: Film
    log_odds: float
    """The network's uncalibrated log-odds of pneumonia."""
    embedding: npt.NDArray[np.float32]
    """shape (C,), the pooled last feature map; the same C in all films of a run."""


def embedded_films(journal: Journal) -> Iterator[EmbeddedFilm]:
    """Give the scored films of a run in order of their names, one at a time.

    Films whose embedding does not fit into float16 have none in the journal, and are left out.

    Raises
    ------
    RunFolderError
        ``no-embeddings``: the run keeps none; ``journal-format``: as of ``Journal.films``.
    """
    model = stored_model(journal)
    n_bytes = n_scored = 0
    for film in journal.films():
        prob, kept = film.result.prob_pneumonia, film.result.embedding
        population = film.result.population
        n_scored += prob is not None
        if prob is None or not kept:
            continue
        n_bytes = n_bytes or len(kept)
        if len(kept) != n_bytes:
            raise journal.unfit("length of an embedding")
        yield EmbeddedFilm(film, model.log_odds(prob, population), np.frombuffer(kept, "<f2").astype(np.float32))
    if n_scored and not n_bytes:
        raise RunFolderError("no-embeddings", f"{journal.folder} keeps no embeddings of its films.")
