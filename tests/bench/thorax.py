"""A thorax of simple solids, and its X-ray films from any side: what a lateral film looks like, without a patient.

Lungs, heart, diaphragm and flesh are sets of points on a coarse grid through which rays are summed up; bones and
vessels are hollow tubes, thrown onto the picture one by one. Sizes differ from body to body. Lengths are millimetres in
an adult; x points to the patient's left, y to the back, z down from the neck. A child is smaller and rounder.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cxrscan.scanner.records import FloatImage

FRONTAL_DEG, LATERAL_DEG = 0.0, 90.0

_Array = npt.NDArray[np.float32]

SIDE_PX = 224
"""Side of the films."""

_PX = 256  # height of a picture before it is framed
_GRID_PX, _N_STEPS = 96, 72  # rays through the soft parts, each way, and samples along each
_HEIGHT_MM, _DEPTH_MM = 420.0, 420.0
_SOURCE_MM = 1800.0
_SOFT, _LUNG, _BONE, _VESSEL = 0.019, 0.005, 0.04, 0.014  # attenuation per millimetre; of the last two, what they add
# Grey values below which these shares of a frontal film lie, on average over 599 films of adults.
_SHARES = np.array((0, 0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1))
_GREYS = np.array((0, 0.08, 0.23, 0.32, 0.41, 0.48, 0.55, 0.62, 0.68, 0.76, 0.83, 0.96))


@dataclass(frozen=True, slots=True)
class Tubes:
    """Balls along lines, in one size."""

    radius_mm: float
    places: _Array
    """float32 array, shape (N, 3): x, y, z in millimetres."""
    step_mm: float
    """Length of line for which each ball stands."""
    hollow: float = 0.0
    """Share of the radius that is empty."""
    attenuation: float = _BONE


@dataclass(frozen=True, slots=True)
class Thorax:
    """The measures of one body, in millimetres and as factors of an average adult's."""

    width: float
    depth: float
    dome: float
    """Height z of the right diaphragm's top."""
    heart: float
    flesh: float
    """Thickness around the ribs."""
    spacing: float
    """From rib to rib."""
    kyphosis: float
    bubble: float
    """Radius of the air in the stomach."""
    vessel_seed: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Thorax:
        """Draw a body at random; one in four is a child's."""
        child = rng.random() < 0.25
        return cls(
            width=float(rng.uniform(122, 150)),
            depth=float(rng.uniform(100, 120) if child else rng.uniform(82, 112)),
            dome=float(rng.uniform(225, 265) if child else rng.uniform(240, 305)),
            heart=float(rng.uniform(1.0, 1.25) if child else rng.uniform(0.8, 1.25)),
            flesh=float(rng.uniform(10, 45)),
            spacing=float(rng.uniform(20, 25)),
            kyphosis=float(rng.uniform(5, 35)),
            bubble=float(rng.uniform(0, 32)),
            vessel_seed=int(rng.integers(1 << 31)),
        )

    def half_width(self, z: _Array) -> _Array:
        """Of the room within the ribs."""
        return np.asarray(self.width * _swelling(z), dtype=np.float32)

    def half_depth(self, z: _Array) -> _Array:
        """Likewise, from front to back."""
        return np.asarray(self.depth * _swelling(z), dtype=np.float32)

    def middle_y(self, z: _Array) -> _Array:
        """Of the room within the ribs: the breastbone slopes forward."""
        return np.asarray(np.clip((230 - z) / 170, 0, 1) * 28, dtype=np.float32)

    def spine_y(self, z: _Array) -> _Array:
        """Of the middles of the vertebrae."""
        bow = self.kyphosis * np.sin(np.pi * np.clip((z + 40) / 400, 0, 1))
        return np.asarray(self.depth * 0.5 - 12 + bow, dtype=np.float32)


