"""From bytes and runs to what the viewer shows."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.records import Film, Reading, ScanResult, Skip
from cxrscan.scanner.run import RunRequest, run
from cxrscan.scanner.runs.journal import Journal, stored_reading
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.viewer.decoding import film_source, read_full_size, scan
from cxrscan.scanner.viewer.finished_run import film_picture, open_run
from tests.builders import dicom_film, encode, film_pixels, write_film

FILM = film_pixels(1, height=1400, width=1500)


def test_bytes_are_scanned_without_touching_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (result,) = scan([film_source("film.png", encode(FILM, "PNG"), 5)], ScanSettings())
    assert isinstance(result, ScanResult)
    assert (result.status, result.kind, result.size_bytes, result.mtime_ns) == (
        "scored",
        "png",
        len(encode(FILM, "PNG")),
        5,
    )
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_an_object_that_is_no_film_comes_with_its_code() -> None:
    (outcome,) = scan(
        [film_source("sr.dcm", dicom_film(FILM, without=["PixelData"], SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11"))],
        ScanSettings(),
    )
    assert isinstance(outcome, Skip)
    assert outcome.code == "non-image-object"


def test_films_are_shown_at_full_size_where_the_scanner_reduces_them() -> None:
    data = encode(FILM, "JPEG", quality=95)
    (result,) = scan([film_source("film.jpg", data)], ScanSettings())
    assert isinstance(result, ScanResult)
    assert result.pixel_path == "jpeg>1/2"
    full = read_full_size(data, ScanSettings())
    assert full.pixels.shape == FILM.shape
    assert np.abs(full.pixels * 255 - FILM).mean() < 3


def test_large_jpeg_2000_is_scanned_reduced_and_shown_in_full() -> None:
    data = dicom_film(FILM, syntax=uid.JPEG2000Lossless)
    (result,) = scan([film_source("film.dcm", data)], ScanSettings())
    assert isinstance(result, ScanResult)
    assert (result.pixel_path.split(">")[:2], result.width_px) == (["dicom", "1/4"], FILM.shape[1])
    assert read_full_size(data, ScanSettings()).pixels.shape == FILM.shape


def test_a_further_frame_is_found_by_its_number() -> None:
    data = dicom_film(np.stack([FILM, 255 - FILM]))
    first, second = (read_full_size(data, ScanSettings(), frame=frame).pixels for frame in (0, 1))
    assert abs(float((first + second).mean()) - 1.0) < 0.01


def test_a_broken_film_raises_as_the_readers_do() -> None:
    with pytest.raises(FilmError, match="none of DICOM"):
        read_full_size(b"no picture", ScanSettings())


def finished(films: Path, **settings: object) -> Path:
    request = RunRequest(
        roots=(films,),
        out=films.parent / "out",
        settings=ScanSettings(**settings),  # type: ignore[arg-type]
        n_workers=1,
    )
    return run(request, write_outputs).outputs.csv.parent


def picked(folder: Path, name: str) -> tuple[float, str]:
    """Mean grey of a run's film, and the sentence on its quality."""
    opened = open_run(folder)
    film = next(film for film in opened.films if film.result.name == name)
    picture, note = film_picture(opened, film)
    assert picture is not None
    return float(picture.pixels.mean()), note


def test_the_films_of_a_run_are_kept_without_pictures_and_read_when_shown(tmp_path: Path) -> None:
    write_film(tmp_path / "films/sub/a.png", height=300, width=300)
    folder = finished(tmp_path / "films")
    assert [film.result.thumbnail for film in open_run(folder).films] == [b""]
    mean, note = picked(folder, "sub/a.png")
    assert note == ""
    (tmp_path / "films/sub/a.png").unlink()
    small_mean, small_note = picked(folder, "sub/a.png")
    assert "small picture" in small_note
    assert abs(small_mean - mean) < 0.01


def test_an_original_is_called_changed_only_when_it_has(tmp_path: Path) -> None:
    write_film(tmp_path / "films/a.png", height=300, width=300)
    folder = finished(tmp_path / "films", max_megapixels=300.0, window=1)
    with Journal(folder) as journal:
        assert stored_reading(journal) == Reading(window=1, max_megapixels=300.0)
        journal.put("reading", asdict(Reading(max_megapixels=0.01)))
    _, note = picked(folder, "a.png")
    assert note.startswith("The original cannot be shown:")
    assert "changed" not in note


def test_frames_of_a_run_show_their_own_picture(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    dark, bright = np.full((300, 300), 40, np.uint8), np.full((300, 300), 40, np.uint8)
    dark[:100], bright[:200] = 200, 200
    (tmp_path / "films/a.dcm").write_bytes(dicom_film(np.stack([dark, bright])))
    folder = finished(tmp_path / "films", all_frames=True)
    first, second = picked(folder, "a.dcm"), picked(folder, "a.dcm#2")
    assert first[0] < second[0]
    assert (first[1], second[1]) == ("", "")


def test_a_file_without_any_picture_is_shown_as_none(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films/a.jpg").write_bytes(b"x")
    opened = open_run(finished(tmp_path / "films"))
    film: Film = opened.films[0]
    assert film_picture(opened, film) == (None, "")
