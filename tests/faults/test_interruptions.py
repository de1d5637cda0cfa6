"""Killed, stopped or started twice: nothing is lost, nothing is double."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.harness import (
    COMMAND,
    check_complete,
    check_sound,
    finish,
    interrupt,
    kill,
    run,
    start,
    table,
    wait_for,
    wait_until,
    workers_of,
)

SOAK_ROUNDS = int(os.environ.get("CXRSCAN_SOAK_ROUNDS", "50"))


@pytest.mark.parametrize("rounds", [6, pytest.param(SOAK_ROUNDS, marks=pytest.mark.slow)])
def test_killed_at_any_moment_a_run_is_continued_to_the_same_table(
    rounds: int, films: Path, undisturbed: list[dict[str, str]], tmp_path: Path
) -> None:
    chance = random.Random(rounds)
    out = tmp_path / "out"
    n_survived = n_whole = 0
    options: tuple[str, ...] = ("--fresh",)
    while n_survived < rounds:
        process = start(films, out, *options)
        wait_for(out / "journal.sqlite")
        options = ()
        time.sleep(chance.choice([0.3, 1.0, 3.0]) * chance.random())
        if process.poll() is None:
            kill(process)
            n_survived += 1
            check_sound(out)
        else:  # it was faster
            assert finish(process)[0] == 0
        if n_survived == rounds or chance.random() < 0.2:
            code, said = run(films, out)
            assert code == 0, said
            assert table(out) == undisturbed
            check_complete(out, films)
            n_whole += 1
            options = ("--fresh",)
    assert n_whole


def test_workers_killed_as_by_the_out_of_memory_killer_cost_no_film(
    many_films: Path, undisturbed: list[dict[str, str]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = start(many_films, out)
    for size_bytes in (500_000, 1_000_000):
        wait_for(out / "journal.sqlite-wal", size_bytes=size_bytes)
        os.kill(workers_of(process)[0], signal.SIGKILL)
    code, said = finish(process)
    assert code == 0, said
    check_complete(out, many_films)
    assert {row["prob_pneumonia"] for row in table(out)} == {row["prob_pneumonia"] for row in undisturbed}


def test_workers_end_with_a_parent_that_is_killed(many_films: Path, tmp_path: Path) -> None:
    process = start(many_films, tmp_path / "out")
    wait_until(lambda: len(workers_of(process)) == 2, "workers")
    kill(process)  # waits for them


@pytest.mark.parametrize("whole_group", [False, True], ids=["parent", "group"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_asked_to_stop_a_run_leaves_a_partial_report(
    many_films: Path, tmp_path: Path, number: signal.Signals, code: int, whole_group: bool
) -> None:
    out = tmp_path / "out"
    process = start(many_films, out)
    wait_for(out / "journal.sqlite-wal", size_bytes=600_000)  # some films are recorded
    interrupt(process, number, whole_group=whole_group)
    found, said = finish(process)
    assert found == code, said
    assert "interruption" in said
    assert "Traceback" not in said
    assert not (out / "results.csv").exists()
    found_rows = table(out, "results.partial.csv")
    assert 0 < len(found_rows) < 400
    assert {row["status"] for row in found_rows} == {"scored"}  # dropped films are no failed ones
    assert "The same command continues it." in (out / "report.html").read_text(encoding="utf-8")
    assert run(many_films, out)[0] == 0
    check_complete(out, many_films)
    assert not (out / "results.partial.csv").exists()


def test_a_terminal_that_says_twice_that_it_closes_leaves_the_partial_report(many_films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(many_films, out, "-v")
    wait_for(out / "journal.sqlite-wal", size_bytes=600_000)
    assert process.stderr is not None
    process.stderr.close()  # it is gone
    while process.poll() is None:
        os.killpg(process.pid, signal.SIGHUP)
        time.sleep(0.05)
    assert process.wait() == 143
    assert len(table(out, "results.partial.csv")) > 0
    assert (out / "report.html").exists()


def test_nohup_is_heeded(films: Path, undisturbed: list[dict[str, str]], tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(films, out, prefix=["nohup"], stdout=subprocess.DEVNULL)
    wait_for(out / "journal.sqlite")
    while process.poll() is None:
        os.killpg(process.pid, signal.SIGHUP)
        time.sleep(0.05)
    assert finish(process)[0] == 0
    assert table(out) == undisturbed


def test_time_between_ctrl_z_and_fg_is_not_counted(many_films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(many_films, out, "--timeout", 4, "--batch-size", 1)
    for size_bytes in (300_000, 900_000):
        wait_for(out / "journal.sqlite-wal", size_bytes=size_bytes)
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(5)
        os.killpg(process.pid, signal.SIGCONT)
    code, said = finish(process)
    assert code == 0, said
    check_complete(out, many_films)


@pytest.mark.parametrize("log", ["2>/dev/full", "2>&-", "2> >(head -1 >/dev/null)"])
def test_a_log_that_nobody_takes_stops_no_scan(
    log: str, films: Path, undisturbed: list[dict[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "films").mkdir()
    for film in films.iterdir():
        os.link(film, tmp_path / "films" / film.name)
    for number in range(30):
        (tmp_path / f"films/{number}.jpg").touch()  # each is a line of the log
    words = " ".join(f"'{word}'" for word in [*COMMAND, tmp_path / "films", "-v", "-o", tmp_path / "out"])
    done = subprocess.run(["bash", "-c", f"{words} {log}"], check=False, timeout=120)
    assert done.returncode == 3
    assert [row for row in table(tmp_path / "out") if row["status"] == "scored"] == undisturbed


def test_a_second_run_into_the_same_folder_is_refused(many_films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = start(many_films, out)
    wait_for(out / "journal.sqlite-wal")  # it has the lock
    code, said = run(many_films, out)
    assert code == 1
    assert "[run-busy]" in said
    assert finish(first)[0] == 0
    check_complete(out, many_films)


def test_two_runs_started_together_leave_one_whole_run(films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    both = [finish(process) for process in [start(films, out), start(films, out)]]
    codes = sorted(code for code, _ in both)
    assert codes in ([0, 0], [0, 1]), both  # the second waited for the lock, or gave up
    assert all("[run-busy]" in said for code, said in both if code == 1)
    check_complete(out, films)
