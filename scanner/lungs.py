"""Where the lungs lie on a frontal film.

A network of two small layers looks at the film in 28 x 28 pixels and gives the coefficients of an active shape model
(Cootes et al., "Active shape models", CVIU 61:38, 1995) of both lungs. ``training/lungs`` fits it to outlines that were
carried from mean films to each film; docs/regions.md has its figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from cxrscan.scanner.preprocess import resize
from cxrscan.scanner.records import FloatImage

MODEL_PATH = Path(__file__).parent / "models" / "lungs.npz"
SMALL_PX = 28
"""Side of the picture that is looked at, and of the masks."""
CUT_CELLS = 3
"""So many cells of a lung along one edge of the film: it goes on beyond it."""

_DARK = 0.02  # added to a standard deviation, so that a blank picture is not divided by zero
_MIN_CELLS = 8  # fewer are no lung
_MARGIN = 2 / SMALL_PX  # the found outline may be so far off


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a film, in shares of its width and height."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Lungs:
    """Both lungs; the patient's right one lies on the left of a film as it is usually shown."""

    right: Box
    left: Box
    are_cut_off: bool = False
    """Whether a lung reaches an edge of the film."""

    @property
    def middle(self) -> float:
        """Where the midline runs, as a share of the film's width."""
        return (self.right.right + self.left.left) / 2

    @property
    def field(self) -> Box:
        """Both lungs with what lies between them, and a margin."""
        return Box(
            max(self.right.left - _MARGIN, 0.0),
            max(min(self.right.top, self.left.top) - _MARGIN, 0.0),
            min(self.left.right + _MARGIN, 1.0),
            min(max(self.right.bottom, self.left.bottom) + _MARGIN, 1.0),
        )


USUAL_LUNGS = Lungs(Box(0.16, 0.13, 0.42, 0.72), Box(0.57, 0.13, 0.86, 0.74))
"""Where they lie on the mean of the training films, children and adults: for films that show none."""


@dataclass(frozen=True, eq=False)
class LungModel:
    """Weights of the small network and the shapes that it mixes."""

    weights: tuple[FloatImage, FloatImage, FloatImage]
    """shapes (SMALL_PX**2, h), (h, h), (h, k)."""
    biases: tuple[FloatImage, FloatImage, FloatImage]
    shapes: FloatImage
    """shape (k, SMALL_PX**2 * 2), orthonormal rows."""
    mean_shape: FloatImage
    """shape (SMALL_PX**2 * 2,)."""

    @classmethod
    def load(cls, path: Path = MODEL_PATH) -> LungModel:
        """Read the arrays that ``save`` wrote."""
        with np.load(path) as arrays:
            every = {name: arrays[name].astype(np.float32) for name in arrays.files}
        return cls(
            (every["weights0"], every["weights1"], every["weights2"]),
            (every["biases0"], every["biases1"], every["biases2"]),
            every["shapes"],
            every["mean_shape"],
        )

    def save(self, path: Path) -> None:
        """Write the arrays as float16."""
        arrays = {"shapes": self.shapes, "mean_shape": self.mean_shape}
        for i, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
            arrays |= {f"weights{i}": weights, f"biases{i}": biases}
        halves: dict[str, npt.NDArray[np.float16]] = {name: each.astype(np.float16) for name, each in arrays.items()}
        np.savez_compressed(path, **halves)  # type: ignore[arg-type]

    def masks(self, picture: FloatImage) -> FloatImage:
        """Share of each cell that the right and the left lung cover, about 0 to 1.

        Parameters
        ----------
        picture
            float32 array, shape (S, S), bright = dense: the network's input.

        Returns
        -------
        float32 array, shape (SMALL_PX, SMALL_PX, 2).
        """
        x = look_of(picture)
        last = len(self.weights) - 1
        for i, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = x @ weights + biases
            x = x if i == last else np.maximum(x, 0.0)
        return (x @ self.shapes + self.mean_shape).reshape(SMALL_PX, SMALL_PX, 2)


def look_of(picture: FloatImage) -> FloatImage:
    """A film as the small network sees it: float32, shape (SMALL_PX**2,), mean 0 and standard deviation 1."""
    small = resize(picture, SMALL_PX, SMALL_PX)
    mean, deviation = (statistic.item() for statistic in cv2.meanStdDev(small))
    return np.asarray((small - np.float32(mean)) / np.float32(deviation + _DARK), dtype=np.float32).ravel()


@cache
def _model() -> LungModel:
    return LungModel.load()


def find_lungs(picture: FloatImage) -> Lungs:
    """Find the lungs on an upright film.

    Both lungs are taken to reach from the higher apex to the lower base, since an opaque lung is found in part only.
    Where one lung is not found it lies as usual, and so do both.

    Parameters
    ----------
    picture
        float32 array, shape (S, S), values in [0, 1], bright = dense: the network's input.
    """
    masks = _model().masks(picture) > 0.5
    found = [_largest(masks[..., side]) for side in range(2)]
    boxes = [box for _, box in found]
    seen = [box for box in boxes if box is not None]
    if not seen:
        return USUAL_LUNGS
    top, bottom = min(box.top for box in seen), max(box.bottom for box in seen)
    right, left = (
        Box(box.left, top, box.right, bottom)
        for box in (box or usual for box, usual in zip(boxes, (USUAL_LUNGS.right, USUAL_LUNGS.left), strict=True))
    )
    return Lungs(right, left, are_cut_off=_cells_at_edges(found[0][0] | found[1][0]) >= CUT_CELLS)


def _largest(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], Box | None]:
    """The largest piece of a mask and the box around it; nothing of one that is too small for a lung."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    pieces = stats.tolist()[1:]  # of 28 x 28 cells, few: plain numbers are faster than arrays
    areas = [piece[cv2.CC_STAT_AREA] for piece in pieces]
    if max(areas, default=0) < _MIN_CELLS:
        return np.zeros_like(mask), None
    label = 1 + areas.index(max(areas))
    left, top, width, height, _ = pieces[label - 1]
    box = Box(left / SMALL_PX, top / SMALL_PX, (left + width) / SMALL_PX, (top + height) / SMALL_PX)
    return labels == label, box


def _cells_at_edges(mask: npt.NDArray[np.bool_]) -> int:
    """Cells of the lungs along that edge of the film which has most."""
    return max(int(np.count_nonzero(edge)) for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
