"""Lay chest films onto one average anatomy: affine first, then a smooth warp.

The average lives on a canvas that is larger than a film (``cxrscan.scanner.synthetic_films.CANVAS_PX``). An alignment
leads from each place of the canvas to the place of the film that shows the same anatomy, and can be inverted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from cxrscan.scanner.records import FloatImage
from cxrscan.scanner.synthetic_films import CANVAS_PX, FRAME_PX, MARGIN_PX

FRAME = np.ones(FRAME_PX, np.float32)
"""A film that is nothing but inside; sampled through an alignment, it tells where the film ends."""

# Coarse to fine: blur of one step, of the whole warp, and of the pictures compared, in pixels.
_FLOW_ROUNDS = ((12, 6, 2.5), (10, 5, 2.0), (8, 4, 1.5), (6, 3, 1.2), (5, 2.5, 1.0), (4, 2.0, 0.8))
_AFFINE_ROUNDS = 4
_MOST_STRETCH = 0.6  # change of the warp per pixel; a warp that folds has no inverse
_MOST_STEP_PX = 8.0
_CONTRAST = 0.8  # of the average, like that of a single film
_IDENTITY = np.eye(2, 3, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Alignment:
    """The way from the canvas to a film."""

    affine: FloatImage
    """float32 array, shape (2, 3): from canvas pixels to film pixels plus the margin."""
    warp: FloatImage
    """float32 array, shape (*CANVAS_PX, 2): displacement on top, in film pixels, x before y."""

    def places(self) -> FloatImage:
        """Place on the film of each pixel of the canvas; float32, shape (*CANVAS_PX, 2)."""
        return _affine_places(self.affine) + self.warp

    def inverse_places(self, n_rounds: int = 15) -> FloatImage:
        """Place on the canvas of each pixel of the film; float32, shape (*FRAME_PX, 2); by fixed-point iteration."""
        back = np.asarray(cv2.invertAffineTransform(self.affine), dtype=np.float32)
        film = _grid(FRAME_PX) + MARGIN_PX
        places = _transform(back, film)
        for _ in range(n_rounds):
            places = _transform(back, film - sample(self.warp, places, cv2.BORDER_REPLICATE))
        return places


def align_films(films: FloatImage) -> list[Alignment]:
    """Align films with their common average.

    Parameters
    ----------
    films
        float32 array, shape (N, *FRAME_PX), values in [0, 1].
    """
    edges = np.stack([_edges(film) for film in films])
    affines = _align_affinely(edges)
    warps = _align_by_flow(films, edges, affines)
    return [Alignment(affine, warp) for affine, warp in zip(affines, warps, strict=True)]


def sample(picture: FloatImage, places: FloatImage, border: int = cv2.BORDER_CONSTANT) -> FloatImage:
    """Values of a picture at given places, shape (H, W, 2), bilinearly; zero outside unless told otherwise."""
    values = cv2.remap(picture, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(values, dtype=np.float32)


def blur(picture: FloatImage, sigma_px: float) -> FloatImage:
    """Smooth with a Gaussian."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma_px), dtype=np.float32)


def _align_affinely(edges: FloatImage) -> FloatImage:
    """One transform per film by enhanced correlation (Evangelidis and Psarakis, IEEE PAMI 30:1858, 2008).

    A film for which no plausible transform is found keeps the identity.
    """
    to_half = np.array([[1, 1, 0.5], [1, 1, 0.5]], np.float32)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)
    inside = (_half(_on_canvas(FRAME)) > 0.5).astype(np.uint8)
    halves = [_half(_on_canvas(film)) for film in edges]
    affines = np.repeat(_IDENTITY[np.newaxis], len(edges), axis=0)
    average = _on_canvas(edges.mean(axis=0))
    for _ in range(_AFFINE_ROUNDS):
        target = _half(average)
        for i, film in enumerate(halves):
            try:
                found = cv2.findTransformECC(target, film, affines[i] * to_half, cv2.MOTION_AFFINE, stop, inside, 5)[1]
            except cv2.error:  # it does not converge
                found = _IDENTITY
            plausible = np.abs(found[:, :2] - _IDENTITY[:, :2]).max() < 0.5
            affines[i] = found / to_half if plausible else _IDENTITY
        back = np.vstack([cv2.invertAffineTransform(affines.mean(axis=0)), [0, 0, 1]])
        affines = _with_last_row(affines) @ back  # the average anatomy keeps its place
        affines = affines[:, :2].astype(np.float32)
        average = _average(edges, map(_affine_places, affines))
    return affines


