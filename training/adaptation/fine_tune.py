"""Training of the last blocks, from the bundle's own weights, on films that are read again. Needs the extra ``train``.

What it gains is measured on halves: a network is trained on each half of the patients and measured on the other. A
third one, trained on all films, goes into the bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from cxrscan.scanner.gate.statistics import GateStatistics
from cxrscan.scanner.records import FloatImage, Predictions
from cxrscan.training.adaptation.bundle import Parent
from cxrscan.training.adaptation.folds import patient_folds, splits
from cxrscan.training.adaptation.last_blocks import frozen_features, restore, train_last_blocks
from cxrscan.training.adaptation.local_films import LocalFilms
from cxrscan.training.adaptation.rungs import N_HALVES, Tuned
from cxrscan.training.config import TrainConfig, load_config
from cxrscan.training.evaluate import heat_scale
from cxrscan.training.export import export_graph, round_to_float16, run_graph
from cxrscan.training.films import FilmFile, LoadedFilms
from cxrscan.training.fit import predict_logits
from cxrscan.training.gate_statistics import refit_gate

FILMS_SEEN = 8000
_EPOCHS = (6, 20)


def fine_tune(
    parent: Parent,
    films: LocalFilms,
    pixels: FloatImage,
    say: Callable[[str], None] = lambda text: None,
    *,
    config: TrainConfig | None = None,
    n_seen: int = FILMS_SEEN,
) -> Tuned:
    """Train on halves of the patients, then on all.

    Parameters
    ----------
    pixels
        shape (N, S, S, 1), values in [0, 1]: the films.
    say
        Told what is being done.
    config
        None for that of a robust training, without parts of other films: their patients might be of the other half.
    n_seen
        Films seen in all epochs together, about; more films see fewer epochs.
    """
    epochs = int(np.clip(n_seen // films.n, *_EPOCHS))
    n_versions = int(np.clip(n_seen // films.n, 1, epochs))
    config = replace(config or load_config("robust", {}), epochs=epochs, input_px=parent.spec.input_px, mix=0.0)
    cv2.setNumThreads(1)  # films are varied in threads of their own
    say(f"Fine-tuning: {n_versions} versions of {films.n} films.")
    features = frozen_features(restore(parent, config), pixels, n_versions, config)
    out_of_fold = np.empty(films.n)
    for half, (fitted, held) in enumerate(splits(patient_folds(films.truth, films.patients, N_HALVES, 0)), start=1):
        say(f"Fine-tuning on half {half} of the patients, {epochs} epochs of {len(fitted)} films.")
        network = restore(parent, config)
        train_last_blocks(network, features, films.truth, fitted, config)
        out_of_fold[held] = predict_logits(network, pixels[held])
    say(f"Fine-tuning on all {films.n} films, and fitting the gate to what the network makes of them.")
    network = restore(parent, config)
    train_last_blocks(network, features, films.truth, np.arange(films.n), config)
    round_to_float16(network)
    graph = export_graph(network)
    said = run_graph(graph, pixels)
    difference = float(np.abs(said.logits - predict_logits(network, pixels)).max())
    return Tuned(
        graph=graph,
        out_of_fold=out_of_fold,
        embeddings=said.embeddings,
        heat_scale=heat_scale(said.heat_maps[films.truth]),
        max_abs_difference=difference,
        gate=_gate(parent, graph, films, pixels),
    )


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
    fitted, held = next(splits(patient_folds(films.truth, films.patients, N_HALVES, 0)))
    before = GateStatistics.from_document(parent.spec.gate)
    return refit_gate(before, _Graph(graph), loaded, fitted, held).to_document()


class _Graph:
    """An engine for a graph that stands in no bundle yet."""

    def __init__(self, graph: bytes) -> None:
        self._graph = graph

    def predict(self, films: FloatImage) -> Predictions:
        return run_graph(self._graph, films)
