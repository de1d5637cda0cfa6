"""A run that grows: its owner writes, others read beside it, each one moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.records import ScanResult
from cxrscan.scanner.render import render
from cxrscan.scanner.run import RunRequest, Session, open_growing
from cxrscan.scanner.runs.growing import grows, owning
from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.settings import ScanSettings
from tests.builders import write_film


def open_session(tmp_path: Path) -> Session:
    return open_growing(RunRequest((tmp_path / "films",), tmp_path / "out", ScanSettings(), n_workers=1))


def result(name: str, prob: float = 0.5) -> ScanResult:
    return ScanResult(name, "png", 10, 5, sha256="0" * 64, failure=None, prob_pneumonia=None, gate="reject")


def test_a_folder_has_one_owner_and_is_free_afterwards(tmp_path: Path) -> None:
    assert not grows(tmp_path)
    with owning(tmp_path / "out"):
        assert grows(tmp_path / "out")
        with pytest.raises(RunFolderError, match="Another service") as raised, owning(tmp_path / "out"):
            pass
        assert raised.value.code == "run-busy"
    assert not grows(tmp_path / "out")


def test_readers_see_one_moment_and_hold_nobody_up(tmp_path: Path) -> None:
    with owning(tmp_path / "out"):
        session = open_session(tmp_path)
        session.journal.add([result("a.png")])
        with Journal(tmp_path / "out", read_only=True) as reader:
            assert list(reader.names()) == ["a.png"]
            session.journal.add([result("b.png")])
            assert [film.result.name for film in reader.films()] == ["a.png"]
        with Journal(tmp_path / "out", read_only=True) as reader:
            assert [film.result.name for film in reader.films()] == ["a.png", "b.png"]
        session.journal.close()


def test_nobody_else_writes_into_a_run_that_grows(tmp_path: Path) -> None:
    write_film(tmp_path / "films/a.png")
    with owning(tmp_path / "out"):
        session = open_session(tmp_path)
        with pytest.raises(RunFolderError) as raised:
            Journal(tmp_path / "out")
        assert raised.value.code == "run-busy"
        session.journal.close()


def test_the_report_of_a_run_that_grows_is_rendered_beside_its_owner(tmp_path: Path) -> None:
    with owning(tmp_path / "out"):
        session = open_session(tmp_path)
        session.journal.add([result("a.png")])
        tally = render(tmp_path / "out", write_outputs, threshold="0.9")
        assert (tally.counts.n_films, tally.info.threshold) == (1, 0.9)
        assert (tmp_path / "out/report.html").exists()
        session.journal.add([result("b.png")])
        assert render(tmp_path / "out", write_outputs).info.threshold == session.info.threshold
        session.journal.close()


def test_renamed_and_forgotten_films_leave_the_journal_whole(tmp_path: Path) -> None:
    with owning(tmp_path / "out"):
        session = open_session(tmp_path)
        session.journal.add([result("a.dcm"), result("a.dcm#2"), result("a.dcm2"), result("b.dcm")])
        assert session.journal.rename("a.dcm", "sub/c.dcm")
        assert not session.journal.rename("a.dcm", "d.dcm")
        session.journal.forget(["b.dcm"])
        session.journal.close()
    with Journal(tmp_path / "out") as journal:
        assert [film.result.name for film in journal.films()] == ["a.dcm2", "sub/c.dcm", "sub/c.dcm#2"]
