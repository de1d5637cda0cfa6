"""Which files count as films, what they are called, and what is said of the rest."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrscan.scanner.records import Skip
from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.sources.filters import Filter, Reason
from cxrscan.scanner.sources.lists import FileList
from cxrscan.scanner.sources.walk import count_files, find_images, locate
from cxrscan.scanner.system.text import printable
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
        "loop": Reason.LINKED_FOLDER,
    }


def test_the_pictures_of_an_earlier_run_are_left_alone_and_films_beside_it_are_not(tmp_path: Path) -> None:
    write_film(tmp_path / "out/thumbnails/1.jpg")
    write_film(tmp_path / "out/film.png")
    Journal(tmp_path / "out", create=True).close()
    told = {"out/thumbnails/": "pictures of a cxrscan run", "out/journal.sqlite": "no picture"}
    assert walk(tmp_path) == (["out/film.png"], told)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + bytes(200), encode(film_pixels(), "PNG")])
def test_a_file_that_is_only_called_like_a_journal_hides_nothing(tmp_path: Path, content: bytes) -> None:
    write_film(tmp_path / "ward/film.png")
    write_film(tmp_path / "ward/thumbnails/film.png")
    (tmp_path / "ward/journal.sqlite").write_bytes(content)
    assert {"ward/film.png", "ward/thumbnails/film.png"} <= set(walk(tmp_path)[0])


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


def test_links_that_lead_to_themselves_are_told(tmp_path: Path) -> None:
    write_film(tmp_path / "film.png")
    for name in ("self.png", "self"):
        (tmp_path / name).symlink_to(name)
    names, skipped = walk(tmp_path)
    assert names == ["film.png", "self.png"]  # reading the second ends in a record
    assert skipped.keys() == {"self"}


def test_links_out_of_the_folder_are_followed_only_when_asked(tmp_path: Path) -> None:
    write_film(tmp_path / "archive/1.png")
    write_film(tmp_path / "films/own.png")
    for name, target in {"out.png": "archive/1.png", "folder": "archive", "in.png": "films/own.png"}.items():
        (tmp_path / "films" / name).symlink_to(tmp_path / target)
    names, skipped = walk(tmp_path / "films")
    assert names == ["in.png", "own.png"]
    assert skipped == {"folder": Reason.LINKED_FOLDER, "out.png": Reason.LINK_OUT}
    assert walk(tmp_path / "films", follow_links=True) == (["folder/1.png", "in.png", "out.png", "own.png"], {})


def test_followed_links_do_not_lead_in_circles(tmp_path: Path) -> None:
    for name in "ab":
        write_film(tmp_path / name / "film.png")
    (tmp_path / "a/to_b").symlink_to(tmp_path / "b")
    (tmp_path / "b/to_a").symlink_to(tmp_path / "a")
    (tmp_path / "a/up").symlink_to(tmp_path)
    names, skipped = walk(tmp_path / "a", follow_links=True)
    assert names == ["film.png", "to_b/film.png"]
    assert skipped == dict.fromkeys(["to_b/to_a", "up"], "link to a folder that it lies in")


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A film under 1500 folders, which Python could not delete either."""
    data = write_film(tmp_path / "deep/film.png").read_bytes()
    inside = os.open(tmp_path / "deep", os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=inside)
        deeper = os.open("d", os.O_RDONLY, dir_fd=inside)
        os.close(inside)
        inside = deeper
    film = os.open("film.png", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=inside)
    os.write(film, data)
    os.close(film)
    os.close(inside)
    yield tmp_path / "deep"
    subprocess.run(["rm", "-rf", tmp_path / "deep"], check=True)


def test_folders_may_lie_deeper_than_python_recurses(deep: Path) -> None:
    assert walk(deep)[0] == ["d/" * 1500 + "film.png", "film.png"]


def test_every_name_is_shown_safely_and_as_no_other(tmp_path: Path) -> None:
    names = [b"\xff.png", rb"\xff.png", b"\xc2\x9b.png", b"\x9b.png", b"\x1b[31m.png", b"a\nb.png", b"a\r.png"]
    names += ["\u202egnp.png".encode(), b"x" * 251 + b".png", "日本\u3000語 é\u200d.png".encode(), b"IM#2"]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(encode(film_pixels(), "PNG"))
    sources = list(find_images([tmp_path]))
    assert len({source.name for source in sources}) == len(names)
    assert all(printable(source.name) == source.name for source in sources)
    assert "日本\u3000語 é\u200d.png" in {source.name for source in sources}
    assert {source.path for source in sources} == {locate(source.name, [tmp_path]) for source in sources}


def test_files_of_one_name_given_one_by_one_are_told_apart(tmp_path: Path) -> None:
    roots = [write_film(tmp_path / folder / "1.png") for folder in "abc"]
    write_film(tmp_path / "~2/1.png")
    roots.append(tmp_path / "~2")
    sources = list(find_images(roots))
    assert [source.name for source in sources] == ["1.png", "~2/1.png", "~3/1.png", "~2~2/1.png"]
    assert [locate(source.name, roots) for source in sources] == [source.path for source in sources]


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for name in ("b", "c"):
        write_film(tmp_path / name / "1.png")
    skips: list[Skip] = []
    films = find_images([tmp_path], on_skip=skips.append)
    assert next(films).name == "b/1.png"
    (tmp_path / "c").rename(tmp_path / ".away")  # between the listing and the visit
    assert list(films) == []
    assert skips == [Skip("c/", "folder cannot be read (No such file or directory)")]


def test_a_listed_film_that_is_called_like_another_gets_a_name_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_film(tmp_path / "archive/films/1.png")
    write_film(Path("films/1.png"))
    write_film(Path("b.png"))
    (tmp_path / "list").write_text("films/1.png\nfilms/1.png\n./b.png\n")
    names, skipped = walk(tmp_path / "archive/films", FileList("list"))  # type: ignore[arg-type]
    assert names == ["films/1.png", "~2/films/1.png", "./b.png"]
    assert skipped == {"films/1.png": "named twice"}


def test_a_folder_that_became_a_link_out_after_it_was_met_is_not_listed(tmp_path: Path) -> None:
    write_film(tmp_path / "films/a/1.png")
    write_film(tmp_path / "films/b/1.png")
    write_film(tmp_path / "outside/secret.png")
    skips: list[Skip] = []
    found = find_images([tmp_path / "films"], on_skip=skips.append)
    assert next(found).name == "a/1.png"
    (tmp_path / "films/b").rename(tmp_path / "b")
    (tmp_path / "films/b").symlink_to(tmp_path / "outside")
    assert list(found) == []
    assert [skip.name for skip in skips] == ["b/"]
