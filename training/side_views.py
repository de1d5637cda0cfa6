"""Lateral films of a chest, drawn flat: layers of flesh, air and bone as an X-ray adds them up.

They teach the gate what no data set of frontal films shows. Lengths are shares of the picture's side; x runs from the
breastbone to the spine, y downwards. Half of the films are mirrored at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cxrscan.scanner.records import FloatImage
from cxrscan.training.counterexamples import SIDE_PX, X, Y, as_picture

_Array = npt.NDArray[np.floating]
_FRACTION_BITS = 3  # of the coordinates that lines are drawn with
_DETAIL_PX = 22  # what is coarser than this is weakened, as on films


@dataclass(frozen=True, slots=True)
class _Trunk:
    """Where the chest lies in the picture."""

    front: float
    back: float
    top: float
    bottom: float
    """Top of the diaphragm."""
    slope: float
    """How far the breastbone lies behind its lower end at the top, in depths of the chest."""
    bow: float
    """How far the spine bows backwards, in depths of the chest."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> _Trunk:
        return cls(
            front=rng.uniform(-0.02, 0.2),
            back=rng.uniform(0.8, 1.0),
            top=rng.uniform(-0.05, 0.18),
            bottom=rng.uniform(0.55, 0.85),
            slope=rng.uniform(0.15, 0.4),
            bow=rng.uniform(0.0, 0.15),
        )

    @property
    def depth(self) -> float:
        return self.back - self.front

    def share(self, y: _Array) -> _Array:
        """0 at the top of the lungs, 1 at the diaphragm."""
        return np.asarray(np.clip((y - self.top) / (self.bottom - self.top), 0.0, 1.3))

    def front_at(self, y: _Array) -> _Array:
        """Front edge of the lungs."""
        behind = self.slope * np.maximum(1 - self.share(y), 0.0) ** 1.5
        return np.asarray(self.front + self.depth * (0.05 + behind))

    def back_at(self, y: _Array) -> _Array:
        """Back edge of the lungs."""
        ahead = self.bow * (1 - np.sin(np.pi * np.clip(0.8 * self.share(y) + 0.1, 0.0, 1.0)))
        return np.asarray(self.back - self.depth * (0.1 + ahead))


def side_view(rng: np.random.Generator) -> FloatImage:
    """A lateral film of a chest; float32, shape (SIDE_PX, SIDE_PX), values in [0, 1], bright = dense."""
    trunk = _Trunk.draw(rng)
    body, lungs = _body(trunk, rng), _lungs(trunk, rng)
    vessels = cv2.GaussianBlur(rng.normal(0, 1, X.shape).astype(np.float32), (0, 0), rng.uniform(1.5, 4.0))
    attenuation = _flesh(trunk, body, rng) - rng.uniform(0.7, 1.0) * lungs
    attenuation += rng.uniform(0.02, 0.1) / vessels.std() * vessels * lungs
    for layer in (*_organs(trunk, rng), *_bones(trunk, rng)):
        attenuation += layer
    film = _turned(_developed(attenuation, body, rng), rng)
    return as_picture(np.ascontiguousarray(film[:, :: rng.choice([-1, 1])]), rng)


