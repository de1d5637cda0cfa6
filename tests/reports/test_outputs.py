"""Writing all files of a run folder."""

from dataclasses import replace

import pytest

from cxrscan.reports.outputs import EMBED_MAX_BYTES, write_outputs
from cxrscan.scanner import NOTICE
from cxrscan.scanner.errors import RunFolderError
from tests.reports.films import INFO, RUN, render, run_of, scored, small_run, thumbnail, unlabelled


def test_three_files_and_nothing_else_for_a_small_run(tmp_path):
    files = render(tmp_path, small_run())
    assert sorted(tmp_path.iterdir()) == sorted([files.csv, files.html, files.json])


def test_a_run_without_any_film_still_gives_all_files(tmp_path):
    files = render(tmp_path, [])
    assert files.csv.read_text(encoding="utf-8-sig").count("\n") == 1
    assert NOTICE in files.html.read_text(encoding="utf-8")


def test_rendering_again_gives_the_same_bytes(tmp_path):
    first = render(tmp_path, small_run()).html.read_bytes()
    assert render(tmp_path, small_run()).html.read_bytes() == first


def test_an_error_while_rendering_keeps_the_earlier_report(tmp_path):
    files = render(tmp_path, small_run())
    before = files.csv.read_bytes()
    calls = []

    def films():
        calls.append(1)
        yield from small_run()[:3]
        if len(calls) == 2:  # the second pass writes the table
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_outputs(tmp_path, replace(RUN, films=films))
    assert files.csv.read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


def test_the_tables_of_an_unfinished_run_are_called_partial_and_give_way_to_the_whole_ones(tmp_path):
    for reason, stem in (("finished", "results"), ("terminated", "results.partial"), ("finished", "results")):
        files = write_outputs(tmp_path, run_of(small_run(), replace(INFO, exit_reason=reason)), tables=("jsonl",))
        assert files.csv == tmp_path / f"{stem}.csv"
        assert {path.name for path in tmp_path.glob("results*")} == {f"{stem}.csv", f"{stem}.jsonl"}


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(RunFolderError, match="missing") as caught:
        render(tmp_path / "missing", small_run())
    assert caught.value.code == "output-unwritable"


def test_pictures_beside_the_report_are_written_once_and_old_ones_deleted(tmp_path):
    render(tmp_path, [scored("a", 0.9, picture=thumbnail(1)), scored("b", 0.1, picture=thumbnail(2))], embed="none")
    assert len(list((tmp_path / "thumbnails").iterdir())) == 2
    render(tmp_path, [scored("a", 0.9, picture=thumbnail(1)), scored("b", 0.1, picture=thumbnail(1))], embed="none")
    assert [path.read_bytes() for path in (tmp_path / "thumbnails").iterdir()] == [thumbnail(1)]
    render(tmp_path, unlabelled(small_run()), embed="all")
    assert not (tmp_path / "thumbnails").exists()


def test_halves_of_files_that_a_killed_run_left_are_deleted(tmp_path):
    (tmp_path / "thumbnails").mkdir()
    (tmp_path / "thumbnails" / f".{'0' * 16}.jpg.{'1' * 32}.part").write_bytes(b"half")
    (tmp_path / f".report.html.{'1' * 32}.part").write_bytes(b"half")
    render(tmp_path, small_run())
    assert not (tmp_path / "thumbnails").exists()
    assert not list(tmp_path.glob(".*.part"))


def test_a_file_of_the_user_s_in_the_picture_folder_stays(tmp_path):
    (tmp_path / "thumbnails").mkdir()
    (tmp_path / "thumbnails" / "mine.jpg").write_bytes(b"mine")
    render(tmp_path, small_run())
    assert (tmp_path / "thumbnails" / "mine.jpg").read_bytes() == b"mine"


def test_above_the_budget_the_pictures_that_matter_least_move_beside_the_report(tmp_path):
    large = b"\xff\xd8" + bytes(EMBED_MAX_BYTES // 3)
    films = [
        scored("clear negative", 0.01, picture=large + b"1"),
        scored("positive", 0.9, picture=large + b"2"),
        scored("warned", 0.01, warns=("adult",), picture=large + b"3"),
    ]
    render(tmp_path, films)
    assert [path.read_bytes()[-1:] for path in (tmp_path / "thumbnails").iterdir()] == [b"1"]
