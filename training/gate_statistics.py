"""Fit what the gate remembers of the training films, and set its limits on the validation films.

``cxrscan train`` ends with this, and ``cxrscan.training.refit`` does it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from cxrscan.scanner.calibration import root
from cxrscan.scanner.engines.base import Engine
from cxrscan.scanner.engines.litert import LiteRTEngine
from cxrscan.scanner.gate import evidence
from cxrscan.scanner.gate.evidence import GREY_PX, MIRRORED, N_EDGES, N_TURNS, NEGATIVE, SMALL_PX, FloatArray
from cxrscan.scanner.gate.statistics import Distances, GateStatistics, Limits, Scale, Scales
from cxrscan.scanner.model_bundle import read_document, spec_from_document
from cxrscan.scanner.preprocess import resize
from cxrscan.scanner.records import FloatImage, Predictions
from cxrscan.scanner.system.whole_files import followed
from cxrscan.training.augment import augment
from cxrscan.training.bundle_files import write_spec
from cxrscan.training.config import AugmentConfig
from cxrscan.training.counterexamples import (
    folded,
    leaves,
    limb,
    part,
    shapes,
    shuffled,
    solids,
    swirled,
    texture,
    waves,
)
from cxrscan.training.films import LoadedFilms
from cxrscan.training.side_views import side_view
from cxrscan.training.splits import IndexArray

MOVED = AugmentConfig(
    rotation_deg=5.0, zoom=0.2, shift=0.08, flip=False, brightness=0.1, contrast=0.3, gamma=0.4, noise=0.02, border=0.2
)
"""Still chest films, by the gate's lights: framing and exposure vary more than in any training."""

_SEED = 1913
_BATCH = 32
_N_FEATURE_COMPONENTS, _N_EDGE_COMPONENTS = 32, 64
_EVERY_NTH = 12  # training film that is made into one picture of each kind
_EVERY_NTH_CHEST, _EVERY_NTH_TURNED = 4, 8
_EVERY_NTH_OF_FEW, _EVERY_NTH_CHEST_OF_FEW = 2, 1
_REGULARISATION = 0.005
_INVERSE_REGULARISATION = 0.01
_UNSCALED = Scale(0.0, 1.0)
_EVERY_NTH_FEATURE = 2  # version of a training film that the network looks at
# Shares of the validation films that each limit may cost. Misfits are counted among MOVED copies, which are to be
# scored with a warning, not rejected; several of each film, because a few strange ones decide.
_MISFITS, _STRANGERS, _MIRRORED, _HOT_EDGES, _FAULTY = 0.005, 0.025, 0.004, 0.003, 0.002
_N_MOVED = 4
_SLACK = 1.1  # beyond the quantile, for limits so rare that a few validation films decide on them


def add_gate(bundle: Path, loaded: LoadedFilms, train: IndexArray, validation: IndexArray) -> None:
    """Fit the gate of a bundle and write it into its ``model.json``; the same films give the same numbers.

    Parameters
    ----------
    train, validation
        Indices of the films; all their versions are used.
    """
    document = read_document(bundle)
    document["gate"] = fit_gate_of(bundle, document, loaded, train, validation).to_document()
    write_spec(followed(bundle), document)


def fit_gate_of(
    bundle: Path, document: Mapping[str, Any], loaded: LoadedFilms, train: IndexArray, validation: IndexArray
) -> GateStatistics:
    """Fit the gate of a bundle with that content of ``model.json``; see ``add_gate``."""
    engine = LiteRTEngine(spec_from_document(dict(document), bundle), n_threads=2)
    return fit_gate(engine, loaded, train, validation)


