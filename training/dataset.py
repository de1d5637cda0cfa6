"""Find the films of a training set and decode each once, exactly as the scanner does."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scanner.errors import FilmError, TrainingError
from scanner.evaluation.patients import patient_of
from scanner.metrics import BoolArray
from scanner.preprocess import to_model_input
from scanner.readers.raster import read_raster
from scanner.records import NEGATIVE, POSITIVE, FloatImage

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"})
_MAX_MEGAPIXELS = 200.0
_N_THREADS = 4
_PATH_COLUMNS = ("path", "film", "file", "filename", "image")


@dataclass(frozen=True, slots=True)
class FilmFile:
    """One film with its label and all its versions."""

    name: str
    """``NORMAL/IM-0115-0001``: class folder and file name without its ending."""
    is_positive: bool
    patient: str
    paths: tuple[Path, ...]
    """The file of the training folder first, then other versions of the same film."""


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

    @property
    def truth(self) -> BoolArray:
        """Truth of the films: bool array, shape (number of films,), True for pneumonia."""
        return np.array([film.is_positive for film in self.films], dtype=np.bool_)


def find_films(
    folder: Path, also: Sequence[Path] = (), patients: Mapping[str, str] | None = None
) -> tuple[FilmFile, ...]:
    """List the films of a folder with class folders NORMAL and PNEUMONIA (any case), or of its ``train/``.

    Parameters
    ----------
    also
        Folders of the same layout with other versions of the same films, joined by class and file name
        without its ending; films that only they hold are left out.
    patients
        File name -> patient, of all films, as ``read_patients`` returns it; without, file names tell by the naming
        rule of the dataset, and a film whose name does not is a patient of its own.

    Raises
    ------
    TrainingError
        ``data-unusable``: a class folder is missing or holds no film, or ``patients`` leaves out a film.
    """
    classes = _class_folders(folder)
    others = [_class_folders(other) for other in also]
    films = []
    for label in (NEGATIVE, POSITIVE):
        versions = [_films_by_stem(other[label]) for other in others]
        for stem, path in _films_by_stem(classes[label]).items():
            paths = (path, *(found[stem] for found in versions if stem in found))
            patient = patient_of(path.name) or stem if patients is None else patients.get(path.name)
            if patient is None:
                raise TrainingError("data-unusable", f"The table of patients does not name the film {path}.")
            films.append(FilmFile(f"{label}/{stem}", label == POSITIVE, patient, paths))
    return tuple(films)


def read_patients(table: Path) -> dict[str, str]:
    """Read whose film is whose from a CSV file with a column ``patient`` and one called ``path``, ``film`` or ``file``.

    Returns
    -------
    File name, without folders -> patient.

    Raises
    ------
    TrainingError
        ``data-unusable``: the file cannot be read, lacks a column or a cell, or gives one file name two patients.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = [{(key or "").strip().lower(): value for key, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, csv.Error) as error:
        raise TrainingError("data-unusable", f"{table} cannot be read as CSV: {error}.") from error
    path_column = next((name for name in _PATH_COLUMNS if rows and name in rows[0]), None)
    if path_column is None or "patient" not in rows[0]:
        raise TrainingError("data-unusable", f"{table} needs the columns path and patient, and at least one line.")
    patients: dict[str, str] = {}
    for line, row in enumerate(rows, start=2):
        name, patient = Path(row[path_column] or "").name, (row["patient"] or "").strip()
        if not name or not patient:
            raise TrainingError("data-unusable", f"{table}, line {line}: film or patient is missing.")
        if patients.setdefault(name, patient) != patient:
            raise TrainingError("data-unusable", f"{table}, line {line}: {name} belongs to two patients.")
    return patients


def read_model_input(data: bytes, input_px: int) -> FloatImage:
    """Make the network's input from a file's bytes, as the scanner does.

    Returns
    -------
    float32 array, shape (input_px, input_px, 1), values in [0, 1].

    Raises
    ------
    FilmError
        The bytes are no readable film.
    """
    film = read_raster(data, min_side_px=input_px, max_megapixels=_MAX_MEGAPIXELS)
    return to_model_input(film.pixels, input_px)


def load_films(films: Iterable[FilmFile], input_px: int) -> LoadedFilms:
    """Decode every version of every film once.

    Raises
    ------
    TrainingError
        ``data-unusable``: a class has no readable film.
    """
    films = tuple(films)
    jobs = [(i, path) for i, film in enumerate(films) for path in film.paths]
    with ThreadPoolExecutor(_N_THREADS) as pool:
        read = list(pool.map(lambda job: _read(job[1], input_px), jobs))
    pixels: list[FloatImage] = []
    digests: list[str] = []
    unreadable: list[tuple[Path, str]] = []
    rows: dict[int, list[int]] = {}
    for (i, path), found in zip(jobs, read, strict=True):
        if isinstance(found, str):
            unreadable.append((path, found))
            continue
        rows.setdefault(i, []).append(len(pixels))
        pixels.append(found[0])
        digests.append(found[1])
    kept = tuple(films[i] for i in rows)
    for label, wanted in ((NEGATIVE, False), (POSITIVE, True)):
        if not any(film.is_positive == wanted for film in kept):
            raise TrainingError("data-unusable", f"No film of class {label} can be read.")
    return LoadedFilms(kept, np.stack(pixels), tuple(map(tuple, rows.values())), tuple(digests), tuple(unreadable))


def _read(path: Path, input_px: int) -> tuple[FloatImage, str] | str:
    """Pixels and digest of a film, or why it cannot be read."""
    try:
        data = path.read_bytes()
        return read_model_input(data, input_px), hashlib.sha256(data).hexdigest()
    except FilmError as error:
        return error.message
    except OSError as error:
        return f"The file cannot be read: {error}."


def _class_folders(folder: Path) -> dict[str, Path]:
    root = folder / "train" if (folder / "train").is_dir() else folder
    found = {path.name.upper(): path for path in sorted(root.iterdir()) if path.is_dir()} if root.is_dir() else {}
    for label in (NEGATIVE, POSITIVE):
        if label not in found:
            raise TrainingError("data-unusable", f"{root} holds no class folder {label}.")
        if not _films_by_stem(found[label]):
            raise TrainingError("data-unusable", f"The class folder {found[label]} holds no film.")
    return found


def _films_by_stem(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in _SUFFIXES}
