"""A clock that jumps, no network, any umask, little memory, little time."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.bombs import jpeg_of_scans, png
from tests.builders import write_film
from tests.faults.harness import check_complete, run, table


@pytest.fixture
def few_films(tmp_path: Path) -> Path:
    for seed in range(3):
        write_film(tmp_path / f"films/{seed}.png", seed, height=210, width=210)
    return tmp_path / "films"


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_a_limit_below_what_the_model_needs_is_told_as_that(few_films: Path, tmp_path: Path) -> None:
    code, said = run(few_films, tmp_path / "out", "--max-memory", 0.05)
    assert code == 1, said
    assert "The model needs more than the 0.05 GiB of --max-memory. [out-of-memory]" in said
    assert "Traceback" not in said


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_clock_that_jumps_by_hours_changes_nothing(
    films: Path, undisturbed: list[dict[str, str]], tmp_path: Path
) -> None:
    library = tmp_path / "clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, Path(__file__).with_name("jumping_clock.c")], check=True)
    jumping = {**os.environ, "LD_PRELOAD": str(library)}
    now = subprocess.run(
        [sys.executable, "-c", "import time; times = [time.time() for _ in range(9)]; print(times != sorted(times))"],
        env=jumping,
        capture_output=True,
        text=True,
        check=True,
    )
    assert now.stdout == "True\n"  # it does jump
    code, said = run(films, tmp_path / "out", env=jumping)
    assert code == 0, said
    assert table(tmp_path / "out") == undisturbed
    check_complete(tmp_path / "out", films)
    assert 0.0 < json.loads((tmp_path / "out/run.json").read_text())["duration_s"] < 600.0


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_disk_without_locks_is_told_as_that(films: Path, tmp_path: Path) -> None:
    library = tmp_path / "locks.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, Path(__file__).with_name("no_locks.c")], check=True)
    code, said = run(films, tmp_path / "out", env={**os.environ, "LD_PRELOAD": str(library)})
    assert code == 1, said
    assert "[disk-without-locks]" in said


def test_a_run_needs_no_network(films: Path, undisturbed: list[dict[str, str]], tmp_path: Path) -> None:
    cut_off = ["unshare", "--map-root-user", "--net"]
    if subprocess.run([*cut_off, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespaces here")
    code, said = run(films, tmp_path / "out", prefix=cut_off)
    assert code == 0, said
    assert table(tmp_path / "out") == undisturbed


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
def test_a_run_does_not_even_try_to_reach_a_network(few_films: Path, tmp_path: Path) -> None:
    log = tmp_path / "calls"
    trace = ["strace", "--follow-forks", "--trace=connect,sendto,sendmsg", "--quiet=all", "-o", log]
    code, said = run(few_films, tmp_path / "out", prefix=trace)
    assert code == 0, said
    assert "AF_INET" not in log.read_text()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_outputs_heed_the_umask_and_are_not_for_every_user(few_films: Path, tmp_path: Path, umask: int) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    code, said = run(few_films, tmp_path / "out", umask=umask, env={**os.environ, "TMPDIR": str(temporary)})
    assert code == 0, said
    for path in (tmp_path / "out", *(tmp_path / "out").rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & (umask | stat.S_IRWXO) == 0, (path.name, oct(mode))
    assert list(temporary.iterdir()) == []  # nothing is left elsewhere


def test_in_a_small_folder_a_film_that_swells_costs_itself(few_films: Path, tmp_path: Path) -> None:
    (few_films / "swells.png").write_bytes(png(14_000, 14_000, 6))
    code, said = run(few_films, tmp_path / "out", "--max-memory", 0.7, "-v")
    assert code == 3, said
    assert "[out-of-memory]" in said
    rows = table(tmp_path / "out")
    assert {row["path"]: row["status"] for row in rows if row["status"] != "scored"} == {"swells.png": "failed"}
    check_complete(tmp_path / "out", few_films)


def test_in_a_small_folder_a_film_that_takes_too_long_costs_itself_and_is_tried_again(
    few_films: Path, tmp_path: Path
) -> None:
    (few_films / "long.jpg").write_bytes(jpeg_of_scans(3_000, 5_000))
    code, said = run(few_films, tmp_path / "out", "--timeout", 8, "-v")
    assert code == 3, said
    assert "[timed-out]" in said
    check_complete(tmp_path / "out", few_films)
    (few_films / "long.jpg").write_bytes(b"mended")
    assert run(few_films, tmp_path / "out")[0] == 3
    assert [row["error_code"] for row in table(tmp_path / "out")] == ["", "", "", "not-an-image"]


def test_a_film_given_alone_may_take_too_long_as_well(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films/long.jpg").write_bytes(jpeg_of_scans(3_000, 5_000))
    code, said = run(tmp_path / "films/long.jpg", tmp_path / "out", "--timeout", 4)
    assert code == 3, said
    assert [row["error_code"] for row in table(tmp_path / "out")] == ["timed-out"]
