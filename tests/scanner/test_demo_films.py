from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from PIL import Image
from pydicom.pixels import apply_voi_lut

from cxrscan.scanner.demo import NOTICE, draw_demo_folder
from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.readers import ReadOptions, read_film
from cxrscan.scanner.synthetic_films import ADULTS_MODEL_PATH, CLASSES, MODEL_PATH, FilmModel, draw_film


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "films"
    draw_demo_folder(folder)
    return folder


@pytest.fixture(scope="module")
def dicom_films(demo_folder: Path) -> list[pydicom.FileDataset]:
    return [pydicom.dcmread(path) for path in sorted(demo_folder.rglob("*.dcm"))]


def displayed(dataset: pydicom.FileDataset) -> npt.NDArray[np.float64]:
    """Display values in [0, 1] by pydicom's own VOI LUT."""
    values = np.asarray(apply_voi_lut(dataset.pixel_array, dataset), dtype=np.float64) / 4095
    return 1 - values if dataset.PhotometricInterpretation == "MONOCHROME1" else values


def rim_and_middle(film: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Brightness beside the body and over the spine."""
    height, width = film.shape
    rows = slice(height // 2, None)
    return float(film[rows, : width // 50].mean()), float(film[rows, width * 2 // 5 : width * 3 // 5].mean())


@pytest.mark.parametrize("label", CLASSES)
def test_each_class_folder_holds_twelve_films_of_every_kind(demo_folder: Path, label: str) -> None:
    suffixes = [path.suffix for path in (demo_folder / label).iterdir()]
    assert {suffix: suffixes.count(suffix) for suffix in set(suffixes)} == {".jpg": 7, ".png": 2, ".dcm": 3}


@pytest.mark.parametrize("label", CLASSES)
def test_half_of_each_class_look_like_children_and_half_like_adults(demo_folder: Path, label: str) -> None:
    names = [path.stem for path in (demo_folder / label).iterdir()]
    assert [sum(name.endswith(people) for name in names) for people in ("child", "adult")] == [6, 6]


def test_the_files_told_are_the_files_written(tmp_path: Path) -> None:
    assert sorted(draw_demo_folder(tmp_path)) == sorted(path for path in tmp_path.rglob("*") if path.is_file())


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_films(demo_folder: Path, tmp_path: Path) -> None:
    for path in draw_demo_folder(tmp_path / "again"):
        assert path.read_bytes() == (demo_folder / path.relative_to(tmp_path / "again")).read_bytes()
    for path in draw_demo_folder(tmp_path / "other", seed=1)[:24]:
        assert path.read_bytes() != (demo_folder / path.relative_to(tmp_path / "other")).read_bytes()


def test_films_have_the_size_and_the_grey_of_real_exports(demo_folder: Path) -> None:
    for path in [*demo_folder.rglob("synthetic-*.jpg"), *demo_folder.rglob("synthetic-*.png")]:
        (film,) = read_film(path.read_bytes(), ReadOptions())
        assert 950 <= film.width_px <= 1250
        assert 0.8 < film.width_px / film.height_px < 2.5
        assert film.chroma == 0.0
        assert film.pixels.std() > 0.1


@pytest.mark.parametrize(("path", "arms"), [(MODEL_PATH, 0.25), (ADULTS_MODEL_PATH, 0.4)])
def test_a_film_is_dark_beside_the_body_and_bright_over_the_spine(path: Path, arms: float) -> None:
    model, rng = FilmModel.load(path), np.random.default_rng(0)
    rims, middles = np.mean([rim_and_middle(draw_film(model, 0, rng, 300)) for _ in range(10)], axis=0)
    assert rims < arms
    assert middles > 0.55


def test_every_film_says_that_it_shows_no_patient(demo_folder: Path, dicom_films: list[pydicom.FileDataset]) -> None:
    assert {dataset.ImageComments for dataset in dicom_films} == {NOTICE}
    for path in demo_folder.rglob("synthetic-*.jpg"):
        with Image.open(path) as image:
            assert image.info["comment"] == NOTICE.encode()
    for path in demo_folder.rglob("synthetic-*.png"):
        with Image.open(path) as image:
            assert image.info["Comment"] == NOTICE


def test_dicom_films_carry_the_header_of_a_frontal_chest_film(demo_folder: Path) -> None:
    for path in demo_folder.rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        is_child = "-child" in path.name
        assert (dataset.Modality, dataset.BodyPartExamined) == ("CR", "CHEST")
        assert dataset.ViewPosition == ("AP" if is_child else "PA")
        years = int(dataset.PatientAge.removesuffix("Y"))
        assert 1 <= years <= 5 if is_child else 20 <= years <= 85
        assert dataset.PatientSex in {"F", "M"}
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID


def test_dicom_films_are_strangers_to_each_other(dicom_films: list[pydicom.FileDataset]) -> None:
    for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        values = [dataset[keyword].value for dataset in dicom_films]
        assert len(set(values)) == len(values)
        assert keyword == "PatientID" or all(value.is_valid for value in values)
    assert all(dataset.PatientID.startswith("SYNTHETIC-") for dataset in dicom_films)


def test_monochrome_1_is_stored_inverted_and_shown_like_monochrome_2(dicom_films: list[pydicom.FileDataset]) -> None:
    assert [dataset.PhotometricInterpretation for dataset in dicom_films] == 2 * [
        "MONOCHROME1",
        "MONOCHROME2",
        "MONOCHROME2",
    ]
    for dataset in dicom_films:
        rim, middle = rim_and_middle(displayed(dataset))
        assert rim < middle
        stored_rim, stored_middle = rim_and_middle(dataset.pixel_array)
        assert (stored_rim > stored_middle) == (dataset.PhotometricInterpretation == "MONOCHROME1")


def test_the_window_shows_the_film_from_black_to_white_without_clipping(
    dicom_films: list[pydicom.FileDataset],
) -> None:
    for dataset in dicom_films:
        low, high = dataset.WindowCenter - dataset.WindowWidth / 2, dataset.WindowCenter + dataset.WindowWidth / 2 - 1
        assert low <= dataset.pixel_array.min()
        assert dataset.pixel_array.max() <= high
        assert np.ptp(displayed(dataset)) > 0.8


def test_the_broken_file_ends_early(demo_folder: Path) -> None:
    data = (demo_folder / "OTHER" / "cut-short.jpg").read_bytes()
    assert data.startswith(b"\xff\xd8")
    with pytest.raises(FilmError) as caught:
        read_film(data, ReadOptions())
    assert caught.value.code == "truncated"


def test_the_drawing_is_a_sound_picture_in_colour(demo_folder: Path) -> None:
    (drawing,) = read_film((demo_folder / "OTHER" / "drawing.png").read_bytes(), ReadOptions())
    assert drawing.chroma > 0.2


def test_the_models_of_the_films_stay_small() -> None:
    assert MODEL_PATH.stat().st_size + ADULTS_MODEL_PATH.stat().st_size <= 1_350_000


def test_the_model_survives_saving_and_loading(tmp_path: Path) -> None:
    model = FilmModel.load()
    steps = dict.fromkeys(model.means, 0.001)
    model.save(tmp_path / "model.npz", steps)
    again = FilmModel.load(tmp_path / "model.npz")
    for layer, step in steps.items():
        assert np.abs(again.means[layer] - model.means[layer]).max() <= step
    assert np.array_equal(again.factors, model.factors)
