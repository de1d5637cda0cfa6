"""Draw synthetic chest films.

The films come from active appearance models of the training films (Cootes, Edwards and Taylor, IEEE PAMI
23:681, 2001), one of children and one of adults. These hold averages, principal components and spectra only;
``training/demo_films/fit.py`` fits them.
No drawn film shows a patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cxrscan.scanner.records import NEGATIVE, POSITIVE, FloatImage

CLASSES = (NEGATIVE, POSITIVE)
MODEL_PATH = Path(__file__).parent / "models" / "demo_films.npz"
"""The model of children's films."""
ADULTS_MODEL_PATH = MODEL_PATH.with_name("demo_films_adults.npz")
LAYERS = ("warp", "aspect", "smooth", "contrast", "detail")
FRAME_PX = (208, 256)
"""Height and width of a film in the units of the warp."""
MARGIN_PX = 36
CANVAS_PX = (FRAME_PX[0] + 2 * MARGIN_PX, FRAME_PX[1] + 2 * MARGIN_PX)
"""Height and width of the average anatomy: a frame, and room for films that show more than the average."""
CONTRAST_SIGMA_PX = 10.0
"""Size of the neighbourhood over which detail has unit contrast."""

_CONTRAST_FLOOR = 0.05
_MOST_SIGMA = 2.5  # rarer coefficients give anatomy that nobody has
# Edge enhancement, strength and size in pixels of the canvas: gives back what enlarging takes from its finest octaves.
_EDGE_GAIN, _EDGE_SIGMA_PX = 0.5, 1.3


@dataclass(frozen=True, slots=True)
class FilmModel:
    """Means per class and principal components of the layers that make a film."""

    means: dict[str, FloatImage]
    """Layer -> float32 array, shape (2, H, W) or (2, H, W, 2); classes in the order of CLASSES."""
    components: dict[str, FloatImage]
    """Layer -> float32 array, shape (k, h, w) or (k, h, w, 2), possibly coarser than the means."""
    factors: npt.NDArray[np.float32]
    """float32 array, shape (2, K, K): Cholesky factors of each class's coefficient covariance, layer after layer."""
    texture: FloatImage
    """float32 array, shape (2, h, w): amplitude of the detail that no component holds."""
    spectrum: FloatImage
    """float32 array, shape (2, bins): its relative amplitude in each bin of ``frequency_bins``."""

    @classmethod
    def load(cls, path: Path = MODEL_PATH) -> FilmModel:
        """Read the arrays that ``save`` wrote."""
        with np.load(path) as arrays:
            steps = {layer: arrays[f"{layer}_step"] for layer in LAYERS}
            means = {layer: arrays[f"{layer}_means"] * step for layer, step in steps.items()}
            components = {layer: arrays[f"{layer}_components"] * step for layer, step in steps.items()}
            others = (arrays[name].astype(np.float32) for name in ("factors", "texture", "spectrum"))
            return cls(means, components, *others)

    def save(self, path: Path, steps: dict[str, float]) -> None:
        """Write the arrays as multiples of a step per layer; coarse steps make a small file."""
        arrays: dict[str, Any] = {
            name: getattr(self, name).astype(np.float16) for name in ("factors", "texture", "spectrum")
        }
        for layer, step in steps.items():
            arrays[f"{layer}_step"] = np.float32(step)
            arrays[f"{layer}_means"] = np.rint(self.means[layer] / step).astype(np.int16)
            arrays[f"{layer}_components"] = np.rint(self.components[layer] / step).astype(np.int16)
        np.savez_compressed(path, **arrays)

    def draw(self, label: int, rng: np.random.Generator) -> dict[str, FloatImage]:
        """Draw one film's layers from the class's normal distribution."""
        normal = rng.standard_normal(self.factors.shape[1], dtype=np.float32)
        coefficients = self.factors[label] @ np.clip(normal, -_MOST_SIGMA, _MOST_SIGMA)
        layers, start = {}, 0
        for layer in LAYERS:
            mean, components = self.means[layer][label], self.components[layer]
            variation = np.tensordot(coefficients[start : start + len(components)], components, axes=1)
            layers[layer] = mean + enlarge(variation, mean.shape[:2])
            start += len(components)
        noise = filter_frequencies(rng.standard_normal(CANVAS_PX, dtype=np.float32), self.spectrum[label])
        layers["detail"] += enlarge(self.texture[label], CANVAS_PX) * noise / noise.std()
        return layers


def draw_film(model: FilmModel, label: int, rng: np.random.Generator, width_px: int) -> FloatImage:
    """Draw a chest film without grain or furniture.

    Parameters
    ----------
    model
        The fitted model.
    label
        Index into CLASSES.
    rng
        Source of everything that differs between films.
    width_px
        Width of the film; the height follows from the drawn aspect ratio.

    Returns
    -------
    float32 array, shape (H, width_px), values in [0, 1], bright = dense.
    """
    layers = model.draw(label, rng)
    detail = layers["detail"]
    detail = detail / local_contrast(detail, _CONTRAST_FLOOR)
    anatomy = enlarge(layers["smooth"], CANVAS_PX) + np.exp(enlarge(layers["contrast"], CANVAS_PX)) * detail
    anatomy += _EDGE_GAIN * (anatomy - cv2.GaussianBlur(anatomy, (0, 0), _EDGE_SIGMA_PX))
    height_px = round(width_px / float(np.exp(layers["aspect"].item())))
    where = enlarge(layers["warp"], (height_px, width_px)) + pixel_grid(height_px, width_px)
    film = cv2.remap(anatomy, where[..., 0], where[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip(film, 0.0, 1.0), dtype=np.float32)


def local_contrast(detail: FloatImage, floor: float) -> FloatImage:
    """Root mean square of a picture around each pixel; ``floor`` is added to the mean square."""
    mean_square = cv2.GaussianBlur(detail * detail, (0, 0), CONTRAST_SIGMA_PX)
    return np.asarray(np.sqrt(mean_square + floor), dtype=np.float32)


def pixel_grid(height_px: int, width_px: int) -> FloatImage:
    """Place of each pixel of a film on the canvas when nothing is warped; float32, shape (H, W, 2), x before y."""
    x = (np.arange(width_px, dtype=np.float32) + 0.5) * (FRAME_PX[1] / width_px) - 0.5 + MARGIN_PX
    y = (np.arange(height_px, dtype=np.float32) + 0.5) * (FRAME_PX[0] / height_px) - 0.5 + MARGIN_PX
    return np.stack(np.meshgrid(x, y), axis=-1)


def frequency_bins() -> npt.NDArray[np.intp]:
    """Spatial frequency of each value of a canvas's real Fourier transform, in 64ths of a cycle per pixel."""
    y, x = np.fft.fftfreq(CANVAS_PX[0]), np.fft.rfftfreq(CANVAS_PX[1])
    return np.asarray(np.hypot(y[:, np.newaxis], x) * 64, dtype=np.intp)


def filter_frequencies(picture: FloatImage, gain: FloatImage) -> FloatImage:
    """Multiply each bin of ``frequency_bins`` of a picture on the canvas by its gain."""
    filtered = np.fft.irfft2(np.fft.rfft2(picture) * gain[frequency_bins()], s=CANVAS_PX)
    return np.asarray(filtered, dtype=np.float32)


def enlarge(picture: FloatImage, shape: tuple[int, ...]) -> FloatImage:
    """Resample a picture, shape (h, w) or (h, w, 2), to another height and width by cubic interpolation."""
    if picture.shape[:2] == shape:
        return picture
    return np.asarray(cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_CUBIC), dtype=np.float32)
