"""From a run folder to a folder of results, by function and by command."""

from __future__ import annotations

import json
import resource
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import fsspec
import pytest
from click.testing import CliRunner
from pydicom import dcmread

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.cli.main import cxrscan
from cxrscan.scanner.dicom_results.film_results import Wanted
from cxrscan.scanner.dicom_results.folder import MARKER_NAME
from cxrscan.scanner.dicom_results.read_back import ResultSaid, read_result
from cxrscan.scanner.dicom_results.write import ResultsTally, write_results
from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.render import render
from cxrscan.scanner.run import RunRequest, run
from cxrscan.scanner.settings import ScanSettings
from tests.builders import write_film
from tests.scanner.dicom_results.objects import film

PROGRAM = [sys.executable, "-c", "from cxrscan.scanner.cli.main import main; main()"]


def scan(films: Path, out: Path, *, gate: str = "strict") -> Path:
    request = RunRequest((films,), out, ScanSettings(gate=gate), 1)  # type: ignore[arg-type]
    return run(request, write_outputs).outputs.csv.parent


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films of one study, one of another body part, a drawn one and a broken one."""
    folder = tmp_path_factory.mktemp("here") / "films"
    folder.mkdir()
    (folder / "a.dcm").write_bytes(film(1))
    (folder / "b.dcm").write_bytes(film(2))
    (folder / "hand.dcm").write_bytes(film(3, BodyPartExamined="HAND"))
    (folder / "broken.dcm").write_bytes(film(4)[:3000])
    write_film(folder / "drawn.png", 1)
    return folder


@pytest.fixture(scope="module")
def scanned(films: Path) -> Path:
    return scan(films, films.parent / "run")


@pytest.fixture
def a_run(scanned: Path, tmp_path: Path) -> Path:
    """A run of its own for each test."""
    shutil.copytree(scanned, tmp_path / "run")
    return tmp_path / "run"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.dcm")}


def reports(folder: Path, kind: str = "report") -> list[ResultSaid]:
    found = [read_result(data) for data in contents(folder).values()]
    return sorted((said for said in found if said.kind == kind), key=lambda said: said.film_sop_uid)


def counts(tally: ResultsTally) -> tuple[int, int, int, int]:
    return tally.n_reports, tally.n_region_reports, tally.n_captures, tally.n_unchanged


def test_scored_dicom_films_have_results_and_others_are_counted(a_run: Path, tmp_path: Path) -> None:
    tally = write_results(a_run, tmp_path / "out", Wanted())
    assert counts(tally) == (2, 2, 2, 0)
    assert (tally.n_no_dicom, tally.problems, tally.exit_code) == (1, (), 0)
    assert {path.name.count(".") for path in (tmp_path / "out").rglob("*.dcm")} == {3}  # 2.25.N.dcm


@pytest.mark.parametrize(("report", "capture", "n"), [(True, False, (2, 2, 0, 0)), (False, True, (0, 0, 2, 0))])
def test_either_kind_can_be_left_out(
    a_run: Path, tmp_path: Path, report: bool, capture: bool, n: tuple[int, int, int, int]
) -> None:
    assert counts(write_results(a_run, tmp_path / "out", Wanted(report, capture))) == n


def test_rejected_films_have_results_when_asked_for_and_failed_ones_never(a_run: Path, tmp_path: Path) -> None:
    tally = write_results(a_run, tmp_path / "out", Wanted(status="all"))
    assert counts(tally) == (3, 2, 3, 0)
    rejected = reports(tmp_path / "out")[-1]
    assert (rejected.presence, rejected.prob_pneumonia) == ("Indeterminate", None)
    assert rejected.parameters["gate reasons"] == "other-body-part"


def test_results_are_equal_to_the_byte_wherever_and_however_they_are_written(a_run: Path, tmp_path: Path) -> None:
    write_results(a_run, tmp_path / "one", Wanted())
    write_results(a_run, tmp_path / "two", Wanted(), n_workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_second_time_writes_nothing(a_run: Path, tmp_path: Path) -> None:
    write_results(a_run, tmp_path / "out", Wanted())
    before = contents(tmp_path / "out")
    tally = write_results(a_run, tmp_path / "out", Wanted())
    assert counts(tally) == (0, 0, 0, 6)
    assert contents(tmp_path / "out") == before


def test_an_object_that_a_power_failure_has_left_empty_is_written_again(a_run: Path, tmp_path: Path) -> None:
    write_results(a_run, tmp_path / "out", Wanted())
    before = contents(tmp_path / "out")
    for path in (tmp_path / "out").rglob("2.25*.dcm"):
        path.write_bytes(b"")
    assert counts(write_results(a_run, tmp_path / "out", Wanted())) == (2, 2, 2, 0)
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("kind", ["report", "regions"])
def test_another_threshold_gives_objects_that_name_their_predecessors(a_run: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    first, second, third = (), (), ()
    for threshold in ("0.3", "0.4", "0.5"):
        render(a_run, write_outputs, threshold=threshold)
        write_results(a_run, out, Wanted(capture=False))
        first, second, third = second, third, {said.sop_uid: said.predecessors for said in reports(out, kind)}
    new = {uid: earlier for uid, earlier in third.items() if uid not in second}
    assert len(new) == 2
    assert {uid for earlier in new.values() for uid in earlier} == set(second) - set(first)
    assert counts(write_results(a_run, out, Wanted(capture=False))) == (0, 0, 0, 4)


def test_two_copies_of_a_film_have_one_result(films: Path, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    for number in range(12):
        shutil.copy(films / "a.dcm", tmp_path / "films" / f"{number}.dcm")
    tally = write_results(scan(tmp_path / "films", tmp_path / "run"), tmp_path / "out", Wanted(), n_workers=3)
    assert tally.problems == ()
    assert len(contents(tmp_path / "out")) == 3


def test_films_that_moved_or_changed_are_told(films: Path, tmp_path: Path) -> None:
    shutil.copytree(films, tmp_path / "films")
    run_folder = scan(tmp_path / "films", tmp_path / "run")
    (tmp_path / "films/a.dcm").write_bytes(film(7))
    (tmp_path / "films/b.dcm").unlink()
    tally = write_results(run_folder, tmp_path / "out", Wanted())
    assert {(problem.name, problem.code) for problem in tally.problems} == {
        ("a.dcm", "changed"),
        ("b.dcm", "unreadable"),
    }
    assert tally.exit_code == 3
    assert write_results(run_folder, tmp_path / "out", Wanted(), roots=(films,)).n_reports == 2


def test_films_of_lists_and_archives_are_found_again(films: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{films}/a.dcm\n{films}/drawn.png\n")
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
        archive.write(films / "b.dcm", "b.dcm")
    places = {"list": ["--from-file", str(tmp_path / "list.txt")], "zip": [f"zip://{tmp_path}/films.zip"]}
    for name, place in places.items():
        done = CliRunner().invoke(cxrscan, ["run", *place, "-o", str(tmp_path / name), "-q"], standalone_mode=False)
        assert done.return_value == 0, done.stderr
        tally = write_results(tmp_path / name, tmp_path / f"{name}-results", Wanted(capture=False))
        assert (tally.n_reports, tally.problems) == (1, ()), name


def test_a_folder_of_other_things_is_left_alone(a_run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o755)
    (tmp_path / "mine/letter.txt").write_text("mine")
    with pytest.raises(RunFolderError) as caught:
        write_results(a_run, tmp_path / "mine", Wanted())
    assert caught.value.code == "other-folder"
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o755


def test_results_that_come_back_are_no_films(a_run: Path, films: Path, tmp_path: Path) -> None:
    write_results(a_run, tmp_path / "out", Wanted())
    shutil.copy(films / "a.dcm", tmp_path / "out")
    request = RunRequest((tmp_path / "out",), tmp_path / "again", ScanSettings(), 1)
    tally = run(request, write_outputs)
    assert tally.counts.n_films == 1
    assert tally.info.n_skipped["The picture is a result of cxrscan itself."] == 2


def test_a_full_disk_ends_in_a_sentence_and_leaves_no_half_object(a_run: Path, tmp_path: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    command = [*PROGRAM, "dicom", str(a_run), "-o", str(tmp_path / "out"), "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=small_files)
    assert done.returncode == 1
    assert "[output-unwritable]" in done.stderr
    left = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.name != MARKER_NAME]
    assert [dcmread(path).Modality for path in left] == ["SR", "SR"]


def test_the_command_tells_what_it_wrote_and_where(a_run: Path, tmp_path: Path) -> None:
    command = [*PROGRAM, "dicom", str(a_run), "-o", str(tmp_path / "out"), "--no-sc", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["n_reports"] == 2
    assert "holds patients' names and identifiers" in done.stderr


def test_a_run_can_write_its_results_and_uploads_none_of_them(films: Path, tmp_path: Path) -> None:
    command = ["run", str(films), "-o", str(tmp_path / "run"), "--dicom-results", "--upload", "memory://bucket"]
    for _ in range(2):  # the second time, results are there when the outputs are copied
        done = CliRunner().invoke(cxrscan, command, standalone_mode=False)
        assert done.return_value == 3, done.stderr  # the broken film
    assert len(contents(tmp_path / "run/dicom-results")) == 6
    copied = [path.rpartition("/")[2] for path in fsspec.filesystem("memory").find("/bucket")]
    assert "results.csv" in copied
    assert not [name for name in copied if name.endswith((".dcm", ".txt"))]


def test_without_highdicom_the_extra_is_named_before_the_scan(films: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['highdicom'] = None; from cxrscan.scanner.cli.main import main; main()"
    command = [sys.executable, "-c", code, "run", str(films), "-o", str(tmp_path / "run"), "--dicom-results"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "[extra-missing]" in done.stderr
    assert not (tmp_path / "run").exists()
