"""From stored DICOM values to display values: pure functions on arrays, each with its clause of the standard.

The chain is PS3.3 C.7.6.3 (stored values), C.11.1 (modality LUT), C.11.2 (VOI LUT), C.11.6 (presentation LUT).
Up to 16 bits it runs once over a table of all values that a pixel can hold, whatever the size of the film.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from cxrscan.scanner.preprocess import resize
from cxrscan.scanner.records import FloatImage

Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Share of the pixels, in per cent, that the percentile window clips at either end.
CLIPPED_PERCENT = 0.5
_SAMPLE_PIXELS = 250_000  # enough for percentiles; larger films are sampled on a grid
_MISFIT_PIXELS = 5_000  # enough to see whether a window fits
_MIN_SPAN, _MIN_SPAN_SHARE = 200.0, 0.05  # of pixel values, below which a picture is blank
_BLACK, _MOST, _ALL = 0.002, 0.8, 0.95
_BLOCK_PIXELS = 65_536  # values that NumPy looks up at a time


@dataclass(frozen=True, slots=True)
class StoredFormat:
    """How a stored value sits in its container: PS3.3 C.7.6.3.1, PS3.5 section 8.1.1."""

    bits_stored: int
    high_bit: int
    signed: bool


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A modality or VOI lookup table: PS3.3 C.11.1.1 and C.11.2.1.1."""

    entries: Values
    """shape (n,), output values."""
    first_input: float
    """Input value of the first entry; smaller ones map to it too."""
    bits: int
    """Bits that the entries reach; the output range is 0 to 2**bits - 1."""
    stated_bits: int = 0
    """Bits per entry as the descriptor says; some writers state the container's."""


@dataclass(frozen=True, slots=True)
class Rescale:
    """Linear modality transform: PS3.3 C.11.1.1.2."""

    slope: float
    intercept: float


@dataclass(frozen=True, slots=True)
class Window:
    """A window in modality units: PS3.3 C.11.2.1.2 and C.11.2.1.3."""

    center: float
    width: float
    function: Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"] = "LINEAR"


@dataclass(frozen=True, slots=True)
class GreySteps:
    """The way from stored values to display values that a header asks for."""

    modality: LookupTable | Rescale | None = None
    voi: LookupTable | Window | None = None
    padding: tuple[float, float] | None = None
    """Smallest and largest stored value that marks pixels outside the picture."""
    invert: bool = False
    """MONOCHROME1, or Presentation LUT Shape INVERSE."""
    display_bits: int | None = None
    """Bits of values that are display values as they stand, when nothing else is said; else None."""
    exposed: tuple[slice, slice] = (slice(None), slice(None))
    """Rows and columns inside the collimator and shutter."""
    ignored: tuple[str, ...] = ()
    """Attributes whose numbers cannot be read."""


def stored_values(stored: StoredFormat) -> Values:
    """Every value that a pixel can hold: PS3.5 section 8.1.1.

    Returns
    -------
    float64 array, shape (2**bits_stored,), indexed by the bits of the value as an unsigned number.
    """
    values = np.arange(1 << stored.bits_stored, dtype=np.float64)
    if stored.signed:
        values[len(values) // 2 :] -= len(values)
    return values


def spread(display: FloatImage, stored: StoredFormat, container_bits: int) -> FloatImage:
    """Make a table of values one of all bit patterns that their container can hold.

    Bits outside ``high_bit`` … ``high_bit - bits_stored + 1`` are ignored (old writers keep overlays there).

    Parameters
    ----------
    display
        shape (2**bits_stored,), what becomes of each of ``stored_values``.

    Returns
    -------
    float32 array, shape (2**container_bits,).
    """
    n_below, n_above = stored.high_bit + 1 - stored.bits_stored, container_bits - 1 - stored.high_bit
    return np.tile(np.repeat(display, 1 << n_below) if n_below else display, 1 << n_above)


def apply_modality(values: Values, transform: LookupTable | Rescale | None) -> Values:
    """Turn stored values into those of the modality: PS3.3 C.11.1.1."""
    if isinstance(transform, Rescale):
        return values * transform.slope + transform.intercept
    return values if transform is None else look_up(values, transform)


def apply_voi(values: Values, transform: LookupTable | Window) -> Values:
    """Turn modality values into display values in [0, 1]: PS3.3 C.11.2.1."""
    if isinstance(transform, LookupTable):
        return np.minimum(look_up(values, transform) / (2.0**transform.bits - 1), 1.0)
    return apply_window(values, transform)


def look_up(values: Values, table: LookupTable) -> Values:
    """Replace values by table entries; those beyond an end take its entry: PS3.3 C.11.1.1.1 and C.11.2.1.1."""
    index = np.clip(values - table.first_input, 0, len(table.entries) - 1)
    return table.entries[index.astype(np.intp)]


def apply_window(values: Values, window: Window) -> Values:
    """Map a window to [0, 1], by PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.1 (SIGMOID) or C.11.2.1.3.2 (LINEAR_EXACT)."""
    center, width = window.center, window.width
    if window.function == "SIGMOID":
        return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - center) / width, -700.0, 700.0)))
    if window.function == "LINEAR":
        center, width = center - 0.5, max(width - 1.0, 1e-9)  # a width of 1 is a threshold
    return np.clip((values - center) / width + 0.5, 0.0, 1.0)


