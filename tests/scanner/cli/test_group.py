"""``--group``: studies beside films, kept with the run."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from cxrscan.scanner.cli.main import cxrscan
from cxrscan.scanner.errors import RunFolderError
from tests.builders import dicom_film, film_pixels, write_film


def invoke(*arguments: object) -> None:
    done = CliRunner().invoke(cxrscan, list(map(str, arguments)))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output


def rows(run: Path, name: str = "studies.csv") -> list[dict[str, str]]:
    with (run / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for i, (patient, study, day) in enumerate([("A", "1", "20240310"), ("A", "1", "20240310"), ("A", "2", "20230105")]):
        film = dicom_film(
            film_pixels(i),
            PatientID=patient,
            StudyInstanceUID=f"1.2.{study}",
            SOPInstanceUID=f"1.2.3.{i}",
            AcquisitionDate=day,
            AcquisitionTime="101500",
        )
        (folder / f"{i}.dcm").write_bytes(film)
    write_film(folder / "more" / "plain.png", 1)
    (folder / "truth.csv").write_text(
        "path,label,visit\n0.dcm,1,v1\n1.dcm,0,v1\n2.dcm,0,v2\nmore/plain.png,1,v2\n", encoding="utf-8"
    )
    return folder


@pytest.fixture(scope="module")
def run(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "out"
    invoke("run", films, "--group", "dicom", "-o", out, "-q")
    return out


def test_identifiers_are_hashed_days_shifted_and_films_keep_their_names(run: Path) -> None:
    found = rows(run)
    assert [(row["n_films"], row["number"], row["ordered_by"]) for row in found] == [
        *(("1", "1", "time"), ("2", "2", "time"), ("1", "1", "")),
    ]
    text = (run / "studies.csv").read_text() + (run / "results.csv").read_text()
    assert "1.2.1" not in text
    assert "20240310" not in text
    assert "2024-03-10" not in text
    days = [row["acquired_at"] for row in found[:2]]
    assert days[0] < days[1]
    assert {day[10:] for day in days} == {"T10:15:00"}
    assert rows(run, "results.csv")[0]["path"] == "0.dcm"
    assert rows(run, "results.csv")[0]["study"] == found[1]["study"]


def test_a_run_keeps_its_grouping_until_another_is_asked_for(run: Path) -> None:
    invoke("report", run, "--study-rule", "mean", "-q")
    assert {row["rule"] for row in rows(run)} == {"mean"}
    invoke("report", run, "-q")
    assert {row["rule"] for row in rows(run)} == {"mean"}
    invoke("report", run, "--group", "folder", "-q")
    assert [row["study"] for row in rows(run)] == [".", "more"]
    invoke("report", run, "--group", "off", "-q")
    assert not (run / "studies.csv").exists()
    invoke("report", run, "--group", "dicom", "--study-rule", "highest", "-q")


def test_a_column_of_the_label_file_makes_studies_and_evaluate_tells_their_figures(films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    invoke("run", films, "-o", out, "-q", "--labels", films / "truth.csv", "--group", "Visit")
    assert [(row["study"], row["n_films"]) for row in rows(out)] == [("v1", "2"), ("v2", "2")]
    invoke("report", out, "-q")
    assert [row["study"] for row in rows(out)] == ["v1", "v2"]
    done = CliRunner().invoke(cxrscan, ["evaluate", str(out), "-q"])
    assert "By study (visit, highest probability): 2 of 2 studies" in done.output


def test_an_unknown_column_is_told_before_the_scan_and_leaves_the_run_as_it_was(films: Path, run: Path, tmp_path: Path):
    with pytest.raises(RunFolderError, match="ward") as told:
        invoke("run", films, "-o", tmp_path / "out", "--labels", films / "truth.csv", "--group", "ward")
    assert told.value.code == "group-unknown"
    assert not (tmp_path / "out").exists()
    with pytest.raises(RunFolderError, match="ward"):
        invoke("report", run, "--group", "ward")
    invoke("report", run, "-q")


def test_grouping_by_identifiers_that_no_film_has_is_refused(tmp_path: Path) -> None:
    write_film(tmp_path / "films" / "a.png")
    invoke("run", tmp_path / "films", "-o", tmp_path / "out", "-q")
    with pytest.raises(RunFolderError, match="identifier"):
        invoke("report", tmp_path / "out", "--group", "dicom")


def test_hashed_film_names_hide_folders_that_make_studies(films: Path, tmp_path: Path) -> None:
    invoke("run", films, "-o", tmp_path / "out", "-q", "--film-names", "hashed", "--group", "folder")
    assert [row["study"] for row in rows(tmp_path / "out")] == ["study-00001", "study-00002"]
