"""Fit the statistical models that ``cxrscan demo`` draws its synthetic films from: children's, and adults'.

    python -m cxrscan.training.demo_films.fit CHILDREN -o scanner/models/demo_films.npz
    python -m cxrscan.training.demo_films.fit ADULTS --view PA --coarseness 1.5 -o scanner/models/demo_films_adults.npz

Each is a folder or a table, as `cxrscan train` takes them. Of a table only films to train on are taken whose label has
full weight, and of those without pneumonia only the normal ones. Films of 300 pixels and more keep the ribs sharp.
Takes about five minutes on one core and 3 GB of memory.

The model is an active appearance model (Cootes, Edwards and Taylor, IEEE PAMI 23:681, 2001): every film is first
warped onto an average anatomy, so that averages keep the edges of ribs, heart and diaphragm; the warps and the
warped films are then described by means and principal components. Grey values are split into a smooth layer, the
local contrast, and fine detail of unit contrast, because a crisp film differs from a soft one by a factor. What the
components of the detail leave over is described as texture: its amplitude over the anatomy and its spectrum.

Only averages, principal components and spectra leave this script. It ends by measuring that no drawn film is nearer
to a training film than films of different patients are to each other.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np
import numpy.typing as npt

from cxrscan.scanner.preprocess import resize
from cxrscan.scanner.readers import ReadOptions, read_film
from cxrscan.scanner.records import FloatImage
from cxrscan.scanner.synthetic_films import (
    CANVAS_PX,
    CLASSES,
    CONTRAST_SIGMA_PX,
    FRAME_PX,
    LAYERS,
    FilmModel,
    draw_film,
    filter_frequencies,
    frequency_bins,
    local_contrast,
    pixel_grid,
)
from cxrscan.training.dataset import find_all_films, parse_data_set
from cxrscan.training.demo_films.align import FRAME, Alignment, align_films, blur, sample
from cxrscan.training.films import FilmFile
from cxrscan.training.table import VALIDATION

MAX_BYTES = 1_000_000
CLASS_INDICES = tuple(range(len(CLASSES)))

_N_COMPONENTS = {"warp": 40, "aspect": 1, "smooth": 60, "contrast": 20, "detail": 50}
_STEPS = {"warp": 0.05, "aspect": 0.001, "smooth": 0.003, "contrast": 0.02, "detail": 0.03}
_SMOOTH_SIGMA_PX = 5.0
_NOISE_FLOOR = 4e-5  # mean square; keeps empty background from being blown up to unit contrast
# Fraction of the films' standard deviation that is drawn, where the whole of it does not look like a film: extreme
# warps stretch, details of several films add up to a blur, and texture stands for edges that sharpening gives back.
_SPREAD = {"warp": 0.8, "aspect": 1.0, "smooth": 1.0, "contrast": 1.0, "detail": 0.7}
_TEXTURE_SPREAD = 0.35
_MOST_GAIN = 2.0
_SHRINKAGE = 0.2  # of correlations between coefficients, of which there are half as many as films
_LEAST_VARIANCE = 1e-3  # of a coefficient
_N_COMPARED = 60


@dataclass(frozen=True, slots=True)
class TrainingFilms:
    """The films that the model is fitted to."""

    pixels: FloatImage
    """float32 array, shape (N, *FRAME_PX), values in [0, 1]; squashed to one shape."""
    labels: npt.NDArray[np.intp]
    """Indices into CLASSES."""
    log_aspect: FloatImage
    """Logarithm of width over height; shape (N,)."""
    patients: npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of N aligned films."""

    values: FloatImage
    """float32 array, shape (N, ...)."""
    known: npt.NDArray[np.bool_]
    """Which values count as measured; same shape."""


