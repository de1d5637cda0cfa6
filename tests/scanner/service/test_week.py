"""A week of a service, by a clock that runs fast: studies day and night, an archive that is away, old films that go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Thread

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.dicom_results.outgoing import Delivery, Outgoing
from cxrscan.scanner.run import RunRequest
from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.service.clock import SteadyClock
from cxrscan.scanner.service.folder_arrivals import FolderArrivals
from cxrscan.scanner.service.service import Service, ServiceRequest
from cxrscan.scanner.settings import ScanSettings
from tests.scanner.dicom_results.objects import N_RESULTS, film
from tests.scanner.service.services import wait_until

SPEED = 40_000.0  # a day in 2.2 s
DAY_S = 86_400.0


@dataclass
class Archive:
    """A destination that is away for the second day."""

    clock: SteadyClock
    away: tuple[float, float]
    taken: list[str] = field(default_factory=list)

    def deliver(self, objects: Sequence[Outgoing]) -> Iterator[Delivery]:
        for outgoing in objects:
            if self.away[0] <= self.clock.now_s() < self.away[1]:
                yield Delivery(outgoing, "no answer", may_pass=True)
            else:
                self.taken.append(outgoing.sop_uid)
                yield Delivery(outgoing)


def test_a_week_of_studies_is_answered_sent_and_let_go(tmp_path: Path) -> None:
    films, out = tmp_path / "in", tmp_path / "out"
    films.mkdir()
    clock = SteadyClock(SPEED)
    began_s = clock.now_s()
    archive = Archive(clock, (began_s + DAY_S, began_s + 2 * DAY_S))
    request = ServiceRequest(
        run=RunRequest((films,), out, ScanSettings(), n_workers=1),
        write_outputs=partial(write_outputs, title="A week"),
        quiet_s=300.0,
        destination=archive,
        report_every_s=DAY_S,
        keep_days=2.0,
        deletes_films=True,
    )
    service = Service(request, FolderArrivals(films, clock, rest_s=60.0, every_s=600.0), clock)
    thread = Thread(target=service.run)
    thread.start()
    for day in range(7):
        wait_until(lambda day=day: clock.now_s() >= began_s + day * DAY_S, f"day {day}")
        (films / f"{day}.dcm").write_bytes(film(1, study=day))
    wait_until(lambda: len(set(archive.taken)) == 7 * N_RESULTS, "all results to be sent")
    wait_until(lambda: service.status().counts.get("forgotten", 0) >= 5, "old films to be let go")
    service.stop()
    thread.join()
    assert len(archive.taken) == 7 * N_RESULTS  # each once
    with Journal(out) as journal:
        left = {known.result.name for known in journal.films()}
    assert left == {path.name for path in films.iterdir()}
    assert len(left) <= 2
    assert len(list((out / "dicom-results").rglob("*.dcm"))) == N_RESULTS * len(left)
