"""Give a film the tones and the sharpness of another, without what the other shows.

A network can tell hospitals, devices and exports apart by such things, and then needs no lungs (Geirhos et al. 2020,
"Shortcut learning in deep neural networks").
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import cv2
import numpy as np

from cxrscan.scanner.records import FloatImage
from cxrscan.training.films import FilmFile, LoadedFilms
from cxrscan.training.splits import IndexArray

_N_BANDS = 5
_QUANTILES = np.linspace(0.0, 1.0, 33)
_EVERY_NTH_PX = 4  # quantiles need no more
_LEAST_ENERGY = 1e-4
_MOST_GAIN = 4.0
_LEAST_STRENGTH = 0.4


@dataclass(frozen=True, slots=True)
class Style:
    """Tones and sharpness of a film."""

    energies: FloatImage
    """float32 array, shape (5,): standard deviation in bands of frequency an octave wide, the finest first."""
    tones: FloatImage
    """float32 array, shape (33,): quantiles of the film's values, from the smallest to the largest."""


def style_of(film: FloatImage) -> Style:
    """Measure a film.

    Parameters
    ----------
    film
        float32 array, shape (H, W), values in [0, 1].
    """
    bands, _ = _split(film)
    return Style(np.array([band.std() for band in bands], dtype=np.float32), _tones(film))


def restyle(film: FloatImage, style: Style, rng: np.random.Generator) -> FloatImage:
    """Draw the style of a film towards another, by a strength of at least 0.4 for bands and for tones.

    Parameters
    ----------
    film
        float32 array, shape (H, W), values in [0, 1].

    Returns
    -------
    float32 array of the same shape, values in [0, 1].
    """
    of_bands, of_tones = rng.uniform(_LEAST_STRENGTH, 1.0, 2)
    bands, film = _split(film)
    for band, wanted in zip(reversed(bands), style.energies[::-1], strict=True):
        gain = (wanted / max(float(band.std()), _LEAST_ENERGY)) ** of_bands
        film = _enlarge(film, band) + band * np.float32(np.clip(gain, 1 / _MOST_GAIN, _MOST_GAIN))
    steps = _tones(film) + np.arange(_QUANTILES.size) * 1e-6  # rising, also where a film is flat
    toned = np.interp(film, steps, style.tones)
    return np.asarray(np.clip(film + of_tones * (toned - film), 0.0, 1.0), dtype=np.float32)


class Styles:
    """Styles of the training films, by group: population and class."""

    def __init__(self, loaded: LoadedFilms, train: IndexArray) -> None:
        self._loaded = loaded
        self._groups: dict[tuple[str, bool], list[int]] = defaultdict(list)
        for i in train:
            self._groups[_group(loaded.films[i])].append(int(i))

    def of_another_group(self, i: int, rng: np.random.Generator) -> Style:
        """Style of a film that is drawn from one of the groups to which a film does not belong."""
        groups = [group for name, group in self._groups.items() if name != _group(self._loaded.films[i])]
        other = int(rng.choice(groups[rng.integers(len(groups))]))
        return style_of(self._loaded.pixels[self._loaded.rows[other][0], ..., 0])


def _group(film: FilmFile) -> tuple[str, bool]:
    return film.population, film.is_positive


def _split(film: FloatImage) -> tuple[list[FloatImage], FloatImage]:
    """Laplacian pyramid (Burt and Adelson 1983): bands, the finest first, and the rest."""
    bands = []
    for _ in range(_N_BANDS):
        small = np.asarray(cv2.pyrDown(film), dtype=np.float32)
        bands.append(film - _enlarge(small, film))
        film = small
    return bands, film


def _enlarge(small: FloatImage, like: FloatImage) -> FloatImage:
    return np.asarray(cv2.pyrUp(small, dstsize=like.shape[::-1]), dtype=np.float32)


def _tones(film: FloatImage) -> FloatImage:
    return np.quantile(film[::_EVERY_NTH_PX, ::_EVERY_NTH_PX], _QUANTILES).astype(np.float32)
