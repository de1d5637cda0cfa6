"""The patient in a film's name, by the rule of the Chest X-Ray Pneumonia dataset."""

from __future__ import annotations

import pytest

from scanner.evaluation.patients import patient_of


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
    ],
)
def test_the_file_name_names_the_patient(name: str, patient: str | None) -> None:
    assert patient_of(name) == patient
