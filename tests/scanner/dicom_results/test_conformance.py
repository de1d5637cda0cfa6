"""Results of films as archives have them, judged by the validators of others."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.dicom_results.film_header import read_film_header
from cxrscan.scanner.dicom_results.film_results import Wanted
from cxrscan.scanner.dicom_results.modules import encode
from cxrscan.scanner.dicom_results.report import make_report
from cxrscan.scanner.dicom_results.write import ResultsTally, write_results
from cxrscan.scanner.run import RunRequest, run
from cxrscan.scanner.settings import ScanSettings
from tests.builders import dicom_film, film_pixels, write_film
from tests.reports.films import MODEL
from tests.scanner.dicom_results.objects import answer, archive_films, film
from tests.scanner.dicom_results.validators import entity_errors, iod_errors, template_errors


class Archive:
    """A folder of films, the run over it, and its results."""

    def __init__(self, folder: Path) -> None:
        self.films, self.run, self.results = folder / "films", folder / "run", folder / "results"
        self.films.mkdir()
        for name, data in archive_films().items():
            (self.films / f"{name}.dcm").write_bytes(data)
        write_film(self.films / "drawn.png", 3)
        settings = ScanSettings(gate="off", all_frames=True)
        arguments = {"window": 1, "max_megapixels": 200.0}
        request = RunRequest((self.films,), self.run, settings, 2, refer=(0.0, 0.3), arguments=arguments)
        self.scanned = run(request, write_outputs).counts
        self.written: ResultsTally = write_results(self.run, self.results, Wanted(), n_workers=2)

    @property
    def objects(self) -> list[Path]:
        """All results."""
        return sorted(self.results.rglob("*.dcm"))

    def paths_of(self, film_name: str) -> list[Path]:
        """The results in a film's study."""
        study = dcmread(self.films / f"{film_name}.dcm", stop_before_pixels=True).StudyInstanceUID
        return sorted((self.results / study).rglob("*.dcm"))

    def of(self, film_name: str) -> Iterator[Dataset]:
        """The same, read."""
        yield from map(dcmread, self.paths_of(film_name))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return Archive(tmp_path_factory.mktemp("archive"))


def test_every_scored_dicom_film_and_frame_has_reports_and_a_capture(archive: Archive) -> None:
    n = archive.scanned.n_scored - 1  # the drawn one is no DICOM
    assert n >= 38
    written = archive.written
    assert (written.n_reports, written.n_captures, written.n_no_dicom, written.problems) == (n, n, 1, ())
    assert written.n_region_reports > 0
    assert len(archive.objects) == 2 * n + written.n_region_reports
    assert "1 film left out, being no DICOM" in written.sentence


def test_dciodvfy_finds_no_error(archive: Archive) -> None:
    assert iod_errors(archive.objects) == []


def test_dcentvfy_finds_no_error_beside_the_films(archive: Archive) -> None:
    left_out = {"DeflatedExplicitVRLittleEndian": "dcentvfy cannot read it", "old": "its dates are mended"}
    files = [path for path in archive.films.glob("*.dcm") if path.stem not in left_out]
    files += [path for path in archive.objects if not any(path in archive.paths_of(name) for name in left_out)]
    assert entity_errors(files) == []


def test_pixelmed_finds_no_error(archive: Archive, tmp_path: Path) -> None:
    reports = [path for path in archive.objects if dcmread(path, stop_before_pixels=True).Modality == "SR"]
    assert template_errors(reports, tmp_path) == (len(reports), [])


def test_patient_and_study_are_those_of_the_film_in_its_character_set(archive: Archive) -> None:
    for name in ("latin", "utf8", "gb18030", "japanese", "greek", "full", "bare"):
        film = dcmread(archive.films / f"{name}.dcm")
        for result in archive.of(name):
            for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "AccessionNumber", "PatientBirthDate"):
                assert str(result[keyword].value) == str(film.get(keyword, "")), (name, keyword)
            assert result.get("SpecificCharacterSet") == film.get("SpecificCharacterSet")
            assert result.SeriesInstanceUID != film.SeriesInstanceUID


