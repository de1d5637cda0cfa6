"""Pictures that show no chest, made from films and drawn from nothing, for teaching the gate what it must reject.

None is a photo, a page or a film of another body part. Whatever the gate rejects of those, it rejects because of what
chest films are.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from cxrscan.scanner.records import FloatImage

SIDE_PX = 224
"""Side of pictures that are drawn from nothing."""

_Grid = npt.NDArray[np.float32]
Y, X = np.mgrid[0 : 1 : SIDE_PX * 1j, 0 : 1 : SIDE_PX * 1j].astype(np.float32)
"""Places of their pixels, in [0, 1]."""


def shuffled(film: FloatImage, rng: np.random.Generator) -> FloatImage:
    """Cut a film into 4 or 16 tiles and lay them out anew."""
    n = int(rng.choice([2, 4]))
    side = len(film) // n
    tiles = [
        np.rot90(film[i * side : (i + 1) * side, j * side : (j + 1) * side], int(rng.integers(4)))
        for i in range(n)
        for j in range(n)
    ]
    order = rng.permutation(n * n)
    return np.vstack([np.hstack([tiles[k] for k in row]) for row in order.reshape(n, n)])


def swirled(film: FloatImage, rng: np.random.Generator) -> FloatImage:
    """Wind a film up around its centre."""
    side = len(film)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    radius = np.hypot(y, x)
    angle = np.arctan2(y, x) + rng.choice([-1, 1]) * rng.uniform(1.5, 4.0) * np.exp(-radius / 0.6)
    columns, rows = ((radius * part + 1) * (side - 1) / 2 for part in (np.cos(angle), np.sin(angle)))
    return np.asarray(
        cv2.remap(
            film, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
    )


def part(film: FloatImage, rng: np.random.Generator) -> FloatImage:
    """A quarter to a half of a film's width and height, turned at random."""
    side = int(len(film) * rng.uniform(0.25, 0.5))
    top, left = rng.integers(0, len(film) - side, 2)
    return np.rot90(film[top : top + side, left : left + side], int(rng.integers(4)))


def folded(film: FloatImage, rng: np.random.Generator) -> FloatImage:
    """Lay the halves of a film over one another: one lung field between spine and front, as a lateral film has."""
    half = int(len(film) * rng.uniform(0.4, 0.5))
    middle = int(rng.integers(half, len(film) - half + 1))
    share = rng.uniform(0.3, 0.7)
    both = share * film[:, middle - half : middle][:, ::-1] + (1 - share) * film[:, middle : middle + half]
    kept = both[:, : int(half * rng.uniform(0.75, 1.0))][:, :: rng.choice([-1, 1])]
    return np.asarray(cv2.resize(np.ascontiguousarray(kept), film.shape[::-1]), dtype=np.float32)


