"""Start real runs, disturb them, and hold what is left against the films that were given."""

from __future__ import annotations

import csv
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

# Tests that run in the background inherit an ignored Ctrl-C; a user's shell does not.
HEED_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
COMMAND = [sys.executable, "-c", f"{HEED_CTRL_C}; from cxrscan.scanner.cli.main import main; main()", "run"]
OUTPUTS = {"journal.sqlite", "report.html", "results.csv", "run.json"}


def start(
    films: Path, out: Path, *options: object, prefix: Sequence[object] = (), **how: object
) -> subprocess.Popen[str]:
    """Start a run of two workers in a session of its own."""
    usual = ["--batch-size", "4", "--workers", "2"]
    command = [*prefix, *COMMAND, films, "-o", out, *usual, *options]
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        list(map(str, command)), stderr=subprocess.PIPE, text=True, start_new_session=True, **how
    )


def give_many_names(films: Path, folder: Path, n_names: int) -> Path:
    """Link PNG films under many names: work for some seconds."""
    originals = sorted(films.glob("*.png"))
    for number in range(n_names):
        os.link(originals[number % len(originals)], folder / f"{number}.png")
    return folder


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and what was said, once the process has ended."""
    with process:
        _, said = process.communicate(timeout=120)
    return process.returncode, said


def run(films: Path, out: Path, *options: object, **how: object) -> tuple[int, str]:
    """Run to the end: exit code and what was said."""
    return finish(start(films, out, *options, **how))  # type: ignore[arg-type]


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a run as a power cut would, and hold its workers to ending by themselves."""
    process.kill()
    finish(process)
    wait_until(lambda: not group_lives(process.pid), "the workers of a killed run to end")


def group_lives(leader: int) -> bool:
    """Whether a process that a run started is left."""
    with suppress(ProcessLookupError):
        os.killpg(leader, 0)
        return True
    return False


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Process ids of a run's workers: its children, without multiprocessing's helper."""
    with suppress(FileNotFoundError):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return []


def wait_until(condition: object, what: str, *, timeout_s: float = 60.0) -> None:
    """Wait until a function returns something true."""
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def wait_for(path: Path, *, size_bytes: int = 0) -> None:
    """Wait until a file is there and has grown to a size."""
    wait_until(lambda: path.exists() and path.stat().st_size >= size_bytes, str(path))


def table(out: Path, name: str = "results.csv") -> list[dict[str, str]]:
    """Rows of the table, durations aside."""
    with (out / name).open(encoding="utf-8-sig", newline="") as file:
        return [{**row, "duration_ms": ""} for row in csv.DictReader(file)]


def check_complete(out: Path, films: Path) -> None:
    """Hold the rows against the files: each once, in order, and nothing else left in the run folder."""
    assert [row["path"] for row in table(out)] == sorted(path.name for path in films.iterdir())
    assert {path.name for path in out.iterdir()} == OUTPUTS


def check_sound(out: Path) -> None:
    """Hold a journal that a kill left behind to being whole."""
    if (out / "journal.sqlite").exists():
        with closing(sqlite3.connect(out / "journal.sqlite")) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def interrupt(process: subprocess.Popen[str], number: signal.Signals, *, whole_group: bool) -> None:
    """Send a signal to the run, or to it and its workers as a terminal does."""
    if whole_group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