def _body(trunk: _Trunk, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    neck = np.clip((trunk.top + 0.05 - Y) / 0.1, 0.0, 1.0) * rng.uniform(0.0, 0.25)
    front, back = trunk.front_at(Y) - rng.uniform(0.03, 0.12), trunk.back_at(Y) + rng.uniform(0.08, 0.25)
    return np.asarray((front + neck < X) & (back - 0.5 * neck > X))


def _flesh(trunk: _Trunk, body: npt.NDArray[np.bool_], rng: np.random.Generator) -> FloatImage:
    """More of it in the belly and about the shoulders."""
    belly, shoulders = np.clip(Y - trunk.bottom, 0.0, 1.0), np.clip(trunk.top + 0.2 - Y, 0.0, 1.0)
    more = 1 + rng.uniform(0.0, 1.2) * belly + rng.uniform(0.0, 2.4) * shoulders
    return np.asarray(rng.uniform(1.0, 1.6) * _thickness(body, rng.uniform(0.1, 0.3)) * more, dtype=np.float32)


def _lungs(trunk: _Trunk, rng: np.random.Generator) -> FloatImage:
    """Both lungs, one behind the other; one diaphragm stands higher."""
    front, back = trunk.front_at(Y), trunk.back_at(Y)
    within = (front < X) & (back > X) & (trunk.top + 0.6 * ((X - (front + back) / 2) / trunk.depth) ** 2 < Y)
    behind_dome = (X - trunk.front - rng.uniform(0.3, 0.5) * trunk.depth) / trunk.depth
    fall = np.where(behind_dome > 0, rng.uniform(0.3, 1.3), rng.uniform(0.05, 0.6)) * behind_dome**2
    both = [_thickness(within & (trunk.bottom + lower + fall > Y), 0.12) for lower in (0.0, rng.uniform(0.0, 0.07))]
    return np.asarray(np.mean(both, axis=0), dtype=np.float32)


def _organs(trunk: _Trunk, rng: np.random.Generator) -> Iterator[FloatImage]:
    """Heart, arch of the aorta, windpipe, and often air in the stomach."""
    across, depth = (X - trunk.front) / trunk.depth, trunk.depth
    heart = ((across - rng.uniform(0.25, 0.42)) / rng.uniform(0.18, 0.3)) ** 2
    heart += ((Y - trunk.bottom + rng.uniform(0.05, 0.15)) / rng.uniform(0.12, 0.25)) ** 2
    yield rng.uniform(0.2, 0.6) * _thickness(heart < 1, 0.1)
    turn = np.linspace(0, np.pi * rng.uniform(1.0, 1.3), 30)
    x, y = trunk.front + depth * rng.uniform(0.5, 0.62), trunk.top + rng.uniform(0.22, 0.34)
    arch = np.column_stack([x - 0.14 * depth * np.cos(turn), y - 0.1 * np.sin(turn)])
    yield rng.uniform(0.1, 0.5) * _line(arch, rng.uniform(10, 22), rng.uniform(2, 4))
    x = trunk.front + depth * rng.uniform(0.45, 0.6)
    windpipe = [(x, trunk.top - 0.1), (x + 0.06 * depth, trunk.top + rng.uniform(0.2, 0.3))]
    yield -rng.uniform(0.1, 0.4) * _line(windpipe, rng.uniform(8, 14), rng.uniform(1, 3))
    if rng.random() < 0.6:
        bubble = ((across - rng.uniform(0.4, 0.6)) * depth / rng.uniform(0.06, 0.15)) ** 2
        bubble += ((Y - trunk.bottom - rng.uniform(0.05, 0.12)) / rng.uniform(0.03, 0.08)) ** 2
        yield -rng.uniform(0.2, 0.6) * _thickness(bubble < 1, 0.05)


def _bones(trunk: _Trunk, rng: np.random.Generator) -> Iterator[FloatImage]:
    """Spine, ribs, breastbone, shoulder blades, and mostly arms that are raised."""
    yield rng.uniform(0.2, 0.6) * _spine(trunk, rng)
    yield rng.uniform(0.1, 0.5) * _ribs(trunk, rng)
    y = np.linspace(trunk.top + 0.1, trunk.bottom - 0.1, 20)
    breastbone = np.column_stack([trunk.front_at(y) - 0.02, y])
    yield rng.uniform(0.2, 0.7) * _line(breastbone, rng.uniform(4, 9), 1.2)
    for _ in range(2):
        x = trunk.back - trunk.depth * rng.uniform((0.1, 0.02), (0.3, 0.12))
        blade = [(x[0], trunk.top + 0.05), (x[1], trunk.top + rng.uniform(0.25, 0.4))]
        yield rng.uniform(0.0, 0.3) * _line(blade, rng.uniform(3, 8), 1.5)
    for _ in range(2 if rng.random() < 0.8 else 0):
        x = trunk.front + trunk.depth * rng.uniform((0.4, 0.1), (0.7, 0.5))
        arm = [(x[0], trunk.top + rng.uniform(0.02, 0.15)), (x[1], -0.2)]
        yield rng.uniform(0.2, 0.6) * _line(arm, rng.uniform(14, 30), rng.uniform(1, 3))


def _spine(trunk: _Trunk, rng: np.random.Generator) -> FloatImage:
    """Vertebrae with denser rims, each with a thorn that points back and down."""
    picture = np.zeros_like(X)
    height, half_width, y = rng.uniform(0.05, 0.07), rng.uniform(0.045, 0.075), trunk.top - 0.1
    while y < 1.05:
        x = float(trunk.back_at(np.asarray(y))) - 0.02
        tilt_deg = -120 * trunk.bow * float(np.cos(np.pi * np.minimum(trunk.share(np.asarray(y)), 1.0)))
        block = ((x * SIDE_PX, y * SIDE_PX), (2 * half_width * SIDE_PX, 0.8 * height * SIDE_PX), tilt_deg)
        corners = cv2.boxPoints(block).astype(np.int32)
        cv2.fillPoly(picture, [corners], 0.6)
        cv2.polylines(picture, [corners], True, 1.0, 2)
        root, tip = (int((x + half_width) * SIDE_PX), int(y * SIDE_PX)), (0.09 * SIDE_PX, 0.05 * SIDE_PX)
        cv2.line(picture, root, (root[0] + int(tip[0]), root[1] + int(tip[1])), 0.6, 4)
        y, height, half_width = y + height, 1.03 * height, 1.015 * half_width
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.7, 1.6)), dtype=np.float32)


