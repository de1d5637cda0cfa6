"""Films whose headers break rules: a result says what can be said, and one film never ends the others' results."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pydicom import DataElement, Dataset, Sequence, dcmread, dcmwrite
from pydicom.tag import Tag

from cxrscan.scanner.dicom_results.film_header import read_film_header
from cxrscan.scanner.dicom_results.folder import latest_reports
from cxrscan.scanner.dicom_results.modules import encode
from cxrscan.scanner.dicom_results.report import make_report
from cxrscan.scanner.readers.dicom import quiet_pydicom
from tests.scanner.dicom_results.objects import answer, film, order


@quiet_pydicom()
def with_element(keyword: str, vr: str, value: object) -> bytes:
    """A film one of whose elements has a VR and value of its own."""
    dataset = dcmread(io.BytesIO(film()))
    dataset[Tag(keyword)] = DataElement(Tag(keyword), vr, value)
    out = io.BytesIO()
    dcmwrite(out, dataset)
    return out.getvalue()


@quiet_pydicom()
def report_on(data: bytes) -> Dataset:
    return dcmread(io.BytesIO(encode(make_report(read_film_header(data), answer(), []))))


@pytest.mark.parametrize("said", ["UTC", "Z", "+1:00", "+01", "-", "+9900", "+0160", "0100", "Europe/Berlin"])
def test_a_time_zone_that_is_none_is_left_out(said: str) -> None:
    report = report_on(with_element("TimezoneOffsetFromUTC", "SH", said))
    assert "TimezoneOffsetFromUTC" not in report
    assert report.ContentDate
    assert report_on(with_element("TimezoneOffsetFromUTC", "SH", "-0330")).TimezoneOffsetFromUTC == "-0330"


@pytest.mark.parametrize(
    ("keyword", "vr", "value", "kept"),
    [
        ("PatientID", "IS", "4711", "4711"),  # what identifies is kept whatever its VR
        ("PatientID", "PN", "P^4711", "P^4711"),
        ("PatientID", "OB", b"P4711\0", "P4711"),
        ("PatientName", "DS", "12", "12"),
        ("PatientName", "LO", "Doe^Jane", "Doe^Jane"),
        ("AccessionNumber", "US", 12, "12"),
        ("PatientSex", "CS", ["M", "F"], ""),
        ("PatientSex", "US", [1, 2], ""),
        ("PatientBirthDate", "PN", "20210203", "20210203"),
        ("PatientBirthDate", "DA", ["20210203", "20210204"], ""),
        ("StudyTime", "PN", "noon", ""),
        ("ReferringPhysicianName", "SQ", [Dataset()], ""),
        ("PatientSize", "LO", "tall", None),
        ("PatientWeight", "PN", "17.5", 17.5),
        ("PregnancyStatus", "LO", "no", None),
        ("PregnancyStatus", "US", 4, 4),
        ("ProcedureCodeSequence", "LO", "chest", None),
        ("RequestAttributesSequence", "LO", "chest", None),
    ],
)
def test_values_of_another_type_are_understood_or_left_out(keyword: str, vr: str, value: object, kept: object) -> None:
    report = report_on(with_element(keyword, vr, value))
    if kept is None:
        assert keyword not in report
    else:
        assert report[keyword].value == kept


def test_a_request_in_any_script_is_repeated() -> None:
    item = order()
    item.RequestedProcedureDescription = "胸部"
    with quiet_pydicom():
        data = film(SpecificCharacterSet="ISO_IR 192", RequestAttributesSequence=Sequence([item]))
        (kept,) = read_film_header(data).requests
    assert kept.RequestedProcedureDescription == "胸部"


def test_files_that_are_no_reports_lie_in_nobodys_way(tmp_path: Path) -> None:
    header = read_film_header(film())
    report = make_report(header, answer(), [])
    (tmp_path / "good.dcm").write_bytes(encode(report))
    (tmp_path / "rubbish.dcm").write_bytes(b"rubbish")
    (tmp_path / "cut.dcm").write_bytes(encode(report)[:300])
    (tmp_path / "film.dcm").write_bytes(film())
    (tmp_path / "folder.dcm").mkdir()
    assert latest_reports(tmp_path, header) == [str(report.SOPInstanceUID)]
