from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scanner.errors import TrainingError
from scanner.preprocess import to_model_input
from scanner.readers.raster import read_raster
from tests.builders import write_film
from tests.training.films import write_data
from training.dataset import find_films, load_films, read_patients


def test_films_are_found_below_class_folders_of_any_case_and_below_train(tmp_path: Path) -> None:
    write_film(tmp_path / "train" / "normal" / "IM-0001-0001.jpeg")
    write_film(tmp_path / "train" / "Pneumonia" / "person7_virus_1.png")
    (tmp_path / "train" / "normal" / "notes.txt").write_text("no film")
    normal, pneumonia = find_films(tmp_path)
    assert (normal.name, normal.is_positive, normal.patient) == ("NORMAL/IM-0001-0001", False, "IM-0001")
    assert (pneumonia.name, pneumonia.is_positive, pneumonia.patient) == ("PNEUMONIA/person7_virus_1", True, "person7")


def test_training_input_equals_scanning_input_bit_for_bit(tmp_path: Path) -> None:
    data = write_data(tmp_path, n_patients=2)
    write_film(data / "NORMAL" / "IM-9999-0001.png", 9, height=100, width=140)
    write_film(data / "PNEUMONIA" / "person99_virus_1.jpeg", 9, height=300, width=260)
    loaded = load_films(find_films(data), 64)
    for film, (row,) in zip(loaded.films, loaded.rows, strict=True):
        scanned = read_raster(film.paths[0].read_bytes(), min_side_px=64, max_megapixels=200)
        np.testing.assert_array_equal(loaded.pixels[row], to_model_input(scanned.pixels, 64))


def test_other_versions_of_a_film_join_it_by_name(tmp_path: Path) -> None:
    data = write_data(tmp_path / "small", n_patients=2)
    write_film(tmp_path / "large" / "NORMAL" / "IM-0001-0001.png", height=90, width=120)
    write_film(tmp_path / "large" / "PNEUMONIA" / "person5_virus_1.png", height=90, width=120)
    loaded = load_films(find_films(data, [tmp_path / "large"]), 32)
    assert len(loaded.films) == 8
    assert {film.name: len(rows) for film, rows in zip(loaded.films, loaded.rows, strict=True) if len(rows) > 1} == {
        "NORMAL/IM-0001-0001": 2
    }


def test_an_unreadable_film_is_passed_over_and_listed(tmp_path: Path) -> None:
    data = write_data(tmp_path, n_patients=2)
    broken = data / "NORMAL" / "IM-0000-0000.jpeg"
    broken.write_bytes(b"no picture")
    loaded = load_films(find_films(data), 32)
    assert len(loaded.films) == 7
    assert [path for path, _ in loaded.unreadable] == [broken]
    assert loaded.truth.tolist() == [False] * 3 + [True] * 4


@pytest.mark.parametrize(
    ("folders", "said"),
    [((), "no class folder NORMAL"), (("NORMAL",), "no class folder PNEUMONIA"), (("NORMAL", "PNEUMONIA"), "no film")],
)
def test_a_class_without_films_stops_the_run(tmp_path: Path, folders: tuple[str, ...], said: str) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir()
        if folder == "NORMAL":
            write_film(tmp_path / folder / "a.png")
    with pytest.raises(TrainingError, match=said) as caught:
        find_films(tmp_path)
    assert caught.value.code == "data-unusable"


def test_a_class_without_any_readable_film_stops_the_run(tmp_path: Path) -> None:
    write_film(tmp_path / "NORMAL" / "a.png")
    (tmp_path / "PNEUMONIA").mkdir()
    (tmp_path / "PNEUMONIA" / "b.png").write_bytes(b"no picture")
    with pytest.raises(TrainingError, match="No film of class PNEUMONIA"):
        load_films(find_films(tmp_path), 32)


def test_a_table_says_whose_film_is_whose(tmp_path: Path) -> None:
    data = write_data(tmp_path / "films", n_patients=2, films_each=1)
    table = tmp_path / "patients.csv"
    lines = [
        f"films/{path.relative_to(data).as_posix()},p{i // 2}" for i, path in enumerate(sorted(data.rglob("*.jpeg")))
    ]
    table.write_text("\n".join(["\ufeffPath,Patient", *lines]), encoding="utf-8")
    films = find_films(data, patients=read_patients(table))
    assert [film.patient for film in films] == ["p0", "p0", "p1", "p1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs the columns"),
        ("path,person\na.png,1", "needs the columns"),
        ("path,patient\na.png,", "line 2"),
        ("path,patient\nx/a.png,1\ny/a.png,2", "two patients"),
    ],
)
def test_an_unfit_table_of_patients_stops_the_run(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "patients.csv").write_text(text)
    with pytest.raises(TrainingError, match=said):
        read_patients(tmp_path / "patients.csv")


def test_a_film_that_the_table_leaves_out_stops_the_run(tmp_path: Path) -> None:
    data = write_data(tmp_path, n_patients=2)
    with pytest.raises(TrainingError, match="does not name"):
        find_films(data, patients={"IM-0000-0000.jpeg": "a"})
