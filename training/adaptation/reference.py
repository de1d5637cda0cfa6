"""What the films look like that an adapted bundle was made of, for ``cxrscan drift``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cxrscan.scanner.metrics import FloatArray
from cxrscan.scanner.model_bundle import SPEC_NAME, check_document, spec_from_document
from cxrscan.scanner.populations.portrait import portray
from cxrscan.scanner.populations.reference import MAX_FILMS, reference_document
from cxrscan.scanner.records import NEGATIVE, POSITIVE, Film
from cxrscan.scanner.runs.journal import Journal
from cxrscan.training.adaptation.bundle import Bundle
from cxrscan.training.adaptation.local_films import LocalFilms
from cxrscan.training.adaptation.measure import Measured

_LEAST_FILMS = 10


def with_reference(bundle: Bundle, run: Path, films: LocalFilms, measured: Measured, site: str) -> Bundle:
    """Give a bundle a portrait of its labelled films, where that of its parent no longer fits.

    Scores are those of models that had not seen the film: what a model says of its own training films, no other
    films would repeat. A fine-tuned network's embeddings are left out for the same reason.

    Parameters
    ----------
    run
        The folder that the films' thumbnails and embeddings lie in.
    """
    if "reference" in bundle.document:
        return bundle
    spec = spec_from_document(dict(bundle.document), run)
    keeps_embeddings = measured.adapted.tuned is None
    portrait = portray(
        lambda: _as_scored(run, films, measured.after.prob, keeps_embeddings=keeps_embeddings),
        spec,
        site,
        max_films=MAX_FILMS,
    )
    if portrait.n < _LEAST_FILMS:
        return bundle
    document = {**bundle.document, "reference": reference_document([portrait], spec)}
    check_document(document, where=SPEC_NAME)
    return replace(bundle, document=document)


def _as_scored(run: Path, films: LocalFilms, prob: FloatArray, *, keeps_embeddings: bool) -> Iterator[Film]:
    """The labelled films of a run, with probabilities of the adapted model."""
    of_film = {name: i for i, name in enumerate(films.names)}
    with Journal(run, read_only=True) as journal:
        for film in journal.films():
            i = of_film.get(film.result.name)
            if i is not None:
                result = replace(
                    film.result,
                    prob_pneumonia=float(prob[i]),
                    population="",
                    attributes=replace(film.result.attributes, ids=(("patient_id", str(films.patients[i])),)),
                    embedding=film.result.embedding if keeps_embeddings else b"",
                )
                yield Film(result, POSITIVE if films.truth[i] else NEGATIVE)
