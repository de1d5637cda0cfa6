"""Training folders of drawn films, and networks small enough to train in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cxrscan.training.config import AugmentConfig, TrainConfig
from cxrscan.training.films import FilmFile, LoadedFilms
from tests.builders import write_film

TINY = TrainConfig(
    input_px=32,
    alpha=0.35,
    hidden_units=8,
    weights="none",
    train_from="block_16",  # a short backward pass; TensorFlow takes long to trace a whole one
    epochs=2,
    batch_size=8,
    learning_rate=1e-3,
    validation_fraction=0.3,
    augment=AugmentConfig(brightness=0.1, contrast=0.2, jpeg_quality_min=60, border=0.5, noise=0.02),
)


def write_data(folder: Path, n_patients: int = 5, films_each: int = 2, suffix: str = ".jpeg") -> Path:
    """Class folders with films named by the dataset's rule."""
    for patient in range(n_patients):
        for film in range(films_each):
            seed = 100 * patient + film
            write_film(folder / "NORMAL" / f"IM-{patient:04}-{film:04}{suffix}", seed, height=40, width=48)
            name = f"person{patient}_virus_{film}{suffix}"
            write_film(folder / "PNEUMONIA" / name, seed + 50, height=40, width=48)
    return folder


def loaded_films(patients: dict[str, list[str]], digests: dict[str, str] | None = None) -> LoadedFilms:
    """Loaded films without pixels: patient -> names of its films; normal patients begin with ``n``."""
    films = tuple(
        FilmFile(name, is_positive=not patient.startswith("n"), patient=patient, paths=())
        for patient, names in patients.items()
        for name in names
    )
    return LoadedFilms(
        films=films,
        pixels=np.zeros((len(films), 1, 1, 1), dtype=np.float32),
        rows=tuple((i,) for i in range(len(films))),
        digests=tuple((digests or {}).get(film.name, film.name) for film in films),
        unreadable=(),
    )
