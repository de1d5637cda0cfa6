"""What the header says: the short list that leaves it, and nothing else."""

from __future__ import annotations

import logging
import warnings
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.tag import Tag

from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.readers import ReadOptions, dicom_header, read_film
from cxrscan.scanner.readers.dicom_header import age_years, hashed_ids
from cxrscan.scanner.records import FilmAttributes, Radiograph
from tests.builders import PLANTED_IDS, PLANTED_NAME, dicom_film, film_pixels

FILM = film_pixels()


def read(ids: Any = None, **header: Any) -> Radiograph:
    return read_film(dicom_film(FILM, **header), ReadOptions(1.0, ids=ids))[0]


def coded(value: str, meaning: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return [item]


def test_the_short_list_is_read() -> None:
    film = read(
        PatientSex="F",
        PatientAge="018M",
        BodyPartExamined="CHEST",
        ViewPosition="AP",
        PresentationIntentType="FOR PRESENTATION",
        Manufacturer="Röntgen & Söhne",
        SpecificCharacterSet="ISO_IR 100",
    )
    assert film.attributes == FilmAttributes(
        modality="DX",
        body_part="CHEST",
        view_position="AP",
        patient_sex="F",
        patient_age_years=1.5,
        presentation_intent="FOR PRESENTATION",
        manufacturer="Röntgen & Söhne",
    )


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("045Y", 45.0),
        ("018M", 1.5),
        ("006W", 0.11),
        ("010D", 0.03),
        ("000Y", 0.0),
        ("45Y", 45.0),
        ("045y ", 45.0),
        ("45", None),
        ("-05Y", None),
        ("young", None),
        ("", None),
    ],
)
def test_ages_become_years(text: str, years: float | None) -> None:
    assert age_years(text) == years


@pytest.mark.parametrize(
    ("code", "view"),
    [("399348003", "AP"), ("R-10206", "AP"), ("272479007", "PA"), ("399173006", "LL"), ("399198007", "RL"), ("1", "")],
)
def test_the_view_is_also_read_from_its_code(code: str, view: str) -> None:
    film = read(without=["ViewPosition"], ViewCodeSequence=coded(code, "view"))
    assert film.attributes.view_position == view


@pytest.mark.parametrize(
    ("towards", "view"),
    [(["A", "F"], "LATERAL"), (["P", "F"], "LATERAL"), (["PL", "F"], "LATERAL"), (["L", "F"], ""), (["A"], "")],
)
def test_a_film_whose_rows_run_to_the_front_or_back_is_lateral(towards: list[str], view: str) -> None:
    assert read(without=["ViewPosition"], PatientOrientation=towards).attributes.view_position == view


def test_the_view_is_believed_before_the_direction_of_the_rows() -> None:
    assert read(ViewPosition="PA", PatientOrientation=["A", "F"]).attributes.view_position == "PA"


def test_the_body_part_is_also_read_from_its_code() -> None:
    film = read(without=["BodyPartExamined"], AnatomicRegionSequence=coded("816094009", "Chest"))
    assert film.attributes.body_part == "CHEST"


def test_free_text_in_coded_attributes_stays_inside() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom rightly minds writing it
        film = read(ViewPosition=PLANTED_NAME, BodyPartExamined="Chest of Mr. Quirrell", PatientSex="FEMALE")
    assert film.attributes == FilmAttributes(modality="DX")


def test_nothing_is_stated_by_an_empty_header() -> None:
    film = read(without=["Modality", "BodyPartExamined", "ViewPosition"])
    assert film.attributes == FilmAttributes()


@pytest.mark.parametrize("charset", ["ISO_IR 192", "ISO 2022 IR 87", "GB18030", "ISO_IR 999", "latin-1", ""])
def test_odd_character_sets_do_not_stop_a_film(charset: str) -> None:
    data = dicom_film(FILM, SpecificCharacterSet="ISO_IR 100", Manufacturer="A\xe9\xff")
    film = read_film(data.replace(b"ISO_IR 100", charset.encode().ljust(10)[:10]), ReadOptions(1.0))[0]
    np.testing.assert_allclose(film.pixels, FILM / 255, atol=1e-6)


def test_private_and_unknown_elements_do_not_stop_a_film() -> None:
    dataset = {"PatientComments": PLANTED_NAME}
    data = dicom_film(FILM, **dataset)
    private = b"\x11\0\x10\0LO\x08\0PLANTED " + b"\x11\0\x01\x10ZZ\x04\0\1\2\3\4"
    position = data.index(b"\x18\0\x15\0")
    film = read_film(data[:position] + private + data[position:], ReadOptions(1.0))[0]
    assert film.attributes.body_part == "CHEST"


def test_damaged_numbers_count_as_not_stated() -> None:
    data = dicom_film(FILM, WindowCenter=1234, WindowWidth=5678, PatientAge="012Y")
    for true, false in ((b"1234", b"12:4"), (b"5678", b"....")):
        data = data.replace(true, false)
    film = read_film(data, ReadOptions(1.0))[0]
    assert film.pixel_path == "dicom>ignored-WindowCenter>ignored-WindowWidth>full-range"


