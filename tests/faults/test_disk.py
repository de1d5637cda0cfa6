"""Full disks, outputs that cannot be written, films that change while the scan is under way."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from cxrscan.scanner.records import ImageSource, ScanResult
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.worker import scan_chunk
from tests.builders import write_film
from tests.faults.harness import COMMAND, OUTPUTS, check_complete, run, start, table, wait_for


def in_small_tmpfs(script: str, disk: Path, films: Path, kept: Path, *, size: str) -> subprocess.CompletedProcess[str]:
    """Run a script with a small file system mounted on ``$disk``, in a mount namespace that ends with it.

    ``scan`` runs into ``$disk/out``; what lies in ``$kept`` stays.
    """
    disk.mkdir()
    kept.mkdir()
    quoted = " ".join(f"'{word}'" for word in COMMAND)
    prelude = f"""
        disk='{disk}' kept='{kept}'
        scan() {{ {quoted} '{films}' -o "$disk/out" --batch-size 4 --workers 2; }}
        mount -t tmpfs -o size={size} none "$disk" || exit 77
    """
    command = ["unshare", "--map-root-user", "--mount", "bash", "-c", prelude + script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no mount namespaces here")
    return done


def test_a_disk_full_of_journal_is_told_and_the_run_continues_once_there_is_space(
    films: Path, undisturbed: list[dict[str, str]], tmp_path: Path
) -> None:
    script = """
        scan; echo "first $?" >&2
        mount -o remount,size=64m "$disk"
        scan; echo "second $?" >&2
        cp -r "$disk/out" "$kept"
    """
    done = in_small_tmpfs(script, tmp_path / "disk", films, tmp_path / "kept", size="600k")
    assert "[output-unwritable]" in done.stderr
    assert "first 1\n" in done.stderr
    assert "second 0\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert table(tmp_path / "kept/out") == undisturbed
    check_complete(tmp_path / "kept/out", films)


def test_a_disk_that_fills_up_under_the_report_leaves_the_earlier_one_whole(films: Path, tmp_path: Path) -> None:
    script = """
        scan; echo "first $?" >&2
        cp -r "$disk/out" "$kept/before"
        head -c 100m /dev/zero > "$disk/filler" 2> /dev/null
        scan; echo "second $?" >&2
        cp -r "$disk/out" "$kept/full"
        rm "$disk/filler"
        scan; echo "third $?" >&2
        cp -r "$disk/out" "$kept/after"
    """
    done = in_small_tmpfs(script, tmp_path / "disk", films, tmp_path / "kept", size="8m")
    assert [line for line in done.stderr.splitlines() if line.startswith(("first", "second", "third"))] == [
        "first 0",
        "second 1",
        "third 0",
    ]
    assert "[output-unwritable]" in done.stderr
    assert "Traceback" not in done.stderr
    before, full, after = (tmp_path / "kept" / name for name in ("before", "full", "after"))
    assert (full / "report.html").read_bytes() == (before / "report.html").read_bytes()
    json.loads((full / "run.json").read_text())
    assert not [path for path in full.iterdir() if path.name.endswith(".part")]
    assert table(after) == table(before)
    check_complete(after, films)


def test_a_limit_on_file_sizes_is_told_like_a_full_disk(films: Path, tmp_path: Path) -> None:
    code, said = run(films, tmp_path / "out", prefix=["prlimit", "--fsize=150000"])
    assert code == 1
    assert "[output-unwritable]" in said
    assert "Traceback" not in said
    assert run(films, tmp_path / "out")[0] == 0
    check_complete(tmp_path / "out", films)


def test_an_output_folder_on_a_read_only_disk_is_told_and_left_as_it_was(films: Path, tmp_path: Path) -> None:
    script = """
        scan && cp -r "$disk/out" "$kept/before"
        mount -o remount,ro "$disk"
        scan; echo "second $?" >&2
        cp -r "$disk/out" "$kept/after"
    """
    done = in_small_tmpfs(script, tmp_path / "disk", films, tmp_path / "kept", size="64m")
    assert "second 1\n" in done.stderr
    assert "[output-unwritable]" in done.stderr
    assert "Traceback" not in done.stderr
    for file in (tmp_path / "kept/before").iterdir():
        assert (tmp_path / "kept/after" / file.name).read_bytes() == file.read_bytes()


def test_a_run_on_a_disk_that_may_only_be_read_is_compared_merged_evaluated_and_reported_elsewhere(
    films: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.csv"
    names = sorted(path.name for path in films.iterdir())
    labels.write_text("path,label\n" + "".join(f"{name},{number % 2}\n" for number, name in enumerate(names)))
    command = " ".join(f"'{word}'" for word in COMMAND[:-1])
    script = f"""
        cd "$kept"
        scan; echo "scan $?" >&2
        mount -o remount,ro "$disk"
        cxr() {{ {command} "$@" > "$kept/$1.txt"; echo "$1 $?" >&2; }}
        cxr compare "$disk/out" "$disk/out" --labels '{labels}'
        cxr merge "$kept/merged" "$disk/out"
        cxr evaluate "$disk/out" -o "$kept/evaluation" --labels '{labels}'
        cxr report "$disk/out" -o "$kept/again" --labels '{labels}' --threshold 0.9
        ls "$disk/out" >&2
    """
    done = in_small_tmpfs(script, tmp_path / "disk", films, tmp_path / "kept", size="64m")
    assert all(f"{name} 0\n" in done.stderr for name in ("scan", "compare", "merge", "evaluate", "report")), done.stderr
    assert "Traceback" not in done.stderr
    assert set(done.stderr.split()[-4:]) == OUTPUTS  # and nothing beside them
    kept = tmp_path / "kept"
    assert [row["path"] for row in table(kept / "merged")] == names
    assert {row["truth"] for row in table(kept / "again")} == {"NORMAL", "PNEUMONIA"}
    assert {row["threshold"] for row in table(kept / "again")} == {"0.9000"}
    assert (kept / "again/report.html").exists()
    assert json.loads((kept / "evaluation/metrics.json").read_text())
    assert (kept / "evaluation/report.html").exists()


def test_outputs_elsewhere_leave_the_run_as_it_was_and_spare_another_run(films: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run(films, tmp_path / name)[0] == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    again = [*COMMAND[:-1], "report", str(tmp_path / "one"), "--threshold", "0.9", "-o"]
    assert subprocess.run([*again, str(tmp_path / "new/folder")], check=False).returncode == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()} == before
    refused = subprocess.run([*again, str(tmp_path / "two")], check=False, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "[other-run]" in refused.stderr


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no second file system")
def test_outputs_may_lie_on_another_file_system(films: Path, undisturbed: list[dict[str, str]]) -> None:
    out = Path("/dev/shm") / f"cxrscan-test-{os.getpid()}"
    assert films.stat().st_dev != out.parent.stat().st_dev
    try:
        assert run(films, out)[0] == 0
        assert table(out) == undisturbed
    finally:
        shutil.rmtree(out, ignore_errors=True)


def test_films_that_vanish_during_the_scan_are_rows(many_films: Path, tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    for film in many_films.iterdir():
        os.link(film, films / film.name)
    names = sorted(film.name for film in films.iterdir())
    process = start(films, tmp_path / "out")
    wait_for(tmp_path / "out/journal.sqlite-wal", size_bytes=500_000)
    for name in names[-100:]:
        (films / name).unlink()
    with process:
        process.communicate(timeout=120)
    rows = table(tmp_path / "out")
    assert len(rows) == len({row["path"] for row in rows})
    assert {row["path"] for row in rows} >= set(names[:-100])
    assert {row["error_code"] for row in rows if row["status"] == "failed"} <= {"unreadable"}
    assert run(films, tmp_path / "out")[0] == 0
    check_complete(tmp_path / "out", films)


def test_a_film_that_changed_since_the_walk_says_so_and_is_scanned_again(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.png")
    status = path.stat()
    source = ImageSource(path, "film.png", "png", status.st_size, status.st_mtime_ns)
    write_film(path, seed=1)
    (result,) = scan_chunk([source], ScanSettings())
    assert isinstance(result, ScanResult)
    assert result.failure is not None
    assert result.failure.code == "changed"


def test_a_file_larger_than_any_film_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "film.dcm").open("wb") as file:
        file.truncate(50_000_000_000)  # sparse: it takes no space
    write_film(tmp_path / "other.png")
    code, said = run(tmp_path, tmp_path / "out", "-v")
    assert code == 3
    assert "film.dcm: The file holds 50.0 GB. [too-large]" in said


@pytest.mark.parametrize("version", [0, 99])
def test_a_journal_of_another_version_is_refused_with_a_sentence_and_left_alone(
    films: Path, tmp_path: Path, version: int
) -> None:
    assert run(films, tmp_path / "out")[0] == 0
    with closing(sqlite3.connect(tmp_path / "out/journal.sqlite")) as db:
        db.execute(f"PRAGMA user_version = {version}")
    before = (tmp_path / "out/journal.sqlite").read_bytes()
    code, said = run(films, tmp_path / "out")
    assert code == 1
    assert f"has format {version}, this version writes" in said
    assert "[journal-format]" in said
    assert (tmp_path / "out/journal.sqlite").read_bytes() == before


@pytest.mark.parametrize("at", [0, 100, 5_000, 40_000])
def test_a_damaged_journal_is_told(films: Path, tmp_path: Path, at: int) -> None:
    assert run(films, tmp_path / "out")[0] == 0
    with (tmp_path / "out/journal.sqlite").open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * 30_000)
    code, said = run(films, tmp_path / "out")
    assert code == 1, said
    assert "[journal-format]" in said
    assert "Traceback" not in said


def test_times_of_files_may_be_anything(tmp_path: Path) -> None:
    for number, seconds in enumerate([-(10**9), 0, 1, 4_102_444_800, 2**33]):
        os.utime(write_film(tmp_path / f"films/{number}.png", number, height=210, width=210), (seconds, seconds))
    out = tmp_path / "out"
    assert run(tmp_path / "films", out)[0] == 0
    before = table(out)
    os.utime(tmp_path / "films/0.png", (5, 5))
    assert run(tmp_path / "films", out)[0] == 0
    assert table(out) == before
    check_complete(out, tmp_path / "films")
