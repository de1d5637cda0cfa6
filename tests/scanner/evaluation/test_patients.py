"""The patient in a film's name, by the rules of two public data sets."""

from __future__ import annotations

import pytest

from cxrscan.scanner.evaluation.patients import patient_of


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("person12_virus_35.jpeg", "person12"),
        ("train/PNEUMONIA/person12_bacteria_36.jpeg", "person12"),
        ("person1_virus_7_2.jpeg", "person1"),
        ("IM-0115-0001.jpeg", "IM-0115"),
        ("IM-0115-0001-0002.jpeg", "IM-0115"),
        ("NORMAL/NORMAL2-IM-0529-0001.jpeg", "NORMAL2-IM-0529"),
        ("scan0001.jpeg", None),
        ("person12/scan.jpeg", None),
        ("old-person12_virus_35.jpeg", None),
        ("IM-0115.jpeg", None),
        ("images/00000013_005.png", "00000013"),
        ("00030805_000.jpeg", "00030805"),
        ("00040805_000.jpeg", None),
        ("20260101_001.png", None),
        ("00000013_0051.png", None),
        ("00000013.png", None),
    ],
)
def test_the_file_name_names_the_patient(name: str, patient: str | None) -> None:
    assert patient_of(name) == patient
