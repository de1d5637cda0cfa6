"""``cxrscan queue``: a reading list out of a run folder."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from cxrscan.scanner.runs.journal import Journal
from tests.scanner.cli.test_agreement import write_sheet
from tests.scanner.cli.test_cli import cxrscan
from tests.scanner.cli.test_drift import write_run
from tests.scanner.populations.populations import population


def listed(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_list_names_each_patient_once_and_tells_no_score(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", population(40, 1, films_of_a_patient=3))
    done = cxrscan("queue", run, "--n", 30)
    assert done.returncode == 0, done.stderr
    rows = listed(run / "queue.csv")
    assert list(rows[0]) == ["number", "path", "sha256"]
    assert len({row["path"].partition("_")[0] for row in rows}) == len(rows) == 30
    again = cxrscan("queue", run, "--n", 30, "-o", tmp_path / "again.csv")
    assert again.returncode == 0, again.stderr
    assert listed(tmp_path / "again.csv") == rows
    cxrscan("queue", run, "--n", 30, "-o", tmp_path / "other.csv", "--seed", 1)
    assert listed(tmp_path / "other.csv") != rows


def test_patients_who_have_been_read_are_left_out(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", population(12, 1, films_of_a_patient=2))
    sheet = write_sheet(run / "verdicts-anna.csv", "anna", "pu ")
    text = sheet.read_text(encoding="utf-8-sig")
    for i in range(3):
        text = text.replace(f"{i}.jpg", f"person{1000 + i}_virus_0.jpeg")
    sheet.write_text(text, encoding="utf-8-sig")
    done = cxrscan("queue", run)
    assert "4 films of patients who have been read left out" in done.stderr
    patients = {row["path"].partition("_")[0] for row in listed(run / "queue.csv")}
    assert patients == {f"person{1000 + i}" for i in range(2, 12)}
    cxrscan("queue", run, "--again")
    assert len(listed(run / "queue.csv")) == 12


def test_what_cannot_be_chosen_from_is_one_sentence(tmp_path: Path) -> None:
    bare = cxrscan("queue", write_run(tmp_path / "bare", population(12, 1, embedded=False)))
    assert (bare.returncode, "[no-embeddings]" in bare.stderr) == (1, True)
    none = cxrscan("queue", write_run(tmp_path / "none", []))
    assert (none.returncode, "[queue-empty]" in none.stderr) == (1, True)


def test_a_list_and_a_reader_need_a_run(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", population(12, 1))
    cxrscan("queue", run)
    for arguments in (("--reader", "anna"), ("--queue", run / "queue.csv"), (run, "--reader", "../anna")):
        done = cxrscan("view", *arguments)
        assert done.returncode == 2
        assert "--reader" in done.stderr


def test_a_table_tells_whose_film_is_whose(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", population(40, 1))
    with Journal(run, read_only=True) as journal:
        names = list(journal.names())
    table = tmp_path / "patients.csv"
    table.write_text("path,patient\n" + "".join(f"{name},p{i // 2}\n" for i, name in enumerate(names)))
    done = cxrscan("queue", run, "--patients", table)
    assert done.returncode == 0, done.stderr
    assert len(listed(run / "queue.csv")) == 20
    told = cxrscan("drift", run, "--reference", run, "--patients", table, "-o", tmp_path / "out", "--json", "-q")
    assert json.loads(told.stdout)["n_films"] == 20
