"""What somebody types who has never used a command line: each wrong turn says the next step."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.builders import write_film
from tests.scanner.cli.test_cli import cxrscan

FOLDER = "Röntgen Bilder März"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with films, as a person has it: blanks and umlauts in names, a letter and a zip beside them."""
    for seed in range(2):
        write_film(tmp_path / FOLDER / f"Thorax {seed}.jpg", seed, height=210, width=210)
    (tmp_path / FOLDER / "Befund.docx").write_bytes(b"PK\3\4 no film")
    for name in ("empty", "letters"):
        (tmp_path / name).mkdir()
    shutil.copy(tmp_path / FOLDER / "Befund.docx", tmp_path / "letters")
    shutil.make_archive(str(tmp_path / "films"), "zip", tmp_path / FOLDER)
    return tmp_path


def typed(desk: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return cxrscan(*words, cwd=desk, env={**os.environ, "HOME": str(desk), "USERPROFILE": str(desk)})


@pytest.mark.parametrize("place", [FOLDER, f"{FOLDER}/", f"{FOLDER}/Thorax 0.jpg", "films.zip"])
def test_a_folder_a_file_and_a_zip_become_a_report(place: str, desk: Path) -> None:
    done = typed(desk, "run", place)
    assert done.returncode == 0, done.stderr
    assert "Report   cxrscan-out" in done.stderr
    assert (desk / "cxrscan-out/report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    "place",
    [f"{FOLDER}'", f'"{FOLDER}"', f'{FOLDER}"', FOLDER.replace(" ", "\\ "), f" {FOLDER}", f"~/{FOLDER}"],
)
@pytest.mark.parametrize("command", ["run", "report"])
def test_a_path_with_a_slip_is_answered_with_the_one_that_exists(command: str, place: str, desk: Path) -> None:
    done = typed(desk, command, place)
    assert done.returncode == 2
    assert f"{FOLDER}'?" in done.stderr
    assert "Did you mean '" in done.stderr


@pytest.mark.parametrize(
    ("words", "next_step"),
    [
        ([], "cxrscan run FOLDER"),
        (["run"], "Name files or folders"),
        (["run", "nowhere"], "drag the folder or file into this window"),
        (["run", "empty"], "Give a folder that holds films"),
        (["run", "letters"], "Give a folder that holds films"),
        ([FOLDER], f"cxrscan run '{FOLDER}'"),
        (["empty", "-o", "out"], "cxrscan run empty"),
        (["evaluat", "empty"], "Did you mean evaluate?"),
        (["xyzzy"], "`cxrscan -h` lists all commands"),
        (["report", "empty"], "cxrscan run"),
    ],
)
def test_every_wrong_turn_says_the_next_step(words: list[str], next_step: str, desk: Path) -> None:
    done = typed(desk, *words)
    assert done.returncode in (1, 2)
    assert next_step in done.stderr
    assert "Traceback" not in done.stderr
    assert "\\x" not in done.stderr
