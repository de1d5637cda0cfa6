"""Vary films while training, and make the shifted copy that operating points are chosen on.

OpenCV and NumPy on float32 films; the interpreter lock is free meanwhile, so that a background thread keeps up.
"""

from __future__ import annotations

import cv2
import numpy as np

from cxrscan.scanner.records import FloatImage
from cxrscan.training.config import AugmentConfig
from cxrscan.training.splits import IndexArray

SHIFT = AugmentConfig(
    rotation_deg=4.0,
    zoom=0.08,
    shift=0.04,
    flip=False,
    brightness=0.1,
    contrast=0.3,
    gamma=0.4,
    jpeg_quality_min=50,
    resample=0.3,
    blur_px=0.8,
    noise=0.02,
    border=0.2,
)
"""Another scanner, another export, another crop: what separates hospitals, without changing the patient."""

_KERNELS = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4)
_JPEG_QUALITY_MAX = 95
_HALF_PART = (0.15, 0.4)  # of height and width
_SOFT_EDGE = (0.005, 0.06)  # standard deviation, of the width
_MAX_SIDE = 0.2  # of the width: about where the arms lie


def augment(film: FloatImage, rng: np.random.Generator, config: AugmentConfig) -> FloatImage:
    """Vary one film at random; see ``augment_with_mask``."""
    return augment_with_mask(film, np.zeros_like(film), rng, config)[0]


def augment_with_mask(
    film: FloatImage, mask: FloatImage, rng: np.random.Generator, config: AugmentConfig
) -> tuple[FloatImage, FloatImage]:
    """Vary one film at random, and move what is known of its places along with it.

    Parameters
    ----------
    film
        float32 array, shape (H, W), values in [0, 1].
    mask
        float32 array of the same shape; 0 beyond the film's rim, unless it is the same everywhere.

    Returns
    -------
    film
        float32 array of the same shape, values in [0, 1]; a new array.
    mask
        float32 array of the same shape.
    """
    if rng.random() < config.plain:
        step = -1 if config.flip and rng.random() < 0.5 else 1
        return film[:, ::step].copy(), mask[:, ::step]
    affine = _random_affine(film.shape, rng, config)
    film = _move(film, affine, cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REPLICATE)
    if mask.min() < mask.max():
        mask = _move(mask, affine, cv2.BORDER_CONSTANT)
    film = _change_tone(film, rng, config)
    film = _cover(film, rng, config)
    film = _degrade(film, rng, config)
    return np.asarray(np.clip(film, 0.0, 1.0), dtype=np.float32), mask


def mix(films: FloatImage, rng: np.random.Generator, share: float) -> tuple[FloatImage, IndexArray, FloatImage]:
    """Lay a part of one film over another, with soft edges (after CutMix: Yun et al. 2019).

    Parameters
    ----------
    films
        float32 array, shape (N, H, W).
    share
        How many of the films get a part of another.

    Returns
    -------
    films
        The same shape.
    other
        Shape (N,): which film the part comes from; its own index where nothing is mixed in.
    part
        float32 array, shape (N, H, W): share of the other film in each pixel, in [0, 1].
    """
    n, height, width = films.shape
    other, part = np.arange(n), np.zeros_like(films)
    for i in np.flatnonzero(rng.random(n) < share):
        other[i] = rng.integers(n)
        centre, half = (rng.uniform(low, high, 2) * (height, width) for low, high in ((0, 1), _HALF_PART))
        (top, left), (bottom, right) = np.maximum(centre - half, 0).astype(int), (centre + half).astype(int)
        part[i, top:bottom, left:right] = 1
        part[i] = cv2.GaussianBlur(part[i], (0, 0), rng.uniform(*_SOFT_EDGE) * width)
    return films + part * (films[other] - films), other, part


def shifted_copy(films: FloatImage, seed: int) -> FloatImage:
    """Make the same films as another hospital might have them; the same seed gives the same copy.

    Parameters
    ----------
    films
        float32 array, shape (N, H, W, 1), values in [0, 1].
    """
    return np.stack([augment(film[..., 0], np.random.default_rng([seed, i]), SHIFT) for i, film in enumerate(films)])[
        ..., np.newaxis
    ]


