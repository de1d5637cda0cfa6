"""The films of a training run: what is known of each, and their pixels in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from cxrscan.scanner.metrics import BoolArray
from cxrscan.scanner.readers import without_ending
from cxrscan.scanner.records import FloatImage


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle around an opacity."""

    left: float
    """In pixels of the file as it is shown, or as a share of the film's width."""
    top: float
    """Likewise, of its height."""
    width: float
    height: float

    def share_of(self, width_px: int, height_px: int) -> Box:
        """The same box as shares of width and height of a film of so many pixels."""
        return Box(self.left / width_px, self.top / height_px, self.width / width_px, self.height / height_px)


@dataclass(frozen=True, slots=True)
class FilmFile:
    """One film with its label and all its versions."""

    name: str
    """``NORMAL/IM-0115-0001``: class and file name, without its ending unless another film has that name; the
    population before it where there is one."""
    is_positive: bool
    patient: str
    """Empty where neither a table nor the file name tells: then the film's DICOM header may."""
    paths: tuple[Path, ...]
    """The file of the training folder first, then other versions of the same film."""
    population: str = ""
    """Whom the film shows, in a word: ``children``. Empty when there is one population only."""
    view: str = ""
    """``AP``, ``PA``, or empty where it is not known."""
    sex: str = ""
    """``F``, ``M``, or empty where it is not known."""
    finding: str = ""
    """What it shows, in a word, where the label alone does not tell: ``normal`` or ``other``."""
    findings: tuple[str, ...] | None = None
    """All that a report finds, none of which need be right; None: no report is known."""
    split: str = ""
    """``train`` or ``validation`` where the data set says so, else empty."""
    weight: float = 1.0
    """How often the film is drawn, or counts, compared with others: below 1 for labels that are often wrong."""
    boxes: tuple[Box, ...] = ()
    """Where the opacities lie, in pixels of the first file as it is shown; none: not known."""

    @property
    def stem(self) -> str:
        """File name without its ending."""
        return without_ending(self.paths[0].name)


@dataclass(frozen=True, slots=True)
class LoadedFilms:
    """Films in memory, ready for the network."""

    films: tuple[FilmFile, ...]
    """Those whose first version could be read."""
    pixels: FloatImage
    """float32 array, shape (V, S, S, 1), values in [0, 1]: all versions of all films."""
    rows: tuple[tuple[int, ...], ...]
    """For each film the rows of ``pixels`` that hold its versions, the training folder's first."""
    digests: tuple[str, ...]
    """SHA-256 of the file behind each row of ``pixels``."""
    unreadable: tuple[tuple[Path, str], ...]
    """Files passed over, with the reason."""
    boxes: Mapping[int, tuple[Box, ...]] = field(default_factory=dict)
    """Index of a film -> where its opacities lie, as shares of width and height."""

    @property
    def truth(self) -> BoolArray:
        """Truth of the films: bool array, shape (number of films,), True for pneumonia."""
        return np.array([film.is_positive for film in self.films], dtype=np.bool_)

    @property
    def populations(self) -> tuple[str, ...]:
        """The populations, each once, in the order of the films."""
        return tuple(dict.fromkeys(film.population for film in self.films))

    @property
    def findings(self) -> tuple[str, ...]:
        """All findings of all reports, in alphabetical order."""
        return tuple(sorted({finding for film in self.films for finding in film.findings or ()}))

    def ill(self, i: int) -> FloatImage:
        """Where a film may show pneumonia: nowhere, everywhere, or inside its boxes.

        Returns
        -------
        float32 array, shape (S, S): share of each pixel.
        """
        side = self.pixels.shape[1]
        return boxes_mask(self.boxes[i], side) if i in self.boxes else np.full((side, side), self.truth_of(i))

    def truth_of(self, i: int) -> np.float32:
        """1 for a film with pneumonia, else 0."""
        return np.float32(self.films[i].is_positive)


def boxes_mask(boxes: tuple[Box, ...], side_px: int) -> FloatImage:
    """Draw boxes, given as shares of width and height, on a square film: 1 inside, 0 outside.

    Returns
    -------
    float32 array, shape (side_px, side_px).
    """
    mask = np.zeros((side_px, side_px), dtype=np.float32)
    for box in boxes:
        corners = (box.left, box.top), (box.left + box.width, box.top + box.height)
        first, last = (tuple(round(place * side_px) for place in corner) for corner in corners)
        cv2.rectangle(mask, first, (last[0] - 1, last[1] - 1), 1.0, cv2.FILLED)
    return mask
