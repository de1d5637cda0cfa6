"""What a disk that takes nothing more costs a service: time, and nothing that has come."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread

import pytest

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.run import RunRequest
from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.service.audit import AuditEntry, AuditLog
from cxrscan.scanner.service.clock import SteadyClock
from cxrscan.scanner.service.events import Events
from cxrscan.scanner.service.folder_arrivals import FolderArrivals
from cxrscan.scanner.service.ledger import Arrival, Ledger
from cxrscan.scanner.service.retention import Retention
from cxrscan.scanner.service.service import Service, ServiceRequest
from cxrscan.scanner.settings import ScanSettings
from tests.builders import write_film
from tests.scanner.service.services import wait_until
from tests.scanner.service.test_folder_watch import HandClock

DAY_S = 86_400.0


@contextmanager
def nothing_can_be_noted(ledger: Ledger) -> Iterator[None]:
    """SQLite refuses all writing, as on a full disk, and goes on reading."""
    ledger._db.execute("PRAGMA query_only = ON")
    try:
        yield
    finally:
        ledger._db.execute("PRAGMA query_only = OFF")


def test_what_cannot_be_counted_stops_nobody(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    events = Events(ledger)
    events.note("refused")
    with nothing_can_be_noted(ledger):
        with pytest.raises(RunFolderError):
            ledger.count("refused")
        events.note("refused")
    assert ledger.counts() == {"refused": 1}
    ledger.close()


def test_a_film_that_is_found_while_the_disk_is_full_is_scanned_once_there_is_room(tmp_path: Path) -> None:
    films, out = tmp_path / "in", tmp_path / "out"
    films.mkdir()
    clock = SteadyClock()
    request = ServiceRequest(
        run=RunRequest((films,), out, ScanSettings(), n_workers=1),
        write_outputs=partial(write_outputs, title=""),
        writes_results=False,
    )
    service = Service(request, FolderArrivals(films, clock, rest_s=0.0, every_s=0.1), clock)
    thread = Thread(target=service.run)
    thread.start()
    try:
        wait_until(lambda: (out / "service.json").exists(), "the service to work")
        with nothing_can_be_noted(service._ledger):
            write_film(films / "a.png")
            wait_until(lambda: service.status().troubles, "the trouble to be told")
        wait_until(lambda: service.status().counts.get("scanned"), "the film to be scanned")
    finally:
        service.stop()
        thread.join()
    with Journal(out, read_only=True) as journal:
        assert list(journal.names()) == ["a.png"]


def test_old_films_that_cannot_be_deleted_hold_up_no_others_and_are_told_once(tmp_path: Path) -> None:
    films, out = tmp_path / "in", tmp_path / "out"
    n_films = 501  # more than are let go at once
    (films / "stays").mkdir(parents=True)  # a folder in a film's place: deleting a file fails
    out.mkdir()
    ledger, clock = Ledger(out), HandClock()
    events = Events(ledger)
    names = ["stays", *(f"{number}.png" for number in range(1, n_films))]
    for at_s, name in enumerate(names):
        ledger.arrive(Arrival(name, 1, 1, "", 1), at_s / 1e3)
        ledger.take(1, 1.0)
        ledger.scanned(name, 0.5)
    retention = Retention(films, 1.0, ledger, events, clock, deletes_files=True)
    with Journal(out, create=True) as journal:
        clock.at_s = 1.1 * DAY_S
        assert [retention.sweep(journal) for _ in range(3)] == [499, 1, 0]
        assert len(events.troubles) == 1
        (films / "stays").rmdir()
        clock.at_s += DAY_S
        assert retention.sweep(journal) == 1
    ledger.close()


def test_an_entry_of_the_audit_log_is_whole_or_not_there(tmp_path: Path) -> None:
    audit = AuditLog(tmp_path, hashes_uids=False)
    entry = AuditEntry("CR1", "127.0.0.1", "1.2", "1.3", 0, 4, "a.dcm")
    audit.write(entry)
    (path,) = tmp_path.iterdir()
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, hard))  # a part of a line fits
    try:
        with pytest.raises(OSError, match="space"):
            audit.write(entry)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    audit.write(entry)
    assert [json.loads(line)["file"] for line in path.read_text().splitlines()] == ["a.dcm"] * 2
