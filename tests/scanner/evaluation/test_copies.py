"""An archive that holds films twice says so, and each film can count once."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from cxrscan.scanner.cli.main import cxrscan
from cxrscan.scanner.evaluation.copies import content_of
from cxrscan.scanner.evaluation.evaluate import collect_films
from cxrscan.scanner.evaluation.survey import survey_films
from cxrscan.scanner.records import Film, ScanResult
from tests.builders import write_film
from tests.reports.films import scored


def with_digest(film: Film, name: str, digest: str) -> Film:
    return Film(replace(film.result, name=name, sha256=digest), film.truth)


FILMS = [
    with_digest(scored("a", 0.9, "PNEUMONIA"), "chest_xray/a.jpg", "1" * 64),
    with_digest(scored("b", 0.2, "NORMAL"), "chest_xray/b.jpg", "2" * 64),
    with_digest(scored("a", 0.9, "PNEUMONIA"), "chest_xray/chest_xray/a.jpg", "1" * 64),
    with_digest(scored("b", 0.2, "NORMAL"), "chest_xray/chest_xray/b.jpg", "2" * 64),
    with_digest(scored("a", 0.9, "PNEUMONIA"), "copy of a.jpeg", "1" * 64),
]


def test_copies_are_counted_whatever_they_are_called() -> None:
    assert survey_films(FILMS, 0.5).counts.n_copies == 3
    assert survey_films(FILMS[:2], 0.5).counts.n_copies == 0


def test_frames_of_one_object_are_films_of_their_own() -> None:
    names = ["a.dcm", "a.dcm#2", "a.dcm#3", "b.dcm", "b.dcm#2"]
    contents = [content_of(ScanResult(name, "dicom", 1, 1, sha256="3" * 64)) for name in names]
    assert contents[:2] == contents[3:]
    assert len(set(contents)) == 3


@pytest.mark.parametrize(("duplicates", "n", "n_copies", "left_out"), [("keep", 5, 3, 0), ("first", 2, 0, 3)])
def test_in_an_evaluation_copies_count_or_the_first_alone(
    duplicates: str, n: int, n_copies: int, left_out: int
) -> None:
    films = collect_films(FILMS, {}, duplicates=duplicates)  # type: ignore[arg-type]
    assert (len(films.names), films.n_copies, films.unscored.get("copies", 0)) == (n, n_copies, left_out)


def test_summary_report_and_evaluation_tell_of_copies(tmp_path: Path) -> None:
    for label, seed in (("NORMAL", 0), ("PNEUMONIA", 1)):
        film = write_film(tmp_path / "films" / label / f"{seed}.png", seed, height=300, width=300)
        copy = tmp_path / "films" / "films" / label / film.name
        copy.parent.mkdir(parents=True)
        copy.write_bytes(film.read_bytes())
    out = str(tmp_path / "out")
    run = ["run", str(tmp_path / "films"), "-o", out, "--labels", "folders", "--gate", "off"]
    assert "2 exact copies" in CliRunner().invoke(cxrscan, run, catch_exceptions=False).stderr
    assert "2 scored films are exact copies of others" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    counts = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))["counts"]
    assert (counts["n_films"], counts["n_copies"]) == (4, 2)
    keep = CliRunner().invoke(cxrscan, ["evaluate", out], catch_exceptions=False)
    assert "Of these, 2 are copies of another file" in keep.stdout
    first = CliRunner().invoke(cxrscan, ["evaluate", out, "--duplicates", "first"], catch_exceptions=False)
    assert first.stdout.startswith("2 films with label and call: 1 PNEUMONIA, 1 NORMAL")
    assert "left out: 2 copies" in first.stdout


def test_a_run_and_its_report_count_copies_once_when_asked(tmp_path: Path) -> None:
    film = write_film(tmp_path / "films" / "NORMAL" / "a.png", 0, height=300, width=300)
    (tmp_path / "films" / "NORMAL" / "b.png").write_bytes(film.read_bytes())
    write_film(tmp_path / "films" / "PNEUMONIA" / "c.png", 1, height=300, width=300)
    out = tmp_path / "out"

    def n_figures(*command: str) -> tuple[int, list[str]]:
        """Films that the figures are of, and the labels in the table."""
        assert CliRunner().invoke(cxrscan, [*command, "-q"], catch_exceptions=False).exit_code == 0
        document = json.loads((out / "run.json").read_text(encoding="utf-8"))
        with (out / "results.csv").open(encoding="utf-8-sig", newline="") as table:
            labels = [row["truth"] for row in csv.DictReader(table)]
        return document["evaluation"]["n_films"], labels

    run = ("run", str(tmp_path / "films"), "-o", str(out), "--labels", "folders", "--gate", "off")
    once = (2, ["NORMAL", "", "PNEUMONIA"])
    assert n_figures(*run, "--duplicates", "first") == once
    assert "figures count the first of each" in (out / "report.html").read_text(encoding="utf-8")
    assert n_figures(*run) == once  # as the run in the folder does
    assert n_figures("report", str(out), "--duplicates", "keep") == (3, ["NORMAL", "NORMAL", "PNEUMONIA"])
    assert n_figures("report", str(out)) == (3, ["NORMAL", "NORMAL", "PNEUMONIA"])
