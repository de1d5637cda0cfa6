"""Rates of `cxrscan serve`: ``python -m tests.bench.service_rate FILMS``, a folder of DICOM films.

Sender, service and archive share the cores of this machine.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests import orthanc
from tests.scanner.service.services import Receiver, cxrscan, finish, receiving, wait_until

N_CALLERS = 4
QUIET_S = 2.0


def from_disk(films: list[Path], work: Path, workers: int) -> float:
    """Films a second that a scan of the folder does, its start and report included."""
    began = time.perf_counter()
    done = cxrscan("run", films[0].parent, "-o", work / "run", "-q", "--workers", workers)
    assert done.returncode in (0, 3), done.stderr
    return len(films) / (time.perf_counter() - began)


def send(service: Receiver, films: list[Path]) -> float:
    """Seconds until all are answered."""
    began = time.perf_counter()
    sending = [service.send(*films[number::N_CALLERS]) for number in range(min(N_CALLERS, len(films)))]
    assert all(finish(each)[0] == 0 for each in sending)
    return time.perf_counter() - began


def main() -> None:
    """Print the rates."""
    films = sorted(path for path in Path(sys.argv[1]).iterdir() if path.is_file())
    workers = sys.argv[2] if len(sys.argv) > 2 else "2"
    n_bytes = sum(len(film.read_bytes()) for film in films)  # from here on the disk's cache holds them
    tell(f"{len(films)} films, {n_bytes / 1e6:.0f} MB")
    work = Path(tempfile.mkdtemp())
    tell(f"from disk: {from_disk(films, work, int(workers)):.1f} films/s")
    (work / "pacs").mkdir()
    with orthanc.running(work / "pacs") as pacs:
        with receiving(work / "serve", "--quiet-time", "3600", "--workers", workers) as service:
            began = time.perf_counter()
            sent_s = send(service, films)
            wait_until(lambda: len(service.names()) >= len(films), "all films to be scanned")
            scanned_s = time.perf_counter() - began
            both = f"received and scanned: {len(films) / scanned_s:.1f} films/s"
            tell(f"received: {len(films) / sent_s:.1f} films/s; {both}")
            service.stop()
        with receiving(work / "late", "--quiet-time", QUIET_S, "--to", pacs.entity, "--workers", workers) as service:
            for number, film in enumerate(films[:5], start=1):
                send(service, [film])
                began = time.perf_counter()
                wait_until(lambda n=number: has_results(pacs, work / "late", n), "the results in the archive")
                late_s = time.perf_counter() - began - QUIET_S
                tell(f"last object to results in the archive: quiet time + {late_s:.2f} s")
            service.stop()


def has_results(pacs: orthanc.Orthanc, out: Path, n_films: int) -> bool:
    """Whether an archive holds all results of some films; each has one capture."""
    written = list((out / "dicom-results").rglob("*.dcm"))
    return pacs.n_of("OT") == n_films and pacs.n_objects == len(written)


def tell(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
