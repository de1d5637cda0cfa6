"""The way around an archive: films go in, are scanned, results go back and are read; each command of docs/pacs.md."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from cxrscan.scanner.dicom_results.read_back import read_result
from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.sources.dicomweb import WebArchive
from cxrscan.scanner.sources.walk import find_images
from tests import orthanc
from tests.scanner.dicom_results.objects import film
from tests.scanner.dicom_results.validators import program_or_skip

PROGRAM = [sys.executable, "-c", "from cxrscan.scanner.cli.main import main; main()"]
PAGE = Path(__file__).parent.parent / "docs/pacs.md"


def cxrscan(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[orthanc.Orthanc]:
    """An archive that DCMTK has sent films to."""
    folder = tmp_path_factory.mktemp("films")
    for number in (1, 2, 3):
        header = {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "Müller^Jürgen", "StudyDate": "20260115"}
        (folder / f"{number}.dcm").write_bytes(film(number, study=number, **header))
    with orthanc.running(tmp_path_factory.mktemp("pacs")) as server:
        storescu = program_or_skip("storescu")
        there = [server.title, "127.0.0.1", str(server.dicom_port)]
        subprocess.run([storescu, "-aec", *there, *sorted(folder.iterdir())], check=True)
        assert server.n_objects == 3
        yield server


def test_results_come_back_as_they_went(pacs: orthanc.Orthanc, tmp_path: Path) -> None:
    place = f"dicomweb://127.0.0.1:{pacs.http_port}/dicom-web"
    for command in (
        ("run", place, "-o", "run", "--dicom-results", "-q"),
        ("send", "run/dicom-results", "--to", pacs.entity, "-q"),
    ):
        done = cxrscan(*command, folder=tmp_path)
        assert done.returncode == 0, done.stderr
    sent = {path.stem: dcmread(path) for path in (tmp_path / "run/dicom-results").rglob("*.dcm")}
    archive = WebArchive.parse(f"{place}?Modality=SR,OT")
    back = {source.name: source.path.read_bytes() for source in find_images([archive])}
    assert {name.rpartition("/")[2].removesuffix(".dcm"): dcmread(io.BytesIO(data)) for name, data in back.items()} == (
        sent
    )
    with Journal(tmp_path / "run", read_only=True) as journal:
        scored = {scored.result.name: scored.result.prob_pneumonia or 0.0 for scored in journal.films()}
    said = [read_result(data) for data in back.values()]
    assert {
        f"{report.study_uid}/{report.study_uid}.2/{report.film_sop_uid}.dcm": report.prob_pneumonia
        for report in said
        if report.kind == "report"
    } == {name: round(prob, 4) for name, prob in scored.items()}


def test_results_in_the_archive_are_never_scanned(pacs: orthanc.Orthanc, tmp_path: Path) -> None:
    place = f"dicomweb://127.0.0.1:{pacs.http_port}/dicom-web"
    done = cxrscan("run", f"{place}?Modality=DX,OT,SR", "-o", "run", "--json", folder=tmp_path)
    told = json.loads(done.stdout)
    assert (told["n_films"], told["n_skipped"]) == (3, pacs.n_objects - 3)


def commands() -> list[str]:
    """The commands of the page, in its order."""
    return re.findall(r"^cxrscan (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_command_of_the_page_works(pacs: orthanc.Orthanc, tmp_path: Path) -> None:
    here = {
        "https://pacs.example/dicom-web": pacs.web,
        "pacs.example/dicom-web": f"127.0.0.1:{pacs.http_port}/dicom-web",
        "PACS@10.0.0.5:104": pacs.entity,
    }
    tried = 0
    for command in commands():
        if "--tls" in command:  # tests/scanner/dicom_results/test_send.py speaks TLS
            continue
        for there, instead in here.items():
            command = command.replace(there, instead)
        done = cxrscan(*shlex.split(command), folder=tmp_path)
        assert done.returncode == 0, (command, done.stderr)
        tried += 1
    assert tried >= 12