def fit_gate(engine: Engine, loaded: LoadedFilms, train: IndexArray, validation: IndexArray) -> GateStatistics:
    """Fit the gate of a network; see ``add_gate``."""
    rows = [row for i in train for row in loaded.rows[i]]
    smalls = [_small(loaded.pixels[row, ..., 0]) for row in rows]
    greys = np.stack([evidence.grey_layout(small) for small in smalls])
    edges = np.stack([evidence.edge_layout(small) for small in smalls])
    features = root(_predict(engine, loaded.pixels, rows[::_EVERY_NTH_FEATURE]).embeddings)
    feature_mean, feature_basis = _principal_components(features, _N_FEATURE_COMPONENTS)
    rng = np.random.default_rng(_SEED)
    moved = [_small(augment(loaded.pixels[row, ..., 0], rng, MOVED)) for row in rows[::2]]
    moved_edges = np.stack([evidence.edge_layout(small) for small in moved])
    edge_mean, edge_basis = _principal_components(np.concatenate([edges, moved_edges]), _N_EDGE_COMPONENTS)
    anatomy_weights, embedding_weights = _fit_anatomy(engine, loaded, rows)
    fitted = GateStatistics(
        anatomy_weights=anatomy_weights,
        grey_template=_fit_template(greys[::_EVERY_NTH_TURNED]),
        grey_mean=greys.mean(axis=0),
        edge_mean=edge_mean,
        edge_basis=edge_basis,
        feature_mean=feature_mean,
        feature_basis=feature_basis,
        scales=Scales(**{field.name: _UNSCALED for field in fields(Scales)}),
        limits=Limits(**dict.fromkeys((field.name for field in fields(Limits)), 0.0)),
        embedding_weights=embedding_weights,
    )
    populations = [
        [i for i in validation if loaded.films[i].population == population] for population in loaded.populations
    ]
    plain = [loaded.pixels[[loaded.rows[i][0] for i in films]] for films in populations if films]
    others = [row for i in validation for row in loaded.rows[i][1:]]
    held_out = [*plain, loaded.pixels[others]] if others else plain
    scaled = _scale_and_limit_faults(fitted, engine, held_out)
    return _limit_strangeness(scaled, engine, held_out, plain)


def refit_gate(
    statistics: GateStatistics, engine: Engine, loaded: LoadedFilms, train: IndexArray, validation: IndexArray
) -> GateStatistics:
    """Fit anew what a gate takes from its network, which has learnt on; what a picture alone tells stays.

    Parameters
    ----------
    statistics
        The gate before.
    train, validation
        Indices of some hundred films each.
    """
    rows = [row for i in train for row in loaded.rows[i]]
    feature_mean, feature_basis = _principal_components(
        root(_predict(engine, loaded.pixels, rows).embeddings), _N_FEATURE_COMPONENTS
    )
    anatomy_weights, embedding_weights = _fit_anatomy(engine, loaded, rows, _EVERY_NTH_OF_FEW, _EVERY_NTH_CHEST_OF_FEW)
    fitted = replace(
        statistics,
        anatomy_weights=anatomy_weights,
        embedding_weights=embedding_weights,
        feature_mean=feature_mean,
        feature_basis=feature_basis,
    )
    held_out = [loaded.pixels[[loaded.rows[i][0] for i in validation]]]
    scaled = _scale_and_limit_faults(fitted, engine, held_out)
    return _limit_strangeness(replace(scaled, limits=statistics.limits), engine, held_out, held_out)


def _scale_and_limit_faults(
    statistics: GateStatistics, engine: Engine, held_out: Sequence[FloatImage]
) -> GateStatistics:
    """Scale the measures, and limit what is seen in a picture alone."""
    films = [film[..., 0] for version in held_out for film in version]
    smalls = [_small(film) for film in films]
    greys = [evidence.grey_layout(small) for small in smalls]
    edges = np.stack([evidence.edge_layout(small) for small in smalls])
    embeddings = np.concatenate([_predict(engine, version, range(len(version))).embeddings for version in held_out])
    statistics = _evened(statistics, edges, root(embeddings))
    leads = np.stack([statistics.turn_leads(grey) for grey in greys])
    others = [turn for turn in range(N_TURNS) if turn not in {0, MIRRORED}]
    scales = Scales(
        anatomy=_scale(_anatomies(statistics, edges, root(embeddings)).max(axis=1)),
        features=_scale([statistics.features(each) for each in embeddings]),
        brightness=_scale([statistics.brightness(grey) for grey in greys]),
        edges=_scale([statistics.edges(each) for each in edges]),
    )
    limits = replace(
        statistics.limits,
        turned=max(0.0, _high(leads[:, others].max(axis=1), _FAULTY)),
        mirrored=max(0.0, _high(leads[:, MIRRORED], _MIRRORED)),
        border_share=_SLACK * _high([evidence.border_share(evidence.content_box(small)) for small in smalls], _FAULTY),
        clipped_share=_SLACK * _high([evidence.clipped_share(small) for small in smalls], _FAULTY),
        contrast=-_high([-small.std() for small in smalls], _FAULTY) / _SLACK,
        sharpness=-_high([-evidence.sharpness(film) for film in films], _FAULTY) / _SLACK,
    )
    return replace(statistics, scales=scales, limits=limits)