def texture(rng: np.random.Generator) -> FloatImage:
    """Noise whose amplitude falls with frequency like that of some natural picture."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE_PX), np.fft.fftfreq(SIDE_PX))) + 0.003
    waves = np.fft.fft2(rng.normal(size=(SIDE_PX, SIDE_PX))) / frequency ** rng.uniform(0.0, 2.5)
    noise = np.fft.ifft2(waves).real
    return np.asarray(np.clip(0.5 + rng.uniform(0.1, 0.3) * noise / noise.std(), 0.0, 1.0), dtype=np.float32)


def waves(rng: np.random.Generator) -> FloatImage:
    """Light that rises, or rises and falls, in one direction or around a point; with some grain."""
    angle, centre = rng.uniform(0, 2 * np.pi), rng.uniform(0, 1, 2)
    along = X * np.cos(angle) + Y * np.sin(angle)
    way = along if rng.random() < 0.6 else np.hypot(X - centre[0], Y - centre[1])
    light = 0.5 + 0.5 * np.sin(2 * np.pi * rng.choice([0.25, 0.5, 1, 2, 4, 9, 20]) * way + rng.uniform(0, 2 * np.pi))
    light = (light > 0.5).astype(np.float32) if rng.random() < 0.3 else light
    return as_picture(rng.uniform(0.4, 1.0) * light, rng)


def solids(rng: np.random.Generator) -> FloatImage:
    """An X-ray picture of rods and balls, solid and hollow, that lie anyhow in something soft, as in limbs."""
    dense, soft = np.zeros_like(X), np.zeros_like(X)
    for _ in range(int(rng.integers(1, 9))):
        radius = float(rng.uniform(0.015, 0.12))
        thickness = _rod(rng, radius) if rng.random() < 0.6 else _ball(rng, 2 * radius)
        hollow = np.maximum(thickness - rng.uniform(0.3, 1.5) * radius, 0.0) if rng.random() < 0.6 else 0.0
        dense += thickness - rng.uniform(0.4, 0.9) * hollow
    for _ in range(int(rng.integers(1, 4))):
        radius = float(rng.uniform(0.08, 0.35))
        soft = np.maximum(soft, _rod(rng, radius) if rng.random() < 0.6 else _ball(rng, 1.5 * radius))
    grain = cv2.GaussianBlur(rng.normal(0, 1, X.shape).astype(np.float32), (0, 0), rng.uniform(1, 3))
    weakened = rng.uniform(2, 10) * dense * (1 + 0.4 * grain) + rng.uniform(0.5, 3.0) * soft
    return as_picture(1 - np.exp(-np.maximum(weakened, 0.0)), rng)


def limb(rng: np.random.Generator) -> FloatImage:
    """An X-ray picture of one or two hollow rods that run along a wide soft one, from rim to rim, as in a limb."""
    angle, middle = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 0.65)
    across = (X - 0.5) * np.cos(angle) + (Y - 0.5) * np.sin(angle) + 0.5
    along = (Y - 0.5) * np.cos(angle) - (X - 0.5) * np.sin(angle)
    dense = np.zeros_like(X)
    for _ in range(int(rng.integers(1, 3))):
        place, radius = middle + rng.uniform(-0.12, 0.12), rng.uniform(0.03, 0.2)
        width = radius * (1 + rng.uniform(0, 0.8) * (along - rng.uniform(-0.5, 0.5)) ** 2)
        hollow = _chord(across - place, rng.uniform(0.5, 0.9) * width)
        dense += _chord(across - place, width) - rng.uniform(0.3, 0.95) * hollow
    soft = _chord(across - middle, np.float32(rng.uniform(0.25, 0.6)))
    return as_picture(1 - np.exp(-rng.uniform(2, 10) * dense - rng.uniform(0.5, 3.0) * soft), rng)


def _chord(distance: npt.NDArray[np.floating], radius: npt.NDArray[np.floating] | np.float32) -> _Grid:
    """Thickness of a round rod at some distance from its axis."""
    return np.asarray(2 * np.sqrt(np.maximum(np.square(radius) - distance**2, 0.0)), dtype=np.float32)


def leaves(rng: np.random.Generator) -> FloatImage:
    """Even patches of many sizes that cover one another, with some shade and grain.

    Their statistics are those of photographs: the dead leaves of Lee, Mumford and Huang (IJCV 2001).
    """
    picture = np.full((SIDE_PX, SIDE_PX), float(rng.uniform(0, 1)), np.float32)
    least = rng.uniform(2, 12)
    for _ in range(int(rng.integers(30, 400))):
        radius = min(least / (1 - 0.999 * rng.random()) ** 0.5, SIDE_PX / 2)
        (x, y), angle_deg = map(float, rng.uniform(-20, SIDE_PX + 20, 2)), float(rng.uniform(0, 180))
        patch = ((x, y), (2 * radius, 2 * radius * float(rng.uniform(0.2, 1))), angle_deg)
        if rng.random() < 0.7:
            cv2.ellipse(picture, patch, float(rng.beta(1.2, 1.2)), -1)
        else:
            cv2.fillPoly(picture, [cv2.boxPoints(patch).astype(np.int32)], float(rng.beta(1.2, 1.2)))
    light = np.clip(0.5 + 0.6 * (rng.normal() * (X - 0.5) + rng.normal() * (Y - 0.5)), 0, 1)
    return as_picture(np.clip(picture * (1 + light) / 2 + rng.uniform(0, 0.5) * (texture(rng) - 0.5), 0, 1), rng)


def shapes(rng: np.random.Generator) -> FloatImage:
    """Lines, boxes, rings, polygons and rows of strokes on an even ground."""
    picture = np.full((SIDE_PX, SIDE_PX), float(rng.uniform(0, 1)), np.float32)
    for _ in range(int(rng.integers(2, 25))):
        colour, width = float(rng.uniform(0, 1)), int(rng.choice([-1, 1, 2, 4]))
        corners = rng.integers(0, SIDE_PX, (4, 2)).astype(np.int32)
        first, second = (tuple(map(int, corner)) for corner in corners[:2])
        kind = rng.integers(5)
        if kind == 0:
            cv2.line(picture, first, second, colour, max(1, width))
        elif kind == 1:
            cv2.rectangle(picture, first, second, colour, width)
        elif kind == 2:
            cv2.ellipse(
                picture, (first, (second[0] + 4, second[1] // 2 + 4), float(rng.uniform(0, 180))), colour, width
            )
        elif kind == 3:
            cv2.fillPoly(picture, [corners], colour)
        else:
            _write_strokes(picture, first, colour, rng)
    return as_picture(picture, rng)


def _write_strokes(picture: FloatImage, start: tuple[int, ...], colour: float, rng: np.random.Generator) -> None:
    """Rows of short strokes, like writing that nobody can read."""
    height = int(rng.integers(3, 12))
    for row in range(start[1], min(start[1] + int(rng.integers(1, 12)) * 2 * height, SIDE_PX), 2 * height):
        column = start[0]
        while column < min(start[0] + 150, SIDE_PX):
            top, right = row + int(rng.integers(height)), column + int(rng.integers(1, height + 1))
            cv2.line(picture, (column, row + int(rng.integers(height))), (right, top), colour, 1)
            column = right + int(rng.choice([1, 1, height]))


def _rod(rng: np.random.Generator, radius: float) -> _Grid:
    """Thickness of a rod with round ends between two places in and around the picture."""
    start, end = rng.uniform(-0.3, 1.3, (2, 2))
    along = end - start
    share = np.clip(((X - start[0]) * along[0] + (Y - start[1]) * along[1]) / (along @ along + 1e-6), 0.0, 1.0)
    distance = np.hypot(X - start[0] - share * along[0], Y - start[1] - share * along[1])
    width = radius * (1 + rng.uniform(0, 1) * (2 * share - 1) ** 4)
    return np.asarray(2 * np.sqrt(np.maximum(width**2 - distance**2, 0.0)), dtype=np.float32)


def _ball(rng: np.random.Generator, radius: float) -> _Grid:
    """Thickness of a ball that may be drawn out."""
    (x, y), stretch = rng.uniform(0, 1, 2), np.exp(rng.uniform(-0.7, 0.7))
    inside = 1 - ((X - x) / (radius * stretch)) ** 2 - ((Y - y) * stretch / radius) ** 2
    return np.asarray(2 * radius * np.sqrt(np.maximum(inside, 0.0)), dtype=np.float32)


def as_picture(light: npt.NDArray[np.floating], rng: np.random.Generator) -> FloatImage:
    """Collimation, exposure, blur and grain, as pictures have them."""
    picture = np.asarray(light, dtype=np.float32)
    if rng.random() < 0.3:
        margins = (rng.uniform(0.0, 0.25, 4) * SIDE_PX).astype(int)
        lit = np.zeros_like(picture)
        lit[margins[0] : SIDE_PX - margins[1], margins[2] : SIDE_PX - margins[3]] = 1
        picture = picture * lit + (1 - lit) * np.float32(rng.choice([0.0, 1.0]))
    blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 2.5)) ** rng.uniform(0.6, 1.6)
    grain = rng.normal(0, rng.uniform(0.0, 0.02), picture.shape)
    return np.asarray(np.clip(blurred + grain, 0.0, 1.0), dtype=np.float32)
