"""Runs of made-up films, quick to make: what a scan would have said of films that look and score in a given way."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from cxrscan.scanner.records import NEGATIVE, POSITIVE, Film, FilmAttributes, ScanResult

N_FEATURES = 1280


@cache
def _thumbnail(brightness: int, number: int) -> bytes:
    rng = np.random.default_rng(number)
    grey = np.clip(rng.normal(brightness, 40, (56, 64)), 0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", cv2.resize(grey, (128, 112)))[1])


def population(
    n: int,
    seed: int,
    *,
    share: float = 0.4,
    brightness: int = 120,
    view: str = "PA",
    embedded: bool = True,
    films_of_a_patient: int = 1,
) -> list[Film]:
    """Films of ``n`` patients, a share of them with pneumonia."""
    rng = np.random.default_rng(seed)
    films = []
    for patient in range(n):
        is_ill = bool(rng.random() < share)
        for number in range(films_of_a_patient):
            features = np.abs(rng.normal(0.5 + 0.4 * is_ill * (np.arange(N_FEATURES) < 400), 0.2))
            odds = rng.normal(2.0 if is_ill else -2.0, 1.2)
            result = ScanResult(
                name=f"person{1000 * seed + patient}_virus_{number}.jpeg",
                kind="dicom",
                sha256=f"{seed:032x}{patient:032x}",
                prob_pneumonia=float(1 / (1 + np.exp(-odds))),
                attributes=FilmAttributes(modality="DX", view_position=view, patient_sex="FM"[patient % 2]),
                thumbnail=_thumbnail(brightness + int(rng.integers(-4, 5)) * 5, int(rng.integers(20))),
                embedding=features.astype("<f2").tobytes() if embedded else b"",
                gate="ok",
            )
            films.append(Film(result, POSITIVE if is_ill else NEGATIVE))
    return sorted(films, key=lambda film: film.result.name)