def _evened(statistics: GateStatistics, edges: FloatArray, features: FloatArray) -> GateStatistics:
    """Make the classifiers comparable: each becomes 0 for the median film and 1 for the strangest in 200.

    Returns
    -------
    The gate as the scanner will have it.
    """
    scales = [_scale(each) for each in _anatomies(statistics, edges, features).T]
    of_edges = statistics.anatomy_weights.copy()
    of_edges[:, -1] -= [scale.median for scale in scales]
    widths = np.array([[scale.high - scale.median] for scale in scales], np.float32)
    of_features = None if statistics.embedding_weights is None else statistics.embedding_weights / widths
    evened = replace(statistics, anatomy_weights=of_edges / widths, embedding_weights=of_features)
    return GateStatistics.from_document(evened.to_document())


def _anatomies(statistics: GateStatistics, edges: FloatArray, features: FloatArray) -> FloatArray:
    """What each classifier says of films, from their edges and the roots of their features; shape (N, c)."""
    of_edges, of_features = statistics.anatomy_weights, statistics.embedding_weights
    said = edges @ of_edges[:, :-1].T + of_edges[:, -1]
    return said if of_features is None else said + features @ of_features.T


def _limit_strangeness(
    statistics: GateStatistics, engine: Engine, held_out: Sequence[FloatImage], plain: Sequence[FloatImage]
) -> GateStatistics:
    """Limit what the whole gate finds strange; no population and no version of the films fares worse than another."""
    seen = [_measure(statistics, engine, version) for version in held_out]
    rng = np.random.default_rng(_SEED)
    moved = [_moved(films, rng) for films in plain]
    moved_distances = [_measure(statistics, engine, films)[0] for films in moved]
    limits = replace(
        statistics.limits,
        misfit=max(_high([each.misfit for each in films], _MISFITS) for films in moved_distances),
        misfit_with_edges=max(_high([each.misfit_with_edges for each in films], _MISFITS) for films in moved_distances),
        strangeness=max(_high([each.strangeness for each in distances], _STRANGERS) for distances, _ in seen),
        outer_heat_lead=max(0.0, *(_high(heat, _HOT_EDGES) for _, heat in seen)),
    )
    return replace(statistics, limits=limits)


def _moved(films: FloatImage, rng: np.random.Generator) -> FloatImage:
    copies = [augment(film[..., 0], rng, MOVED) for film in films for _ in range(_N_MOVED)]
    return np.stack(copies)[..., np.newaxis]


def _measure(statistics: GateStatistics, engine: Engine, films: FloatImage) -> tuple[list[Distances], list[float]]:
    """Distances and lead of the outermost heat of films, as the gate computes them."""
    looks = [statistics.look_at(film[..., 0]) for film in films]
    upright = [
        film if look.upright is None else look.upright[..., np.newaxis] for film, look in zip(films, looks, strict=True)
    ]
    said = _predict(engine, np.stack(upright), range(len(upright)))
    distances = [statistics.look_deeper(look, each) for look, each in zip(looks, said.embeddings, strict=True)]
    return distances, [evidence.outer_heat_lead(heat_map) for heat_map in said.heat_maps]


def _fit_anatomy(
    engine: Engine,
    loaded: LoadedFilms,
    rows: Sequence[int],
    every_nth: int = _EVERY_NTH,
    every_nth_chest: int = _EVERY_NTH_CHEST,
) -> tuple[FloatArray, FloatArray]:
    """Tell chest films, however framed and exposed, from each family of pictures that show none from the front.

    Least squares with both sides counting the same: the regularised linear discriminant (Friedman 1989).

    Returns
    -------
    Weights of edges, with the bias, and of features: a row for each family.
    """
    rng = np.random.default_rng(_SEED)
    films = [loaded.pixels[row, ..., 0] for row in rows]
    chests = [*films[::every_nth_chest], *(augment(film, rng, MOVED) for film in films[1::every_nth_chest])]
    measured = _measured(engine, loaded, chests)
    families = _families_of_counterexamples(films[::every_nth], rng)
    rows_of_weights = [_discriminant(measured, _measured(engine, loaded, family)) for family in families]
    weights = np.stack(rows_of_weights).astype(np.float32)
    return np.delete(weights, np.s_[N_EDGES:-1], axis=1), weights[:, N_EDGES:-1]


