"""DICOM through the whole scan: one probability whatever the encoding, and no identifier in any output."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from pydicom import Dataset, uid

from cxrscan.scanner.cli.main import cxrscan
from cxrscan.scanner.records import ScanResult, Skip
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources.walk import find_images
from cxrscan.scanner.worker import scan_chunk
from tests.builders import PLANTED_IDS, PLANTED_NAME, dicom_file, dicom_film, encode, film_pixels

FILM = film_pixels(3, height=300, width=320)
DEEP = FILM.astype(np.uint16) * 16 + 5
WINDOW = {"bits_stored": 12, "WindowCenter": 2048, "WindowWidth": 4096}
LOSSLESS = (
    *(uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian),
    *(uid.DeflatedExplicitVRLittleEndian, uid.RLELossless, uid.JPEGLossless, uid.JPEGLosslessSV1),
    *(uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL),
)
#: Beginnings of all that is planted: parts of the name, and the identifiers.
SECRETS = ("QUIRRELL", "PLANTED", "MIDDLE", "19770101", "1.2.826.0.1.4711")


def scan(folder: Path, films: dict[str, bytes]) -> dict[str, ScanResult | Skip]:
    for name, data in films.items():
        (folder / name).write_bytes(data)
    return {outcome.name: outcome for outcome in scan_chunk(list(find_images([folder])), ScanSettings())}


def probabilities(folder: Path, films: dict[str, bytes]) -> dict[str, float]:
    found = {}
    for name, outcome in scan(folder, films).items():
        assert isinstance(outcome, ScanResult)
        assert outcome.prob_pneumonia is not None, outcome.failure
        found[name] = outcome.prob_pneumonia
    return found


def test_the_probability_is_equal_in_all_lossless_syntaxes(tmp_path: Path) -> None:
    films = {syntax.keyword: dicom_film(DEEP, syntax=syntax, **WINDOW) for syntax in LOSSLESS}
    found = list(probabilities(tmp_path, films).values())
    assert len(found) == len(LOSSLESS)
    assert max(found) - min(found) < 1e-6  # places in a batch differ by rounding


def test_an_inverted_monochrome1_film_scores_as_its_monochrome2_twin(tmp_path: Path) -> None:
    inverted = dicom_film(4095 - DEEP, PhotometricInterpretation="MONOCHROME1", **{**WINDOW, "WindowCenter": 2048})
    found = probabilities(tmp_path, {"1": inverted, "2": dicom_film(DEEP, **WINDOW)})
    assert found["1"] == pytest.approx(found["2"], abs=1e-6)


def test_8_12_and_16_bits_of_a_film_score_alike(tmp_path: Path) -> None:
    exact = {"VOILUTFunction": "LINEAR_EXACT"}
    films = {
        "8": dicom_film(FILM),
        "12": dicom_film(
            np.round(FILM * (4095 / 255)).astype(np.uint16),
            bits_stored=12,
            WindowCenter=2047.5,
            WindowWidth=4095,
            **exact,
        ),
        "16": dicom_film(FILM.astype(np.uint16) * 257, WindowCenter=32767.5, WindowWidth=65535, **exact),
        "png": encode(FILM, "PNG"),
    }
    found = probabilities(tmp_path, films)
    assert found == pytest.approx(dict.fromkeys(films, found["png"]), abs=0.01)
    assert found["8"] == pytest.approx(found["png"], abs=1e-6)


def test_a_file_called_like_a_frame_of_another_has_a_row_of_its_own(tmp_path: Path) -> None:
    two_frames = dicom_film(np.stack([FILM, FILM[::-1]]))
    (tmp_path / "a.dcm").write_bytes(two_frames)
    (tmp_path / "a.dcm#2").write_bytes(dicom_film(FILM))
    outcomes = scan_chunk(list(find_images([tmp_path])), ScanSettings(all_frames=True))
    assert sorted(outcome.name for outcome in outcomes) == ["a.dcm", "a.dcm#2", r"a.dcm\x232"]


def test_objects_that_are_no_films_are_skipped_with_a_reason(tmp_path: Path) -> None:
    report, directory = Dataset(), Dataset()
    report.SOPClassUID = uid.BasicTextSRStorage
    directory.SOPClassUID = uid.MediaStorageDirectoryStorage
    outcomes = scan(
        tmp_path, {"report": dicom_file(report), "DICOMDIR": dicom_file(directory), "film": dicom_film(FILM)}
    )
    reasons = {name: outcome.reason for name, outcome in outcomes.items() if isinstance(outcome, Skip)}
    assert set(reasons) == {"report", "DICOMDIR"}
    assert "Basic Text SR" in reasons["report"]


def test_a_film_of_another_kind_is_rejected_by_what_its_header_says(tmp_path: Path) -> None:
    outcomes = scan(
        tmp_path,
        {
            "ct": dicom_film(FILM, Modality="CT"),
            "hand": dicom_film(FILM, BodyPartExamined="HAND"),
            "lateral": dicom_film(FILM, ViewPosition="LL"),
        },
    )
    assert {name: (outcome.status, outcome.gate_reasons) for name, outcome in outcomes.items()} == {  # type: ignore[union-attr]
        "ct": ("rejected", ("not-a-radiograph",)),
        "hand": ("rejected", ("other-body-part",)),
        "lateral": ("rejected", ("lateral-view",)),
    }


def planted_folder(folder: Path) -> Path:
    """Films that go well, films that fail in every way that has a message, and objects that are skipped."""
    folder.mkdir()
    good = {"PatientComments": PLANTED_NAME, "StationName": "PLANTED", "InstitutionName": "PLANTED HOSPITAL"}
    report = Dataset()
    report.SOPClassUID, report.PatientName = uid.BasicTextSRStorage, PLANTED_NAME
    films = {
        "good.dcm": dicom_film(FILM, **good, PatientBirthDate="19770101"),
        "second.dcm": dicom_film(DEEP, **WINDOW),
        "adult.dcm": dicom_film(FILM, PatientAge="045Y", SOPInstanceUID="1.2.826.0.1.4711.3"),
        "cut.dcm": dicom_film(FILM)[:3000],
        "header.dcm": dicom_film(FILM)[:400],
        "size.dcm": dicom_film(FILM, Rows=0),
        "table.dcm": dicom_film(FILM, VOILUTSequence=[report]),
        "stream.dcm": dicom_film(FILM, syntax=uid.JPEG2000Lossless, codestreams=[b"PLANTED^QUIRRELL" * 20]),
        "number.dcm": dicom_film(FILM, WindowCenter=1234567).replace(b"1234567", b"PLANTED"),
        "text.dcm": dicom_film(FILM, BodyPartExamined="CHEST OF MR X").replace(b"CHEST OF MR X", b"Lung, PLANTED"),
        "report.dcm": dicom_file(report),
    }
    for name, data in films.items():
        (folder / name).write_bytes(data)
    return folder


def run_cxrscan(folder: Path, out: Path, *options: str) -> str:
    """Everything that a run writes: both streams, and every file's bytes."""
    program = [sys.executable, "-c", "from cxrscan.scanner.cli.main import main; main()"]
    command = [*program, "run", str(folder), "-o", str(out), "--workers", "2", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr  # finished, some files failed
    files = [path.read_bytes().decode("latin-1") for path in out.rglob("*") if path.is_file()]
    assert len(files) >= 4
    return "\n".join([done.stdout, done.stderr, *files])


@pytest.mark.parametrize("options", [(), ("-v", "--json")], ids=["", "verbose"])
def test_no_identifier_is_in_any_output_of_a_run(tmp_path: Path, options: tuple[str, ...]) -> None:
    written = run_cxrscan(planted_folder(tmp_path / "films"), tmp_path / "out", *options)
    assert [secret for secret in SECRETS if secret in written] == []
    assert "good.dcm" in written


def test_hashed_identifiers_join_the_rows_of_a_patient_and_tell_nothing_else(tmp_path: Path) -> None:
    written = run_cxrscan(
        planted_folder(tmp_path / "films"), tmp_path / "out", "--include-dicom-ids", "--film-names", "plain"
    )
    assert [secret for secret in SECRETS if secret in written] == []
    with (tmp_path / "out" / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert rows["good.dcm"]["patient_id_hash"] == rows["adult.dcm"]["patient_id_hash"] != ""
    assert rows["good.dcm"]["sop_uid_hash"] != rows["adult.dcm"]["sop_uid_hash"]


def test_plain_identifiers_are_written_when_asked_for_and_the_name_never(tmp_path: Path) -> None:
    written = run_cxrscan(planted_folder(tmp_path / "films"), tmp_path / "out", "--include-dicom-ids=plain")
    assert PLANTED_IDS["PatientID"] in written
    assert [part for part in ("QUIRRELL", "MIDDLE", "19770101") if part in written] == []


def test_a_film_is_scanned_without_its_window_on_wish(tmp_path: Path) -> None:
    folder, out = tmp_path / "films", tmp_path / "out"
    folder.mkdir()
    (folder / "film.dcm").write_bytes(dicom_film(DEEP, **{**WINDOW, "WindowWidth": 2000}))
    done = CliRunner().invoke(cxrscan, ["run", str(folder), "-o", str(out), "--window", "none", "-q"])
    assert done.exit_code == 0
    with (out / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["pixel_path"] == "dicom>percentile"
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["arguments"]["window"] == "none"
    assert CliRunner().invoke(cxrscan, ["run", str(folder), "--window", "0"]).exit_code == 2
