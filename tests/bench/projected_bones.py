"""Films of limbs, hips and heads, drawn by projecting simple solids, for measuring the gate.

Bones are tubes with a dense rim, flesh is a wider tube around them; a ray's attenuation adds up along its way, as in
a real film.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Uint8Image = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
Point = tuple[float, float]

_SIDE = 400
_Y, _X = np.mgrid[0 : 1 : _SIDE * 1j, 0 : 1 : _SIDE * 1j]


def _tube(start: Point, end: Point, radius: float, end_radius: float) -> FloatArray:
    """Thickness of a tapering rod with round ends, points as (x, y) in [0, 1]."""
    along = np.subtract(end, start)
    share = np.clip(
        ((_X - start[0]) * along[0] + (_Y - start[1]) * along[1]) / max(float(along @ along), 1e-9), 0.0, 1.0
    )
    distance = np.hypot(_X - start[0] - share * along[0], _Y - start[1] - share * along[1])
    flare = (2 * share - 1) ** 4
    width = radius + (end_radius - radius) * flare
    return np.asarray(2 * np.sqrt(np.maximum(width**2 - distance**2, 0.0)))


def _bone(start: Point, end: Point, radius: float, knob: float = 1.6) -> FloatArray:
    """A shaft that widens to knobs at both ends; its marrow is less dense than its rim."""
    return _tube(start, end, radius, knob * radius) - 0.75 * _tube(start, end, 0.6 * radius, 1.35 * radius)


def _ball(centre: Point, rx: float, ry: float) -> FloatArray:
    inside = 1 - ((_X - centre[0]) / rx) ** 2 - ((_Y - centre[1]) / ry) ** 2
    return np.asarray(2 * min(rx, ry) * np.sqrt(np.maximum(inside, 0.0)))


def _knee(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    x, joint = 0.5 + rng.uniform(-0.05, 0.05), rng.uniform(0.4, 0.6)
    bones = (
        _bone((x, -0.2), (x, joint - 0.05), 0.07, 2.2)
        + _bone((x, joint + 0.05), (x, 1.2), 0.06, 2.4)
        + _bone((x + 0.14, joint + 0.12), (x + 0.13, 1.2), 0.025)
        + 0.6 * _ball((x, joint - 0.07), 0.07, 0.07)
    )
    return bones, _tube((x, -0.2), (x, 1.2), 0.24, 0.27)


def _leg(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    x, lean = 0.5 + rng.uniform(-0.1, 0.1), rng.uniform(-0.08, 0.08)
    bones = _bone((x, 0.02), (x + lean, 0.9), 0.045, 1.8) + _bone((x + 0.11, 0.06), (x + lean + 0.09, 0.92), 0.02, 1.5)
    return bones, _tube((x, -0.1), (x + lean, 1.1), 0.2, 0.14)


def _hand(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    wrist = (0.5, 0.82)
    bones, flesh = np.zeros_like(_X), _tube((0.5, 1.1), wrist, 0.13, 0.13) + 0.7 * _ball((0.5, 0.66), 0.2, 0.17)
    for i, angle in enumerate(np.deg2rad(rng.uniform(13, 18) * (np.arange(5) - 2))):
        direction = np.array([np.sin(angle), -np.cos(angle)])
        knuckle = np.array([0.5, 0.8])
        for length in (0.24, 0.14, 0.09, 0.06)[: 4 if i else 3]:
            tip = knuckle + direction * length * (0.9 if i in (0, 4) else 1)
            bones = bones + _bone(tuple(knuckle + direction * 0.012), tuple(tip - direction * 0.012), 0.018, 1.5)
            knuckle = tip
        flesh = np.maximum(flesh, _tube((0.5, 0.72), tuple(knuckle), 0.045, 0.04))
    for _ in range(7):
        bones = bones + _ball((0.5 + rng.uniform(-0.07, 0.07), 0.84 + rng.uniform(-0.03, 0.03)), 0.03, 0.028)
    return bones + _bone((0.46, 1.2), (0.46, 0.9), 0.045) + _bone((0.56, 1.2), (0.56, 0.9), 0.03), flesh


def _hips(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    y = rng.uniform(0.4, 0.5)
    bones = sum(_ball((0.5, 0.05 + 0.09 * i), 0.06, 0.05) for i in range(4))
    for side in (-1, 1):
        wing = _ball((0.5 + side * 0.22, y - 0.12), 0.16, 0.2)
        bones = bones + 0.5 * wing + 0.3 * _ball((0.5 + side * 0.13, y + 0.17), 0.09, 0.1)
        bones = bones - 0.35 * _ball((0.5 + side * 0.12, y + 0.18), 0.05, 0.06)
        bones = bones + _ball((0.5 + side * 0.27, y + 0.06), 0.065, 0.065)
        bones = bones + _bone((0.5 + side * 0.27, y + 0.06), (0.5 + side * 0.37, y + 0.14), 0.04, 1.2)
        bones = bones + _bone((0.5 + side * 0.37, y + 0.12), (0.5 + side * 0.33, 1.3), 0.05, 1.4)
    return np.maximum(bones, 0), _ball((0.5, 0.35), 0.6, 0.75) + _tube((0.25, 0.6), (0.25, 1.2), 0.2, 0.2)


def _head(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    x, width, height = 0.5, rng.uniform(0.28, 0.34), rng.uniform(0.34, 0.4)
    skull = _ball((x, 0.42), width, height) - 0.97 * _ball((x, 0.42), width * 0.94, height * 0.94)
    face = 0.5 * _ball((x, 0.68), width * 0.65, 0.2)
    for side in (-1, 1):
        face = face - 0.3 * _ball((x + side * 0.12, 0.52), 0.075, 0.06)
    neck = sum(_ball((x, 0.86 + 0.07 * i), 0.07, 0.04) for i in range(3))
    return np.maximum(1.4 * skull + face, 0) + neck, 0.8 * _ball((x, 0.45), width * 1.1, height * 1.15)


def _foot(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    heel = (0.25, rng.uniform(0.68, 0.75))
    bones = _ball(heel, 0.13, 0.08) + _ball((0.38, heel[1] - 0.1), 0.09, 0.06) + _bone((0.36, -0.2), (0.36, 0.5), 0.06)
    for i in range(4):
        y = heel[1] - 0.04 + 0.03 * i
        bones = (
            bones + _bone((0.5, y - 0.03), (0.72, y + 0.02), 0.018) + _bone((0.75, y + 0.03), (0.86, y + 0.04), 0.014)
        )
    flesh = _tube((0.36, -0.1), (0.34, 0.6), 0.13, 0.12) + _tube(heel, (0.88, heel[1] + 0.03), 0.12, 0.07)
    return bones, flesh


def _arm(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    elbow = (rng.uniform(0.4, 0.5), rng.uniform(0.55, 0.65))
    hand = (0.95, rng.uniform(0.3, 0.6))
    bones = _bone((0.3, -0.2), elbow, 0.05, 1.7) + _bone(elbow, hand, 0.035, 1.6)
    bones = bones + _bone((elbow[0] + 0.03, elbow[1] - 0.06), (hand[0], hand[1] - 0.07), 0.03, 1.4)
    return bones, _tube((0.3, -0.2), elbow, 0.13, 0.12) + _tube(elbow, hand, 0.12, 0.1)


PARTS: dict[str, Callable[[np.random.Generator], tuple[FloatArray, FloatArray]]] = {
    "knee": _knee,
    "leg": _leg,
    "hand": _hand,
    "hips": _hips,
    "head": _head,
    "foot": _foot,
    "arm": _arm,
}


def draw_part(part: str, rng: np.random.Generator) -> Uint8Image:
    """Draw a film of a body part, bright = dense; framing, exposure, grain, collimation and marker vary."""
    bones, flesh = PARTS[part](rng)
    noise = cv2.GaussianBlur(rng.normal(0, 1, bones.shape), (0, 0), rng.uniform(1.5, 3))
    dense = (bones * (1 + 0.5 * noise)) * rng.uniform(4, 9) + np.minimum(flesh, 0.5) * rng.uniform(0.8, 2.0)
    film = 1 - np.exp(-np.maximum(dense, 0))
    turn = cv2.getRotationMatrix2D((_SIDE / 2, _SIDE / 2), rng.uniform(-15, 15), rng.uniform(0.85, 1.3))
    film = cv2.warpAffine(film, turn, (_SIDE, _SIDE), borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.4:  # collimated
        margins = (rng.uniform(0.02, 0.15, 4) * _SIDE).astype(int)
        lit = np.zeros_like(film)
        lit[margins[0] : -margins[1], margins[2] : -margins[3]] = 1
        film = film * lit + (1 - lit) * rng.choice([0.0, 1.0])
    film = cv2.GaussianBlur(film, (0, 0), rng.uniform(0.8, 1.6)) ** rng.uniform(0.7, 1.4)
    film = film + rng.normal(0, rng.uniform(0.005, 0.02), film.shape)
    picture = np.clip(film * 255, 0, 255).astype(np.uint8)
    picture = np.ascontiguousarray(picture[:, :: -1 if rng.random() < 0.5 else 1])
    if rng.random() < 0.5:
        cv2.putText(picture, str(rng.choice(["R", "L"])), (int(rng.uniform(20, 350)), 40), 0, 1.0, 255, 3)
    return picture
