"""Fit what finds the lungs.

    python -m cxrscan.training.lungs.fit DATA... -o scanner/models/lungs.npz

DATA are those of `cxrscan train`: one data set called `children`, and one called `adults` whose table has views.
Outlines are carried from the mean films to each film (``atlas``); films where that fits badly are left out. A network
of two small layers then learns them from films that are shifted, turned, scaled, mirrored and of other brightness, so
that it says what many outlines agree on. Films held out are not learned from; the overlap (Dice) is measured on them.
Takes about four minutes on two cores.
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import keras
import numpy as np

from cxrscan.scanner.lungs import SMALL_PX, LungModel, look_of
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, load_bundle
from cxrscan.scanner.preprocess import resize
from cxrscan.scanner.records import FloatImage
from cxrscan.training.dataset import find_all_films, load_films, parse_data_set
from cxrscan.training.films import LoadedFilms
from cxrscan.training.lungs.atlas import OUTLINES, SIDE_PX, Atlas
from cxrscan.training.splits import split_by_patient

_MIN_FIT = 0.87
_N_IN_MEAN = 600
_N_CHANGED = 3  # versions of each film beside itself
_N_SHAPES, _N_HIDDEN = 32, 128
_N_EPOCHS, _BATCH, _RATE = 25, 256, 2e-3


def kind_of(loaded: LoadedFilms, i: int) -> str:
    """The atlas of a film."""
    film = loaded.films[i]
    return film.population if film.population in OUTLINES else f"{film.population}, {film.view}"


def outline_films(loaded: LoadedFilms) -> dict[int, FloatImage]:
    """Outlines of all films where they fit: index of a film -> masks, shape (SIDE_PX, SIDE_PX, 2)."""
    by_kind: dict[str, list[int]] = {}
    for i in range(len(loaded.films)):
        by_kind.setdefault(kind_of(loaded, i), []).append(i)
    found: dict[int, FloatImage] = {}
    for kind in OUTLINES.keys() & by_kind.keys():
        atlas = Atlas.of([_picture(loaded, i) for i in by_kind[kind][:_N_IN_MEAN]], kind)
        carried = ((i, atlas.carry(_picture(loaded, i))) for i in by_kind[kind])
        found |= {i: masks for i, (masks, fit) in carried if fit >= _MIN_FIT}
    return found


def changed(film: FloatImage, masks: FloatImage, rng: np.random.Generator) -> tuple[FloatImage, FloatImage]:
    """Shift, turn, scale, mirror and brighten a film of SIDE_PX together with its masks."""
    scale, stretch = np.exp(rng.normal(0.0, (0.13, 0.07)))
    angle, middle = rng.normal(0.0, 0.05), SIDE_PX / 2
    turn = scale * np.array([[stretch * np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle) / stretch]])
    offset = middle + rng.normal(0.0, 9.0, 2) - turn @ (middle, middle)
    affine = np.column_stack([turn, offset]).astype(np.float32)
    border = cv2.BORDER_CONSTANT if rng.random() < 0.6 else cv2.BORDER_REPLICATE
    film = np.asarray(cv2.warpAffine(film, affine, (SIDE_PX, SIDE_PX), borderMode=border), dtype=np.float32)
    masks = np.asarray(cv2.warpAffine(masks, affine, (SIDE_PX, SIDE_PX)), dtype=np.float32)
    if rng.random() < 0.5:
        film, masks = np.ascontiguousarray(film[:, ::-1]), np.ascontiguousarray(masks[:, ::-1, ::-1])
    if rng.random() < 0.4:
        film = np.clip(film, 0.0, 1.0) ** np.float32(np.exp(rng.normal(0.0, 0.3)))
    return film, masks


def fit(films: list[FloatImage], outlines: list[FloatImage]) -> LungModel:
    """Fit the model to films and masks of SIDE_PX."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    pairs = [
        pair
        for film, masks in zip(films, outlines, strict=True)
        for pair in ((film, masks), *(changed(film, masks, rng) for _ in range(_N_CHANGED)))
    ]
    looks = np.stack([look_of(film) for film, _ in pairs])
    shapes = np.stack([cv2.resize(masks, (SMALL_PX,) * 2, interpolation=cv2.INTER_AREA).ravel() for _, masks in pairs])
    mean = shapes.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(shapes - mean, rowvar=False))
    basis = vectors[:, ::-1][:, :_N_SHAPES].T.astype(np.float32)
    wanted = (shapes - mean) @ basis.T
    spread = float(wanted.std())
    network = keras.Sequential(
        [
            keras.Input((SMALL_PX**2,)),
            keras.layers.GaussianNoise(0.1),
            keras.layers.Dense(_N_HIDDEN, activation="relu"),
            keras.layers.Dense(_N_HIDDEN, activation="relu"),
            keras.layers.Dense(_N_SHAPES),
        ]
    )
    rate = keras.optimizers.schedules.CosineDecay(_RATE, _N_EPOCHS * -(-len(looks) // _BATCH), alpha=0.005)
    network.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), "mse")
    network.fit(looks, wanted / spread, epochs=_N_EPOCHS, batch_size=_BATCH, verbose=0)
    values = [np.asarray(value, dtype=np.float32) for value in network.get_weights()]
    weights, biases = [*values[:4:2], values[4] * spread], [*values[1:4:2], values[5] * spread]
    return LungModel(tuple(weights), tuple(biases), basis, mean)  # type: ignore[arg-type]


def overlap(found: FloatImage, outlined: FloatImage) -> float:
    """Dice coefficient of two pairs of masks."""
    one, other = found > 0.5, outlined > 0.5
    return float(2 * (one & other).sum() / max(1, one.sum() + other.sum()))


def _picture(loaded: LoadedFilms, i: int) -> FloatImage:
    picture: FloatImage = loaded.pixels[loaded.rows[i][0], ..., 0]
    return picture


@click.command()
@click.argument("data", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write.")
def main(data: tuple[str, ...], output: Path) -> None:
    """Fit what finds the lungs, and say how well it does."""
    cv2.setNumThreads(1)
    loaded = load_films(find_all_films([parse_data_set(name) for name in data]), load_bundle(DEFAULT_BUNDLE))
    train, validation = split_by_patient(loaded, 0.16, 0)
    outlines = outline_films(loaded)
    chosen = [i for i in train.tolist() if i in outlines]
    small = [resize(_picture(loaded, i), SIDE_PX, SIDE_PX) for i in chosen]
    model = fit(small, [outlines[i] for i in chosen])
    model.save(output)
    model = LungModel.load(output)
    click.echo(f"Learned from {len(chosen):,} films")
    for kind in OUTLINES:
        held_out = [i for i in validation.tolist() if i in outlines and kind_of(loaded, i) == kind]
        if held_out:
            dice = [
                overlap(
                    model.masks(_picture(loaded, i)),
                    cv2.resize(outlines[i], (SMALL_PX,) * 2, interpolation=cv2.INTER_AREA),  # type: ignore[arg-type]
                )
                for i in held_out
            ]
            low, middle = np.quantile(dice, [0.05, 0.5])
            click.echo(f"{kind}: {len(held_out)} films held out, overlap {middle:.3f} in the median, {low:.3f} at 5 %")


if __name__ == "__main__":
    main()