def percentile_window(values: Values) -> Window:
    """Make a window that clips CLIPPED_PERCENT of the values at either end; for films that name none."""
    low, high = np.percentile(values, (CLIPPED_PERCENT, 100.0 - CLIPPED_PERCENT))
    return Window((low + high) / 2, (high - low) or 1.0, "LINEAR_EXACT")


def misfits(values: Values, extent: float, transform: LookupTable | Window) -> bool:
    """Whether a window or VOI LUT is none of this picture's: it leaves it black, white or without contrast.

    Parameters
    ----------
    values
        Modality values of some pixels.
    extent
        Difference between the largest and smallest value that a pixel may have.
    """
    low, high = np.percentile(values, (CLIPPED_PERCENT, 100.0 - CLIPPED_PERCENT))
    span = float(high - low)
    if span < min(_MIN_SPAN, _MIN_SPAN_SHARE * extent):
        return False  # there is no picture that another window could show
    shown = apply_voi(values, transform)
    at_an_end = max(float((shown <= _BLACK).mean()), float((shown >= 1.0 - _BLACK).mean()))
    if isinstance(transform, Window):
        is_narrow, is_wide = transform.width < span / 10, transform.width > max(span * 10, 0.99 * extent)
        return at_an_end >= (_MOST if is_narrow else _ALL) or is_wide
    return at_an_end >= _ALL


def render_grey(
    pixels: npt.NDArray[Any], stored: StoredFormat | None, steps: GreySteps
) -> tuple[FloatImage, list[str]]:
    """Turn a decoded grey frame into display values.

    Parameters
    ----------
    pixels
        shape (H, W), any numeric type.
    stored
        Place of the value in its 8- or 16-bit container; None when ``pixels`` are the values themselves.
    steps
        What the header asks for.

    Returns
    -------
    pixels
        float32 array, shape (H, W), values in [0, 1], bright = dense.
    steps
        Names of the steps taken.
    """
    if stored is None:
        display, names = display_values(_finite(pixels), steps, lambda n: _finite(_sample(pixels[steps.exposed], n)))
        return display.astype(np.float32), names
    container = np.dtype(f"u{pixels.dtype.itemsize}").newbyteorder(pixels.dtype.byteorder)
    patterns = pixels.view(container)
    values, container_bits = stored_values(stored), 8 * container.itemsize
    n_below = stored.high_bit + 1 - stored.bits_stored
    table, names = display_values(
        values, steps, lambda n: values[_sample(patterns[steps.exposed], n) >> n_below & len(values) - 1]
    )
    return take(spread(table.astype(np.float32), stored, container_bits), patterns), names


def display_values(values: Values, steps: GreySteps, sample: Callable[[int], Values]) -> tuple[Values, list[str]]:
    """Run the whole chain; inverts last (PS3.3 C.7.6.3.1.2, C.11.6.1.2) and leaves padding black (C.7.5.1.1.2).

    Parameters
    ----------
    values
        Stored values: a table of them, or pixels.
    sample
        Gives the stored values of about so many exposed pixels.

    Returns
    -------
    display
        Shape of ``values``, in [0, 1], bright = dense.
    steps
        Names of the steps taken.
    """
    names = [f"ignored-{keyword}" for keyword in steps.ignored]
    modality = apply_modality(values, steps.modality)
    if steps.modality is not None:
        names.append("rescale" if isinstance(steps.modality, Rescale) else "modality-lut")
    extent = float(modality.max() - modality.min())
    if steps.voi is not None and misfits(_picture_values(steps, sample(_MISFIT_PIXELS)), extent, steps.voi):
        steps = replace(steps, voi=None)
        names.append("window-misfit")
    voi, name = _choose_voi(steps, sample)
    names.append(name)
    display = apply_voi(modality, voi)
    if steps.invert:
        display = 1.0 - display
        names.append("invert")
    if steps.padding is not None:
        display[is_padding(values, steps.padding)] = 0.0
        names.append("padding")
    return display, names


