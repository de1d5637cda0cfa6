"""Labelled films made of numbers: embeddings, and what the shipped network's head says of them."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np

from cxrscan.scanner.gate.statistics import GateStatistics
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, load_bundle, read_document, read_weights
from cxrscan.scanner.records import Film
from cxrscan.scanner.runs.journal import Journal
from cxrscan.training.adaptation.graph import GraphHead, read_head
from cxrscan.training.adaptation.local_films import LocalFilms
from tests.reports.films import INFO, scored

PARENT = load_bundle(DEFAULT_BUNDLE).of_population("children")


@cache
def shipped_head() -> GraphHead:
    """The head of the shipped bundle."""
    return read_head(read_weights(DEFAULT_BUNDLE))


@cache
def typical_embedding() -> np.ndarray:
    """Of the middle of the films that the shipped network was trained on; shape (1280,)."""
    return GateStatistics.from_document(read_document(DEFAULT_BUNDLE)["gate"]).feature_mean ** 2


def made_films(n: int, *, signal: float = 0.0, knows: float = 2.0, seed: int = 0, per_patient: int = 1) -> LocalFilms:
    """Films, every other one with pneumonia.

    Parameters
    ----------
    signal
        How much of the truth lies along one direction of the embedding, of which the parent knows nothing.
    knows
        How far the parent's log-odds part the classes.
    """
    rng = np.random.default_rng(seed)
    truth = np.arange(n) // per_patient % 2 == 1
    side = np.where(truth, 1.0, -1.0)
    embeddings = np.tile(typical_embedding(), (n, 1)) * rng.uniform(0.97, 1.03, (n, 1280))
    embeddings[:, :40] += 0.2 + rng.uniform(0.0, 0.1, (n, 40)) + signal * side[:, np.newaxis] * 0.05
    return LocalFilms(
        names=tuple(f"{i:04}.jpg" for i in range(n)),
        truth=truth,
        log_odds=0.5 * knows * side + rng.normal(size=n),
        embeddings=embeddings.astype(np.float32),
        patients=np.array([f"p{i // per_patient}" for i in range(n)]),
        circumstances=({},) * n,
    )


def write_run(folder: Path, films: LocalFilms) -> Path:
    """A run of the shipped bundle over these films; log-odds are those that its head gives the embeddings."""
    log_odds = shipped_head().log_odds(films.embeddings)
    with Journal(folder, create=True) as journal:
        journal.put("model", read_document(DEFAULT_BUNDLE))
        journal.put("run", asdict(replace(INFO, threshold_name="custom", labels="", arguments={})))
        journal.start_session("key")
        journal.add_films(
            _film(name, *each) for name, *each in zip(films.names, log_odds, films.embeddings, strict=True)
        )
    return folder


def _film(name: str, log_odds: float, embedding: np.ndarray) -> Film:
    film = scored(name, PARENT.probability(log_odds), picture=b"")
    return replace(film, result=replace(film.result, embedding=embedding.astype("<f2").tobytes()))


def write_labels(path: Path, films: LocalFilms) -> Path:
    """A label file with patients."""
    rows = zip(films.names, films.truth, films.patients, strict=True)
    path.write_text("path,label,patient\n" + "".join(f"{name},{int(ill)},{who}\n" for name, ill, who in rows))
    return path
