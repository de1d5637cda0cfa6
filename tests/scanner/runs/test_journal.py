"""The journal keeps every result, belongs to one run, and resumes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cxrscan.scanner.errors import PASSING, RunFolderError
from cxrscan.scanner.evaluation.labels import FolderLabels, load_labels
from cxrscan.scanner.records import Failure, FilmAttributes, HeatMap, ImageSource, Reading, ScanResult
from cxrscan.scanner.runs.journal import Journal, stored_reading
from tests.builders import encode, film_pixels

SCORED = ScanResult(
    name="PNEUMONIA/ünïcode 😷.jpg",
    kind="jpeg",
    size_bytes=10,
    mtime_ns=20,
    sha256="ab" * 32,
    width_px=640,
    height_px=480,
    pixel_path="jpeg>1/2",
    attributes=FilmAttributes(
        view_position="AP", patient_age_years=3.5, pixel_spacing_mm=(0.14, 0.15), ids=(("study_uid_hash", "f00"),)
    ),
    prob_pneumonia=0.75,
    heat_map=HeatMap(b"\1" * 200, 10),
    thumbnail=encode(film_pixels(height=20, width=24), "JPEG"),
    embedding=b"\1\2" * 1280,
    gate="warn",
    gate_reasons=("multi-frame", "low-resolution"),
    duration_ms=12.5,
)
FAILED = ScanResult("bad.jpg", None, 0, 5, failure=Failure("read", "empty-file", "The file is empty."))
REJECTED = ScanResult("NORMAL/cat.png", "png", 7, 8, gate="reject", gate_reasons=("colour-picture",))


def source(result: ScanResult) -> ImageSource:
    return ImageSource(Path("/films") / result.name, result.name, result.kind, result.size_bytes, result.mtime_ns)


def open_journal(folder: Path, key: str = "settings") -> Journal:
    journal = Journal(folder, create=True)
    journal.start_session(key)
    return journal


def test_results_come_back_as_they_went_in_ordered_by_name(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.add([SCORED, FAILED])
        journal.add([REJECTED])
    with Journal(tmp_path) as journal:
        assert [film.result for film in journal.films()] == [REJECTED, SCORED, FAILED]


def test_a_distance_of_negative_zero_is_no_damage(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.add([replace(SCORED, gate_distance=-0.0)])
        assert [film.result.gate_distance for film in journal.films()] == [0.0]


def test_only_unchanged_files_scanned_with_the_same_settings_are_held(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.add([SCORED])
        assert journal.holds(source(SCORED))
        assert not journal.holds(source(replace(SCORED, mtime_ns=21)))
        assert not journal.holds(source(replace(SCORED, size_bytes=11)))
        assert not journal.holds(source(FAILED))
    with open_journal(tmp_path, "other settings") as journal:
        assert not journal.holds(source(SCORED))


def test_asking_whether_a_film_is_held_writes_nothing(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.add([SCORED])
    with open_journal(tmp_path) as journal:
        assert journal.holds(source(SCORED))
        journal.forget_unmet()
        assert list(journal.names()) == []


def test_how_films_were_read_is_kept(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        assert stored_reading(journal) == Reading()
        journal.put("reading", asdict(Reading(window=2, max_megapixels=500.0)))
    with open_journal(tmp_path) as journal:
        assert stored_reading(journal) == Reading(window=2, max_megapixels=500.0)
        for unfit in ({"window": -1}, {"max_megapixels": 0}, {"max_megapixels": "much"}, {"colour": 1}):
            journal.put("reading", unfit)
            with pytest.raises(RunFolderError) as caught:
                stored_reading(journal)
            assert caught.value.code == "journal-format"


def test_a_file_of_which_nothing_is_known_is_never_held(tmp_path: Path) -> None:
    unknown = replace(SCORED, mtime_ns=None)
    with open_journal(tmp_path) as journal:
        journal.add([unknown])
        assert not journal.holds(source(unknown))
        journal.add([replace(unknown, etag="abc")])
        assert journal.holds(replace(source(unknown), etag="abc"))
        assert not journal.holds(replace(source(unknown), etag="abd"))
        assert not journal.holds(source(unknown))


@pytest.mark.parametrize("other", ["a.dcm#copy", "a.dcm#copy.dcm", "a.dcm#2x", "a.dcm#", "a.dcm#2/b", "a.dcm##2"])
def test_a_name_that_begins_like_a_frames_is_no_frame(tmp_path: Path, other: str) -> None:
    with open_journal(tmp_path) as journal:
        journal.add([replace(SCORED, name=other)])
        assert not journal.holds(source(replace(SCORED, name="a.dcm")))
        assert journal.holds(source(replace(SCORED, name=other)))


def test_a_film_is_held_with_all_its_frames_or_not_at_all(tmp_path: Path) -> None:
    names = ["a.dcm", "a.dcm#2", "a.dcm#10"]
    frames = [replace(SCORED, name=name) for name in names]
    with open_journal(tmp_path) as journal:
        journal.add(frames[1:])
        assert not journal.holds(source(frames[0]))  # its first frame is missing
        journal.add(frames)
    with open_journal(tmp_path) as journal:
        assert journal.holds(source(frames[0]))
        journal.note_met(source(frames[0]))
        journal.forget_unmet()
        assert sorted(journal.names()) == sorted(names)
        journal.add([replace(frames[2], prob_pneumonia=None, failure=Failure("classify", "timed-out", "Late."))])
        assert not journal.holds(source(frames[0]))
    with open_journal(tmp_path) as journal:
        journal.add(frames[:1])  # the file holds one frame now
        journal.forget_unmet()
        assert list(journal.names()) == names[:1]


def test_files_that_a_later_walk_does_not_meet_are_forgotten(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.add([SCORED, FAILED])
    with open_journal(tmp_path) as journal:
        journal.note_met(source(FAILED))
        journal.add([REJECTED])
        journal.forget_unmet()
        assert [film.result.name for film in journal.films()] == [REJECTED.name, FAILED.name]


def test_truth_is_joined_and_can_be_joined_again(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.add([SCORED, FAILED, REJECTED])
        journal.set_truth(journal.join(FolderLabels()).truth)
        assert [film.truth for film in journal.films()] == ["NORMAL", "PNEUMONIA", None]


def test_truth_is_joined_by_object_identifier(tmp_path: Path) -> None:
    film = replace(SCORED, attributes=FilmAttributes(ids=(("patient_id_hash", "aa"), ("sop_uid_hash", "f00d"))))
    (tmp_path / "labels.csv").write_text("sop_uid_hash,label\nf00d,normal\nbeef,pneumonia\n")
    with open_journal(tmp_path / "run") as journal:
        journal.add([film])
        joined = journal.join(load_labels(tmp_path / "labels.csv"))
        journal.set_truth(joined.truth)
        assert [film.truth for film in journal.films()] == ["NORMAL"]
    assert [row.path for row in joined.unmatched] == ["beef"]


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    with open_journal(tmp_path), pytest.raises(RunFolderError) as caught:
        Journal(tmp_path)
    assert caught.value.code == "run-busy"


def test_a_folder_without_a_journal_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError) as caught:
        Journal(tmp_path)
    assert caught.value.code == "not-a-run"
    assert list(tmp_path.iterdir()) == []


def test_files_of_another_make_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text/journal.sqlite").write_text("no database" * 100)
    (tmp_path / "other").mkdir()
    db = sqlite3.connect(tmp_path / "other/journal.sqlite")
    db.execute("CREATE TABLE films (name)")
    db.close()
    for folder in ("text", "other"):
        with pytest.raises(RunFolderError) as caught:
            Journal(tmp_path / folder)
        assert caught.value.code == "journal-format"


def test_results_survive_a_process_that_never_closes(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "run")
    journal.add([SCORED])
    copy = tmp_path / "copy"  # what a crashed machine would find on its disk
    copy.mkdir()
    for file in (tmp_path / "run").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    journal.close()
    with Journal(copy) as survivor:
        assert [film.result for film in survivor.films()] == [SCORED]


@pytest.mark.parametrize("code", sorted(PASSING))
def test_failures_that_may_pass_are_no_results(tmp_path: Path, code: str) -> None:
    with open_journal(tmp_path) as journal:
        journal.add([replace(FAILED, failure=Failure("read", code, "It failed.")), SCORED])
        assert not journal.holds(source(FAILED))
        assert journal.holds(source(SCORED))


def stored(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_journal_that_is_only_read_leaves_the_folder_as_it_is_and_takes_truth_for_itself(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.add([SCORED, REJECTED])
        journal.put("run", {"version": "1"})
    before = stored(tmp_path)
    with Journal(tmp_path, read_only=True) as journal:
        journal.set_truth(journal.join(FolderLabels((tmp_path,))).truth)
        journal.put("run", {"version": "2"})
        assert {film.result.name: film.truth for film in journal.films()} == {
            SCORED.name: "PNEUMONIA",
            REJECTED.name: "NORMAL",
        }
        assert journal.get("run") == {"version": "2"}
        journal.set_truth({})
        assert {film.truth for film in journal.films()} == {None}
        assert [film.result for film in journal.films()] == [REJECTED, SCORED]
    assert stored(tmp_path) == before
    with Journal(tmp_path, read_only=True) as journal:
        assert journal.get("run") == {"version": "1"}


def test_a_journal_that_a_run_works_on_is_not_read(tmp_path: Path) -> None:
    with open_journal(tmp_path), pytest.raises(RunFolderError) as caught:
        Journal(tmp_path, read_only=True)
    assert caught.value.code == "run-busy"


KILLED = """
import os
from pathlib import Path
from cxrscan.scanner.records import Failure, ScanResult
from cxrscan.scanner.runs.journal import Journal
journal = Journal(Path({folder!r}), create=True)
journal.start_session("settings")
journal.add([ScanResult("film.jpg", "jpeg", 1, 2, failure=Failure("read", "truncated", "It ends early."))])
os._exit(9)
"""


def test_what_a_killed_run_wrote_last_is_read_and_its_folder_stays_as_it_is(tmp_path: Path) -> None:
    code = KILLED.format(folder=str(tmp_path))
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    before = stored(tmp_path)
    assert before["journal.sqlite-wal"]
    with Journal(tmp_path, read_only=True) as journal:
        assert [film.result.name for film in journal.films()] == ["film.jpg"]
    assert stored(tmp_path) == before


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + bytes(84)])
def test_a_file_that_is_no_journal_is_told_where_it_is_only_read(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(content)
    with pytest.raises(RunFolderError) as caught:
        Journal(tmp_path, read_only=True)
    assert caught.value.code == "journal-format"
