"""Calibrate on the validation films, and measure on them: plain, shifted, and in their other versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cxrscan.scanner.metrics import BoolArray, FloatArray, summarise, wilson_interval
from cxrscan.scanner.model_bundle import OperatingPoint
from cxrscan.scanner.records import Estimate, FloatImage, Predictions
from cxrscan.training.augment import shifted_copy
from cxrscan.training.bundle_files import says_something
from cxrscan.training.calibrate import (
    Calibrated,
    Scored,
    choose_operating_points,
    error_at_prior,
    fit_calibration,
    fit_finder,
)
from cxrscan.training.export import run_graph
from cxrscan.training.films import LoadedFilms
from cxrscan.training.heat_figures import hits, shares_inside
from cxrscan.training.splits import IndexArray

_SHIFT_SEED = 2018
_EVERY_NTH = 2  # training film that tells what films of its population look like
_REPEAT_SHARE = 0.95  # of the pairs of versions of a film that differ by no more
_N_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured of an exported graph on the validation films."""

    calibrated: Calibrated
    heat_scale: float
    operating_points: dict[str, OperatingPoint]
    default_operating_point: str
    validation: dict[str, dict[str, Estimate]]
    """Set of films -> metric -> figure, at the default operating point."""
    max_abs_prob_difference: float | None
    """Largest difference in probability between the exported graph and Keras; None where that is not at hand."""
    n_films: int


def evaluate(
    graph: bytes,
    loaded: LoadedFilms,
    train: IndexArray,
    validation: IndexArray,
    *,
    operating_point: str,
    prior: float,
    keras_logits: FloatArray | None = None,
) -> Evaluation:
    """Calibrate an exported graph, choose its operating points, measure it, and hold it against Keras.

    Parameters
    ----------
    keras_logits
        shape (N,), what Keras says of the validation films.
    """
    films, truth = validation_films(loaded, validation)
    plain, shifted_said = run_graph(graph, films), run_graph(graph, shifted_copy(films, _SHIFT_SEED))
    calibrated = _calibrate(graph, loaded, train, validation, (plain, shifted_said), prior)
    prob, shifted_prob = calibrated.probabilities(plain), calibrated.probabilities(shifted_said)
    worst = "the worse of plain and shifted copies"
    if len(loaded.populations) > 1:
        worst = f"the worst of {' and '.join(loaded.populations)}, plain and shifted,"
    points = choose_operating_points(
        _by_population(loaded, validation, (prob, shifted_prob)), f"{worst} of {truth.size} validation films"
    )
    threshold = points[operating_point].threshold
    figures = {}
    for name, chosen in _populations(loaded, validation).items():
        figures[name or "plain"] = _estimates(truth[chosen], prob[chosen], threshold, prior)
        shifted = f"{name}, shifted" if name else "shifted"
        figures[shifted] = _estimates(truth[chosen], shifted_prob[chosen], threshold, prior)
    for name, chosen in _parts(loaded, validation).items():
        figures[name] = _estimates(truth[chosen], prob[chosen], threshold, prior)
    if calibrated.finder is not None:
        told = {"plain": calibrated.populations(plain), "shifted": calibrated.populations(shifted_said)}
        figures["films whose population is found"] = _found(told, [loaded.films[i].population for i in validation])
    boxed = [(k, loaded.ill(i)) for k, i in enumerate(validation) if i in loaded.boxes]
    if boxed:
        places, masks = zip(*boxed, strict=True)
        figures["heat maps of films with boxes"] = _heat_in_boxes(plain.heat_maps[list(places)], masks)
    figures["heat maps of films with pneumonia"] = {"median_spread": Estimate(heat_spread(plain.heat_maps[truth]))}
    others = [(k, row) for k, i in enumerate(validation) for row in loaded.rows[i][1:]]
    if others:
        first, rows = map(list, zip(*others, strict=True))
        other = run_graph(graph, loaded.pixels[rows])
        figures["other versions of the same films"] = _agreement(
            prob[first], calibrated.probabilities(other), threshold
        ) | _repeat(plain.logits[first], other.logits)
    keras_prob = (
        None
        if keras_logits is None
        else calibrated.probabilities(replace(plain, logits=keras_logits.astype(np.float32)))
    )
    return Evaluation(
        calibrated=calibrated,
        heat_scale=heat_scale(plain.heat_maps[truth]),
        operating_points=points,
        default_operating_point=operating_point,
        validation=figures,
        max_abs_prob_difference=None if keras_prob is None else float(np.abs(keras_prob - prob).max()),
        n_films=truth.size,
    )


def _calibrate(
    graph: bytes,
    loaded: LoadedFilms,
    train: IndexArray,
    validation: IndexArray,
    copies: Sequence[Predictions],
    prior: float,
) -> Calibrated:
    """Fit a calibration for each population on validation films, and what finds a population on training films."""
    truth = loaded.truth[validation]
    calibrations = {
        name: fit_calibration([Scored(truth[chosen], said.logits[chosen].astype(np.float64)) for said in copies], prior)
        for name, chosen in _populations(loaded, validation).items()
    }
    finder = None
    if len(calibrations) > 1:
        some = train[::_EVERY_NTH]
        films = loaded.pixels[[loaded.rows[i][0] for i in some]]
        seen = [run_graph(graph, copy).embeddings for copy in (films, shifted_copy(films, _SHIFT_SEED))]
        finder = fit_finder(np.concatenate(seen), [loaded.films[i].population for i in some] * len(seen))
    return Calibrated(prior, calibrations, finder)


def _found(told: Mapping[str, Sequence[str]], populations: Sequence[str]) -> dict[str, Estimate]:
    """Share of each copy of the films whose population is found rightly."""
    shares = {}
    for copy, names in told.items():
        n_right = sum(name == population for name, population in zip(names, populations, strict=True))
        shares[copy] = Estimate(n_right / len(populations), *wilson_interval(n_right, len(populations)))
    return shares


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


def validation_films(loaded: LoadedFilms, validation: IndexArray) -> tuple[FloatImage, BoolArray]:
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


def _estimates(truth: BoolArray, prob: FloatArray, threshold: float, prior: float) -> dict[str, Estimate]:
    estimates = summarise(truth, prob, threshold).estimates
    if 0 < truth.mean() < 1:
        estimates = estimates | {"ece_at_prior": Estimate(error_at_prior(truth, prob, prior))}
    return {name: e for name, e in estimates.items() if says_something(e)}


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


def _repeat(logits: NDArray[np.float32], other: NDArray[np.float32]) -> dict[str, Estimate]:
    """Difference in the network's log-odds that 95 % of the pairs of versions stay below; its interval by bootstrap."""
    difference = np.abs(logits.astype(np.float64) - other)
    drawn = np.random.default_rng(_SHIFT_SEED).choice(difference, (_N_RESAMPLES, difference.size))
    low, high = np.quantile(np.quantile(drawn, _REPEAT_SHARE, axis=1), (0.025, 0.975))
    return {"repeat_log_odds": Estimate(float(np.quantile(difference, _REPEAT_SHARE)), float(low), float(high))}