def _random_affine(shape: tuple[int, ...], rng: np.random.Generator, config: AugmentConfig) -> np.ndarray:
    """Rotation, zoom, shift and flip as one affine map, shape (2, 3), in pixels."""
    height, width = shape
    angle = np.deg2rad(rng.uniform(-config.rotation_deg, config.rotation_deg))
    scale = np.exp(rng.uniform(-1, 1, 2) * np.log1p(config.zoom))
    scale[0] *= -1 if config.flip and rng.random() < 0.5 else 1
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = rotation * scale
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = rng.uniform(-config.shift, config.shift, 2) * (width, height)
    return np.column_stack([matrix, centre + shift - matrix @ centre])


def _move(film: FloatImage, affine: np.ndarray, border: int) -> FloatImage:
    height, width = film.shape
    return np.asarray(cv2.warpAffine(film, affine, (width, height), flags=cv2.INTER_LINEAR, borderMode=border))


def _change_tone(film: FloatImage, rng: np.random.Generator, config: AugmentConfig) -> FloatImage:
    gamma = np.exp(rng.uniform(-1, 1) * np.log1p(config.gamma))
    film = np.power(np.clip(film, 0.0, 1.0), np.float32(gamma))
    mean = film.mean()
    gain = np.float32(1 + rng.uniform(-config.contrast, config.contrast))
    offset = np.float32(rng.uniform(-config.brightness, config.brightness))
    return np.asarray(np.clip((film - mean) * gain + mean + offset, 0.0, 1.0))


def _cover(film: FloatImage, rng: np.random.Generator, config: AugmentConfig) -> FloatImage:
    """Flat borders, and patches over the corners."""
    height, width = film.shape
    if rng.random() < config.border:
        value = rng.choice([0.0, 0.0, 1.0, rng.random()])
        top, left, bottom, right = (rng.uniform(0, 0.08, 4) * (rng.random(4) < 0.6) * height).astype(int)
        film[:top] = value
        film[height - bottom :] = value
        film[:, :left] = value
        film[:, width - right :] = value
    if config.sides and rng.random() < config.sides:
        left, right = (rng.uniform(0, _MAX_SIDE, 2) * width).astype(int)
        film[:, :left] = film[:, width - right :] = rng.random()
    if rng.random() < config.erase:
        patch_height, patch_width = (rng.uniform(0.05, 0.3, 2) * (height, width)).astype(int)
        top = 0 if rng.random() < 0.5 else height - patch_height
        left = 0 if rng.random() < 0.5 else width - patch_width
        film[top : top + patch_height, left : left + patch_width] = rng.random()
    return film


def _degrade(film: FloatImage, rng: np.random.Generator, config: AugmentConfig) -> FloatImage:
    """Resampling, blur, noise and JPEG coding, in the order in which films meet them."""
    height, width = film.shape
    if rng.random() < config.resample:
        factor = rng.uniform(0.4, 0.9)
        small = cv2.resize(film, None, fx=factor, fy=factor, interpolation=int(rng.choice(_KERNELS)))
        film = np.asarray(cv2.resize(small, (width, height), interpolation=int(rng.choice(_KERNELS[1:]))))
    if config.blur_px and rng.random() < 1 / 3:
        film = np.asarray(cv2.GaussianBlur(film, (0, 0), rng.uniform(0.1, max(config.blur_px, 0.2))))
    if config.noise and rng.random() < 1 / 3:
        film = film + rng.standard_normal(film.shape, dtype=np.float32) * np.float32(rng.uniform(0, config.noise))
    if config.jpeg_quality_min and rng.random() < 0.5:
        quality = int(rng.integers(config.jpeg_quality_min, _JPEG_QUALITY_MAX + 1))
        levels = (np.clip(film, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)
        _, data = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        film = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), dtype=np.float32) / np.float32(255)
    return film
