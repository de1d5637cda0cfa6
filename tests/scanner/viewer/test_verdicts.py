"""The reader's sheet."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import templates
from scanner.errors import RunFolderError
from scanner.viewer.verdicts import VERDICT_COLUMNS, VERDICTS, Verdict, read_verdicts, write_verdicts
from tests.reports.films import INFO, MODEL, scored

FILMS = [scored("=a.jpg", 0.9), scored("b.jpg", 0.1), scored("c.jpg", 0.2)]
SHEET = {
    "=a.jpg": Verdict("disagree", '-motion, "blur"\nand more', "Dr. R.", "2026-01-02T03:04:05Z"),
    "c.jpg": Verdict("", "only a comment", "+R", "2026-01-02T03:05:00Z"),
}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_verdicts(tmp_path / "verdicts.csv", FILMS, SHEET, INFO, MODEL)
    assert read_verdicts(tmp_path / "verdicts.csv", FILMS) == SHEET


def test_the_sheet_is_safe_in_spreadsheets_and_looks_as_the_reports(tmp_path: Path) -> None:
    write_verdicts(tmp_path / "verdicts.csv", FILMS, SHEET, INFO, MODEL)
    sheet = (tmp_path / "verdicts.csv").read_bytes().decode()
    assert sheet.startswith("\ufeffpath,sha256,prediction,prob_pneumonia,threshold,model,verdict,comment,reader,")
    assert "\r\n'=a.jpg," in sheet
    assert ",PNEUMONIA,0.9000,0.5000,toy 1.0,disagree," in sheet
    assert ",only a comment,'+R,2026-01-02T03:05:00Z\r\n" in sheet
    assert "b.jpg" not in sheet


def test_columns_and_verdicts_are_those_of_the_report() -> None:
    script = (Path(next(iter(templates.__path__))) / "report_verdicts.js").read_text(encoding="utf-8")
    columns = re.search(r"VERDICT_COLUMNS = \[(.*?)\]", script, re.DOTALL)
    verdicts = re.search(r"VERDICTS = new Map\(\[(.*?)\]\);", script, re.DOTALL)
    assert columns is not None
    assert verdicts is not None
    assert tuple(re.findall(r'"(\w+)"', columns[1])) == VERDICT_COLUMNS
    assert dict(re.findall(r'\["(\w+)", "(\w+)"\]', verdicts[1])) == VERDICTS


def test_a_missing_sheet_is_an_empty_one(tmp_path: Path) -> None:
    assert read_verdicts(tmp_path / "verdicts.csv", FILMS) == {}


def test_rows_of_other_films_and_unknown_verdicts_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.csv"
    path.write_text("path,verdict\nb.jpg,agree\nother.jpg,agree\nc.jpg,perhaps\n", encoding="utf-8")
    assert read_verdicts(path, FILMS) == {"b.jpg": Verdict("agree")}


@pytest.mark.parametrize("content", [b"name,opinion\nb.jpg,good\n", b"\xff\xfe\x00bad"])
def test_a_file_that_is_no_sheet_is_told_and_not_replaced(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "verdicts.csv").write_bytes(content)
    with pytest.raises(RunFolderError) as caught:
        read_verdicts(tmp_path / "verdicts.csv", FILMS)
    assert caught.value.code == "verdicts-unreadable"