def is_padding(values: Values, limits: tuple[float, float]) -> Mask:
    """Whether stored values mark pixels outside the picture, a range with both ends: PS3.3 C.7.5.1.1.2."""
    return np.asarray((values >= limits[0]) & (values <= limits[1]))


def resample_square(pixels: FloatImage, aspect: float) -> FloatImage:
    """Make pixels square: PS3.3 C.7.6.3.1.7.

    Parameters
    ----------
    pixels
        shape (H, W).
    aspect
        Height of a pixel divided by its width.

    Returns
    -------
    float32 array, enlarged along the side where the pixels are longer.
    """
    height, width = pixels.shape
    return resize(pixels, round(width * max(1.0, 1.0 / aspect)), round(height * max(1.0, aspect)))


def _choose_voi(steps: GreySteps, sample: Callable[[int], Values]) -> tuple[LookupTable | Window, str]:
    """Take the VOI transform that the header names, or one that fits the pixels, and the step's name."""
    if isinstance(steps.voi, LookupTable):
        return steps.voi, f"voi-lut>{steps.voi.bits}-bit" if steps.voi.bits < steps.voi.stated_bits else "voi-lut"
    if steps.voi is not None:
        return steps.voi, f"window-{steps.voi.function.lower().replace('_', '-')}"
    if steps.display_bits is not None:
        white = 2.0**steps.display_bits - 1
        return Window(white / 2, white, "LINEAR_EXACT"), "full-range"
    return percentile_window(_picture_values(steps, sample(_SAMPLE_PIXELS))), "percentile"


def _picture_values(steps: GreySteps, seen: Values) -> Values:
    """Modality values of stored ones, without padding as long as there is anything else."""
    if steps.padding is not None:
        inside = seen[~is_padding(seen, steps.padding)]
        seen = inside if inside.size else seen
    return apply_modality(seen, steps.modality)


def _sample(pixels: npt.NDArray[Any], n_pixels: int) -> npt.NDArray[Any]:
    """Pick about so many pixels on a grid, without rows and columns of one value at the edges (a shutter)."""
    stride = max(1, round((pixels.size / n_pixels) ** 0.5))
    pixels = pixels[::stride, ::stride]
    for _ in range(2):  # rows, then columns
        varied = np.flatnonzero((pixels != pixels[:, :1]).any(axis=1))
        pixels = (pixels[varied[0] : varied[-1] + 1] if varied.size else pixels).T
    return pixels


def _finite(pixels: npt.NDArray[Any]) -> Values:
    return np.nan_to_num(pixels.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)


def take(table: FloatImage, patterns: npt.NDArray[np.unsignedinteger[Any]]) -> FloatImage:
    """``table[patterns]`` of a whole picture, shape (H, W)."""
    native = patterns.astype(patterns.dtype.newbyteorder("="), copy=False)
    if native.itemsize == 1 or _opencv_looks_up_16_bits():
        return np.asarray(cv2.LUT(native, table), dtype=np.float32)
    shown = np.empty(native.shape, dtype=np.float32)
    n_rows = max(1, _BLOCK_PIXELS // native.shape[1])
    for row in range(0, len(native), n_rows):  # NumPy makes 8-byte indices of what it takes
        np.take(table, native[row : row + n_rows], out=shown[row : row + n_rows], mode="wrap")  # checks no bounds
    return shown


@lru_cache(maxsize=1)
def _opencv_looks_up_16_bits() -> bool:
    """Whether this OpenCV is new enough; it takes half of NumPy's time."""
    try:
        cv2.LUT(np.zeros((1, 1), np.uint16), np.zeros(1 << 16, np.float32))
    except cv2.error:
        return False
    return True
