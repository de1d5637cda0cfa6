"""Report and capture of one film: what they hold, and when they are the same object."""

from __future__ import annotations

import io
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from cxrscan.scanner.dicom_results.answer import Answer
from cxrscan.scanner.dicom_results.capture import draw_result, make_capture
from cxrscan.scanner.dicom_results.film_header import FilmHeader, read_film_header
from cxrscan.scanner.dicom_results.modules import encode
from cxrscan.scanner.dicom_results.read_back import ResultSaid, read_result
from cxrscan.scanner.dicom_results.report import make_report
from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.records import HeatMap
from cxrscan.scanner.system.uids import hashed_uid, is_uid
from tests.reports.films import MODEL
from tests.scanner.dicom_results.objects import FILM, answer, film, order
from tests.scanner.dicom_results.validators import program_or_skip

HEADER = read_film_header(film(TimezoneOffsetFromUTC="+0000"))
COLD = HeatMap(b"\0" * 98, 7)
GOLDEN = Path(__file__).parent / "golden"
PIXELS = FILM.astype(np.float32) / 255
CALLS = {
    "positive": answer(),
    "negative": answer(0.01, "NORMAL", gate_reasons=()),
    "referred": answer(0.5, "REFER", refer=(0.4, 0.6)),
    "rejected": answer(None, None, gate_reasons=("not-a-chest-film",), heat_map=None),
}


def said(header: FilmHeader, what: Answer, predecessors: tuple[str, ...] = ()) -> ResultSaid:
    return read_result(encode(make_report(header, what, predecessors)))


@pytest.mark.parametrize("name", CALLS)
def test_a_report_reads_as_agreed(name: str, tmp_path: Path) -> None:
    """``python -m tests.scanner.dicom_results.test_objects`` writes the texts anew."""
    assert dump(name, tmp_path) == (GOLDEN / f"{name}.txt").read_text()


def dump(name: str, folder: Path) -> str:
    """Text of dsrdump, with all codes and UIDs."""
    (folder / "report.dcm").write_bytes(encode(make_report(HEADER, CALLS[name])))
    command = [program_or_skip("dsrdump"), "+Pc", "+Pu", "+Pl", "-Ph", folder / "report.dcm"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("name", "presence", "prob"),
    [("positive", "Present", 0.9124), ("negative", "Absent", 0.01), ("referred", "Indeterminate", 0.5)],
)
def test_a_report_says_call_and_probability(name: str, presence: str, prob: float) -> None:
    found = said(HEADER, CALLS[name])
    assert (found.presence, found.prob_pneumonia) == (presence, prob)
    assert (found.film_sop_uid, found.film_frame) == (HEADER.sop_uid, 1)
    assert found.parameters["threshold"] == "0.6697"
    assert found.model == "toy 1.0"


def test_a_rejected_film_has_no_probability_and_says_why() -> None:
    found = said(HEADER, CALLS["rejected"])
    assert (found.presence, found.prob_pneumonia) == ("Indeterminate", None)
    assert found.parameters["gate reasons"] == "not-a-chest-film"
    assert "no probability" in found.sentence


