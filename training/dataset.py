"""Find the films of a training set and decode each once, exactly as the scanner does."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from cxrscan.scanner.errors import CxrscanError, TrainingError
from cxrscan.scanner.evaluation.patients import patient_of
from cxrscan.scanner.preprocess import to_model_input
from cxrscan.scanner.readers import HEAD_BYTES, ReadOptions, promises_film, read_film, sniff_kind, without_ending
from cxrscan.scanner.readers.options import TakesFilms
from cxrscan.scanner.records import NEGATIVE, POSITIVE, FloatImage
from cxrscan.scanner.system.beneath import open_regular
from cxrscan.scanner.system.bounded import read_bounded
from cxrscan.training.films import Box, FilmFile, LoadedFilms
from cxrscan.training.table import read_rows, read_table

_N_THREADS = 4


@dataclass(frozen=True, slots=True)
class DataSet:
    """Where films of one population lie."""

    path: Path
    """A folder with class folders, or a CSV file."""
    population: str = ""


def parse_data_set(text: str) -> DataSet:
    """``children=chest_xray`` or ``chest_xray`` -> a data set.

    Raises
    ------
    TrainingError
        ``data-unusable``: there is no such folder or file.
    """
    population, equals, path = text.partition("=")
    data = DataSet(Path(path), population) if equals and not Path(text).exists() else DataSet(Path(text))
    if not data.path.exists():
        raise TrainingError("data-unusable", f"There is no folder or file {data.path}.")
    return data


def find_all_films(
    data_sets: Sequence[DataSet], also: Sequence[Path] = (), patients: Mapping[str, str] | None = None
) -> tuple[FilmFile, ...]:
    """List the films of folders and tables, one after the other; see ``find_films`` and ``read_table``.

    Raises
    ------
    TrainingError
        ``data-unusable``: one of them cannot be used, or two films have the same name.
    """
    films: dict[str, FilmFile] = {}
    for data in data_sets:
        if data.path.is_file():
            found = read_table(data.path, data.population)
        else:
            found = tuple(_of(data.population, film) for film in find_films(data.path, also, patients))
        for film in found:
            if films.setdefault(film.name, film) is not film:
                raise TrainingError("data-unusable", f"Two films are called {film.name}; name the populations.")
    return tuple(films.values())


def _of(population: str, film: FilmFile) -> FilmFile:
    """The film with its population, which stands before its name."""
    return replace(film, name=f"{population}/{film.name}", population=population) if population else film


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
        rule of the dataset.

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
            patient = patient_of(path.name) or "" if patients is None else patients.get(path.name)
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
    patients: dict[str, str] = {}
    for line, path, row in read_rows(table, "patient"):
        name, patient = Path(path).name, row["patient"]
        if not name or not patient:
            raise TrainingError("data-unusable", f"{table}, line {line}: film or patient is missing.")
        if patients.setdefault(name, patient) != patient:
            raise TrainingError("data-unusable", f"{table}, line {line}: {name} belongs to two patients.")
    return patients


def load_films(films: Iterable[FilmFile], model: TakesFilms) -> LoadedFilms:
    """Decode every version of every film once, as the scanner does.

    A film whose patient is not known belongs to the one whom its DICOM header names, as a hash that differs from one
    call to the next; without a header it is a patient of its own.

    Parameters
    ----------
    model
        Knows the size of the network's input.

    Raises
    ------
    TrainingError
        ``data-unusable``: a class has no readable film.
    """
    films = tuple(films)
    options = ReadOptions.for_model(model, ids=os.urandom(32))
    jobs = [(i, path) for i, film in enumerate(films) for path in film.paths]
    # one thread per matrix product, as in the scanner's workers: more would round otherwise
    with ThreadPoolExecutor(_N_THREADS) as pool, threadpool_limits(1, user_api="blas"):
        read = list(pool.map(lambda job: _read(job[1], options, model.input_px), jobs))
    pixels: list[FloatImage] = []
    digests: list[str] = []
    unreadable: list[tuple[Path, str]] = []
    rows: dict[int, list[int]] = {}
    patients: dict[int, str] = {}
    boxes: dict[int, tuple[Box, ...]] = {}
    for (i, path), found in zip(jobs, read, strict=True):
        if isinstance(found, str):
            unreadable.append((path, found))
            continue
        if films[i].boxes and i not in rows:
            boxes[i] = tuple(box.share_of(found.width_px, found.height_px) for box in films[i].boxes)
        rows.setdefault(i, []).append(len(pixels))
        pixels.append(found.pixels)
        digests.append(found.digest)
        patients[i] = films[i].patient or patients.get(i) or found.patient
    kept = tuple(replace(films[i], patient=patients[i] or films[i].stem) for i in rows)
    for label, wanted in ((NEGATIVE, False), (POSITIVE, True)):
        if not any(film.is_positive == wanted for film in kept):
            raise TrainingError("data-unusable", f"No film of class {label} can be read.")
    place = {i: k for k, i in enumerate(rows)}
    return LoadedFilms(
        films=kept,
        pixels=np.stack(pixels),
        rows=tuple(map(tuple, rows.values())),
        digests=tuple(digests),
        unreadable=tuple(unreadable),
        boxes={place[i]: shares for i, shares in boxes.items()},
    )


@dataclass(frozen=True, slots=True)
class _ReadFile:
    pixels: FloatImage
    width_px: int
    height_px: int
    digest: str
    patient: str
    """Hash of the patient whom a DICOM header names, or empty."""


#: A film of ``ReadOptions.max_megapixels`` with 16 bits for each of three colours, and a header.
_MAX_FILM_BYTES = 1_220_000_000


def _read(path: Path, options: ReadOptions, input_px: int) -> _ReadFile | str:
    """What a file holds, or why it cannot be read."""
    try:
        data = read_bounded(path, _MAX_FILM_BYTES)
        film = read_film(data, options)[0]
    except CxrscanError as error:
        return error.message
    except OSError as error:
        return f"The file cannot be read: {error.strerror}."
    patient = dict(film.attributes.ids).get("patient_id_hash", "")
    return _ReadFile(
        pixels=to_model_input(film.pixels, input_px),
        width_px=film.width_px,
        height_px=film.height_px,
        digest=hashlib.sha256(data).hexdigest(),
        patient=patient,
    )


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
    films: dict[str, Path] = {}
    for path in filter(_is_film, sorted(folder.iterdir())):
        stem = without_ending(path.name)
        films[path.name if stem in films else stem] = path  # ``X.jpg`` beside ``X.jpeg`` is a film too
    return films


def _is_film(path: Path) -> bool:
    """Whether name or content promise a film; DICOM files often have no ending."""
    if path.name.startswith(".") or not path.is_file():
        return False
    if promises_film(path.name):
        return True
    with open_regular(str(path)) as file:
        return sniff_kind(file.read(HEAD_BYTES)) is not None
