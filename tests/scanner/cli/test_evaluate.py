"""``cxrscan evaluate`` and ``cxrscan compare`` on a real run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.cli.compare import compare
from cxrscan.scanner.cli.evaluate import evaluate
from cxrscan.scanner.cli.main import cxrscan
from cxrscan.scanner.errors import LabelError, RunFolderError
from cxrscan.scanner.run import RunRequest, run
from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.settings import ScanSettings
from tests.builders import write_film


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated")
    for seed in range(6):
        write_film(folder / "films" / ("NORMAL" if seed < 3 else "PNEUMONIA") / f"{seed}.jpg", seed)
    request = RunRequest(roots=(folder / "films",), out=folder / "out", settings=ScanSettings(), n_workers=1)
    run(request, write_outputs)
    return folder / "out"


@pytest.fixture
def run_folder(finished_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


def cxrscan_evaluate(*arguments: object) -> Result:
    return CliRunner().invoke(evaluate, [str(argument) for argument in arguments], catch_exceptions=False)


def test_a_run_is_measured_against_class_folders(run_folder: Path) -> None:
    result = cxrscan_evaluate(run_folder, "--labels", "folders", "--by", "folder,kind")
    assert result.exit_code == 0
    assert "6 films with label and call: 3 PNEUMONIA, 3 NORMAL" in result.stdout
    assert "6 of 6 films have a label (folders)." in result.stderr
    assert (run_folder / "evaluation" / "subgroups_kind.svg").is_file()
    assert json.loads((run_folder / "run.json").read_text())["labels"] == "folders"


def test_a_subgroup_that_is_the_label_is_not_tabulated(run_folder: Path) -> None:
    result = cxrscan_evaluate(run_folder, "--labels", "folders", "--by", "folder")
    assert "folder: no table, since each of its groups holds films of one class only." in result.stdout
    assert not (run_folder / "evaluation" / "subgroups_folder.svg").exists()
    assert json.loads((run_folder / "evaluation" / "metrics.json").read_text())["subgroups"] == {}


def test_columns_of_a_label_file_can_be_named(run_folder: Path, tmp_path: Path) -> None:
    labels = tmp_path / "truth.csv"
    labels.write_text("Film;Reading\nNORMAL/0;0\nPNEUMONIA/3;1\n")
    result = cxrscan_evaluate(run_folder, "--labels", labels, "--path-column", "film", "--label-column", "reading")
    assert "2 of 6 films have a label (truth.csv), 2 by a name in another case or with another ending." in result.stderr


@pytest.mark.parametrize("command", ["evaluate", "report", "compare"])
def test_labels_of_other_films_are_refused_and_the_runs_own_stay(
    run_folder: Path, tmp_path: Path, command: str
) -> None:
    cxrscan_evaluate(run_folder, "--labels", "folders")
    labels = tmp_path / "truth.csv"
    labels.write_text("path,label\nwrist.png,1\n")
    runs = [run_folder, run_folder] if command == "compare" else [run_folder]
    with pytest.raises(LabelError, match=r"0 of 6 films have a label.*'wrist\.png'") as error:
        CliRunner().invoke(cxrscan, [command, *map(str, runs), "--labels", str(labels)], catch_exceptions=False)
    assert error.value.code == "labels-unmatched"
    assert json.loads(cxrscan_evaluate(run_folder, "--json", "-q").stdout)["labels"] == "folders"


def test_labels_stay_with_the_run(run_folder: Path) -> None:
    cxrscan_evaluate(run_folder, "--labels", "folders")
    again = json.loads(cxrscan_evaluate(run_folder, "--json", "-q").stdout)
    assert (again["labels"], again["at_threshold"]["n"]) == ("folders", 6)


def shown_evaluation(run_folder: Path) -> str:
    """The report's evaluation as text; empty without one."""
    page = (run_folder / "report.html").read_text(encoding="utf-8")
    section = re.search(r'<section id="evaluation".*?</section>', page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", section[0]).split()) if section else ""


def cxrscan_again(*arguments: object) -> None:
    result = CliRunner().invoke(cxrscan, [*map(str, arguments), "-q"], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_an_evaluation_stays_in_the_report_when_it_is_rendered_again(run_folder: Path, tmp_path: Path) -> None:
    labels = tmp_path / "truth.csv"
    rows = "".join(f"{'NORMAL' if i < 3 else 'PNEUMONIA'}/{i}.jpg,{i // 3},{'xy'[i % 2]},p{i // 2}\n" for i in range(6))
    labels.write_text(f"path,label,site,patient\n{rows}")
    cxrscan_evaluate(run_folder, "--labels", labels, "--by", "site", "--prevalence", "0.02")
    evaluated = shown_evaluation(run_folder)
    assert "6 films of 3 patients." in evaluated
    assert "By site Site Films" in evaluated
    assert "2.0 %" in evaluated
    labels.unlink()
    cxrscan_again("report", run_folder)
    assert shown_evaluation(run_folder) == evaluated
    films = json.loads((run_folder / "run.json").read_text())["roots"][0]
    cxrscan_again("report", run_folder, "-o", tmp_path / "elsewhere")
    assert shown_evaluation(tmp_path / "elsewhere") == evaluated
    cxrscan_again("report", run_folder, "--threshold", "1")
    assert "Sensitivity 0.0 %" in shown_evaluation(run_folder)
    cxrscan_again("report", run_folder, "--labels", "folders")
    assert "By site Site Films Sensitivity Specificity PPV NPV Accuracy not stated 6" in shown_evaluation(run_folder)
    assert Path(films).is_dir()


def test_a_scan_that_goes_on_keeps_the_evaluation_and_one_without_labels_has_none(run_folder: Path) -> None:
    films = json.loads((run_folder / "run.json").read_text())["roots"][0]
    cxrscan_evaluate(run_folder, "--labels", "folders", "--by", "kind")
    assert "By format" in shown_evaluation(run_folder)
    cxrscan_again("run", films, "-o", run_folder, "--keep-labels")
    assert "By format" in shown_evaluation(run_folder)
    cxrscan_again("run", films, "-o", run_folder, "--fresh")
    assert shown_evaluation(run_folder) == ""


def test_subgroups_can_be_asked_for_again_without_the_label_file(run_folder: Path, tmp_path: Path) -> None:
    labels = tmp_path / "truth.csv"
    labels.write_text("path,label,site\nNORMAL/0.jpg,0,x\nPNEUMONIA/3.jpg,1,y\n")
    cxrscan_evaluate(run_folder, "--labels", labels, "--by", "site", "-q")
    labels.unlink()
    assert "few films" in cxrscan_evaluate(run_folder, "--by", "site,kind", "-q").stdout


@pytest.mark.parametrize(
    "stored",
    [
        {"by": ["kind"] * 101},
        {"prevalences": [1.0]},
        {"exact": 1},
        {"duplicates": "none"},
        {"cells": {"a.jpg": {"site": 1}}},
        {"order": "x"},
        [],
    ],
)
def test_a_question_that_was_made_up_is_refused(run_folder: Path, stored: object) -> None:
    with Journal(run_folder) as journal:
        journal.put("evaluation", stored)
    with pytest.raises(RunFolderError, match="made up: evaluation"):
        CliRunner().invoke(cxrscan, ["report", str(run_folder)], catch_exceptions=False)


def test_a_label_file_that_misses_and_adds_films_is_told(run_folder: Path, tmp_path: Path) -> None:
    labels = tmp_path / "truth.csv"
    labels.write_text("path,label,site\nNORMAL/0.jpg,healthy,x\nPNEUMONIA/3.jpg,1,y\ngone.jpg,0,x\n")
    result = cxrscan_evaluate(run_folder, "--labels", labels, "--map", "healthy=normal", "--by", "site")
    assert "2 films with label and call" in result.stdout
    assert "2 of 6 films have a label (truth.csv), 1 line names no film." in result.stderr
    assert "line 4: gone.jpg: names no film" in result.stderr


def test_an_unknown_spelling_is_refused_with_its_line(run_folder: Path, tmp_path: Path) -> None:
    labels = tmp_path / "truth.csv"
    labels.write_text("path,label\nNORMAL/0.jpg,healthy\n")
    with pytest.raises(LabelError, match="line 2: 'healthy'"):
        cxrscan_evaluate(run_folder, "--labels", labels)


def test_a_run_without_labels_cannot_be_evaluated(run_folder: Path) -> None:
    with pytest.raises(LabelError, match="has no labels") as error:
        cxrscan_evaluate(run_folder)
    assert error.value.code == "labels-none"


def test_verdicts_that_decide_nothing_are_no_labels(run_folder: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "verdicts-anna.csv"
    sheet.write_text("path,verdict\nNORMAL/0.jpg,unsure\ngone.jpg,pneumonia\n")
    with pytest.raises(LabelError, match="says of no film") as error:
        cxrscan_evaluate(run_folder, "--verdicts", sheet)
    assert error.value.code == "verdicts-none"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--by", "sitee"], "'sitee' is none of view_position"),
        (["--map", "viral"], "SPELLING=CLASS"),
        (["--prevalence", "0"], "0"),
        (["--checklist", "other"], "stard-ai"),
    ],
)
def test_wrong_usage_ends_with_code_2_and_a_hint(run_folder: Path, options: list[str], told: str) -> None:
    result = cxrscan_evaluate(run_folder, "--labels", "folders", *options)
    assert (result.exit_code, told in result.stderr) == (2, True)


def test_a_checklist_is_written_beside_the_figures(run_folder: Path, tmp_path: Path) -> None:
    cxrscan_evaluate(run_folder, "--labels", "folders", "--checklist", "claim", "-o", tmp_path / "figures")
    assert "| 42 | Funding |" in (tmp_path / "figures" / "checklist-claim.md").read_text()
    assert (tmp_path / "figures" / "metrics.csv").is_file()


def test_a_home_that_cannot_be_written_is_no_matter(run_folder: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from cxrscan.scanner.cli.main import main; main()",
        "evaluate",
        str(run_folder),
        "-q",
    ]
    env = {"PATH": os.environ["PATH"], "HOME": "/proc/1/nowhere"}
    done = subprocess.run([*command, "--labels", "folders"], capture_output=True, text=True, check=False, env=env)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_threshold_changes_the_calls(run_folder: Path) -> None:
    result = cxrscan_evaluate(run_folder, "--labels", "folders", "--threshold", "0", "--json", "-q")
    assert json.loads(result.stdout)["at_threshold"]["confusion_matrix"] == {"tp": 3, "fp": 3, "fn": 0, "tn": 0}


def test_a_run_equals_itself(run_folder: Path) -> None:
    arguments = [str(run_folder), str(run_folder), "--labels", "folders"]
    result = CliRunner().invoke(compare, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "Films that changed sides: 0;" in result.stdout
    assert "6 of 6 films have a label" in result.stderr


def test_another_threshold_makes_films_change_sides(run_folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(run_folder, tmp_path / "other")
    cxrscan_evaluate(run_folder, "--labels", "folders", "--threshold", "0", "-q")
    cxrscan_evaluate(other, "--labels", "folders", "--threshold", "1", "-q")
    result = CliRunner().invoke(compare, [str(run_folder), str(other), "--json"], catch_exceptions=False)
    document = json.loads(result.stdout)
    assert len(document["changed"]) == 6
    assert document["differences"]["sensitivity"]["difference"]["value"] == -1.0
