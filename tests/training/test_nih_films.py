from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cxrscan.scanner.errors import TrainingError
from cxrscan.training.films import Box
from cxrscan.training.nih_films import main
from cxrscan.training.table import read_table

HEADER = "file,patient,split,view,age_years,sex,radiologist,boxes_px,nih_findings\n"
FILMS = HEADER + (
    'films/1.jpeg,11,train,AP,50,M,opacity,"[[1, 2, 3, 4]]",Infiltration\n'
    "films/2.jpeg,12,val,PA,61,F,other,,Effusion\n"
    "films/3.jpeg,13,train,PA,61,F,normal,,Effusion\n"
    "films/4.jpeg,14,train,PA,61,F,,,No Finding\n"
    "films/5.jpeg,15,train,PA,61,F,,,Pneumonia|Mass\n"
    "films/6.jpeg,16,train,PA,61,F,,,Fibrosis|Mass\n"
)


def converted(folder: Path, text: str) -> Path:
    (folder / "data").mkdir()
    (folder / "data" / "films.csv").write_text(text, encoding="utf-8")
    table = folder / "adults.csv"
    CliRunner().invoke(main, [str(folder / "data" / "films.csv"), str(table)], catch_exceptions=False)
    return table


def test_readings_become_labels_and_empty_reports_weak_ones(tmp_path: Path) -> None:
    ill, other, normal, unread, fibrosis = read_table(converted(tmp_path, FILMS), "adults")
    assert (ill.is_positive, ill.weight, ill.boxes, ill.view) == (True, 1.0, (Box(1, 2, 3, 4),), "AP")
    assert (other.is_positive, other.weight, other.split, other.finding) == (False, 1.0, "validation", "other")
    assert (normal.is_positive, unread.is_positive, unread.weight) == (False, False, 0.5)
    assert (fibrosis.is_positive, fibrosis.weight, fibrosis.findings) == (False, 0.25, ("Fibrosis", "Mass"))
    assert [path.resolve() for path in ill.paths] == [(tmp_path / "data" / "films" / "1.jpeg").resolve()]


def test_a_reading_that_is_not_known_stops_it(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="'doubtful'"):
        converted(tmp_path, HEADER + "films/1.jpeg,11,train,AP,50,M,doubtful,,Infiltration\n")
