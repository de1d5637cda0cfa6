from __future__ import annotations

import csv
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

CXRSCAN = [sys.executable, "-c", "from cxrscan.scanner.cli.main import main; main()"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a folder")


@pytest.fixture(scope="module")
def done(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CXRSCAN, "demo"], cwd=folder, capture_output=True, text=True, check=False)


def test_the_demo_ends_well_although_one_file_is_broken(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr
    assert "26 files: 24 scored" in done.stderr
    assert "1 rejected (not recognised as a frontal chest film), 1 failed" in done.stderr


def test_the_demo_says_that_its_films_are_synthetic_and_where_the_report_is(
    done: subprocess.CompletedProcess[str], folder: Path
) -> None:
    assert "24 synthetic chest films" in done.stderr
    report = next(line.split(maxsplit=1)[1] for line in done.stderr.splitlines() if line.startswith("Report "))
    assert (folder / report).is_file()
    assert done.stdout == ""


def test_the_command_that_the_demo_prints_gives_the_same_table(
    done: subprocess.CompletedProcess[str], folder: Path, tmp_path: Path
) -> None:
    printed = next(line.removeprefix("$ ") for line in done.stderr.splitlines() if line.startswith("$ "))
    program, *arguments = shlex.split(printed)
    assert program == "cxrscan"
    arguments[arguments.index("-o") + 1] = str(tmp_path / "again")
    subprocess.run([*CXRSCAN, *arguments], cwd=folder, capture_output=True, check=False)
    assert rows(tmp_path / "again") == rows(folder / "cxrscan-demo/results")


def test_the_labels_of_the_demo_give_a_confusion_matrix(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    manifest = json.loads((folder / "cxrscan-demo/results/run.json").read_text())
    assert manifest["labels"]
    assert [row["truth"] for row in rows(folder / "cxrscan-demo/results")].count("PNEUMONIA") == 12


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = subprocess.run([*CXRSCAN, "demo", "-o", tmp_path / "file/demo"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "[output-unwritable]" in done.stderr


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        return [{**row, "duration_ms": ""} for row in csv.DictReader(file)]


def test_the_command_works_when_copied_though_no_environment_is_activated(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("cxrscan")
    bare = {**os.environ, "PATH": "/usr/bin:/bin"}
    done = subprocess.run([command, "demo"], cwd=tmp_path, capture_output=True, text=True, check=False, env=bare)
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("$ "))
    assert shlex.split(line)[1:3] == [str(command), "run"]