def test_identifiers_stay_inside_unless_asked_for() -> None:
    film = read()
    assert film.attributes.ids == ()
    said = repr(asdict(film.attributes)) + film.pixel_path
    assert not any(secret in said for secret in (PLANTED_NAME, *PLANTED_IDS.values()))


def test_hashed_identifiers_join_the_films_of_one_patient() -> None:
    first, second = (dict(read(ids=b"key of this run", SOPInstanceUID=sop).attributes.ids) for sop in ("1.2", "1.3"))
    assert first["patient_id_hash"] == second["patient_id_hash"]
    assert first["study_uid_hash"] == second["study_uid_hash"]
    assert first["sop_uid_hash"] != second["sop_uid_hash"]
    assert not any(secret in repr(first) for secret in PLANTED_IDS.values())


def test_another_key_gives_other_hashes() -> None:
    hashes = [{hashed for _, hashed in read(ids=key).attributes.ids} for key in (b"one", b"two")]
    assert hashes[0].isdisjoint(hashes[1])


def test_plain_identifiers_have_columns_of_their_own() -> None:
    assert read(ids="plain").attributes.ids == (
        ("patient_id", PLANTED_IDS["PatientID"]),
        ("study_uid", PLANTED_IDS["StudyInstanceUID"]),
        ("sop_uid", PLANTED_IDS["SOPInstanceUID"]),
    )


def test_a_missing_identifier_is_empty_and_not_the_hash_of_nothing() -> None:
    assert dict(hashed_ids(Dataset(), b"key")) == {"patient_id_hash": "", "study_uid_hash": "", "sop_uid_hash": ""}


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ({"AcquisitionDate": "20240229", "AcquisitionTime": "101530.25"}, "2024-02-29T10:15:30"),
        ({"AcquisitionDateTime": "20240229101530.25+0100"}, "2024-02-29T10:15:30"),
        ({"StudyDate": "20231105", "StudyTime": "0915"}, "2023-11-05T09:15:00"),
        ({"AcquisitionDate": "20240230", "ContentDate": "20240301"}, "2024-03-01T00:00:00"),
        ({"AcquisitionDate": "00010101"}, None),
        ({"AcquisitionTime": "101530"}, None),
    ],
)
def test_the_moment_of_acquisition_goes_with_the_identifiers(said: dict[str, str], moment: str | None) -> None:
    dataset = Dataset()
    for keyword, value in said.items():
        setattr(dataset, keyword, value)
    assert dict(hashed_ids(dataset, None)).get("acquired_at") == moment


def test_days_are_shifted_alike_for_all_films_of_a_patient_and_otherwise_for_another() -> None:
    def days(patient: str, *dates: str) -> list[datetime]:
        found = []
        for date in dates:
            dataset = Dataset()
            dataset.PatientID, dataset.StudyDate = patient, date
            found.append(datetime.fromisoformat(dict(hashed_ids(dataset, b"key"))["acquired_at_shifted"]))
        return found

    first, second = days("1", "20240301", "20240311")
    assert (second - first).days == 10
    assert first < datetime(2024, 3, 1)
    assert days("2", "20240301") != [first]


def test_only_known_attributes_are_read_and_none_that_names_people() -> None:
    read_tags = {Tag(keyword) for keyword in dicom_header.KEYWORDS}  # raises for a misspelt keyword
    assert read_tags.isdisjoint(Tag(keyword) for keyword in ("PatientName", "PatientBirthDate", *PLANTED_IDS))


@given(
    position=st.integers(0, 600),
    junk=st.binary(min_size=1, max_size=12),
)
def test_damaged_headers_fail_with_a_code_and_without_identifiers(position: int, junk: bytes) -> None:
    data = bytearray(DAMAGEABLE)
    data[132 + position : 132 + position + len(junk)] = junk
    try:
        film = read_film(bytes(data), ReadOptions(1.0))[0]
    except CxrscanError as error:
        assert "PLANTED" not in error.message  # noqa: PT017 - a film is as good an outcome
    else:
        assert film.pixels.min() >= 0.0
        assert film.pixels.max() <= 1.0


DAMAGEABLE = dicom_film(
    FILM.astype(np.uint16) * 16,
    bits_stored=12,
    RescaleSlope=2,
    RescaleIntercept=-3,
    WindowCenter=[2000, 3000],
    WindowWidth=[4000, 2000],
    PixelPaddingValue=0,
    PixelSpacing=[0.2, 0.2],
    PatientAge="030Y",
    PatientSex="M",
    ViewCodeSequence=coded("399348003", "antero-posterior"),
)


def test_reading_logs_and_warns_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    data = dicom_film(FILM, PatientAge="012Y").replace(b"012Y", b"PLAN").replace(b"DX", b"\xff\xff")
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings():
        warnings.simplefilter("error")
        read_film(data, ReadOptions(1.0, ids="plain"))
    assert caplog.records == []
    assert not logging.getLogger("pydicom").disabled