def draw_film(rng: np.random.Generator, angle_deg: float) -> FloatImage:
    """Draw a film of a body at random; float32, shape (224, 224), values in [0, 1], bright = dense.

    Parameters
    ----------
    angle_deg
        As for ``project``; a few degrees are added or taken away.
    """
    attenuation = project(Thorax.draw(rng), angle_deg + rng.normal(0, 3))
    seen = _framed(attenuation, rng)
    film = _developed(seen, rng)
    grain = cv2.GaussianBlur(rng.standard_normal(film.shape, dtype=np.float32), (0, 0), rng.uniform(0.5, 1.2))
    film += np.float32(rng.uniform(0.005, 0.025)) * grain
    if rng.random() < 0.5:
        corner = int(rng.uniform(0.03, 0.85) * SIDE_PX), int(rng.uniform(0.1, 0.3) * SIDE_PX)
        marker = np.zeros(film.shape, np.uint8)
        cv2.putText(marker, str(rng.choice(["L", "R"])), corner, cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2)
        film = np.maximum(film, marker / np.float32(255))
    return np.asarray(np.clip(film, 0.0, 1.0), dtype=np.float32)


def _framed(attenuation: FloatImage, rng: np.random.Generator) -> FloatImage:
    """The part of the picture that is exposed: the body from neck to belly, with more or less air beside it."""
    columns = np.flatnonzero(attenuation[_PX // 4 : 3 * _PX // 4].max(axis=0) > 0.3)
    left, right = columns[0] - rng.uniform(-0.08, 0.15) * _PX, columns[-1] + rng.uniform(-0.08, 0.15) * _PX
    top, bottom = rng.uniform(0.02, 0.12) * _PX, rng.uniform(0.75, 0.92) * _PX
    scale = SIDE_PX / (right - left), SIDE_PX / (bottom - top)
    onto = np.array([[scale[0], 0, -left * scale[0]], [0, scale[1], -top * scale[1]]])
    return np.asarray(cv2.warpAffine(attenuation, onto, (SIDE_PX, SIDE_PX)), dtype=np.float32)


def _developed(attenuation: FloatImage, rng: np.random.Generator) -> FloatImage:
    """Grey values: straight from the attenuation, and as frequent as in an average film; local contrast is raised."""
    flat = attenuation - rng.uniform(0.2, 0.6) * cv2.GaussianBlur(attenuation, (0, 0), 24)
    low, high = np.quantile(flat[attenuation > 0.3], (rng.uniform(0.005, 0.05), rng.uniform(0.97, 0.998)))
    straight = np.clip((flat - low) / (high - low), 0, 1) ** rng.uniform(0.7, 1.1)
    levels = np.quantile(flat, _SHARES)
    usual = np.interp(flat, levels + 1e-6 * np.arange(len(levels)), _GREYS)
    film = np.asarray(straight + rng.uniform(0.2, 0.9) * (usual - straight), dtype=np.float32)
    film[attenuation < 0.05] *= np.float32(rng.uniform(0, 1))
    return film


def project(body: Thorax, angle_deg: float) -> FloatImage:
    """Attenuation of X-rays through a body; float32, shape (H, H), a picture of 420 x 420 mm.

    Parameters
    ----------
    angle_deg
        0: from the back, patient's left on the right. 90: from the side.
    """
    picture = cv2.resize(_soft_parts(body, angle_deg), (_PX, _PX), interpolation=cv2.INTER_CUBIC)
    for tubes in (*_bones(body, angle_deg), *_vessels(body)):
        picture += _thrown(tubes, angle_deg)
    return np.asarray(np.maximum(picture, 0.0), dtype=np.float32)


def _swelling(z: _Array) -> _Array:
    """Relative width of the room within the ribs, from its top at z = 55 downwards."""
    return np.asarray(np.sqrt(np.clip(1 - ((230 - z) / 178) ** 2, 1e-4, 1)) ** 1.15 * (z < 230) + (z >= 230))


def _soft_parts(body: Thorax, angle_deg: float) -> FloatImage:
    half = _HEIGHT_MM / 2
    across = np.linspace(-half, half, _GRID_PX, dtype=np.float32)[np.newaxis, :, np.newaxis]
    along = np.linspace(-_DEPTH_MM / 2, _DEPTH_MM / 2, _N_STEPS, dtype=np.float32)[np.newaxis, np.newaxis]
    z = np.linspace(0, _HEIGHT_MM, _GRID_PX, dtype=np.float32)[:, np.newaxis, np.newaxis]
    cos, sin = np.float32(np.cos(np.deg2rad(angle_deg))), np.float32(np.sin(np.deg2rad(angle_deg)))
    x, y = across * cos - along * sin, across * sin + along * cos
    density = _inside_skin(body, x, y, z).astype(np.float32) * _SOFT
    density[_inside_lungs(body, x, y, z)] = _LUNG
    density[_inside_airways(body, x, y, z)] = 0.0
    return np.asarray(density.sum(axis=2) * (_DEPTH_MM / _N_STEPS), dtype=np.float32)


def _inside_skin(body: Thorax, x: _Array, y: _Array, z: _Array) -> npt.NDArray[np.bool_]:
    chest_x, chest_y = body.width + 8 + body.flesh, body.depth + 10 + 0.7 * body.flesh
    wide = np.interp(z, (0, 30, 75, 130, 420), (58, 70, chest_x + 22, chest_x + 8, chest_x))
    deep = np.interp(z, (0, 30, 80, 200, 420), (58, 62, 0.8 * chest_y, chest_y, chest_y))
    middle = np.interp(z, (0, 200), (22, 0))
    return np.asarray(np.abs(x / wide) ** 2.6 + np.abs((y - middle) / deep) ** 2.6 < 1)


def _inside_lungs(body: Thorax, x: _Array, y: _Array, z: _Array) -> npt.NDArray[np.bool_]:
    wide, deep, back = body.half_width(z), body.half_depth(z), y - body.middle_y(z)
    inside = (np.abs(x / wide) ** 2.2 + np.abs(back / deep) ** 2.2 < 1) & (z > 55)
    spine = 1 / (1 + np.exp((body.spine_y(z) - 16 - y) / 5))
    partition = 7 + 20 * np.exp(-(((y - 8) / 36) ** 2)) + 16 * spine + 8 * (z < 120)
    inside &= np.abs(x - 2) > partition
    side = np.sign(x)
    dome = body.dome + 12 * (side > 0) - 12
    across = (np.abs(x) - 0.5 * body.width) / (0.5 * body.width)
    fall = 0.35 * across**2 + np.where(back > 0, 1.0, 0.35) * (back / body.depth) ** 2
    inside &= z < dome + 70 * fall
    tilted = (z - (body.dome - 42)) + 0.35 * (x - 22)
    heart = ((x - 22) / 66) ** 2 + ((y + 0.38 * body.depth) / 50) ** 2 + (tilted / 62) ** 2
    aorta = ((x - 22) / 19) ** 2 + ((y - 12) / 30) ** 2 + ((z - 122) / 19) ** 2
    descending = ((x - 20) / 15) ** 2 + ((y - body.spine_y(z) + 18) / 15) ** 2
    return np.asarray(inside & (heart > body.heart**2) & (aorta > 1) & ((descending > 1) | (z < 122)))


def _inside_airways(body: Thorax, x: _Array, y: _Array, z: _Array) -> npt.NDArray[np.bool_]:
    windpipe = (x**2 + (y - 14 - 0.06 * z) ** 2 < 9**2) & (z < 140)
    bubble = (x - 62) ** 2 + (y + 10) ** 2 + (1.5 * (z - body.dome - 40)) ** 2 < body.bubble**2
    return np.asarray(windpipe | bubble)


def _bones(body: Thorax, angle_deg: float) -> list[Tubes]:
    """Ribs, spine, breastbone, collar bones, shoulder blades and upper arms, which are raised for a lateral film."""
    ribs = [_rib(body, number, side) for number in range(12) for side in (-1, 1)]
    girdle = [part for side in (-1, 1) for part in _girdle(body, side, abs(np.sin(np.deg2rad(angle_deg))) > 0.5)]
    z = np.linspace(88, 235, 60)
    front = body.middle_y(z) - body.half_depth(z) * 0.97 - 6
    breastbone = np.concatenate([np.stack([np.full_like(z, x), front, z], axis=1) for x in (-12, -6, 0, 6, 12)])
    return [*ribs, *girdle, *_spine(body), Tubes(5, np.float32(breastbone), 2.5, 0.6)]


def _rib(body: Thorax, number: int, side: int) -> Tubes:
    """One of twelve pairs, from the spine around to the front."""
    last = np.deg2rad((140, 150, 152, 152, 150, 148, 145, 132, 122, 112, 75, 55)[number])
    turn = np.linspace(np.deg2rad(14), last, 240, dtype=np.float32)
    fall = (32, 48, 60, 68, 75, 80, 84, 86, 86, 84, 80, 70)[number]
    z = 58 + number * body.spacing + fall * (1 - np.cos(turn)) / 2 + 10 * np.sin(turn) * (number > 0)
    level = 0.5 * z + 0.5 * z.mean()
    x = side * (body.half_width(level) + 3) * np.sin(turn)
    y = body.middle_y(level) + (body.half_depth(level) + 3) * np.cos(turn)
    places = np.stack([x, y, z], axis=1)
    step = float(np.linalg.norm(np.diff(places, axis=0), axis=1).mean())
    return Tubes(5.5, places.astype(np.float32), step, 0.65)


def _spine(body: Thorax) -> list[Tubes]:
    tops, height = [], 17.0
    z = -10.0
    while z < _HEIGHT_MM:
        tops.append((z, height))
        z, height = z + height, height + 0.75
    rng = np.random.default_rng(0)
    block = rng.uniform(-1, 1, (260, 3))
    plates = np.concatenate([np.column_stack([block[:60, :2], np.full(60, side)]) for side in (-1.0, 1.0)])
    bodies, thorns = [], []
    for z, height in tops:
        middle = np.array([0, float(body.spine_y(np.float32(z))), z + height / 2])
        size = np.array([8 + 0.55 * height, 4 + 0.5 * height, 0.36 * height])
        bodies.append(middle + np.concatenate([block, plates]) * size)
        share = np.linspace(0, 1, 16)[:, np.newaxis]
        thorns.append(middle + [0, size[1] + 10, 0] + share * [0, 24, 16])
        thorns += [middle + [side * 12, size[1] + 6, 0] + share * [side * 14, 4, -4] for side in (-1, 1)]
    return [
        Tubes(4.0, np.concatenate(bodies).astype(np.float32), 0.6),
        Tubes(4.0, np.concatenate(thorns).astype(np.float32), 1.8, 0.4),
    ]


def _girdle(body: Thorax, side: int, arms_raised: bool) -> list[Tubes]:
    share = np.linspace(0, 1, 80, dtype=np.float32)[:, np.newaxis]
    shoulder = np.array([side * (body.width + 22), 12, 88], np.float32)
    inner = np.array([side * 12, float(body.middle_y(np.float32(90))) - 0.62 * body.depth, 92], np.float32)
    collar_bone = inner + share * (shoulder - [side * 18, 0, 14] - inner) - [0, 14, 8] * np.sin(np.pi * share)
    blade = np.array([[0.55, 0.95, 92], [0.98, 0.62, 96], [0.72, 1.02, 215]]) * [side * body.width, body.depth, 1]
    mix = np.random.default_rng(1).dirichlet((1, 1, 1), 900)
    rim = np.concatenate([blade[1] + share * (blade[2] - blade[1]), blade[0] + share * (blade[2] - blade[0])])
    hand = shoulder + (np.array([-side * 30, -150, -140]) if arms_raised else np.array([side * 30, 10, 220]))
    arm = shoulder + share * (hand - shoulder)
    return [
        Tubes(5.5, collar_bone.astype(np.float32), 1.9, 0.6),
        Tubes(4.0, (mix @ blade).astype(np.float32), 0.7),
        Tubes(4.0, rim.astype(np.float32), 1.5, 0.5),
        Tubes(12.0, arm.astype(np.float32), 2.6, 0.65),
        Tubes(21.0, shoulder[np.newaxis], 25.0, 0.5),
    ]


def _vessels(body: Thorax) -> list[Tubes]:
    """Arteries and veins of the lungs, which branch from the roots of the lungs outwards."""
    rng = np.random.default_rng(body.vessel_seed)
    found: dict[float, list[_Array]] = {}
    for side in (-1, 1):
        for _ in range(9):
            start = np.array([side * 34, 8, 150 + rng.normal(0, 8)])
            way = np.array([side * rng.uniform(0.2, 1), rng.normal(0, 0.6), rng.normal(0.25, 0.8)])
            _branch(start, way / np.linalg.norm(way), 6.0, found, rng)
    tubes = []
    for radius, lines in found.items():
        x, y, z = (places := np.concatenate(lines)).T
        places = places[_inside_lungs(body, x, y, z)]
        tubes.append(Tubes(radius, places.astype(np.float32), 2.0, 0.0, _VESSEL))
    return tubes


def _branch(
    start: _Array, way: _Array, radius: float, found: dict[float, list[_Array]], rng: np.random.Generator
) -> None:
    length = float(rng.uniform(14, 30))
    end = start + way * length
    found.setdefault(radius, []).append(np.linspace(start, end, max(2, int(length / 2))))
    if radius < 1.6:
        return
    for _ in range(2):
        turned = way + rng.normal(0, 0.38, 3)
        _branch(end, turned / np.linalg.norm(turned), 0.74 * radius, found, rng)


def _thrown(tubes: Tubes, angle_deg: float) -> FloatImage:
    """What tubes add to the picture; parts far from the film are enlarged."""
    x, y, z = tubes.places.T
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    across, along = x * cos + y * sin, y * cos - x * sin
    enlarged = 1 / (1 - along / _SOURCE_MM)
    px_per_mm = _PX / _HEIGHT_MM
    column = across * enlarged * px_per_mm + _PX / 2
    row = (z - _HEIGHT_MM / 2) * enlarged * px_per_mm + _PX / 2
    volume = _volume_mm3(tubes) * px_per_mm**2  # spread over the pixels, it is a length again
    seen = (column >= 0) & (column < _PX) & (row >= 0) & (row < _PX)
    places = row[seen].astype(np.intp) * _PX + column[seen].astype(np.intp)
    counts = np.bincount(places, minlength=_PX * _PX).reshape(_PX, _PX).astype(np.float32)
    kernel = _shadow(tubes.radius_mm * px_per_mm, tubes.hollow)
    return np.asarray(cv2.filter2D(counts, -1, kernel, borderType=cv2.BORDER_CONSTANT)) * (volume * tubes.attenuation)


def _volume_mm3(tubes: Tubes) -> float:
    return float(np.pi * tubes.radius_mm**2 * (1 - tubes.hollow**2) * tubes.step_mm)


def _shadow(radius_px: float, hollow: float) -> FloatImage:
    """Shadow of a hollow ball, with a sum of 1."""
    reach = int(np.ceil(radius_px)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    square = x**2 + y**2
    solid, empty = (np.sqrt(np.maximum(r**2 - square, 0)) for r in (max(radius_px, 0.8), hollow * radius_px))
    return np.asarray((solid - 0.9 * empty) / (solid - 0.9 * empty).sum(), dtype=np.float32)
