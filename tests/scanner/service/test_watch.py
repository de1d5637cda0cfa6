"""``cxrscan watch``: films come, are renamed, the service ends and begins again."""

from __future__ import annotations

import os
import time
from pathlib import Path

from cxrscan.scanner.runs.journal import Journal
from tests.builders import write_film
from tests.scanner.dicom_results.objects import film
from tests.scanner.service.services import RunningService, cxrscan, wait_until, watching


def scored(service: RunningService) -> list[str]:
    """Films with a probability."""
    with Journal(service.folder, read_only=True) as journal:
        return [known.result.name for known in journal.films() if known.result.status == "scored"]


def test_films_are_scanned_as_they_come_renamed_ones_keep_their_result_and_nothing_is_scanned_twice(
    tmp_path: Path,
) -> None:
    films, out = tmp_path / "in", tmp_path / "out"
    write_film(films / "sub/a.png")
    whole = film(1)
    with watching(films, out, "--rest-time", "0.5") as service:
        service.wait_for("scanned", 1)
        with (films / "b.dcm").open("wb") as file:  # somebody writes slowly
            file.write(whole[:20_000])
            file.flush()
            time.sleep(0.3)
            file.write(whole[20_000:])
        wait_until(lambda: "b.dcm" in scored(service), "the whole film to be scanned")
        (films / "sub/a.png").rename(films / "c.png")
        wait_until(lambda: "c.png" in service.names(), "the renamed film to be known")
        assert service.stop() == 0
        assert scored(service) == ["b.dcm", "c.png"]
        n_scanned = service.counts("scanned")
        (films / "c.png").rename(films / "d.png")  # while nobody watches
        write_film(films / "e.png", 3)
        service.start()
        wait_until(lambda: service.names() == ["b.dcm", "d.png", "e.png"], "the third film")
        assert service.stop() == 0
        assert service.counts("scanned") == n_scanned + 1
    assert cxrscan("watch", "--status", "-o", out).returncode == 3
    assert (out / "results.csv").read_text("utf-8-sig").count("\n") == 4


def test_report_view_and_evaluate_open_the_folder_while_it_grows(tmp_path: Path) -> None:
    films, out = tmp_path / "in", tmp_path / "out"
    for number, label in enumerate(["NORMAL", "PNEUMONIA", "NORMAL", "PNEUMONIA"]):
        write_film(films / label / f"{number}.png", number)
    with watching(films, out, "--rest-time", "0") as service:
        service.wait_for("scanned", 4)
        done = cxrscan("report", out, "--threshold", "0.9")
        assert done.returncode == 0, done.stderr
        done = cxrscan("evaluate", out, "--labels", "folders", "-o", tmp_path / "figures")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "figures/metrics.json").exists()
        from cxrscan.scanner.viewer.finished_run import open_run

        assert len(open_run(out).films) == 4
        status = cxrscan("watch", "--status", "-o", out)
        assert (status.returncode, "running" in status.stdout) == (0, True)
        assert cxrscan("run", films, "-o", out).returncode != 0
        assert cxrscan("watch", films, "-o", out, "--status-port", "0").returncode == 1
        assert service.stop() == 0


def test_a_service_killed_while_it_scans_goes_on_and_scans_nothing_twice(tmp_path: Path) -> None:
    films, out = tmp_path / "in", tmp_path / "out"
    original = write_film(films / "000.png")
    n_films = 400
    for number in range(1, n_films):
        os.link(original, films / f"{number:03}.png")
    with watching(films, out, "--rest-time", "0") as service:
        for _ in range(2):
            n_before = service.counts("scanned")
            if n_before < n_films:  # a fast machine may be done
                wait_until(lambda n=n_before: service.counts("scanned") > n, "films to be scanned")
            service.kill()
            service.start()
        service.wait_for("scanned", n_films)
        assert service.stop() == 0
        with Journal(out) as journal:
            assert len(list(journal.films())) == n_films
        assert service.counts("scanned") <= n_films + 2 * 16  # a chunk that was lost is scanned once more
