"""Fit what the gate remembers of the training films, and set its limits on the validation films.

``cxrscan train`` ends with this. To fit an existing bundle again:

    python -m training.gate_statistics BUNDLE DATA… --also OTHER_VERSIONS

The films are split as the bundle's training run split them: by its ``splits.csv`` where ``--splits`` names it, else by
the seed and the share that ``model.json`` keeps.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression

from scanner.engines.base import Engine
from scanner.engines.litert import LiteRTEngine
from scanner.errors import BundleError, TrainingError
from scanner.gate import evidence
from scanner.gate.evidence import GREY_PX, MIRRORED, N_TURNS, NEGATIVE, SMALL_PX, FloatArray
from scanner.gate.statistics import Distances, GateStatistics, Limits, Scale, Scales, root
from scanner.model_bundle import SPEC_NAME, check_document, spec_from_document
from scanner.preprocess import resize
from scanner.records import FloatImage, Predictions
from scanner.system.whole_files import followed, write_whole
from training.augment import augment
from training.config import AugmentConfig
from training.dataset import find_all_films, load_films, parse_data_set
from training.films import LoadedFilms
from training.splits import IndexArray, split_by_patient

MOVED = AugmentConfig(
    rotation_deg=5.0, zoom=0.2, shift=0.08, flip=False, brightness=0.1, contrast=0.3, gamma=0.4, noise=0.02, border=0.2
)
"""Still chest films, by the gate's lights: framing and exposure vary more than in any training."""

_SEED = 1913
_BATCH = 32
_N_FEATURE_COMPONENTS, _N_EDGE_COMPONENTS = 32, 16
_EVERY_NTH = 8  # training film that is made into one picture of each kind
_N_TEXTURES = 400
_INVERSE_REGULARISATION = 0.1
_UNSCALED = Scale(0.0, 1.0)
_EVERY_NTH_FEATURE = 2  # version of a training film that the network looks at
# Shares of the validation films that each limit may cost. Misfits are counted among MOVED copies, which are to be
# scored with a warning, not rejected.
_MISFITS, _MISFITS_WITH_EDGES, _STRANGERS, _MIRRORED, _HOT_EDGES, _FAULTY = 0.005, 0.02, 0.025, 0.004, 0.003, 0.002
_SLACK = 1.1  # beyond the quantile, for limits so rare that a few validation films decide on them


def add_gate(bundle: Path, loaded: LoadedFilms, train: IndexArray, validation: IndexArray) -> None:
    """Fit the gate of a bundle and write it into its ``model.json``; the same films give the same numbers.

    Parameters
    ----------
    train, validation
        Indices of the films; all their versions are used.
    """
    document = _without_gate(bundle)
    engine = LiteRTEngine(spec_from_document(document, bundle), n_threads=2)
    statistics = fit_gate(engine, loaded, train, validation)
    document["gate"] = statistics.to_document()
    check_document(document, where=SPEC_NAME)
    write_whole(followed(bundle) / SPEC_NAME, (json.dumps(document, indent=2) + "\n").encode())


def _without_gate(bundle: Path) -> dict[str, Any]:
    """Read a ``model.json`` whose gate may be of another version, or damaged."""
    try:
        document = json.loads((bundle / SPEC_NAME).read_text(encoding="utf-8"))
        document["gate"] = None
    except (OSError, ValueError, TypeError) as error:
        raise BundleError("bundle-invalid", f"{bundle / SPEC_NAME} cannot be read: {error}.") from error
    check_document(document, where=str(bundle / SPEC_NAME))
    return dict(document)


def fit_gate(engine: Engine, loaded: LoadedFilms, train: IndexArray, validation: IndexArray) -> GateStatistics:
    """Fit the gate of a network; see ``add_gate``."""
    rows = [row for i in train for row in loaded.rows[i]]
    smalls = [_small(loaded.pixels[row, ..., 0]) for row in rows]
    greys = np.stack([evidence.grey_layout(small) for small in smalls])
    edges = np.stack([evidence.edge_layout(small) for small in smalls])
    features = root(_predict(engine, loaded.pixels, rows[::_EVERY_NTH_FEATURE]).embeddings)
    feature_mean, feature_basis = _principal_components(features, _N_FEATURE_COMPONENTS)
    edge_mean, edge_basis = _principal_components(edges, _N_EDGE_COMPONENTS)
    fitted = GateStatistics(
        anatomy_weights=_fit_anatomy([loaded.pixels[row, ..., 0] for row in rows], smalls),
        grey_template=_fit_template(greys[::_EVERY_NTH]),
        grey_mean=greys.mean(axis=0),
        edge_mean=edge_mean,
        edge_basis=edge_basis,
        feature_mean=feature_mean,
        feature_basis=feature_basis,
        scales=Scales(**{field.name: _UNSCALED for field in fields(Scales)}),
        limits=Limits(**dict.fromkeys((field.name for field in fields(Limits)), 0.0)),
    )
    populations = [
        [i for i in validation if loaded.films[i].population == population] for population in loaded.populations
    ]
    plain = [loaded.pixels[[loaded.rows[i][0] for i in films]] for films in populations if films]
    others = [row for i in validation for row in loaded.rows[i][1:]]
    held_out = [*plain, loaded.pixels[others]] if others else plain
    rounded = GateStatistics.from_document(fitted.to_document())  # as the scanner will have it
    return _limit_strangeness(_scale_and_limit_faults(rounded, engine, held_out), engine, held_out, plain)