def test_the_device_is_named_once_and_everywhere_alike() -> None:
    report = make_report(HEADER, answer())
    (equipment,) = report.ContributingEquipmentSequence
    for keyword in ("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "DeviceSerialNumber"):
        assert report[keyword].value == equipment[keyword].value
    observer = {item.ConceptNameCodeSequence[0].CodeValue: item for item in report.ContentSequence}
    assert observer["121012"].UID == equipment.DeviceUID == answer().device_uid
    assert observer["121014"].TextValue == report.Manufacturer
    assert observer["121015"].TextValue == report.ManufacturerModelName
    retrained = answer(model=replace(MODEL, weights_sha256="cd" * 32))
    assert make_report(HEADER, retrained).ContributingEquipmentSequence[0].DeviceUID != equipment.DeviceUID


@pytest.mark.parametrize("make", [make_report, lambda header, what: make_capture(header, what, PIXELS)])
def test_the_same_result_is_the_same_object_to_the_byte(make: Any) -> None:
    header = read_film_header(film(PatientName="Doe^Jane"))
    first = encode(make(header, answer()))
    assert encode(make(read_film_header(film(PatientName="Doe^Jane")), answer())) == first


CHANGES: dict[str, dict[str, Any]] = {
    "threshold": {"threshold": 0.5},
    "band": {"refer": (0.4, 0.6)},
    "weights": {"model": replace(MODEL, weights_sha256="cd" * 32)},
    "bundle": {"model": replace(MODEL, version="2.0")},
    "version": {"version": "0.2.0"},
    "probability": {"prob": 0.8},
    "call": {"call": "REFER"},
    "reasons": {"gate_reasons": ()},
    "heat map": {"heat_map": COLD},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_another_result_is_another_object_of_the_same_series(change: dict[str, Any]) -> None:
    one, other = make_report(HEADER, answer()), make_report(HEADER, answer(**change))
    assert one.SOPInstanceUID != other.SOPInstanceUID
    assert one.SeriesInstanceUID == other.SeriesInstanceUID


def test_another_date_is_no_other_object() -> None:
    later = answer(at=datetime(2027, 1, 1, tzinfo=UTC))
    assert make_report(HEADER, later).SOPInstanceUID == make_report(HEADER, answer()).SOPInstanceUID


def test_frames_have_objects_of_their_own() -> None:
    data = film(NumberOfFrames=3)
    reports = [make_report(read_film_header(data, frame), answer()) for frame in (1, 2, 3)]
    assert len({report.SOPInstanceUID for report in reports}) == 3
    assert [read_result(encode(report)).film_frame for report in reports] == [1, 2, 3]


def test_a_predecessor_is_named() -> None:
    found = said(HEADER, answer(), ("2.25.1",))
    assert found.predecessors == ("2.25.1",)
    assert said(HEADER, answer()).predecessors == ()


def test_the_order_behind_a_film_is_referenced() -> None:
    report = make_report(read_film_header(film(RequestAttributesSequence=[order()])), answer())
    (request,) = report.ReferencedRequestSequence
    assert (request.RequestedProcedureID, request.AccessionNumber) == ("RP-7", "A-42")
    assert "ReferencedRequestSequence" not in make_report(HEADER, answer())


def test_texts_of_a_bundle_fit_the_character_set_of_the_film() -> None:
    model = replace(MODEL, name="Modèle\N{RIGHT SINGLE QUOTATION MARK} 肺", version="x" * 90)
    report = encode(make_report(HEADER, answer(model=model)))
    assert read_result(report).model.startswith("Mod?le? ?")
    assert len(dcmread(io.BytesIO(report)).ManufacturerModelName) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"without": ["StudyInstanceUID"]},
        {"without": ["SeriesInstanceUID"]},
        {"SOPInstanceUID": "one"},
        {"StudyInstanceUID": "../../../etc/cron.d"},
        {"StudyInstanceUID": "1." + "2" * 70},
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.filterwarnings("ignore:The value length")
def test_a_film_that_cannot_be_named_has_no_result(change: dict[str, Any]) -> None:
    data = film(**change)
    with pytest.raises(FilmError, match="so no result can name it") as caught:
        read_film_header(data)
    assert caught.value.code == "no-reference"


def test_uids_are_short_valid_and_told_apart() -> None:
    uids = [hashed_uid("a", "bc"), hashed_uid("ab", "c"), hashed_uid("abc"), *map(hashed_uid, range(500))]
    assert len(set(uids)) == len(uids)
    assert all(is_uid(uid) and uid.startswith("2.25.") for uid in uids)
    assert not any(map(is_uid, ("", ".", "1..2", "1.2/3", "1.2\n", "1" * 65, "1.2.x")))


def capture(what: Answer) -> Dataset:
    return dcmread(io.BytesIO(encode(make_capture(HEADER, what, PIXELS))))


def test_a_capture_shows_film_heat_map_and_result() -> None:
    warm, cold = capture(answer()), capture(answer(heat_map=COLD))
    assert (warm.Modality, warm.BurnedInAnnotation, warm.PhotometricInterpretation) == ("OT", "YES", "RGB")
    assert warm.SeriesDescription.startswith("RESEARCH ONLY")
    assert warm.SourceImageSequence[0].ReferencedSOPInstanceUID == HEADER.sop_uid
    assert "Pneumonia present, probability 0.9124" in warm.DerivationDescription
    middle = warm.pixel_array[warm.Rows // 2, warm.Columns // 2].astype(int)
    assert middle.max() - middle.min() > 20  # coloured by the map
    rest = cold.pixel_array[cold.Rows // 2, cold.Columns // 2].astype(int)
    assert rest.max() - rest.min() <= 1


def test_a_drawn_result_says_the_call_in_words() -> None:
    pictures = [draw_result(what, PIXELS)[:130] for what in CALLS.values()]
    for number, picture in enumerate(pictures):
        assert picture.max() > 200  # there is text above the film
        assert not any(np.array_equal(picture, other) for other in pictures[number + 1 :])


@pytest.fixture
def far_east() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_times_are_local_where_the_film_states_no_zone() -> None:
    report = make_report(read_film_header(film()), answer())
    assert (report.ContentDate, report.ContentTime) == ("20261126", "210005")
    assert make_report(HEADER, answer()).ContentTime == "120005"


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for call in CALLS:
        (GOLDEN / f"{call}.txt").write_text(dump(call, Path("/tmp")))
