"""A folder that others write into: what is told, and when."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cxrscan.scanner.service.clock import SteadyClock
from cxrscan.scanner.service.folder_watch import FolderWatch
from tests.builders import write_film


class HandClock(SteadyClock):
    """A clock that stands until it is moved."""

    at_s = 1000.0

    def now_s(self) -> float:
        return self.at_s


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def told(watch: FolderWatch) -> list[str]:
    return [source.name for source in watch.poll()]


def test_a_film_is_told_once_it_rests_and_only_once(tmp_path: Path, clock: HandClock) -> None:
    write_film(tmp_path / "sub/a.png")
    watch = FolderWatch(tmp_path, 5.0, clock)
    assert told(watch) == []
    assert watch.n_moving == 1
    clock.at_s += 4.9
    assert told(watch) == []
    clock.at_s += 0.2
    assert told(watch) == ["sub/a.png"]
    assert (told(watch), watch.n_moving) == ([], 0)


def test_a_film_that_grows_is_left_until_it_rests(tmp_path: Path, clock: HandClock) -> None:
    whole = write_film(tmp_path / "elsewhere.png").read_bytes()
    watch = FolderWatch(tmp_path / "in", 5.0, clock)
    (tmp_path / "in").mkdir()
    for n_bytes in range(1000, len(whole), len(whole) // 4):
        (tmp_path / "in/a.png").write_bytes(whole[:n_bytes])
        clock.at_s += 4.0
        assert told(watch) == []
    (tmp_path / "in/a.png").write_bytes(whole)
    assert told(watch) == []
    clock.at_s += 5.0
    assert told(watch) == ["a.png"]


def test_a_film_that_changes_is_told_again(tmp_path: Path, clock: HandClock) -> None:
    watch = FolderWatch(tmp_path, 0.0, clock)
    write_film(tmp_path / "a.png")
    assert told(watch) == ["a.png"]
    write_film(tmp_path / "a.png", 2, height=300)
    assert told(watch) == ["a.png"]


def test_a_film_under_a_new_name_is_told_under_that(tmp_path: Path, clock: HandClock) -> None:
    watch = FolderWatch(tmp_path, 0.0, clock)
    write_film(tmp_path / "a.png")
    assert told(watch) == ["a.png"]
    (tmp_path / "a.png").rename(tmp_path / "b.png")
    assert told(watch) == ["b.png"]


def test_what_is_no_film_hidden_or_a_link_is_left(tmp_path: Path, clock: HandClock) -> None:
    film = write_film(tmp_path / "films/a.png")
    (tmp_path / "films/notes.txt").write_text("notes")
    shutil.copy(film, tmp_path / "films/.a.png.part")
    (tmp_path / "films/link.png").symlink_to(film)
    (tmp_path / "out.png").write_bytes(film.read_bytes())
    (tmp_path / "films/out.png").symlink_to(tmp_path / "out.png")
    assert told(FolderWatch(tmp_path / "films", 0.0, clock)) == ["a.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_for_a_while_is_not_taken_for_empty(tmp_path: Path, clock: HandClock) -> None:
    write_film(tmp_path / "sub/a.png")
    watch = FolderWatch(tmp_path, 0.0, clock)
    assert told(watch) == ["sub/a.png"]
    (tmp_path / "sub").chmod(0)
    assert told(watch) == []
    (tmp_path / "sub").chmod(0o700)
    assert told(watch) == []


def test_a_folder_that_is_gone_for_a_while_is_not_taken_for_empty(tmp_path: Path, clock: HandClock) -> None:
    write_film(tmp_path / "in/a.png")
    watch = FolderWatch(tmp_path / "in", 0.0, clock)
    assert told(watch) == ["a.png"]
    (tmp_path / "in").rename(tmp_path / "unmounted")
    assert told(watch) == []
    (tmp_path / "unmounted").rename(tmp_path / "in")
    assert told(watch) == []
