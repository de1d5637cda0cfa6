"""What a night brings: killed processes, full disks, hostile names. Nothing is lost, nothing is double."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.builders import write_film

# Tests that run in the background inherit an ignored Ctrl-C; a user's shell does not.
HEED_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
COMMAND = [sys.executable, "-c", f"{HEED_CTRL_C}; from scanner.cli.main import main; main()", "run"]
N_FILMS = 60


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for seed in range(N_FILMS):
        write_film(folder / f"{seed:03}.png", seed, height=210, width=210)
    return folder


@pytest.fixture(scope="module")
def many_films(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same films under 400 names: work for some seconds."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(400):
        os.link(films / f"{number % N_FILMS:03}.png", folder / f"{number}.png")
    return folder


def start(films: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    arguments = [*COMMAND, str(films), "-o", str(out), "--batch-size", "4", "--workers", "2", *options]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and what was said, once the process has ended."""
    with process:
        _, said = process.communicate(timeout=60)
    return process.returncode, said


def wait_for(path: Path, *, size_bytes: int = 0) -> None:
    """Wait until a file is there and has grown to a size."""
    deadline = time.monotonic() + 60
    while not path.exists() or path.stat().st_size < size_bytes:
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.02)


def table(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        return [{**row, "duration_ms": ""} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def undisturbed(films: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    out = tmp_path_factory.mktemp("whole") / "out"
    code, said = finish(start(films, out))
    assert code == 0, said
    return table(out)


def test_killed_at_any_moment_a_run_is_continued_to_the_same_table(
    films: Path, undisturbed: list[dict[str, str]], tmp_path: Path
) -> None:
    chance = random.Random(5)
    for number in range(4):
        out = tmp_path / str(number)
        for _ in range(3):
            process = start(films, out)
            time.sleep(chance.uniform(0.1, 1.5))
            process.kill()
            finish(process)
        code, said = finish(start(films, out))
        assert code == 0, said
        assert table(out) == undisturbed
        assert {path.name for path in out.iterdir()} == {"journal.sqlite", "report.html", "results.csv", "run.json"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_asked_to_stop_a_run_leaves_a_partial_report_within_seconds(
    many_films: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "out"
    process = start(many_films, out)
    wait_for(out / "journal.sqlite-wal", size_bytes=200_000)  # some films are recorded
    process.send_signal(number)
    asked = time.monotonic()
    found, said = finish(process)
    assert found == code, said
    assert time.monotonic() - asked < 10.0
    assert "interruption" in said
    assert len(table(out)) < 400
    assert "Traceback" not in said


def test_a_second_run_into_the_same_folder_is_refused(many_films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = start(many_films, out)
    wait_for(out / "journal.sqlite-wal")  # it has the lock
    code, said = finish(start(many_films, out))
    assert code == 1
    assert "[run-busy]" in said
    assert finish(first)[0] == 0
    assert len(table(out)) == 400


def test_a_full_disk_is_told_and_the_run_continues_once_there_is_space(
    films: Path, undisturbed: list[dict[str, str]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    limited = ["prlimit", "--fsize=150000", *COMMAND, str(films), "-o", str(out), "--batch-size", "4", "--workers", "1"]
    done = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "[output-unwritable]" in done.stderr
    assert "Traceback" not in done.stderr
    code, said = finish(start(films, out))
    assert code == 0, said
    assert table(out) == undisturbed


def test_names_cannot_drive_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films/\x1b[31mred\u202egpj.jpg").touch()
    done = subprocess.run(
        [*COMMAND, str(tmp_path / "films"), "-o", str(tmp_path / "out"), "-v"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "\\x1b[31mred\\u202egpj.jpg" in done.stderr
    assert "\x1b" not in done.stderr