@click.command()
@click.argument("data")
@click.option("--view", default="", help="Take only films of this view, of a table.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
@click.option("--coarseness", default=1.0, show_default=True, help="Coarser steps of the values make a smaller file.")
@click.option("--films", "n_per_class", default=400, show_default=True, help="Films per class.")
def main(data: str, view: str, output: Path, n_per_class: int, coarseness: float) -> None:
    """Fit the model of the demo films to the films in DATA."""
    cv2.setNumThreads(1)
    films = read_films(data, n_per_class, view)
    fit(films).save(output, {layer: coarseness * step for layer, step in _STEPS.items()})
    n_bytes = output.stat().st_size
    click.echo(f"{output}: {n_bytes} bytes from {len(films.labels)} films of {len(set(films.patients))} patients")
    if n_bytes > MAX_BYTES:
        raise click.ClickException(f"The file must stay below {MAX_BYTES} bytes; raise the steps.")
    for aspect, (drawn, real) in nearest_neighbours(FilmModel.load(output), films).items():
        click.echo(
            f"Correlation of {aspect} with the nearest training film of another patient, median and largest: "
            f"drawn films {np.median(drawn):.3f} {drawn.max():.3f}, "
            f"training films {np.median(real):.3f} {real.max():.3f}"
        )
        if drawn.max() > real.max():
            raise click.ClickException("A drawn film is too near to a training film; use fewer components.")


def read_films(data: str, n_per_class: int, view: str = "") -> TrainingFilms:
    """Read up to ``n_per_class`` films of each class, chosen at random but the same each time.

    Parameters
    ----------
    data
        A folder or a table, as ``cxrscan.training.dataset`` reads them.
    view
        Only films of this view; empty for all.

    Raises
    ------
    TrainingError
        ``data-unusable``: a class folder is missing or empty, or the table cannot be used.
    FilmError
        A film cannot be read.
    """
    found = [film for film in find_all_films([parse_data_set(data)]) if _is_wanted(film, view)]
    pixels, labels, log_aspect, patients = [], [], [], []
    for label, of_class in enumerate(([f for f in found if not f.is_positive], [f for f in found if f.is_positive])):
        for film in random.Random(0).sample(of_class, min(n_per_class, len(of_class))):
            (radiograph,) = read_film(film.paths[0].read_bytes(), ReadOptions(min_side_px=2 * FRAME_PX[1]))
            pixels.append(resize(radiograph.pixels, FRAME_PX[1], FRAME_PX[0]))
            labels.append(label)
            log_aspect.append(np.log(radiograph.width_px / radiograph.height_px))
            patients.append(film.patient or film.stem)
    return TrainingFilms(np.stack(pixels), np.array(labels), np.array(log_aspect, np.float32), np.array(patients))


def _is_wanted(film: FilmFile, view: str) -> bool:
    """Whether a film is one to train on, surely with pneumonia or normal, and of the view that is asked for."""
    is_typical = film.weight >= 1 and (film.is_positive or film.finding in {"", "normal"})
    return is_typical and film.split != VALIDATION and view in {"", film.view}


def fit(films: TrainingFilms) -> FilmModel:
    """Align the films, split them into layers, and describe each layer by means and principal components."""
    layers, labels = split_layers(films, align_films(films.pixels)), films.labels
    means, components, scores = {}, {}, {}
    for name in LAYERS:
        means[name], components[name], scores[name] = describe(layers[name], labels, _N_COMPONENTS[name])
    detail = layers["detail"].values
    rest = detail - means["detail"][labels]
    rest -= np.tensordot(scores["detail"], components["detail"], axes=1)
    amplitude, spectrum = zip(*(_describe_texture(rest[labels == label]) for label in CLASS_INDICES), strict=True)
    components = {name: _SPREAD[name] * parts for name, parts in components.items()}
    means["detail"], components["detail"] = sharpen(means["detail"], components["detail"], detail)
    coefficients = np.concatenate(list(scores.values()), axis=1)
    factors = np.stack([_covariance_factor(coefficients[labels == label]) for label in CLASS_INDICES])
    texture = np.asarray(_TEXTURE_SPREAD * np.stack(amplitude), dtype=np.float32)
    return FilmModel(means, components, factors, texture, np.stack(spectrum))


def split_layers(films: TrainingFilms, alignments: list[Alignment]) -> dict[str, Layer]:
    """Split the aligned films into the layers of the model.

    The contrast near a film's border counts only what lies inside (normalised convolution; Knutsson and Westin,
    CVPR 1993); the smooth layer continues the film beyond its border.
    """
    rows: dict[str, list[FloatImage]] = {name: [] for name in ("warp", "smooth", "contrast", "detail", "near", "far")}
    for film, alignment in zip(films.pixels, alignments, strict=True):
        places = alignment.places()
        inside = (sample(FRAME, places) > 0.99).astype(np.float32)
        near, far = blur(inside, _SMOOTH_SIGMA_PX), blur(inside, CONTRAST_SIGMA_PX)
        aligned = sample(film, places, cv2.BORDER_REPLICATE)
        smooth = blur(aligned, _SMOOTH_SIGMA_PX)
        detail = (aligned - smooth) * inside
        mean_square = local_contrast(detail, 0.0) ** 2 / np.maximum(far, 0.02)
        contrast = np.asarray(np.sqrt(mean_square + _NOISE_FLOOR), dtype=np.float32)
        rows["warp"].append(_shrink(alignment.inverse_places() - pixel_grid(*FRAME_PX), 8))
        rows["smooth"].append(_shrink(smooth, 4))
        rows["contrast"].append(_shrink(np.log(contrast), 8))
        rows["detail"].append(detail / contrast)
        rows["near"].append(_shrink(near, 4))
        rows["far"].append(_shrink(far, 8))
    stacks = {name: np.stack(values) for name, values in rows.items()}
    stacks["aspect"] = films.log_aspect[:, np.newaxis, np.newaxis]
    weights = {"smooth": stacks["near"], "contrast": stacks["far"]}
    return {name: Layer(stacks[name], _known(weights.get(name, np.ones_like(stacks[name])))) for name in LAYERS}


def describe(
    layer: Layer, labels: npt.NDArray[np.intp], n_components: int, *, n_rounds: int = 6
) -> tuple[FloatImage, FloatImage, FloatImage]:
    """Means and principal components of a layer, with unknown values filled in from them, round by round.

    Returns
    -------
    Class means, shape (2, ...); components over both classes, shape (k, ...), scaled so that coefficients have unit
    variance; coefficients, shape (N, k).
    """
    n_films, shape = len(labels), layer.values.shape[1:]
    values, known = layer.values.reshape(n_films, -1), layer.known.reshape(n_films, -1)
    sums = np.stack([np.where(known, values, 0)[labels == c].sum(axis=0) for c in CLASS_INDICES])
    means = sums / np.maximum(np.stack([known[labels == c].sum(axis=0) for c in CLASS_INDICES]), 1)
    filled = np.where(known, values, means[labels])
    for _ in range(1 if known.all() else n_rounds):
        means = np.stack([filled[labels == c].mean(axis=0) for c in CLASS_INDICES])
        rest = filled - means[labels]
        vectors = np.linalg.eigh(rest @ rest.T)[1][:, : -n_components - 1 : -1]
        components = vectors.T @ rest / np.sqrt(n_films)
        scores = vectors * np.sqrt(n_films)
        filled = np.where(known, values, means[labels] + scores @ components)
    return means.reshape(-1, *shape), components.reshape(-1, *shape), scores


def sharpen(means: FloatImage, components: FloatImage, films: FloatImage) -> tuple[FloatImage, FloatImage]:
    """Give the detail's means and components the spectrum that single films have, and halve the components' size.

    Averages are softer than films, because no alignment is perfect; but part of what they lack is texture, so
    that the gain is the square root of the one that would make the spectra equal.
    """
    power = _power(means).mean(axis=0) + _power(components).sum(axis=0)
    of_films = _power(films[:: len(films) // 100 + 1]).mean(axis=0)
    gain = np.clip((of_films / power) ** 0.25, 1.0, _MOST_GAIN)
    means = np.stack([filter_frequencies(mean, gain) for mean in means])
    return means, np.stack([_shrink(filter_frequencies(part, gain), 2) for part in components])


def nearest_neighbours(
    model: FilmModel, films: TrainingFilms
) -> dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """How near drawn films, and training films, are to the nearest training film of another patient.

    Returns
    -------
    View -> correlations of drawn films and of training films. Views are the whole film and its fine detail.
    """
    rng = np.random.default_rng(1)
    labels = np.arange(_N_COMPARED) % len(CLASSES)
    drawn = [resize(draw_film(model, int(label), rng, FRAME_PX[1]), FRAME_PX[1], FRAME_PX[0]) for label in labels]
    found = {}
    for name, smooth_share in (("whole films", 0.0), ("fine detail", 1.0)):
        of_drawn, of_films = (
            _standardised([film - smooth_share * blur(film, _SMOOTH_SIGMA_PX) for film in group])
            for group in (drawn, films.pixels)
        )
        among_films = of_films @ of_films.T
        among_films[films.patients[:, np.newaxis] == films.patients] = -1.0
        found[name] = ((of_drawn @ of_films.T).max(axis=1), among_films.max(axis=1))
    return found


def _covariance_factor(scores: FloatImage) -> FloatImage:
    """Cholesky factor of the coefficients' covariance, its correlations shrunk towards none.

    A layer in which no film differs from another, as the aspect of square films, gives one film a coefficient and all
    others none; the floor lets a class without that film pass.
    """
    covariance = np.cov(scores.T)
    own = np.diag(np.maximum(np.diag(covariance), _LEAST_VARIANCE))
    shrunk = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * own
    return np.asarray(np.linalg.cholesky(shrunk), dtype=np.float32)


def _describe_texture(rest: FloatImage) -> tuple[FloatImage, FloatImage]:
    """Amplitude over the canvas, coarse, and relative amplitude per frequency bin, of what components leave over."""
    amplitude = np.sqrt((rest * rest).mean(axis=0))
    spectrum = np.sqrt(_power(rest[::4] / (amplitude + 0.1)).mean(axis=0))
    return _shrink(amplitude, 8), spectrum / spectrum.max()


def _known(weight: FloatImage) -> npt.NDArray[np.bool_]:
    """Values inside the film, and everybody's guess where hardly any film reaches."""
    inside = weight > 0.3
    return np.asarray(inside | (inside.mean(axis=0) < 0.02))


def _power(pictures: FloatImage) -> FloatImage:
    """Mean power per frequency bin; shape (N, bins)."""
    bins = frequency_bins().ravel()
    window = np.outer(np.hanning(CANVAS_PX[0]), np.hanning(CANVAS_PX[1]))
    sums = [np.bincount(bins, (np.abs(np.fft.rfft2(picture * window)) ** 2).ravel()) for picture in pictures]
    return np.asarray(np.stack(sums) / np.bincount(bins), dtype=np.float32)


def _shrink(picture: FloatImage, factor: int) -> FloatImage:
    height, width = picture.shape[:2]
    size = (width // factor, height // factor)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _standardised(pictures: list[FloatImage]) -> FloatImage:
    """Pictures as rows of zero mean and unit length, so that products are correlations."""
    rows = np.stack([picture.ravel() for picture in pictures])
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


if __name__ == "__main__":
    main()
