"""Films are decoded in processes with limits, so that one of them harms no other session."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.executors.processes import Limits
from cxrscan.scanner.records import ScanResult
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.viewer.decoding import film_source, read_full_size, scan, workers
from tests.bench.bombs import jpeg_of_scans, png
from tests.builders import encode, film_pixels

FILM = film_pixels(1, height=300, width=280)
GOOD = encode(FILM, "PNG")


@pytest.fixture(autouse=True)
def fresh_workers() -> Iterator[None]:
    yield
    workers.cache_clear()


def code(data: bytes, limits: Limits) -> str | None:
    (outcome,) = scan([film_source("film", data)], ScanSettings(), limits)
    assert isinstance(outcome, ScanResult)
    return outcome.failure and outcome.failure.code


def test_a_film_that_hangs_fails_and_meanwhile_others_are_answered() -> None:
    limits = Limits(timeout_s=60)
    hanging = film_source("long.jpg", jpeg_of_scans(3_000, 30_000))
    assert code(GOOD, limits) is None
    done = threading.Event()

    def wait_for_the_bomb() -> None:
        scan([hanging], ScanSettings(), limits)
        done.set()

    threading.Thread(target=wait_for_the_bomb, daemon=True).start()
    for _ in range(3):
        assert code(GOOD, limits) is None
    assert not done.is_set()


def test_a_film_that_takes_too_long_or_too_much_fails_alone() -> None:
    limits = Limits(timeout_s=5, max_memory_gib=0.7)
    sources = [
        film_source("good.png", GOOD),
        film_source("long.jpg", jpeg_of_scans(3_000, 30_000)),
        film_source("swells.png", png(14_000, 14_000, 6)),
        film_source("last.png", GOOD),
    ]
    outcomes = scan(sources, ScanSettings(), limits)
    codes = [outcome.failure and outcome.failure.code for outcome in outcomes if isinstance(outcome, ScanResult)]
    assert codes == [None, "timed-out", "out-of-memory", None]
    with pytest.raises(FilmError) as caught:
        read_full_size(png(14_000, 14_000, 6), ScanSettings(), limits)
    assert caught.value.code == "out-of-memory"


def test_a_film_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "film.png").write_bytes(GOOD)
    for film in (GOOD, tmp_path / "film.png"):
        assert np.allclose(read_full_size(film, ScanSettings()).pixels * 255, FILM, atol=1e-3)


def test_a_file_that_is_another_or_no_file_is_told(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "film.png").write_bytes(GOOD)
    for path, expected in ((tmp_path / "film.png", "changed"), (tmp_path / "pipe", "unreadable")):
        with pytest.raises(FilmError) as caught:
            read_full_size(path, ScanSettings(), sha256="00" * 32)
        assert caught.value.code == expected
