from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import uid

from cxrscan.scanner.calibration import probabilities
from cxrscan.scanner.errors import TrainingError
from cxrscan.scanner.records import HeatMap, ImageSource, ScanResult
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.worker import open_model, scan_chunk
from cxrscan.training.dataset import find_films, load_films, read_patients
from tests.builders import dicom_film, encode, film_pixels, write_film
from tests.training.films import TINY, write_data


def test_films_are_found_below_class_folders_of_any_case_and_below_train(tmp_path: Path) -> None:
    write_film(tmp_path / "train" / "normal" / "IM-0001-0001.jpeg")
    write_film(tmp_path / "train" / "Pneumonia" / "person7_virus_1.png")
    (tmp_path / "train" / "normal" / "notes.txt").write_text("no film")
    normal, pneumonia = find_films(tmp_path)
    assert (normal.name, normal.is_positive, normal.patient) == ("NORMAL/IM-0001-0001", False, "IM-0001")
    assert (pneumonia.name, pneumonia.is_positive, pneumonia.patient) == ("PNEUMONIA/person7_virus_1", True, "person7")


def as_dicom(film: np.ndarray, **header: object) -> bytes:
    deep = film.astype(np.uint16) * 16
    return dicom_film(deep, bits_stored=12, WindowCenter=2048, WindowWidth=4096, **header)


def parity_films() -> dict[str, bytes]:
    """Films on both sides of every step of reduced decoding, in the formats that have one."""
    films = {f"{px}.jpeg": encode(film_pixels(px, height=px * 3 // 4, width=px), "JPEG") for px in SIDES_PX}
    films |= {f"{px}.dcm": as_dicom(film_pixels(px, height=px, width=px)) for px in (448, 1500)}
    films["IM0001"] = as_dicom(film_pixels(7, height=1500, width=1400), syntax=uid.JPEG2000Lossless)
    return films


SIDES_PX = (300, 448, 1500, 3000)


def test_training_and_scanning_see_the_same_pixels_bit_for_bit(tmp_path: Path) -> None:
    """Of equal inputs the same network says the same; a pixel that differs moves the heat map or the probability."""
    for label in ("NORMAL", "PNEUMONIA"):
        for name, data in parity_films().items():
            (tmp_path / label).mkdir(exist_ok=True)
            (tmp_path / label / name).write_bytes(data)
    settings = ScanSettings(gate="off", batch_size=1)
    spec, engine = open_model(settings)
    loaded = load_films(find_films(tmp_path), spec)
    assert len(loaded.films) == 2 * len(parity_films())
    for film, (row,) in zip(loaded.films, loaded.rows, strict=True):
        (scanned,) = scan_chunk([ImageSource(film.paths[0], film.name, None)], settings)
        assert isinstance(scanned, ScanResult)
        trained_on = engine.predict(loaded.pixels[[row]])
        assert [scanned.prob_pneumonia] == probabilities(spec, trained_on), film.name
        assert scanned.heat_map == HeatMap(trained_on.heat_maps[0].astype("<f2").tobytes(), 7), film.name


def test_the_patient_of_a_dicom_film_is_the_one_in_its_header_and_stays_unknown_to_readers(tmp_path: Path) -> None:
    for label in ("NORMAL", "PNEUMONIA"):
        (tmp_path / label).mkdir()
        for number in range(3):
            data = as_dicom(film_pixels(number), PatientID=f"HOSPITAL-{number % 2}", PatientName="A^B")
            (tmp_path / label / f"{number}").write_bytes(data)
        (tmp_path / label / "nobody").write_bytes(as_dicom(film_pixels(9), without=["PatientID"]))
    loaded = load_films(find_films(tmp_path), TINY)
    patients = {film.name: film.patient for film in loaded.films}
    assert patients["NORMAL/0"] == patients["NORMAL/2"] == patients["PNEUMONIA/0"] != patients["NORMAL/1"]
    assert patients["NORMAL/nobody"] == "nobody"
    assert "HOSPITAL" not in " ".join(patients.values())


def test_films_that_differ_in_their_ending_alone_are_all_kept_and_of_one_patient(tmp_path: Path) -> None:
    for suffix in (".jpeg", ".jpg", ".png"):
        write_film(tmp_path / "NORMAL" / f"a{suffix}", len(suffix))
    write_film(tmp_path / "PNEUMONIA" / "b.png")
    loaded = load_films(find_films(tmp_path), TINY)
    assert [film.name for film in loaded.films] == ["NORMAL/a", "NORMAL/a.jpg", "NORMAL/a.png", "PNEUMONIA/b"]
    assert [film.patient for film in loaded.films] == ["a", "a", "a", "b"]


def test_what_is_no_film_lies_among_the_films_unnoticed(tmp_path: Path) -> None:
    data = write_data(tmp_path, n_patients=1)
    (data / "NORMAL" / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (data / "NORMAL" / ".IM-0001.jpeg.part").write_bytes(encode(film_pixels(), "JPEG"))
    (data / "NORMAL" / "more.png").mkdir()
    assert [film.name for film in find_films(data) if not film.is_positive] == [
        "NORMAL/IM-0000-0000",
        "NORMAL/IM-0000-0001",
    ]


def test_other_versions_of_a_film_join_it_by_name(tmp_path: Path) -> None:
    data = write_data(tmp_path / "small", n_patients=2)
    write_film(tmp_path / "large" / "NORMAL" / "IM-0001-0001.png", height=90, width=120)
    write_film(tmp_path / "large" / "PNEUMONIA" / "person5_virus_1.png", height=90, width=120)
    loaded = load_films(find_films(data, [tmp_path / "large"]), TINY)
    assert len(loaded.films) == 8
    assert {film.name: len(rows) for film, rows in zip(loaded.films, loaded.rows, strict=True) if len(rows) > 1} == {
        "NORMAL/IM-0001-0001": 2
    }


def test_an_unreadable_film_is_passed_over_and_listed(tmp_path: Path) -> None:
    data = write_data(tmp_path, n_patients=2)
    broken = data / "NORMAL" / "IM-0000-0000.jpeg"
    broken.write_bytes(b"no picture")
    loaded = load_films(find_films(data), TINY)
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
        load_films(find_films(tmp_path), TINY)


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
