"""A service for a long time and under many callers: ``make soak-serve``; CXRSCAN_SOAK_FILMS for more films."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.builders import write_film
from tests.scanner.dicom_results.objects import film
from tests.scanner.service.services import finish, peak_mb, receiving, resident_mb, wait_until, watching, write_all
from tests.scanner.service.test_serve import kill_at_random_moments, received

pytestmark = pytest.mark.slow

N_FILMS = int(os.environ.get("CXRSCAN_SOAK_FILMS", "10000"))


def test_a_thousand_films_from_twenty_callers_are_each_in_the_journal_once(tmp_path: Path) -> None:
    paths = write_all(tmp_path / "films", [film(n, study=n % 100) for n in range(1000)])
    with receiving(tmp_path / "out", "--quiet-time", "3600", "--max-associations", "20") as service:
        sending = [service.send(*paths[number::20]) for number in range(20)]
        assert [finish(each)[0] for each in sending] == [0] * 20
        wait_until(lambda: service.counts("scanned") == 1000, "all films to be scanned")
        assert service.stop() == 0
        assert len(service.names()) == len(received(service.folder)) == service.counts("scanned") == 1000


def test_thirty_kills_lose_nothing_that_was_answered(tmp_path: Path) -> None:
    kill_at_random_moments(tmp_path, n_rounds=30, n_films=20)


def test_an_object_of_three_gigabytes_is_refused_and_takes_no_memory(tmp_path: Path) -> None:
    small, large = write_all(tmp_path / "films", [film(1), film(2)])
    data = large.read_bytes()
    at = data.index(b"\xe0\x7f\x10\x00O") + 8
    n_bytes = 3 << 30
    large.write_bytes(data[:at] + n_bytes.to_bytes(4, "little") + data[at + 4 :])
    os.truncate(large, at + 4 + n_bytes)  # sparse: it takes no space
    with receiving(tmp_path / "out") as service:
        assert "Refused" in finish(service.send(large))[1]
        assert finish(service.send(small))[0] == 0
        assert peak_mb(service.process.pid) < 900  # 256 MiB of the object, until it is known to be too large
        assert service.stop() == 0
        assert len(received(service.folder)) == 1


def test_memory_stays_flat(tmp_path: Path) -> None:
    originals = [write_film(tmp_path / f"originals/{n}.png", n, height=64, width=64) for n in range(50)]
    films = tmp_path / "in"
    at: dict[int, float] = {}
    with watching(films_in(films), tmp_path / "out", "--rest-time", "0", "--report-every", "600") as service:
        for number in range(N_FILMS):
            folder = films / f"{number // 1000:03}"
            folder.mkdir(exist_ok=True)
            os.link(originals[number % 50], folder / f"{number:06}.png")
            if (number + 1) % (N_FILMS // 10) == 0:
                while (n_before := service.counts("scanned")) <= number:
                    wait_until(lambda n=n_before: service.counts("scanned") > n, f"film {number}")
                at[number + 1] = resident_mb(service.process.pid)
                print(f"{number + 1:,} films: {at[number + 1]:.0f} MB")  # noqa: T201
        assert service.stop() == 0
    first, *_, last = at.values()
    assert last - first < 60 + N_FILMS / 1000  # what is known of each file takes some hundred bytes


def films_in(folder: Path) -> Path:
    """Make a folder."""
    folder.mkdir()
    return folder
