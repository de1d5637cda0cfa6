"""Split films into training and validation by patient, so that nobody's films lie on both sides."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cxrscan.scanner.errors import TrainingError
from cxrscan.scanner.metrics import BoolArray
from cxrscan.scanner.model_bundle import SPEC_NAME
from cxrscan.scanner.records import NEGATIVE, POSITIVE
from cxrscan.scanner.system.beneath import open_regular
from cxrscan.scanner.system.whole_files import replacing_text
from cxrscan.training.films import LoadedFilms
from cxrscan.training.table import TRAIN, VALIDATION

IndexArray = np.ndarray


def split_by_patient(loaded: LoadedFilms, fraction: float, seed: int) -> tuple[IndexArray, IndexArray]:
    """Hold out whole patients, population by population.

    A population whose films say themselves on which side they lie is split so. Of the others each class is held out
    until the wanted share of its films is reached. Films that are copies of one another, byte by byte, count as one
    patient's.

    Returns
    -------
    Indices of the training films and of the validation films, both sorted.

    Raises
    ------
    TrainingError
        ``data-unusable``: a class has fewer than two patients, or a patient lies on both sides.
    """
    rng = np.random.default_rng(seed)
    held_out: list[int] = []
    for population in loaded.populations:
        groups = [g for g in _groups(loaded) if loaded.films[g[0]].population == population]
        is_told = any(loaded.films[i].split for group in groups for i in group)
        held_out += _told(loaded, groups) if is_told else _drawn(loaded.truth, groups, fraction, rng)
    validation = np.array(sorted(held_out))
    return np.setdiff1d(np.arange(len(loaded.films)), validation), validation


def _told(loaded: LoadedFilms, groups: Sequence[Sequence[int]]) -> list[int]:
    """The films that their data set holds out; those of which it says nothing are trained on."""
    held_out: list[int] = []
    for group in groups:
        sides = {loaded.films[i].split == VALIDATION for i in group}
        if len(sides) > 1:
            names = " and ".join(loaded.films[i].name for i in group[:2])
            raise TrainingError("data-unusable", f"{names} are one patient's, and not on one side of the split.")
        held_out += group if sides == {True} else []
    return held_out


def _drawn(truth: BoolArray, groups: Sequence[Sequence[int]], fraction: float, rng: np.random.Generator) -> list[int]:
    """Films of patients drawn at random, in each class the wanted share."""
    held_out: list[int] = []
    for is_positive in (False, True):
        # A patient with films of both classes goes with the larger part; ties with the normal films.
        mine = [g for g in groups if (truth[list(g)].mean() > 0.5) == is_positive]
        if len(mine) < 2:
            raise TrainingError(
                "data-unusable", f"Validation by patient needs two patients of each class; there are {len(mine)}."
            )
        wanted = fraction * sum(map(len, mine))
        taken = 0
        for i in rng.permutation(len(mine))[:-1]:
            if taken >= wanted:
                break
            held_out += mine[i]
            taken += len(mine[i])
    return held_out


def duplicates(loaded: LoadedFilms) -> list[tuple[str, str]]:
    """Pairs of different films with the same bytes: name of the first film, name of its copy."""
    first: dict[str, int] = {}
    pairs = []
    for i, rows in enumerate(loaded.rows):
        for digest in {loaded.digests[row] for row in rows}:
            j = first.setdefault(digest, i)
            if j != i:
                pairs.append((loaded.films[j].name, loaded.films[i].name))
    return pairs


def find_leaks(loaded: LoadedFilms, test: Path) -> list[Path]:
    """List the files below a test folder that are, byte by byte, among the films."""
    known = set(loaded.digests)
    files = sorted(path for path in test.rglob("*") if path.is_file())
    return [path for path in files if _digest(path) in known]


def _digest(path: Path) -> str:
    with open_regular(str(path)) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # it is buffered


def write_splits(path: Path, loaded: LoadedFilms, validation: Sequence[int] | IndexArray) -> None:
    """Write ``splits.csv``: one row for each film, sorted by name."""
    held_out = set(map(int, validation))
    with replacing_text(path) as file:
        writer = csv.writer(file)
        writer.writerow(["film", "population", "patient", "label", "view", "split", "n_versions", "sha256"])
        for i, film in enumerate(loaded.films):
            label = POSITIVE if film.is_positive else NEGATIVE
            split = VALIDATION if i in held_out else TRAIN
            rows = loaded.rows[i]
            told = (film.name, film.population, film.patient, label, film.view, split)
            writer.writerow([*told, len(rows), loaded.digests[rows[0]]])


def read_split(path: Path, loaded: LoadedFilms) -> tuple[IndexArray, IndexArray]:
    """Indices of the training and of the validation films, from the ``splits.csv`` of a training run.

    Raises
    ------
    TrainingError
        ``data-unusable``: the file cannot be read, or leaves one side empty.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            split_of = {row["film"]: row["split"] for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError) as error:
        raise TrainingError("data-unusable", f"{path} cannot be read as splits.csv: {error}.") from error
    train, validation = (
        np.array([i for i, film in enumerate(loaded.films) if split_of.get(film.name) == split], dtype=np.intp)
        for split in ("train", "validation")
    )
    if not train.size or not validation.size:
        raise TrainingError("data-unusable", f"{path} names no film of the data as train, or none as validation.")
    return train, validation


def split_again(document: Mapping[str, Any], loaded: LoadedFilms) -> tuple[IndexArray, IndexArray]:
    """Split films as the training run behind a ``model.json`` did; indices of the training and the validation films.

    Raises
    ------
    TrainingError
        ``data-unusable``: the document does not say how, or the films are not those of the run.
    """
    account = document["training"]
    try:
        fraction, seed = float(account["config"]["validation_fraction"]), int(account["split_seed"])
        counts = account["n_train"], account["n_validation"]
    except (KeyError, TypeError, ValueError) as error:
        raise TrainingError("data-unusable", f"{SPEC_NAME} does not say how the films were split: {error}.") from error
    train, validation = split_by_patient(loaded, fraction, seed)
    if (len(train), len(validation)) != counts:
        raise TrainingError(
            "data-unusable",
            f"The films split into {len(train)} and {len(validation)}, those of the bundle into {counts[0]} and "
            f"{counts[1]}: these are other films.",
        )
    return train, validation


def _groups(loaded: LoadedFilms) -> list[list[int]]:
    """Films that must stay together: those of one patient, and copies of one another."""
    parent = list(range(len(loaded.films)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    seen: dict[str, int] = {}
    for i, film in enumerate(loaded.films):
        for key in (f"patient {film.population} {film.patient}", *(loaded.digests[row] for row in loaded.rows[i])):
            parent[root(i)] = root(seen.setdefault(key, i))
    groups = defaultdict(list)
    for i in range(len(parent)):
        groups[root(i)].append(i)
    return list(groups.values())