def _align_by_flow(films: FloatImage, edges: FloatImage, affines: FloatImage) -> FloatImage:
    """One warp per film by dense optical flow (DIS; Kroeger et al., ECCV 2016), smoothed and kept from folding."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    canvas = _grid(CANVAS_PX)
    base = np.stack([_affine_places(affine) for affine in affines])
    warps = np.zeros_like(base)
    average = _average(edges, base)
    for step_blur, warp_blur, picture_blur in _FLOW_ROUNDS:
        average *= _CONTRAST / average.std()
        target = _to_bytes(blur(average, picture_blur))
        for i, film in enumerate(films):
            places = base[i] + warps[i]
            inside = sample(FRAME, places)
            aligned = sample(edges[i], places) + (1 - inside) * average
            seen = _to_bytes(blur(aligned, picture_blur))
            step = flow.calc(target, seen, None)  # type: ignore[call-overload]  # None: no motion to start from
            length = np.linalg.norm(step, axis=-1, keepdims=True)
            step *= np.minimum(1, _MOST_STEP_PX / np.maximum(length, 1e-3))
            weight = inside * np.clip((sample(film, places) - 0.08) / 0.15, 0, 1)  # black shows no anatomy
            step = blur(step * weight[..., np.newaxis], step_blur)
            step /= (blur(weight, step_blur) + 0.05)[..., np.newaxis]
            moved = sample(places, canvas + step, cv2.BORDER_REPLICATE)
            warps[i] = _unfold(blur(moved - base[i], warp_blur))
        warps -= warps.mean(axis=0)
        average = _average(edges, (places + warp for places, warp in zip(base, warps, strict=True)))
    return warps


def _unfold(warp: FloatImage, n_rounds: int = 8) -> FloatImage:
    """Smooth a warp where it stretches so much that it might fold."""
    for _ in range(n_rounds):
        stretch = np.max([np.abs(slope) for axis in (0, 1) for slope in np.gradient(warp[..., axis])], axis=0)
        if stretch.max() < _MOST_STRETCH:
            break
        strained = (stretch > 0.9 * _MOST_STRETCH).astype(np.float32)
        around = np.asarray(cv2.dilate(strained, np.ones((9, 9))), dtype=np.float32)
        warp = warp + blur(around, 5)[..., np.newaxis] * (blur(warp, 7) - warp)
    return warp


def _edges(film: FloatImage, sigma_px: float = 12.0) -> FloatImage:
    """A film with its slow changes and its contrast evened out, so that opacities do not pull at the alignment."""
    detail = film - blur(film, sigma_px)
    return np.asarray(detail / (np.sqrt(blur(detail * detail, 2 * sigma_px)) + 0.02), dtype=np.float32)


def _average(films: FloatImage, places: Iterable[FloatImage]) -> FloatImage:
    total = np.zeros(CANVAS_PX, np.float32)
    count = np.zeros(CANVAS_PX, np.float32)
    for film, where in zip(films, places, strict=True):
        total += sample(film, where)
        count += sample(FRAME, where)
    return np.asarray(total / np.maximum(count, 0.025 * len(films)), dtype=np.float32)


def _affine_places(affine: FloatImage) -> FloatImage:
    return _transform(affine, _grid(CANVAS_PX)) - MARGIN_PX


def _transform(affine: FloatImage, places: FloatImage) -> FloatImage:
    return np.asarray(places @ affine[:, :2].T + affine[:, 2], dtype=np.float32)


def _with_last_row(affines: FloatImage) -> FloatImage:
    last = np.broadcast_to(np.array([[0, 0, 1]], np.float32), (len(affines), 1, 3))
    return np.concatenate([affines, last], axis=1)


def _grid(shape: tuple[int, int]) -> FloatImage:
    """Each pixel's own place, x before y."""
    height, width = shape
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)


def _on_canvas(film: FloatImage) -> FloatImage:
    return np.pad(film, MARGIN_PX)


def _half(picture: FloatImage) -> FloatImage:
    height, width = picture.shape
    return np.asarray(
        cv2.resize(blur(picture, 2.0), (width // 2, height // 2), interpolation=cv2.INTER_AREA), dtype=np.float32
    )


def _to_bytes(edges: FloatImage) -> np.ndarray:
    return np.clip(edges * 50 + 128, 0, 255).astype(np.uint8)