def test_what_breaks_a_rule_is_mended_or_left_empty(archive: Archive) -> None:
    for result in archive.of("old"):
        assert (result.StudyDate, result.StudyTime, result.PatientBirthDate) == ("19960229", "101112.5", "19900131")
    for result in archive.of("sex"):
        assert (result.PatientSex, result.PatientBirthDate, result.StudyTime) == ("", "", "")
        assert "PatientAge" not in result
    for result in archive.of("removed"):
        assert "PatientIdentityRemoved" not in result


def test_a_picture_made_of_a_lossy_one_says_so(archive: Archive) -> None:
    for name, is_lossy in {"lossy": True, "JPEGBaseline8Bit": True, "JPEGLossless": False, "plain": False}.items():
        (capture,) = (result for result in archive.of(name) if result.Modality == "OT")
        assert ("LossyImageCompression" in capture) == is_lossy, name


def test_each_frame_has_results_that_name_it(archive: Archive) -> None:
    captures = [result for result in archive.of("frames") if result.Modality == "OT"]
    assert {capture.SourceImageSequence[0].ReferencedFrameNumber for capture in captures} == {1, 2}
    assert captures[0].PixelData != captures[1].PixelData


def test_dates_are_those_of_the_run_in_the_films_time_zone(archive: Archive) -> None:
    indian, local = next(archive.of("zone")), next(archive.of("plain"))
    assert indian.TimezoneOffsetFromUTC == "+0530"
    assert "TimezoneOffsetFromUTC" not in local
    assert indian.ContentTime[2:] != local.ContentTime[2:] or indian.ContentTime[:2] != local.ContentTime[:2]


def test_folders_and_files_are_their_owners_alone(archive: Archive) -> None:
    for path in (archive.results, *archive.results.rglob("*")):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted or path.name == "CXRSCAN-RESULTS.txt", path


def test_the_films_of_a_study_share_one_series_of_each_kind(archive: Archive) -> None:
    results = list(archive.of("one-study-1"))
    series = {(result.SeriesInstanceUID, result.SeriesNumber, result.Modality) for result in results}
    assert {(number, modality) for _, number, modality in series} == {(9901, "SR"), (9902, "OT"), (9903, "SR")}
    assert len(series) == 3
    assert {result.SeriesDescription.split(" cxrscan")[0] for result in results} == {"RESEARCH ONLY"}


def test_latin_1_text_without_a_character_set_is_declared(archive: Archive, tmp_path: Path) -> None:
    data = dicom_film(film_pixels(1, height=240, width=240), SeriesInstanceUID="1.2.3.4", PatientName="Mueller^Jurgen ")
    (tmp_path / "film.dcm").write_bytes(data.replace(b"Mueller^Jurgen ", "Müller^Jürgen  ".encode("latin-1")))
    run(RunRequest((tmp_path / "film.dcm",), tmp_path / "run", ScanSettings(), 1), write_outputs)
    write_results(tmp_path / "run", tmp_path / "results", Wanted())
    results = [dcmread(path) for path in (tmp_path / "results").rglob("*.dcm")]
    assert [(str(result.PatientName).strip(), result.SpecificCharacterSet) for result in results] == [
        ("Müller^Jürgen", "ISO_IR 100")
    ] * len(results)
    assert iod_errors(list((tmp_path / "results").rglob("*.dcm"))) == []


def test_a_report_of_another_model_fits_into_the_series_of_its_predecessor(tmp_path: Path) -> None:
    header = read_film_header(film(1))
    first = make_report(header, answer())
    other = replace(MODEL, weights_sha256="cd" * 32, version="2.0")
    second = make_report(header, answer(model=other, version="0.2.0"), [first.SOPInstanceUID])
    files = {"film": film(1), "first": encode(first), "second": encode(second)}
    for name, data in files.items():
        (tmp_path / f"{name}.dcm").write_bytes(data)
    assert entity_errors([tmp_path / f"{name}.dcm" for name in files]) == []
    assert iod_errors([tmp_path / "second.dcm"]) == []
