"""A linear head learns what the parent does not know, keeps patients apart, and goes into the exported graph."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from cxrscan.scanner.engines.litert import LiteRTEngine
from cxrscan.scanner.errors import BundleError
from cxrscan.scanner.metrics import auc_delong
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, read_weights
from cxrscan.scanner.preprocess import to_model_input
from cxrscan.scanner.records import Predictions
from cxrscan.scanner.synthetic_films import FilmModel, draw_film
from cxrscan.training.adaptation.folds import patient_folds, splits
from cxrscan.training.adaptation.graph import read_head, with_head
from cxrscan.training.adaptation.head import LinearHead, choose_head, fit_heads
from cxrscan.training.calibrate import sigmoid
from tests.training.adaptation.films import PARENT, made_films, shipped_head


def test_folds_keep_patients_apart_and_classes_even() -> None:
    films = made_films(120, per_patient=3)
    folds = patient_folds(films.truth, films.patients, 5, 0)
    for fitted, held in splits(folds):
        assert not {*films.patients[fitted]} & {*films.patients[held]}
        assert films.truth[held].mean() == 0.5
    assert np.bincount(folds).tolist() == [24] * 5


def test_a_head_learns_what_the_parent_does_not_know() -> None:
    films, others = made_films(200, signal=1.0), made_films(400, signal=1.0, seed=1)
    head = choose_head(films).head
    before, after = (auc_delong(others.truth, sigmoid(each)).value for each in (others.log_odds, head.log_odds(others)))
    assert before is not None
    assert after is not None
    assert before < 0.95 < after


def test_under_a_large_penalty_a_head_ranks_as_the_parent_does() -> None:
    films = made_films(100)
    (head,) = fit_heads(films, (1e9,))
    assert np.corrcoef(head.log_odds(films), films.log_odds)[0, 1] > 0.9999
    assert head.parent > 0


def test_scores_out_of_fold_know_nothing_of_the_films() -> None:
    films = made_films(120, knows=0.0)
    chosen = choose_head(films)
    fitted, held = (
        auc_delong(films.truth, sigmoid(each)).value for each in (chosen.head.log_odds(films), chosen.out_of_fold)
    )
    assert held is not None
    assert fitted is not None
    assert held < 0.65 < fitted


def drawn_films() -> np.ndarray:
    model = FilmModel.load()
    films = [draw_film(model, seed % 2, np.random.default_rng(seed), 480) for seed in range(6)]
    return np.stack([to_model_input(film, PARENT.input_px) for film in films])


def test_a_graph_with_a_new_head_says_what_the_head_says_and_shows_where() -> None:
    films, graph = drawn_films(), read_weights(DEFAULT_BUNDLE)
    was = predict(graph, films)
    assert shipped_head().log_odds(was.embeddings) == pytest.approx(was.logits, abs=0.02)
    weights = np.random.default_rng(0).normal(0, 0.01, was.embeddings.shape[1])
    head = LinearHead(weights, 2.0, -0.5)
    changed = with_head(graph, shipped_head().extended(head, was.embeddings))
    said = predict(changed, films)
    assert said.logits == pytest.approx(2 * was.logits + was.embeddings @ weights - 0.5, abs=0.05)
    assert np.array_equal(said.embeddings, was.embeddings)
    assert len(changed) == len(graph)
    heat = read_head(changed).net_heat(was.embeddings)
    assert heat == pytest.approx(2 * shipped_head().net_heat(was.embeddings) + was.embeddings @ weights, abs=0.05)


def test_heat_follows_the_new_weights() -> None:
    films, graph = drawn_films(), read_weights(DEFAULT_BUNDLE)
    was = predict(graph, films)
    twice = LinearHead(np.zeros(was.embeddings.shape[1]), 2.0, 0.0)
    said = predict(with_head(graph, shipped_head().extended(twice, was.embeddings)), films)
    assert said.heat_maps == pytest.approx(2 * was.heat_maps, abs=0.02)
    assert was.heat_maps.max() > 0.1


def predict(graph: bytes, films: np.ndarray) -> Predictions:
    spec = replace(PARENT, weights=graph, weights_sha256=sha256(graph).hexdigest())
    return LiteRTEngine(spec).predict(films)


def test_a_head_that_float16_cannot_hold_is_refused() -> None:
    with pytest.raises(BundleError):
        with_head(read_weights(DEFAULT_BUNDLE), replace(shipped_head(), hidden=shipped_head().hidden * 1e9))
