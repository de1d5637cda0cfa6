"""Outlines of the lungs, drawn once on mean films and carried to each film.

Atlas segmentation (Candemir et al., "Lung segmentation in chest radiographs using anatomical atlases with nonrigid
registration", IEEE TMI 33:577, 2014), with one mean film for each way of filming: an affine fit (Evangelidis and
Psarakis 2008), then dense optical flow (Kroeger et al. 2016), both of OpenCV.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cxrscan.scanner.preprocess import resize
from cxrscan.scanner.records import FloatImage

SIDE_PX = 112
"""Side of the pictures that are laid over one another."""

_DRAWN_PX = 448
_Corners = tuple[tuple[int, int], ...]
#: Right and left lung on the mean film, x before y, on a square of _DRAWN_PX; drawn by hand.
OUTLINES: dict[str, tuple[_Corners, _Corners]] = {
    "adults, PA": (
        (
            *((150, 42), (185, 48), (192, 80), (190, 130), (178, 180), (176, 240), (172, 285), (140, 285), (105, 300)),
            *((82, 318), (84, 280), (92, 220), (98, 160), (108, 100), (124, 60)),
        ),
        (
            *((268, 48), (300, 42), (326, 58), (342, 100), (352, 160), (362, 220), (370, 280), (372, 318), (350, 300)),
            *((330, 292), (306, 270), (288, 236), (270, 190), (258, 130), (256, 80)),
        ),
    ),
    "adults, AP": (
        (
            *((140, 60), (176, 64), (186, 100), (182, 150), (170, 200), (166, 250), (164, 280), (136, 284), (104, 298)),
            *((84, 312), (86, 270), (94, 210), (102, 150), (114, 95)),
        ),
        (
            *((268, 64), (304, 60), (326, 90), (338, 150), (346, 210), (354, 270), (356, 312), (336, 298), (316, 286)),
            *((300, 262), (284, 224), (268, 180), (260, 130), (258, 96)),
        ),
    ),
    "children": (
        (
            *((164, 82), (184, 92), (190, 130), (188, 180), (182, 240), (180, 290), (176, 330), (140, 330), (100, 336)),
            *((62, 338), (66, 300), (80, 250), (102, 190), (124, 132), (144, 96)),
        ),
        (
            *((268, 90), (286, 86), (310, 112), (338, 160), (362, 214), (384, 270), (398, 320), (400, 356), (372, 352)),
            *((346, 340), (338, 300), (322, 262), (300, 220), (282, 180), (268, 140), (262, 110)),
        ),
    ),
}

_SMOOTH_SIGMA, _FLOW_SIGMA = 1.2, 4.0
_CLAHE_LIMIT, _CLAHE_TILES = 2.0, (4, 4)
_GREY_RANGE = 2.2  # standard deviations that become black and white


@dataclass(frozen=True, eq=False)
class Atlas:
    """A mean film with its outlines."""

    picture: npt.NDArray[np.uint8]
    """shape (SIDE_PX, SIDE_PX), as ``prepared`` makes it."""
    masks: FloatImage
    """shape (SIDE_PX, SIDE_PX, 2), right and left lung, values in [0, 1]."""

    @classmethod
    def of(cls, films: Sequence[FloatImage], kind: str) -> Atlas:
        """Make the atlas of films of one kind, a key of OUTLINES; shape (S, S) each."""
        mean = np.asarray(np.mean([_standardised(film) for film in films], axis=0), dtype=np.float32)
        masks = []
        for corners in OUTLINES[kind]:
            mask = np.zeros((_DRAWN_PX, _DRAWN_PX), dtype=np.float32)
            cv2.fillPoly(mask, [np.array(corners, dtype=np.int32)], (1.0,))
            masks.append(resize(mask, SIDE_PX, SIDE_PX))
        return cls(_levels(mean), np.stack(masks, axis=-1))

    def carry(self, film: FloatImage) -> tuple[FloatImage, float]:
        """Carry the outlines to a film.

        Parameters
        ----------
        film
            shape (S, S), values in [0, 1], bright = dense.

        Returns
        -------
        masks
            float32 array, shape (SIDE_PX, SIDE_PX, 2).
        fit
            Correlation of the film with the mean film laid over it; those below 0.87 are often wrong.
        """
        seen = prepared(film)
        affine = np.eye(2, 3, dtype=np.float32)
        stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-4)
        try:
            _, affine = cv2.findTransformECC(seen, self.picture, affine, cv2.MOTION_AFFINE, stop, None, 9)  # type: ignore[call-overload]
        except cv2.error:  # nothing in common: the flow alone
            affine = np.eye(2, 3, dtype=np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (SIDE_PX, SIDE_PX)
        near = cv2.warpAffine(self.picture, affine, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        places = _grid() + cv2.GaussianBlur(_flow().calc(seen, near, None), (0, 0), _FLOW_SIGMA)
        laid = cv2.remap(near, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
        masks = cv2.remap(cv2.warpAffine(self.masks, affine, size, flags=flags), places, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]
        fit = float(np.corrcoef(seen.ravel(), laid.ravel())[0, 1])
        return np.asarray(masks, dtype=np.float32), fit


def prepared(film: FloatImage) -> npt.NDArray[np.uint8]:
    """A film with even contrast, so that bright and dark films look alike."""
    return _levels(_standardised(film))


def _standardised(film: FloatImage) -> FloatImage:
    return np.asarray((film - film.mean()) / (film.std() + 0.02), dtype=np.float32)


def _levels(film: FloatImage) -> npt.NDArray[np.uint8]:
    smooth = cv2.GaussianBlur(resize(film, SIDE_PX, SIDE_PX), (0, 0), _SMOOTH_SIGMA)
    grey = np.clip((smooth + _GREY_RANGE) / (2 * _GREY_RANGE) * 255, 0, 255).astype(np.uint8)
    return np.asarray(cv2.createCLAHE(_CLAHE_LIMIT, _CLAHE_TILES).apply(grey))


def _flow() -> Any:
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # type: ignore[attr-defined]
    flow.setFinestScale(0)
    flow.setVariationalRefinementAlpha(60)
    return flow


def _grid() -> FloatImage:
    places = np.arange(SIDE_PX, dtype=np.float32)
    return np.stack(np.meshgrid(places, places), axis=-1)
