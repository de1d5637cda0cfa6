"""``cxrscan drift``: from run folders to sentences, JSON, exit code and report."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, load_bundle, read_document
from cxrscan.scanner.populations.portrait import portray
from cxrscan.scanner.populations.reference import reference_document
from cxrscan.scanner.records import Film
from cxrscan.scanner.runs.journal import Journal
from tests.reports.films import INFO
from tests.scanner.cli.test_cli import cxrscan
from tests.scanner.populations.populations import population

MODEL = load_bundle(DEFAULT_BUNDLE)


def write_run(folder: Path, films: list[Film], *, validated_on: list[Film] | None = None) -> Path:
    """A run folder that holds these films, by a model that was validated on others."""
    document = read_document(DEFAULT_BUNDLE)
    document.pop("reference", None)
    if validated_on is not None:
        document["reference"] = reference_document([portray(lambda: validated_on, MODEL, "validation films")], MODEL)
    with Journal(folder, create=True) as journal:
        journal.put("model", document)
        journal.put("run", asdict(replace(INFO, threshold_name="custom")))
        journal.start_session("key")
        journal.add_films(films)
    return folder


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    return write_run(tmp_path / "earlier", population(60, 1))


def test_films_that_have_not_changed(tmp_path: Path, earlier: Path) -> None:
    run = write_run(tmp_path / "run", population(60, 2))
    done = cxrscan("drift", run, "--reference", earlier, "--fail-on-drift")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("No change is seen.")


def test_films_that_have_changed(tmp_path: Path, earlier: Path) -> None:
    run = write_run(tmp_path / "run", population(60, 2, brightness=180))
    done = cxrscan("drift", run, "--reference", earlier, "--fail-on-drift", "--json", "-q")
    assert done.returncode == 5
    document = json.loads(done.stdout)
    assert (document["drift"], document["cause"], document["n_films"]) == (True, "appearance", 60)
    assert document == json.loads((run / "drift.json").read_text(encoding="utf-8"))
    report = (run / "report.html").read_text(encoding="utf-8")
    assert 'href="#drift"' in report
    assert document["sentence"] in report
    (run / "report.html").unlink()
    assert cxrscan("report", run).returncode == 0
    assert (run / "report.html").read_text(encoding="utf-8").count(document["sentence"]) == report.count(
        document["sentence"]
    )
    with Journal(run) as journal:
        journal.start_session("key")
        journal.add_films(population(61, 2)[60:])
    assert cxrscan("report", run).returncode == 0
    assert 'href="#drift"' not in (run / "report.html").read_text(encoding="utf-8")


def test_what_was_found_of_other_films_is_not_told_of_as_many_new_ones(tmp_path: Path, earlier: Path) -> None:
    run = write_run(tmp_path / "run", population(60, 2, brightness=180))
    assert cxrscan("drift", run, "--reference", earlier).returncode == 0
    with Journal(run) as journal:
        journal.start_session("key")
        journal.add_films(population(60, 1))
        journal.forget_unmet()
        assert journal.n_results() == 60
    assert cxrscan("report", run).returncode == 0
    assert 'href="#drift"' not in (run / "report.html").read_text(encoding="utf-8")


def test_the_films_that_the_model_was_validated_on_are_the_default(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", population(60, 2, share=0.9), validated_on=population(100, 1))
    done = cxrscan("drift", run, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "Another share of the films shows pneumonia" in done.stdout
    assert "of validation films" in done.stdout
    assert json.loads((tmp_path / "out/drift.json").read_text(encoding="utf-8"))["cause"] == "prevalence"
    assert not (run / "report.html").exists()


def test_what_cannot_be_compared_is_one_sentence(tmp_path: Path, earlier: Path) -> None:
    run = write_run(tmp_path / "run", population(5, 2))
    without = cxrscan("drift", run)
    assert (without.returncode, "[no-drift-reference]" in without.stderr) == (1, True)
    few = cxrscan("drift", run, "--reference", earlier)
    assert (few.returncode, "[too-few-films]" in few.stderr) == (1, True)


def test_a_run_without_a_scored_film_and_a_folder_that_cannot_be_made_are_told(tmp_path: Path, earlier: Path) -> None:
    empty = cxrscan("drift", write_run(tmp_path / "empty", [], validated_on=population(60, 1)))
    assert (empty.returncode, "[too-few-films]" in empty.stderr, "Warning" in empty.stderr) == (1, True, False)
    (tmp_path / "file").touch()
    no_folder = cxrscan("drift", earlier, "--reference", earlier, "-o", tmp_path / "file/out")
    assert (no_folder.returncode, "[output-unwritable]" in no_folder.stderr) == (1, True)


def test_a_drift_that_was_made_up_is_told(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", population(20, 2))
    with Journal(run) as journal:
        journal.put(
            "drift", {"of": journal.content(), "found": {"reference": "x", "aspects": [{"aspect": "<script>"}]}}
        )
    told = cxrscan("report", run)
    assert (told.returncode, "[journal-format]" in told.stderr) == (1, True)
