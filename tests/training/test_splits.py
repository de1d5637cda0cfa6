from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrscan.scanner.errors import TrainingError
from cxrscan.training.dataset import find_films, load_films
from cxrscan.training.films import FilmFile, LoadedFilms
from cxrscan.training.splits import duplicates, find_leaks, split_by_patient, write_splits
from tests.builders import write_film
from tests.training.films import TINY, loaded_films, write_data

counts = st.lists(st.integers(1, 6), min_size=2, max_size=12)


@given(normal=counts, pneumonia=counts, fraction=st.floats(0.05, 0.5), seed=st.integers(0, 99))
def test_no_patient_lies_on_both_sides_and_both_sides_hold_both_classes(
    normal: list[int], pneumonia: list[int], fraction: float, seed: int
) -> None:
    patients = {f"{label}{i}": [f"{label}{i}-{k}" for k in range(n)] for label, ns in (("n", normal), ("p", pneumonia))
                for i, n in enumerate(ns)}  # fmt: skip
    loaded = loaded_films(patients)
    train, validation = split_by_patient(loaded, fraction, seed)
    assert sorted([*train, *validation]) == list(range(len(loaded.films)))
    assert not {loaded.films[i].patient for i in train} & {loaded.films[i].patient for i in validation}
    for side in (train, validation):
        assert set(loaded.truth[side].tolist()) == {False, True}


def test_the_split_follows_from_the_seed() -> None:
    loaded = loaded_films({f"{label}{i}": [f"{label}{i}"] for label in "np" for i in range(40)})
    np.testing.assert_array_equal(split_by_patient(loaded, 0.2, 3)[1], split_by_patient(loaded, 0.2, 3)[1])
    assert split_by_patient(loaded, 0.2, 3)[1].tolist() != split_by_patient(loaded, 0.2, 4)[1].tolist()
    assert loaded.truth[split_by_patient(loaded, 0.2, 3)[1]].sum() == 8


def test_copies_of_one_film_stay_on_one_side_and_are_told() -> None:
    patients = {f"{label}{i}": [f"{label}{i}"] for label in "np" for i in range(6)}
    loaded = loaded_films(patients, digests={"p0": "same", "p5": "same"})
    assert duplicates(loaded) == [("p0", "p5")]
    for seed in range(10):
        train, _ = split_by_patient(loaded, 0.4, seed)
        names = {loaded.films[i].name for i in train}
        assert ("p0" in names) == ("p5" in names)


def test_a_class_with_a_single_patient_cannot_be_split() -> None:
    with pytest.raises(TrainingError, match="two patients of each class; there are 1"):
        split_by_patient(loaded_films({"n0": ["a"], "n1": ["b"], "p0": ["c", "d"]}), 0.2, 0)


def test_the_split_is_written_with_label_patient_and_hash(tmp_path: Path) -> None:
    loaded = load_films(find_films(write_data(tmp_path / "data", n_patients=2)), TINY)
    write_splits(tmp_path / "splits.csv", loaded, [0, 7])
    with (tmp_path / "splits.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["film"] for row in rows if row["split"] == "validation"] == [
        "NORMAL/IM-0000-0000",
        "PNEUMONIA/person1_virus_1",
    ]
    assert rows[0]["label"] == "NORMAL"
    assert rows[0]["patient"] == "IM-0000"
    assert rows[0]["sha256"] == loaded.digests[0]


def test_a_test_film_that_is_a_training_film_is_found_under_any_name(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", n_patients=2)
    loaded = load_films(find_films(data), TINY)
    copy = tmp_path / "test" / "PNEUMONIA" / "other.jpeg"
    write_film(tmp_path / "test" / "NORMAL" / "new.png", 77)
    copy.parent.mkdir(parents=True)
    copy.write_bytes((data / "PNEUMONIA" / "person0_virus_0.jpeg").read_bytes())
    assert find_leaks(loaded, tmp_path / "test") == [copy]


def film(name: str, population: str, split: str = "") -> FilmFile:
    return FilmFile(name, name[0] == "p", name[:2], (), population=population, split=split)


def of(*films: FilmFile) -> LoadedFilms:
    return replace(loaded_films({"n": [film.name for film in films]}), films=films)


def test_each_population_is_split_by_itself_and_one_that_says_how_as_it_says() -> None:
    children = [film(f"{label}{i}", "children") for label in "np" for i in range(6)]
    adults = [film(name, "adults", split) for name, split in (("n7", ""), ("n8", "validation"), ("p9", "train"))]
    loaded = of(*children, *adults)
    train, validation = split_by_patient(loaded, 0.3, 0)
    assert sorted([*train, *validation]) == list(range(15))
    assert [i for i in validation if i >= 12] == [13]
    assert sum(loaded.films[i].population == "children" for i in validation) == 4


def test_a_patient_on_both_sides_of_a_split_that_is_told_stops_the_run() -> None:
    loaded = of(film("n0a", "adults", "train"), film("n0b", "adults", "validation"), film("p1", "adults"))
    with pytest.raises(TrainingError, match="n0a and n0b are one patient's"):
        split_by_patient(loaded, 0.2, 0)
