"""Calibrate on the validation films, and measure on them: plain, shifted, and in their other versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from scanner.metrics import BoolArray, FloatArray, summarise, wilson_interval
from scanner.model_bundle import OperatingPoint
from scanner.records import Estimate, FloatImage
from training.augment import shifted_copy
from training.calibrate import Scored, choose_operating_points, fit_calibration, sigmoid
from training.export import run_graph
from training.films import LoadedFilms
from training.fit import predict_logits
from training.heat_figures import hits, shares_inside
from training.splits import IndexArray

_SHIFT_SEED = 2018
_LARGEST_FIGURE = 1e9  # beyond what a bundle may state


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


def calibrate(network: keras.Model, loaded: LoadedFilms, validation: IndexArray) -> float:
    """Fit offset and temperature on the plain and the shifted validation films.

    The offset goes into the network's last bias; the temperature is returned, for ``model.json``.
    """
    films, _ = _validation_films(loaded, validation)
    logits = [predict_logits(network, copy) for copy in (films, shifted_copy(films, _SHIFT_SEED))]
    temperature, offset = fit_calibration(_by_population(loaded, validation, logits))
    bias = network.get_layer("logit").bias
    bias.assign(np.float16(bias.numpy() + offset))  # as the exported graph holds it
    return temperature


def evaluate(
    graph: bytes,
    network: keras.Model,
    temperature: float,
    loaded: LoadedFilms,
    validation: IndexArray,
    *,
    operating_point: str,
) -> Evaluation:
    """Choose the operating points of an exported graph, measure it, and hold it against Keras."""
    films, truth = _validation_films(loaded, validation)
    plain = run_graph(graph, films)
    prob = _probability(plain.logits, temperature)
    shifted_prob = _probability(run_graph(graph, shifted_copy(films, _SHIFT_SEED)).logits, temperature)
    worst = "the worse of plain and shifted copies"
    if len(loaded.populations) > 1:
        worst = f"the worst of {' and '.join(loaded.populations)}, plain and shifted,"
    points = choose_operating_points(
        _by_population(loaded, validation, (prob, shifted_prob)), f"{worst} of {truth.size} validation films"
    )
    threshold = points[operating_point].threshold
    figures = {}
    for name, chosen in _populations(loaded, validation).items():
        figures[name or "plain"] = _estimates(truth[chosen], prob[chosen], threshold)
        shifted = f"{name}, shifted" if name else "shifted"
        figures[shifted] = _estimates(truth[chosen], shifted_prob[chosen], threshold)
    for name, chosen in _parts(loaded, validation).items():
        figures[name] = _estimates(truth[chosen], prob[chosen], threshold)
    boxed = [(k, loaded.ill(i)) for k, i in enumerate(validation) if i in loaded.boxes]
    if boxed:
        places, masks = zip(*boxed, strict=True)
        figures["heat maps of films with boxes"] = _heat_in_boxes(plain.heat_maps[list(places)], masks)
    figures["heat maps of films with pneumonia"] = {"median_spread": Estimate(heat_spread(plain.heat_maps[truth]))}
    others = [(k, row) for k, i in enumerate(validation) for row in loaded.rows[i][1:]]
    if others:
        first, rows = map(list, zip(*others, strict=True))
        other_prob = _probability(run_graph(graph, loaded.pixels[rows]).logits, temperature)
        figures["other versions of the same films"] = _agreement(prob[first], other_prob, threshold)
    keras_prob = sigmoid(predict_logits(network, films) / temperature)
    return Evaluation(
        temperature=temperature,
        heat_scale=heat_scale(plain.heat_maps[truth]),
        operating_points=points,
        default_operating_point=operating_point,
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


def heat_spread(heat_maps: np.ndarray) -> float:
    """How much heat maps vary within a film: the median of standard deviation over mean.

    Pooling forgets where a feature was, so that a network can learn features that are the same everywhere; it then
    classifies as well as any, and its Grad-CAM covers the whole film. Near 0 the maps say nothing; a high figure
    does not say that the heat lies in the lungs.

    Parameters
    ----------
    heat_maps
        float array, shape (N, h, w), in logit units; maps without any heat do not count.
    """
    lit = heat_maps[heat_maps.max(axis=(1, 2)) > 0]
    if not len(lit):
        return 0.0
    return float(np.median(lit.std(axis=(1, 2)) / lit.mean(axis=(1, 2))))


def _validation_films(loaded: LoadedFilms, validation: IndexArray) -> tuple[FloatImage, BoolArray]:
    """Pixels of the training folder's version, shape (N, S, S, 1), and truth."""
    return loaded.pixels[[loaded.rows[i][0] for i in validation]], loaded.truth[validation]


def _by_population(loaded: LoadedFilms, validation: IndexArray, copies: Sequence[FloatArray]) -> list[Scored]:
    """Truth and scores of each population in each copy of the validation films."""
    truth = loaded.truth[validation]
    return [
        Scored(truth[chosen], scores[chosen])
        for chosen in _populations(loaded, validation).values()
        for scores in copies
    ]


def _populations(loaded: LoadedFilms, validation: IndexArray) -> dict[str, BoolArray]:
    """Population -> which of the validation films are of it."""
    populations = np.array([loaded.films[i].population for i in validation])
    return {name: populations == name for name in loaded.populations}


def _parts(loaded: LoadedFilms, validation: IndexArray) -> dict[str, BoolArray]:
    """Views, sexes and kinds of negatives, where a population has several: name -> which validation films are meant."""
    films = [loaded.films[i] for i in validation]
    positive = loaded.truth[validation]
    parts = {}
    for population, chosen in _populations(loaded, validation).items():
        prefix = f"{population}, " if population else ""
        for known in ([film.view for film in films], [film.sex for film in films]):
            for name, mine in _kinds(known, chosen).items():
                parts[prefix + name] = mine
        for name, mine in _kinds([film.finding for film in films], chosen & ~positive).items():
            parts[f"{prefix}pneumonia or {name}"] = mine | (chosen & positive)
    return parts


def _kinds(known: Sequence[str], chosen: BoolArray) -> dict[str, BoolArray]:
    """What is known of some films, where that is not the same of all: name -> which films."""
    names = dict.fromkeys(name for name, mine in zip(known, chosen, strict=True) if name and mine)
    return {name: chosen & np.array([each == name for each in known]) for name in names} if len(names) > 1 else {}


def _heat_in_boxes(heat_maps: FloatImage, masks: Sequence[FloatImage]) -> dict[str, Estimate]:
    """Where the heat of films with boxes lies."""
    hit = hits(heat_maps, masks)
    return {
        "n_films": Estimate(float(hit.size)),
        "hottest_point_in_a_box": Estimate(float(hit.mean()), *wilson_interval(int(hit.sum()), hit.size)),
        "mean_share_of_heat_in_boxes": Estimate(float(shares_inside(heat_maps, masks).mean())),
        "mean_share_of_film_in_boxes": Estimate(float(np.mean(masks))),
    }


def _probability(logits: np.ndarray, temperature: float) -> FloatArray:
    return sigmoid(logits.astype(np.float64) / temperature)


def _estimates(truth: BoolArray, prob: FloatArray, threshold: float) -> dict[str, Estimate]:
    return {name: e for name, e in summarise(truth, prob, threshold).estimates.items() if _says_something(e)}


def _says_something(estimate: Estimate) -> bool:
    """Whether there is a figure; that of films which are told apart without a fault may have no end."""
    known = [value for value in (estimate.value, estimate.low, estimate.high) if value is not None]
    return estimate.value is not None and all(abs(value) < _LARGEST_FIGURE for value in known)


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
