"""Measure an exported graph on the validation films: plain, shifted, and in their other versions."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from scanner.metrics import BoolArray, FloatArray, summarise
from scanner.model_bundle import OperatingPoint
from scanner.records import Estimate
from training.augment import shifted_copy
from training.calibrate import choose_operating_points, fit_temperature, sigmoid
from training.dataset import LoadedFilms
from training.export import run_graph
from training.fit import predict_logits
from training.splits import IndexArray

_SHIFT_SEED = 2018
DEFAULT_OPERATING_POINT = "half"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured of an exported graph on the validation films."""

    temperature: float
    heat_scale: float
    operating_points: dict[str, OperatingPoint]
    default_operating_point: str
    validation: dict[str, dict[str, Estimate]]
    """Set of films -> metric -> figure, at the default operating point."""
    max_abs_prob_difference: float
    """Largest difference in probability between the exported graph and Keras."""
    n_films: int


def evaluate(graph: bytes, network: keras.Model, loaded: LoadedFilms, validation: IndexArray) -> Evaluation:
    """Calibrate an exported graph, choose its operating points, and measure it."""
    truth = loaded.truth[validation]
    films = loaded.pixels[[loaded.rows[i][0] for i in validation]]
    plain = run_graph(graph, films)
    shifted = run_graph(graph, shifted_copy(films, _SHIFT_SEED)).logits.astype(np.float64)
    temperature = fit_temperature(truth, shifted)
    points = choose_operating_points(
        truth, sigmoid(shifted / temperature), f"shifted copy of the {truth.size} validation films"
    )
    threshold = points[DEFAULT_OPERATING_POINT].threshold
    prob = sigmoid(plain.logits.astype(np.float64) / temperature)
    figures = {
        "plain": _estimates(truth, prob, threshold),
        "shifted": _estimates(truth, sigmoid(shifted / temperature), threshold),
    }
    others = [(k, row) for k, i in enumerate(validation) for row in loaded.rows[i][1:]]
    if others:
        first, rows = map(list, zip(*others, strict=True))
        other_prob = sigmoid(run_graph(graph, loaded.pixels[rows]).logits.astype(np.float64) / temperature)
        figures["other versions of the same films"] = _agreement(prob[first], other_prob, threshold)
    keras_prob = sigmoid(predict_logits(network, films) / temperature)
    return Evaluation(
        temperature=temperature,
        heat_scale=heat_scale(plain.heat_maps[truth]),
        operating_points=points,
        default_operating_point=DEFAULT_OPERATING_POINT,
        validation=figures,
        max_abs_prob_difference=float(np.abs(keras_prob - prob).max()),
        n_films=truth.size,
    )


def heat_scale(heat_maps: np.ndarray) -> float:
    """Top of the colour scale: the 99th percentile of the films' largest Grad-CAM values.

    Parameters
    ----------
    heat_maps
        float array, shape (N, h, w), in logit units, of films with pneumonia.
    """
    return max(float(np.percentile(heat_maps.max(axis=(1, 2)), 99)), 1e-6)


def _estimates(truth: BoolArray, prob: FloatArray, threshold: float) -> dict[str, Estimate]:
    return {name: e for name, e in summarise(truth, prob, threshold).estimates.items() if e.value is not None}


def _agreement(prob: FloatArray, other: FloatArray, threshold: float) -> dict[str, Estimate]:
    """How far the answers of two versions of one film lie apart."""
    difference = np.abs(prob - other)
    flips = (prob >= threshold) != (other >= threshold)
    far = flips & (np.maximum(np.abs(prob - threshold), np.abs(other - threshold)) > 0.05)
    return {
        "n_pairs": Estimate(float(prob.size)),
        "mean_abs_prob_difference": Estimate(float(difference.mean())),
        "max_abs_prob_difference": Estimate(float(difference.max())),
        "n_flips": Estimate(float(flips.sum())),
        "n_flips_beyond_0_05": Estimate(float(far.sum())),
    }
