"""Training of the last blocks, from the bundle's own weights, on films that are read again. Needs the extra ``train``.

One network is trained on all films and goes into the bundle. What it is worth on other films, others tell: the patients
are dealt out to parts, and for each part a network is trained likewise on the others and measured on this one.
Thresholds rest on what these said of films that they had not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import cv2
import keras
import numpy as np

from cxrscan.scanner.gate.statistics import GateStatistics
from cxrscan.scanner.metrics import FloatArray
from cxrscan.scanner.records import FloatImage, Predictions
from cxrscan.training.adaptation.bundle import Parent
from cxrscan.training.adaptation.folds import patient_folds, splits
from cxrscan.training.adaptation.last_blocks import frozen_features, restore, train_last_blocks
from cxrscan.training.adaptation.local_films import IndexArray, LocalFilms
from cxrscan.training.adaptation.rungs import N_PARTS, Tuned
from cxrscan.training.config import TrainConfig, load_config
from cxrscan.training.evaluate import heat_scale
from cxrscan.training.export import export_graph, round_to_float16, run_graph
from cxrscan.training.films import FilmFile, LoadedFilms
from cxrscan.training.fit import predict_logits
from cxrscan.training.gate_statistics import refit_gate

FILMS_SEEN = 8000
_EPOCHS = (6, 20)
_SHORT_STEPS = {"learning_rate": 1e-4}
_GATE_PARTS = 2


def fine_tune(
    parent: Parent,
    films: LocalFilms,
    pixels: FloatImage,
    say: Callable[[str], None] = lambda text: None,
    *,
    config: TrainConfig | None = None,
    n_seen: int = FILMS_SEEN,
) -> Tuned:
    """Train on all films, and without each part of the patients in turn.

    Parameters
    ----------
    pixels
        shape (N, S, S, 1), values in [0, 1]: the films.
    say
        Told what is being done.
    config
        None for that of a robust training in shorter steps. No parts of other films: their patients might be held back.
    n_seen
        Films seen in all epochs together, about; more films see fewer epochs.
    """
    config = _short_steps(config, films.n, n_seen, parent.spec.input_px)
    cv2.setNumThreads(1)  # films are varied in threads of their own
    folds = patient_folds(films.truth, films.patients, N_PARTS, 0)
    n_versions = int(np.clip(n_seen // films.n, 1, config.epochs))
    say(f"Fine-tuning: {n_versions} versions of {films.n} films.")
    features = frozen_features(restore(parent, config), pixels, n_versions, config)

    def trained_on(fitted: IndexArray) -> keras.Model:
        network = restore(parent, config)
        train_last_blocks(network, features, films.truth, fitted, config)
        return network

    answers = []
    for part, (fitted, _) in enumerate(splits(folds), start=1):
        say(f"Fine-tuning without part {part} of {N_PARTS} of the patients, on {len(fitted)} films.")
        answers.append(predict_logits(trained_on(fitted), pixels))
    say(f"Fine-tuning on all {films.n} films.")
    network = trained_on(np.arange(films.n))
    say("Fitting the gate to what the network makes of the films.")
    round_to_float16(network)
    graph = export_graph(network)
    said = run_graph(graph, pixels)
    log_odds = said.logits.astype(np.float64)
    return Tuned(
        graph=graph,
        out_of_fold=on_scale_of(log_odds, np.stack(answers), folds),
        embeddings=said.embeddings,
        heat_scale=heat_scale(said.heat_maps[films.truth]),
        max_abs_difference=float(np.abs(log_odds - predict_logits(network, pixels)).max()),
        gate=_gate(parent, graph, films, pixels),
    )


def _short_steps(config: TrainConfig | None, n_films: int, n_seen: int, input_px: int) -> TrainConfig:
    """Few epochs in short steps, so that little is forgotten."""
    config = config or load_config("robust", _SHORT_STEPS)
    return replace(config, epochs=int(np.clip(n_seen // n_films, *_EPOCHS)), input_px=input_px, mix=0.0)


def on_scale_of(log_odds: FloatArray, answers: FloatArray, folds: IndexArray) -> FloatArray:
    """What the network that had not seen a film said of it, as the network of all films would say it.

    Networks differ in how far they draw their lowest answers together, so that no stretching and moving would do.
    Therefore an answer becomes the one of the same rank among all films. No label counts.

    Parameters
    ----------
    log_odds
        shape (N,), of the network of all films.
    answers
        shape (K, N), log-odds of the other networks.
    folds
        shape (N,): the network that had not seen the film.
    """
    carried, ranked = np.empty(len(log_odds)), np.sort(log_odds)
    for part, said in enumerate(answers):
        held = folds == part
        carried[held] = ranked[np.searchsorted(np.sort(said), said[held])]
    return carried


def _gate(parent: Parent, graph: bytes, films: LocalFilms, pixels: FloatImage) -> Mapping[str, Any] | None:
    """The parent's gate, for the features that the network has now: fitted on one half, limited on the other."""
    if parent.spec.gate is None:
        return None
    loaded = LoadedFilms(
        films=tuple(FilmFile(name, bool(ill), "", ()) for name, ill in zip(films.names, films.truth, strict=True)),
        pixels=pixels,
        rows=tuple((i,) for i in range(films.n)),
        digests=films.sha256,
        unreadable=(),
    )
    fitted, held = next(splits(patient_folds(films.truth, films.patients, _GATE_PARTS, 0)))
    before = GateStatistics.from_document(parent.spec.gate)
    return refit_gate(before, _Graph(graph), loaded, fitted, held).to_document()


class _Graph:
    """An engine for a graph that stands in no bundle yet."""

    def __init__(self, graph: bytes) -> None:
        self._graph = graph

    def predict(self, films: FloatImage) -> Predictions:
        return run_graph(self._graph, films)
