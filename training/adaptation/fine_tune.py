"""Training of the last blocks, from the bundle's own weights, on films that are read again. Needs the extra ``train``.

The patients are dealt out to parts. For each part a network is trained on the others, and measured on this one. All of
them start at the bundle and go short ways, so that the mean of their weights says what they say in the mean (Wortsman
et al. 2022, 10.48550/arXiv.2203.05482). That mean network goes into the bundle, with thresholds from films that its
members had not seen.
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
_SHORT_STEPS = {"learning_rate": 1e-4, "ema": 0.95}
"""With steps twice as long, the mean of the networks is no longer as good as they are."""
_LITTLE = 1e-6
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
    """Train without each part of the patients in turn, and take the mean.

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
    network, answers = _mean_of_members(parent, films, pixels, folds, say, config, n_seen)
    say("Fitting the gate to what the mean of the networks makes of the films.")
    round_to_float16(network)
    graph = export_graph(network)
    said = run_graph(graph, pixels)
    log_odds = said.logits.astype(np.float64)
    return Tuned(
        graph=graph,
        out_of_fold=on_scale_of(log_odds, answers, folds),
        embeddings=said.embeddings,
        heat_scale=heat_scale(said.heat_maps[films.truth]),
        max_abs_difference=float(np.abs(log_odds - predict_logits(network, pixels)).max()),
        agreement=_correlation(log_odds, answers.mean(axis=0)),
        gate=_gate(parent, graph, films, pixels),
    )


def _short_steps(config: TrainConfig | None, n_films: int, n_seen: int, input_px: int) -> TrainConfig:
    """Few epochs, in steps so short that the mean of networks is a network."""
    config = config or load_config("robust", _SHORT_STEPS)
    return replace(config, epochs=int(np.clip(n_seen // n_films, *_EPOCHS)), input_px=input_px, mix=0.0)


def _mean_of_members(
    parent: Parent,
    films: LocalFilms,
    pixels: FloatImage,
    folds: IndexArray,
    say: Callable[[str], None],
    config: TrainConfig,
    n_seen: int,
) -> tuple[keras.Model, FloatArray]:
    """The mean of a network for each part of the patients, and the log-odds of each of them, shape (K, N)."""
    n_versions = int(np.clip(n_seen // films.n, 1, config.epochs))
    say(f"Fine-tuning: {n_versions} versions of {films.n} films.")
    mean = restore(parent, config)
    features = frozen_features(mean, pixels, n_versions, config)
    answers, weights = [], []
    for part, (fitted, _) in enumerate(splits(folds), start=1):
        say(f"Fine-tuning without part {part} of {N_PARTS} of the patients, on {len(fitted)} films.")
        network = restore(parent, config)
        train_last_blocks(network, features, films.truth, fitted, config)
        answers.append(predict_logits(network, pixels))
        weights.append(network.get_weights())
    mean.set_weights([np.mean(each, axis=0) for each in zip(*weights, strict=True)])
    return mean, np.stack(answers)


def on_scale_of(mean_network: FloatArray, answers: FloatArray, folds: IndexArray) -> FloatArray:
    """What each film's own network said of it, as the mean network would say it.

    A threshold then calls the same share of the mean network's answers as of those of all networks. The mean network
    draws its lowest answers together, so that no stretching and moving would do. No label counts.

    Parameters
    ----------
    mean_network
        shape (N,), log-odds.
    answers
        shape (K, N), log-odds of each network.
    folds
        shape (N,): the network that had not seen the film.
    """
    said = answers[folds, np.arange(len(folds))]
    ranked = np.quantile(mean_network, np.linspace(0.0, 1.0, answers.size))
    return np.asarray(np.interp(said, np.sort(answers, axis=None), ranked), dtype=np.float64)


def _correlation(first: FloatArray, second: FloatArray) -> float:
    """Pearson's, in [-1, 1]; 0 where one of them is the same for all films."""
    if min(first.std(), second.std()) < _LITTLE:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


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
