"""``cxrscan worklist``: studies in order of urgency, as a table and as a page."""

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from cxrscan.scanner.cli.main import cxrscan
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, read_document
from cxrscan.scanner.runs.journal import Journal
from tests.builders import write_film
from tests.reports.films import INFO


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worklist")
    for i in range(6):
        write_film(folder / "films" / f"study {i // 2}" / f"{i}.png", i)
    (folder / "films" / "=bad" / "x.png").parent.mkdir()
    (folder / "films" / "=bad" / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = invoke("run", folder / "films", "--group", "folder", "-o", folder / "out", "-q")
    assert done.exception is None, done.output
    return folder / "out"


def invoke(*arguments: object):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(cxrscan, list(map(str, arguments)))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_table_and_page_hold_every_study_and_say_that_times_are_simulated(run: Path) -> None:
    done = invoke("worklist", run, "--prevalence", 0.2, "--minutes-per-study", 5, "--readers", 2)
    assert done.exit_code == 0, done.output
    assert "Simulated, not measured" in done.output
    found = rows(run / "worklist.csv")
    assert [row["number"] for row in found] == ["1", "2", "3", "4"]
    assert [row["read_after_minutes"] for row in found] == ["5.0", "5.0", "10.0", "10.0"]
    urgencies = [float(row["urgency"]) for row in found]
    assert urgencies == sorted(urgencies, reverse=True)
    (unscored,) = [row for row in found if row["why"] == "no-score"]
    assert (unscored["study"], unscored["urgency"], unscored["prediction"]) == ("'=bad", "0.2000", "")
    page = (run / "worklist.html").read_text(encoding="utf-8")
    assert "Simulated, not measured" in page
    assert "study 1" in page


def test_the_page_holds_the_first_studies_and_the_run_stays_as_it_is(run: Path, tmp_path: Path) -> None:
    done = invoke("worklist", run, "-o", tmp_path / "list", "--n", 1, "--views", "pa,ll", "--json")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "list" / "worklist.html").read_text(encoding="utf-8")
    assert page.count('<span class="tick">') == 1
    assert "3 more in worklist.csv." in page
    assert {row["missing_views"] for row in rows(tmp_path / "list" / "worklist.csv")} == {"PA LL"}


def test_json_is_marked_as_a_simulation(run: Path, tmp_path: Path) -> None:
    done = invoke("worklist", run, "-o", tmp_path, "--json", "-q")
    document = json.loads(done.output)
    assert (document["is_simulation"], document["n_studies"]) == (True, 4)


def test_films_are_listed_where_a_run_has_no_studies(run: Path, tmp_path: Path) -> None:
    invoke("report", run, "--group", "off", "-q")
    assert invoke("worklist", run, "-o", tmp_path, "-q").exit_code == 0
    assert len(rows(tmp_path / "worklist.csv")) == 7
    invoke("report", run, "--group", "folder", "-q")


def test_a_run_without_films_has_no_worklist(tmp_path: Path) -> None:
    with Journal(tmp_path / "out", create=True) as journal:
        journal.put("model", read_document(DEFAULT_BUNDLE))
        journal.put("run", asdict(replace(INFO, threshold_name="custom")))
        journal.start_session("key")
    done = invoke("worklist", tmp_path / "out")
    assert getattr(done.exception, "code", None) == "worklist-empty", done.output
    assert not list((tmp_path / "out").glob("worklist*"))
