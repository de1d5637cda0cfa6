"""The reader's sheet."""

from __future__ import annotations

import csv
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.viewer.verdicts import Verdict, change_verdict, read_verdicts
from tests.reports.films import INFO, MODEL, RUN, scored

FILMS = [scored("=a.jpg", 0.9), scored("b.jpg", 0.1), scored("c.jpg", 0.2)]
SHEET = {
    "=a.jpg": Verdict("pneumonia", '-motion, "blur"\nand more', "Dr. R.", "2026-01-02T03:04:05Z"),
    "c.jpg": Verdict("", "only a comment", "+R", "2026-01-02T03:05:00Z"),
}


def write_sheet(path: Path) -> None:
    for film in reversed(FILMS):
        if film.result.name in SHEET:
            change_verdict(path, FILMS, film, None, SHEET[film.result.name], RUN)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_sheet(tmp_path / "verdicts.csv")
    assert read_verdicts(tmp_path / "verdicts.csv", FILMS) == SHEET


def test_the_sheet_is_safe_in_spreadsheets_and_looks_as_the_reports(tmp_path: Path) -> None:
    write_sheet(tmp_path / "verdicts.csv")
    sheet = (tmp_path / "verdicts.csv").read_bytes().decode()
    assert sheet.startswith("\ufeffpath,sha256,prediction,prob_pneumonia,threshold,model,verdict,comment,reader,")
    assert "\r\n'=a.jpg," in sheet
    assert ",PNEUMONIA,0.9000,0.5000,toy 1.0,pneumonia," in sheet
    assert ",only a comment,'+R,2026-01-02T03:05:00Z,no\r\n" in sheet
    assert "b.jpg" not in sheet


def test_an_empty_verdict_takes_the_row_out(tmp_path: Path) -> None:
    write_sheet(tmp_path / "verdicts.csv")
    change_verdict(tmp_path / "verdicts.csv", FILMS, FILMS[0], SHEET["=a.jpg"], Verdict(reader="Dr. R."), RUN)
    assert list(read_verdicts(tmp_path / "verdicts.csv", FILMS)) == ["c.jpg"]


def test_what_others_have_written_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.csv"
    path.write_text(
        "path,verdict,comment,reader,threshold,room\n"
        "gone.jpg,agree,of last year,EF,0.4,12\nb.jpg,disagree,,AB,0.7,\n=a.jpg,perhaps,,AB,0.7,\n",
        encoding="utf-8",
    )
    change_verdict(path, FILMS, FILMS[2], None, Verdict("no-pneumonia", "", "CD"), RUN)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["b.jpg", "c.jpg", "gone.jpg", "=a.jpg"]
    assert (rows["b.jpg"]["threshold"], rows["b.jpg"]["verdict"]) == ("0.7", "disagree")
    assert (rows["gone.jpg"]["comment"], rows["gone.jpg"]["room"]) == ("of last year", "12")
    assert rows["=a.jpg"]["verdict"] == "perhaps"


def judge_many(path: Path, film: int, reader: str, n_times: int) -> None:
    known = None
    for number in range(n_times):
        given = Verdict("no-pneumonia", str(number), reader)
        change_verdict(path, FILMS, FILMS[film], known, given, RUN)
        known = given


def test_viewers_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.csv"
    spawn = multiprocessing.get_context("spawn")
    viewers = [spawn.Process(target=judge_many, args=(path, film, f"R{film}", 40)) for film in range(3)]
    for viewer in viewers:
        viewer.start()
    for viewer in viewers:
        viewer.join()
        assert viewer.exitcode == 0
    assert {verdict.comment for verdict in read_verdicts(path, FILMS).values()} == {"39"}
    assert len(read_verdicts(path, FILMS)) == 3


def test_another_readers_verdict_on_the_same_film_is_not_overwritten_unseen(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.csv"
    others = Verdict("no-pneumonia", "", "AB")
    change_verdict(path, FILMS, FILMS[1], None, others, RUN)
    mine = Verdict("pneumonia", "", "CD")
    with pytest.raises(RunFolderError) as caught:
        change_verdict(path, FILMS, FILMS[1], None, mine, RUN)
    assert caught.value.code == "verdict-taken"
    assert read_verdicts(path, FILMS) == {"b.jpg": others}
    assert change_verdict(path, FILMS, FILMS[1], others, mine, RUN) == {"b.jpg": mine}


def test_a_missing_sheet_is_an_empty_one(tmp_path: Path) -> None:
    assert read_verdicts(tmp_path / "verdicts.csv", FILMS) == {}


def test_rows_of_other_films_and_unknown_verdicts_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.csv"
    path.write_text(
        "path,verdict\nb.jpg,no-pneumonia\nother.jpg,unsure\nc.jpg,perhaps\n=a.jpg,agree\n", encoding="utf-8"
    )
    assert read_verdicts(path, FILMS) == {"b.jpg": Verdict("no-pneumonia")}


@pytest.mark.parametrize("content", [b"name,opinion\nb.jpg,good\n", b"\xff\xfe\x00bad"])
def test_a_file_that_is_no_sheet_is_told_and_not_replaced(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "verdicts.csv").write_bytes(content)
    with pytest.raises(RunFolderError) as caught:
        read_verdicts(tmp_path / "verdicts.csv", FILMS)
    assert caught.value.code == "verdicts-unreadable"


def test_an_older_sheets_agreement_is_with_the_call_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.csv"
    path.write_text(
        "path,prediction,verdict\n'=a.jpg,NORMAL,agree\nb.jpg,NORMAL,disagree\nc.jpg,REFER,agree\n", encoding="utf-8"
    )
    said = {name: verdict.verdict for name, verdict in read_verdicts(path, FILMS).items()}
    assert said == {"=a.jpg": "no-pneumonia", "b.jpg": "pneumonia", "c.jpg": "unsure"}


def test_a_verdict_on_another_content_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.csv"
    same, other = FILMS[1].result.sha256, "0" * 64
    path.write_text(f"path,sha256,verdict\nb.jpg,{same},unsure\nc.jpg,{other},unsure\n", encoding="utf-8")
    assert list(read_verdicts(path, FILMS)) == ["b.jpg"]


def test_a_verdict_stays_on_the_call_it_was_given_on(tmp_path: Path) -> None:
    path, film = tmp_path / "verdicts.csv", FILMS[2]
    given = Verdict("no-pneumonia", "", "AB", blind=True)
    change_verdict(path, FILMS, film, None, given, RUN)
    looser = replace(INFO, threshold=0.15, threshold_name="custom")
    change_verdict(
        path, FILMS, film, given, replace(given, comment="seen again"), Run(looser, replace(MODEL, name="other"))
    )
    found = read_verdicts(path, FILMS)["c.jpg"]
    assert (found.comment, found.blind) == ("seen again", True)
    assert (found.called, found.threshold, found.model) == ("NORMAL", "0.5000", "toy 1.0")
    change_verdict(path, FILMS, film, found, replace(given, verdict="pneumonia"), Run(looser, MODEL))
    assert read_verdicts(path, FILMS)["c.jpg"].called == "PNEUMONIA"
