"""Study and urgency from the first bytes of a file, whatever these are."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import DeflatedExplicitVRLittleEndian

from cxrscan.scanner.service.study_mark import read_study_mark
from tests.scanner.dicom_results.objects import film, order


def test_films_of_a_study_have_its_mark_and_the_uid_is_not_in_it() -> None:
    one, two, other = (read_study_mark(film(n, study=study), "x") for n, study in ((1, 1), (2, 1), (1, 2)))
    assert one.study == two.study != other.study
    assert "1.2.826" not in one.study


@pytest.mark.parametrize(
    ("said", "urgency"),
    [
        ({}, 1),
        ({"RequestedProcedurePriority": "STAT"}, 3),
        ({"RequestedProcedurePriority": "high"}, 2),
        ({"RequestedProcedurePriority": "LOW"}, 0),
        ({"RequestedProcedurePriority": "SOON"}, 1),
        ({"StudyPriorityID": "HIGH"}, 2),
        ({"RequestedProcedurePriority": "LOW", "StudyPriorityID": "HIGH"}, 2),
    ],
)
def test_urgency_is_what_the_header_says(said: dict[str, str], urgency: int) -> None:
    assert read_study_mark(film(1, **said), "x").urgency == urgency


def test_a_request_in_the_header_may_say_how_urgent_it_is() -> None:
    item = order()
    item.RequestedProcedurePriority = "STAT"
    assert read_study_mark(film(1, RequestAttributesSequence=[item]), "x").urgency == 3


def test_a_file_whose_study_cannot_be_read_is_a_study_of_its_own() -> None:
    marks = [read_study_mark(data, name) for data, name in ((b"", "a"), (b"", "b"), (b"DICM" * 99, "c"))]
    assert len({mark.study for mark in marks}) == 3


def test_nothing_is_unpacked() -> None:
    head = film(1, syntax=DeflatedExplicitVRLittleEndian)
    bomb = head[: head.index(DeflatedExplicitVRLittleEndian.encode()) + 40] + zlib.compress(bytes(10**8))
    assert read_study_mark(bomb, "x").urgency == 1


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_bytes_raise(data: st.DataObject) -> None:
    whole = bytearray(film(1)[:3000])
    for _ in range(data.draw(st.integers(0, 8))):
        whole[data.draw(st.integers(128, len(whole) - 1))] = data.draw(st.integers(0, 255))
    read_study_mark(bytes(whole[: data.draw(st.integers(0, len(whole)))]), "x")
