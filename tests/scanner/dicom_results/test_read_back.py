"""What result objects say, read from their bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydicom import Dataset, uid
from pydicom.sequence import Sequence

from cxrscan.scanner.cli.main import cxrscan
from cxrscan.scanner.dicom_results.capture import make_capture
from cxrscan.scanner.dicom_results.fhir import observation
from cxrscan.scanner.dicom_results.film_header import read_film_header
from cxrscan.scanner.dicom_results.modules import code, encode
from cxrscan.scanner.dicom_results.read_back import read_result
from cxrscan.scanner.dicom_results.report import make_report
from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.readers.dicom import quiet_pydicom
from tests.builders import dicom_file
from tests.scanner.dicom_results.objects import FILM, answer, film

HEADER = read_film_header(film())
REPORT = encode(make_report(HEADER, answer()))
CAPTURE = encode(make_capture(HEADER, answer(), FILM.astype("float32") / 255))


def read(*arguments: str) -> tuple[int, str]:
    """Exit code and standard output of the command."""
    done = CliRunner().invoke(cxrscan, ["dicom-read", *arguments], standalone_mode=False)
    assert done.exception is None, done.exception
    return done.return_value, done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "series").mkdir()
    (tmp_path / "series/report.dcm").write_bytes(REPORT)
    (tmp_path / "series/capture.dcm").write_bytes(CAPTURE)
    return tmp_path


def test_each_object_is_a_sentence(folder: Path) -> None:
    assert read(str(folder)) == (
        0,
        f"Picture of film {HEADER.sop_uid}: Pneumonia present, probability 0.9124 (threshold 0.6697, sens95). "
        "Research software, not a medical device. Not for diagnosis or treatment decisions.\n"
        f"Report of film {HEADER.sop_uid}: pneumonia present, probability 0.9124 (threshold 0.6697, sens95); "
        "caveats: age-unknown, other-view; by toy 1.0. Research only, not for diagnosis.\n",
    )


def test_json_holds_what_went_in(folder: Path) -> None:
    code, text = read(str(folder / "series/report.dcm"), "--json")
    said = json.loads(text)
    assert code == 0
    assert said["prob_pneumonia"] == round(answer().prob_pneumonia or 0, 4)
    assert (said["presence"], said["film_sop_uid"], said["kind"]) == ("Present", HEADER.sop_uid, "report")
    assert dict(parameter.split("=") for parameter in answer().parameters) == said["parameters"]
    assert "Doe" not in text


def test_fhir_observations_name_study_and_value(folder: Path) -> None:
    code, text = read(str(folder), "--fhir")
    (resource,) = map(json.loads, text.splitlines())  # the capture has none
    assert code == 0
    assert resource["valueCodeableConcept"]["coding"][0]["code"] == "52101004"
    assert resource["component"][0]["valueQuantity"]["value"] == 0.9124
    assert resource["derivedFrom"][0]["identifier"]["value"] == f"urn:oid:{HEADER.study_uid}"
    assert resource["status"] == "preliminary"


def test_a_rejected_films_observation_has_no_probability() -> None:
    said = read_result(encode(make_report(HEADER, answer(None, None, heat_map=None))))
    resource = observation(said)
    assert "component" not in resource
    assert resource["valueCodeableConcept"]["coding"][0]["display"] == "Indeterminate"


def test_other_objects_and_files_are_told_and_the_rest_is_read(folder: Path) -> None:
    (folder / "film.dcm").write_bytes(film())
    (folder / "letter.dcm").write_text("Dear colleague")
    done = CliRunner().invoke(cxrscan, ["dicom-read", str(folder)], standalone_mode=False)
    assert done.return_value == 3
    assert len(done.stdout.splitlines()) == 2
    assert "film.dcm: The object is no result on pneumonia: Digital X-Ray Image" in done.stderr
    assert "letter.dcm: The object cannot be parsed" in done.stderr


@pytest.mark.parametrize("end", range(0, len(REPORT) - 600, 97))
def test_a_report_that_ends_early_ends_in_a_sentence(end: int) -> None:
    with pytest.raises(FilmError) as caught:
        read_result(REPORT[:end])
    assert caught.value.code in {"bad-dicom", "no-result"}


def test_a_report_of_another_program_is_read_as_far_as_it_goes() -> None:
    def item(value_type: str, name: tuple[str, str, str], **values: object) -> Dataset:
        made = Dataset()
        made.ValueType, made.RelationshipType = value_type, "CONTAINS"
        made.ConceptNameCodeSequence = [code(*name)]
        for keyword, value in values.items():
            setattr(made, keyword, value)
        return made

    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = uid.CTImageStorage, "1.2.3"
    finding = ("233604007", "SCT", "Pneumonia")
    group = item("CONTAINER", ("125007", "DCM", "Measurement Group"))
    group.ContentSequence = Sequence(
        [
            item("CODE", finding, ConceptCodeSequence=[code("52101004", "SCT", "Present")]),
            item("IMAGE", ("121112", "DCM", "Source of Measurement"), ReferencedSOPSequence=[reference]),
        ]
    )
    report = item("CONTAINER", ("126000", "DCM", "Imaging Measurement Report"), ContentSequence=[group])
    report.SOPClassUID, report.SOPInstanceUID, report.StudyInstanceUID = uid.EnhancedSRStorage, "1.2.4", "1.2.5"
    said = read_result(dicom_file(report))
    assert (said.presence, said.prob_pneumonia, said.film_sop_uid) == ("Present", None, "1.2.3")
    assert said.parameters == {}
    assert "pneumonia present, no probability" in said.sentence


@quiet_pydicom()
def test_what_a_report_says_neither_drives_the_terminal_nor_breaks_the_json(tmp_path: Path) -> None:
    report = make_report(HEADER, answer())
    film_uid = HEADER.sop_uid.encode()
    hostile = encode(report).replace(film_uid, b"\x1b[31m".ljust(len(film_uid), b"9"))
    prob = b"0.9124"
    assert prob in hostile
    (tmp_path / "report.dcm").write_bytes(hostile.replace(prob, b"nan   "))
    code, text = read(str(tmp_path))
    assert (code, "no probability" in text) == (0, True)
    assert "\x1b" not in text
    code, text = read(str(tmp_path), "--json")
    assert json.loads(text)["prob_pneumonia"] is None
    assert "NaN" not in text
