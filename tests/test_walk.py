"""Which files count as films, what they are called, and what is said of the rest."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.records import Skip
from scanner.walk import Filter, count_files, find_images, locate
from tests.builders import encode, film_pixels, write_film


def walk(*roots: Path, **options: object) -> tuple[list[str], dict[str, str]]:
    """Names of the films found, and name -> reason of what was skipped."""
    skips: list[Skip] = []
    names = [source.name for source in find_images(roots, on_skip=skips.append, **options)]  # type: ignore[arg-type]
    return names, {skip.name: skip.reason for skip in skips}


def test_names_are_relative_to_the_folder_and_sorted(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/10.png", "a.jpg", "c/d/e.bmp"):
        write_film(tmp_path / name)
    assert walk(tmp_path)[0] == ["a.jpg", "b/10.png", "b/2.png", "c/d/e.bmp"]


def test_several_folders_prefix_names_and_tell_equal_folder_names_apart(tmp_path: Path) -> None:
    for name in ("one/x/f.png", "two/x/f.png"):
        write_film(tmp_path / name)
    assert walk(tmp_path / "one/x", tmp_path / "two/x")[0] == ["x/f.png", "x~2/f.png"]


def test_a_single_file_is_called_by_its_name(tmp_path: Path) -> None:
    assert walk(write_film(tmp_path / "film.png"))[0] == ["film.png"]


def test_content_decides_when_the_name_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "IM000001").write_bytes(encode(film_pixels(), "PNG"))
    (source,) = find_images([tmp_path])
    assert (source.name, source.kind) == ("IM000001", "png")


def test_a_film_name_with_other_content_is_kept_for_the_record(tmp_path: Path) -> None:
    (tmp_path / "letter.jpg").write_text("Dear colleague")
    (tmp_path / "empty.dcm").touch()
    assert [(source.name, source.kind) for source in find_images([tmp_path])] == [
        ("empty.dcm", None),
        ("letter.jpg", None),
    ]


def test_everything_else_is_skipped_with_a_reason(tmp_path: Path) -> None:
    write_film(tmp_path / "film.png")
    write_film(tmp_path / "__MACOSX/film.png")
    (tmp_path / "._film.png").write_bytes(b"\0" * 20)
    (tmp_path / "notes.txt").write_text("no film")
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.png"))
    (tmp_path / "loop").symlink_to(tmp_path)
    names, skipped = walk(tmp_path)
    assert names == ["film.png"]
    assert skipped == {
        "__MACOSX": "hidden",
        "._film.png": "hidden",
        "notes.txt": "no picture",
        "pipe.jpg": "not a regular file",
        "socket.png": "not a regular file",
        "loop": "link to a folder",
    }


def test_an_earlier_runs_folder_is_left_alone(tmp_path: Path) -> None:
    write_film(tmp_path / "out/thumbnails/1.jpg")
    (tmp_path / "out/journal.sqlite").touch()
    assert walk(tmp_path) == ([], {"out/": "folder of a cxrscan run"})


def test_a_dangling_link_is_kept_for_the_record(tmp_path: Path) -> None:
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert walk(tmp_path)[0] == ["gone.png"]


def test_include_and_exclude_match_paths_and_bare_names(tmp_path: Path) -> None:
    for name in ("keep/a.png", "keep/a.jpg", "drop/b.png"):
        write_film(tmp_path / name)
    assert walk(tmp_path, keep=Filter(include=("*.png",), exclude=("drop",)))[0] == ["keep/a.png"]
    assert walk(tmp_path, keep=Filter(include=("keep/*",)))[0] == ["keep/a.jpg", "keep/a.png"]


def test_a_name_that_is_no_utf8_is_shown_with_escapes(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).write_bytes(encode(film_pixels(), "PNG"))
    assert walk(tmp_path)[0] == ["\\xff.png"]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20), max_size=6))
def test_films_and_skips_together_are_all_files(tmp_path_factory: object, names: list[str]) -> None:
    folder = tmp_path_factory.mktemp("any")  # type: ignore[attr-defined]
    for number, name in enumerate(names):
        if name not in {".", ".."} and len(name.encode()) < 250:
            (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n" * (number % 2))
    films, skipped = walk(folder)
    assert len(films) + len(skipped) == count_files([folder])


@pytest.mark.parametrize("roots", [["a"], ["a", "b"], ["a/1.png"], ["a", "b/1.png"], ["a", "c/a"]])
def test_every_film_is_located_by_the_name_that_the_walk_gave_it(roots: list[str], tmp_path: Path) -> None:
    for name in ("a/1.png", "a/sub/2.png", "b/1.png", "c/a/1.png"):
        write_film(tmp_path / name)
    folders = [tmp_path / root for root in roots]
    sources = list(find_images(folders))
    assert sources
    assert [locate(source.name, folders) for source in sources] == [source.path for source in sources]


def test_a_film_that_is_gone_is_located_nowhere(tmp_path: Path) -> None:
    path = write_film(tmp_path / "1.png")
    assert locate("other.png", [tmp_path]) is None
    assert locate("other.png", [path]) is None
    path.unlink()
    assert locate("1.png", [tmp_path]) is None