def _ribs(trunk: _Trunk, rng: np.random.Generator) -> FloatImage:
    """Rims of the ribs of both sides, which fall towards the front."""
    picture, along = np.zeros_like(X), np.linspace(0, 1, 25)
    n, fall = int(rng.integers(8, 12)), rng.uniform(0.05, 0.3)
    for _ in range(2):
        shift = rng.normal(0, 0.012, 2)
        for top in np.linspace(trunk.top, trunk.bottom + 0.05, n, endpoint=False) + shift[0]:
            start = trunk.back - trunk.depth * rng.uniform(0.1, 0.15)
            end = trunk.front + trunk.depth * np.interp(top + fall, (trunk.top, trunk.bottom), (0.4, 0.12))
            x = start + (end - start) * along + shift[1]
            y = top + fall * along + rng.uniform(0, 0.06) * np.sin(np.pi * along)
            for rim in (-0.014, 0.014):
                picture = np.maximum(picture, _line(np.column_stack([x, y + rim]), 2, 0.8))
    return np.asarray(picture, dtype=np.float32)


def _thickness(inside: npt.NDArray[np.bool_], depth: float) -> FloatImage:
    """Thickness of a rounded thing from its outline, at most 1, which it has this far from its rim."""
    distance = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5) / SIDE_PX
    return np.asarray(np.sqrt(np.clip(distance / depth, 0.0, 1.0)), dtype=np.float32)


def _line(points: npt.ArrayLike, width_px: float, blur_px: float) -> FloatImage:
    picture = np.zeros_like(X)
    places = np.round(np.asarray(points) * SIDE_PX * 2**_FRACTION_BITS).astype(np.int32)
    cv2.polylines(picture, [places], False, 1.0, max(1, round(width_px)), cv2.LINE_8, _FRACTION_BITS)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), blur_px), dtype=np.float32)


def _developed(attenuation: FloatImage, body: npt.NDArray[np.bool_], rng: np.random.Generator) -> FloatImage:
    """Grey values: partly straight from the attenuation, partly all equally frequent; local contrast is raised."""
    flat = attenuation - rng.uniform(0.0, 0.6) * cv2.GaussianBlur(attenuation, (0, 0), _DETAIL_PX)
    low, high = np.quantile(flat[body], (rng.uniform(0.0, 0.06), rng.uniform(0.96, 0.999)))
    straight = np.clip((flat - low) / (high - low), 0.0, 1.0)
    even = np.argsort(np.argsort(flat, axis=None)).reshape(flat.shape) / flat.size
    film = straight + rng.uniform(0.0, 0.8) * (rng.uniform(0.6, 0.95) * even - straight)
    return np.asarray(np.where(body, film, rng.uniform(0, 1) * film), dtype=np.float32)


def _turned(film: FloatImage, rng: np.random.Generator) -> FloatImage:
    """A little turned, enlarged and shifted."""
    onto = cv2.getRotationMatrix2D((SIDE_PX / 2, SIDE_PX / 2), rng.normal(0, 5), rng.uniform(0.9, 1.15))
    shift = np.column_stack([np.zeros((2, 2)), rng.normal(0, 8, 2)])
    return np.asarray(cv2.warpAffine(film, onto + shift, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE))