def _scale_and_limit_faults(
    statistics: GateStatistics, engine: Engine, held_out: Sequence[FloatImage]
) -> GateStatistics:
    """Scale the measures, and limit what is seen in a picture alone."""
    films = [film[..., 0] for version in held_out for film in version]
    smalls = [_small(film) for film in films]
    greys = [evidence.grey_layout(small) for small in smalls]
    edges = [evidence.edge_layout(small) for small in smalls]
    embeddings = [each for version in held_out for each in _predict(engine, version, range(len(version))).embeddings]
    leads = np.stack([statistics.turn_leads(grey) for grey in greys])
    others = [turn for turn in range(N_TURNS) if turn not in {0, MIRRORED}]
    scales = Scales(
        anatomy=_scale([statistics.anatomy(each) for each in edges]),
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


def _limit_strangeness(
    statistics: GateStatistics, engine: Engine, held_out: Sequence[FloatImage], plain: Sequence[FloatImage]
) -> GateStatistics:
    """Limit what the whole gate finds strange; no population and no version of the films fares worse than another."""
    seen = [_measure(statistics, engine, version) for version in held_out]
    rng = np.random.default_rng(_SEED)
    moved = [np.stack([augment(film[..., 0], rng, MOVED) for film in films])[..., np.newaxis] for films in plain]
    moved_distances = [_measure(statistics, engine, films)[0] for films in moved]
    limits = replace(
        statistics.limits,
        misfit=max(_high([each.misfit for each in films], _MISFITS) for films in moved_distances),
        misfit_with_edges=max(
            _high([each.misfit_with_edges for each in films], _MISFITS_WITH_EDGES) for films in moved_distances
        ),
        strangeness=max(_high([each.strangeness for each in distances], _STRANGERS) for distances, _ in seen),
        outer_heat_lead=max(0.0, *(_high(heat, _HOT_EDGES) for _, heat in seen)),
    )
    return replace(statistics, limits=limits)


def _measure(statistics: GateStatistics, engine: Engine, films: FloatImage) -> tuple[list[Distances], list[float]]:
    """Distances and lead of the outermost heat of films, as the gate computes them."""
    looks = [statistics.look_at(film[..., 0]) for film in films]
    upright = [
        film if look.upright is None else look.upright[..., np.newaxis] for film, look in zip(films, looks, strict=True)
    ]
    said = _predict(engine, np.stack(upright), range(len(upright)))
    distances = [statistics.look_deeper(look, each) for look, each in zip(looks, said.embeddings, strict=True)]
    return distances, [evidence.outer_heat_lead(heat_map) for heat_map in said.heat_maps]


def _fit_anatomy(films: Sequence[FloatImage], smalls: Sequence[FloatImage]) -> FloatArray:
    """Tell chest films, however framed and exposed, from pictures of the same make that show no chest."""
    rng = np.random.default_rng(_SEED)
    some = films[::_EVERY_NTH]
    chests = [*smalls, *(_small(augment(film, rng, MOVED)) for film in films)]
    spoilt = [_small(spoil(film, rng)) for spoil in (_shuffled, _shuffled, _swirled, _part, _part) for film in some]
    turns = [evidence.turned(small, turn) for turn in (1, 2, 3) for small in smalls[::_EVERY_NTH]]
    others = [*spoilt, *turns, *(_texture(rng) for _ in range(_N_TEXTURES))]
    layouts = np.stack([evidence.edge_layout(small) for small in (*chests, *others)])
    classifier = LogisticRegression(C=_INVERSE_REGULARISATION, class_weight="balanced", max_iter=1000)
    classifier.fit(layouts, np.arange(len(layouts)) >= len(chests))
    return np.append(classifier.coef_, classifier.intercept_).astype(np.float32)


def _fit_template(greys: FloatImage) -> FloatImage:
    """Find the picture that films resemble more than any of their other orientations does."""
    gains = [
        grey - (-1 if turn & NEGATIVE else 1) * evidence.turned(grey, turn % NEGATIVE)
        for grey in greys
        for turn in range(1, N_TURNS)
    ]
    signed = np.stack(gains).reshape(len(gains), -1)
    classifier = LogisticRegression(C=_INVERSE_REGULARISATION / 10, fit_intercept=False, max_iter=1000)
    classifier.fit(np.concatenate([signed, -signed]), np.repeat([True, False], len(signed)))
    return np.asarray(classifier.coef_, dtype=np.float32).reshape(GREY_PX, GREY_PX)


def _shuffled(film: FloatImage, rng: np.random.Generator) -> FloatImage:
    """Cut a film into 4 or 16 tiles and lay them out anew."""
    n = int(rng.choice([2, 4]))
    side = len(film) // n
    tiles = [
        np.rot90(film[i * side : (i + 1) * side, j * side : (j + 1) * side], int(rng.integers(4)))
        for i in range(n)
        for j in range(n)
    ]
    order = rng.permutation(n * n)
    return np.vstack([np.hstack([tiles[k] for k in row]) for row in order.reshape(n, n)])


def _swirled(film: FloatImage, rng: np.random.Generator) -> FloatImage:
    """Wind a film up around its centre."""
    side = len(film)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    radius = np.hypot(y, x)
    angle = np.arctan2(y, x) + rng.choice([-1, 1]) * rng.uniform(1.5, 4.0) * np.exp(-radius / 0.6)
    columns, rows = ((radius * part + 1) * (side - 1) / 2 for part in (np.cos(angle), np.sin(angle)))
    return np.asarray(
        cv2.remap(
            film, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
    )


def _part(film: FloatImage, rng: np.random.Generator) -> FloatImage:
    """A quarter to a half of a film's width and height, turned at random."""
    side = int(len(film) * rng.uniform(0.25, 0.5))
    top, left = rng.integers(0, len(film) - side, 2)
    return np.rot90(film[top : top + side, left : left + side], int(rng.integers(4)))


def _texture(rng: np.random.Generator) -> FloatImage:
    """Noise whose amplitude falls with frequency like that of some natural picture."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SMALL_PX), np.fft.fftfreq(SMALL_PX))) + 0.01
    waves = np.fft.fft2(rng.normal(size=(SMALL_PX, SMALL_PX))) / frequency ** rng.uniform(0.0, 2.0)
    noise = np.fft.ifft2(waves).real
    return np.asarray(np.clip(0.5 + 0.2 * noise / noise.std(), 0.0, 1.0), dtype=np.float32)


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


def read_split(path: Path, loaded: LoadedFilms) -> tuple[IndexArray, IndexArray]:
    """Indices of the training and of the validation films, from the ``splits.csv`` of a training run.

    Raises
    ------
    TrainingError
        ``data-unusable``: the file cannot be read, or leaves one side empty.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            split_of = {row["film"]: row["split"] for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError) as error:
        raise TrainingError("data-unusable", f"{path} cannot be read as splits.csv: {error}.") from error
    train, validation = (
        np.array([i for i, film in enumerate(loaded.films) if split_of.get(film.name) == split], dtype=np.intp)
        for split in ("train", "validation")
    )
    if not train.size or not validation.size:
        raise TrainingError("data-unusable", f"{path} names no film of the data as train, or none as validation.")
    return train, validation


def split_again(document: Mapping[str, Any], loaded: LoadedFilms) -> tuple[IndexArray, IndexArray]:
    """Split films as the training run behind a ``model.json`` did; indices of the training and the validation films.

    Raises
    ------
    TrainingError
        ``data-unusable``: the document does not say how, or the films are not those of the run.
    """
    account = document["training"]
    try:
        fraction, seed = float(account["config"]["validation_fraction"]), int(account["split_seed"])
        counts = account["n_train"], account["n_validation"]
    except (KeyError, TypeError, ValueError) as error:
        raise TrainingError("data-unusable", f"{SPEC_NAME} does not say how the films were split: {error}.") from error
    train, validation = split_by_patient(loaded, fraction, seed)
    if (len(train), len(validation)) != counts:
        raise TrainingError(
            "data-unusable",
            f"The films split into {len(train)} and {len(validation)}, those of the bundle into {counts[0]} and "
            f"{counts[1]}: these are other films.",
        )
    return train, validation


_folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("bundle", type=_folder)
@click.argument("data", nargs=-1, required=True, metavar="[NAME=]DATA...")
@click.option(
    "--splits",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="splits.csv of the training run; without it the films are split again, as model.json says.",
)
@click.option("--also", type=_folder, multiple=True, help="Other versions of the same films; may be repeated.")
def main(bundle: Path, data: tuple[str, ...], splits: Path | None, also: tuple[Path, ...]) -> None:
    """Fit the gate of BUNDLE on the films of DATA, as `cxrscan train` takes them, again."""
    cv2.setNumThreads(1)
    document = _without_gate(bundle)
    loaded = load_films(
        find_all_films([parse_data_set(text) for text in data], also), spec_from_document(document, bundle)
    )
    train, validation = read_split(splits, loaded) if splits else split_again(document, loaded)
    add_gate(bundle, loaded, train, validation)
    click.echo(f"Gate of {bundle} fitted on {len(train)} films, limits set on {len(validation)}.", err=True)


if __name__ == "__main__":
    main()