def _families_of_counterexamples(films: Sequence[FloatImage], rng: np.random.Generator) -> Iterator[list[FloatImage]]:
    """Spoilt films, drawn bones, drawn surfaces, chests from the side: each is told from chest films by itself."""
    spoilt = [make(film, rng) for make in (shuffled, shuffled, swirled, part, part) for film in films]
    yield [*spoilt, *(evidence.turned(film, turn) for turn in (1, 2, 3) for film in films[::2])]
    yield [draw(rng) for draw in (solids, limb) for _ in films]
    yield [draw(rng) for draw in (shapes, texture, waves, leaves) for _ in films]
    yield [*(side_view(rng) for _ in films), *(folded(film, rng) for film in films)]


def _discriminant(chests: FloatArray, others: FloatArray) -> FloatArray:
    """Weights of a linear discriminant, -1 for chests and 1 for others; the last is the bias."""
    middle = (chests.mean(axis=0) + others.mean(axis=0)) / 2
    spread = np.mean([(side - middle).T @ (side - middle) / len(side) for side in (chests, others)], axis=0)
    apart = (others.mean(axis=0) - chests.mean(axis=0)) / 2
    weights = np.linalg.solve(spread + _REGULARISATION * np.eye(len(middle)), apart)
    return np.append(weights, -middle @ weights)


def _measured(engine: Engine, loaded: LoadedFilms, films: Sequence[FloatImage]) -> FloatArray:
    """Edges and roots of features, side by side, of pictures of any size; shape (N, N_EDGES + C)."""
    side = loaded.pixels.shape[1]
    pixels = np.stack([resize(np.ascontiguousarray(film, dtype=np.float32), side, side) for film in films])
    edges = np.stack([evidence.edge_layout(_small(film)) for film in pixels])
    features = root(_predict(engine, pixels[..., np.newaxis], range(len(films))).embeddings)
    return np.concatenate([edges, features], axis=1)


def _fit_template(greys: FloatImage) -> FloatImage:
    """Find the picture that films resemble more than any of their other orientations does."""
    gains = [
        grey - (-1 if turn & NEGATIVE else 1) * evidence.turned(grey, turn % NEGATIVE)
        for grey in greys
        for turn in range(1, N_TURNS)
    ]
    signed = np.stack(gains).reshape(len(gains), -1)
    classifier = LogisticRegression(C=_INVERSE_REGULARISATION, fit_intercept=False, max_iter=1000)
    classifier.fit(np.concatenate([signed, -signed]), np.repeat([True, False], len(signed)))
    return np.asarray(classifier.coef_, dtype=np.float32).reshape(GREY_PX, GREY_PX)


def _small(film: FloatImage) -> FloatImage:
    return resize(np.ascontiguousarray(film), SMALL_PX, SMALL_PX)


def _predict(engine: Engine, pixels: FloatImage, rows: Sequence[int]) -> Predictions:
    batches = [engine.predict(pixels[list(rows[i : i + _BATCH])]) for i in range(0, len(rows), _BATCH)]
    return Predictions(
        *(np.concatenate([getattr(said, field.name) for said in batches]) for field in fields(Predictions))
    )


def _principal_components(rows: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Mean and the first directions of largest variance, orthonormal."""
    mean = rows.mean(axis=0)
    return mean, np.linalg.svd(rows - mean, full_matrices=False)[2][:n]


def _high(values: Sequence[float] | FloatArray, share: float) -> float:
    """Value that the given share of the films exceeds."""
    return float(np.quantile(values, 1.0 - share))


def _scale(values: Sequence[float]) -> Scale:
    median, high = float(np.median(values)), _high(values, 0.005)
    return Scale(median, max(high, median + 1e-6))
