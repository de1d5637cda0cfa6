"""What lies below a folder is opened through no link, however it got there."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cxrscan.scanner.system import beneath
from cxrscan.scanner.system.beneath import LeadsElsewhereError, list_folder, open_regular


@pytest.fixture(params=["by descriptor", "by looking"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a film in a sub-folder, and a secret outside; opened as POSIX systems can, and as Windows must."""
    monkeypatch.setattr(beneath, "_BY_DESCRIPTOR", request.param == "by descriptor")
    (tmp_path / "films/ward").mkdir(parents=True)
    (tmp_path / "films/ward/film").write_text("film")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/film").write_text("secret")
    return tmp_path / "films"


def test_a_file_is_read_and_a_folder_listed(folder: Path) -> None:
    with open_regular(str(folder / "ward/film"), within=str(folder)) as file:
        assert file.read() == b"film"
    with open_regular(f"{folder}/ward/film", within=f"{folder}/") as file:
        assert file.read() == b"film"
    assert [entry.name for entry in list_folder(f"{folder}/ward", within=str(folder))] == ["film"]
    assert [(entry.name, entry.is_folder) for entry in list_folder(str(folder), within=str(folder))] == [("ward", True)]


def replace_file(folder: Path) -> None:
    (folder / "ward/film").unlink()
    (folder / "ward/film").symlink_to(folder.parent / "outside/film")


def replace_file_by_neighbour(folder: Path) -> None:
    (folder / "ward/film").rename(folder / "ward/other")
    (folder / "ward/film").symlink_to("other")


def replace_folder(folder: Path) -> None:
    (folder / "ward").rename(folder / "old")
    (folder / "ward").symlink_to(folder.parent / "outside")


def replace_by_pipe(folder: Path) -> None:
    (folder / "ward/film").unlink()
    os.mkfifo(folder / "ward/film")


def replace_by_folder(folder: Path) -> None:
    (folder / "ward/film").unlink()
    (folder / "ward/film").mkdir()


@pytest.mark.parametrize(
    "swap", [replace_file, replace_file_by_neighbour, replace_folder, replace_by_pipe, replace_by_folder]
)
def test_what_took_a_files_place_is_not_read(folder: Path, swap: Callable[[Path], None]) -> None:
    swap(folder)
    with pytest.raises(LeadsElsewhereError):
        open_regular(str(folder / "ward/film"), within=str(folder))


def test_a_link_in_a_folders_place_is_not_listed(folder: Path) -> None:
    replace_folder(folder)
    with pytest.raises(LeadsElsewhereError):
        list_folder(str(folder / "ward"), within=str(folder))


def test_links_are_followed_where_nobody_forbids_it(folder: Path) -> None:
    replace_folder(folder)
    with open_regular(str(folder / "ward/film")) as file:
        assert file.read() == b"secret"


def test_a_pipe_holds_nobody_even_where_links_are_followed(folder: Path) -> None:
    replace_by_pipe(folder)
    with pytest.raises(LeadsElsewhereError):
        open_regular(str(folder / "ward/film"))


def test_a_film_that_is_swapped_back_and_forth_is_never_read_from_outside(folder: Path) -> None:
    if not beneath._BY_DESCRIPTOR:
        pytest.skip("there the number of the file tells afterwards")
    done = threading.Event()

    def swap() -> None:
        (folder / "link").symlink_to(folder.parent / "outside/film")
        (folder / "plain").write_text("film")
        while not done.is_set():
            for name in ("link", "plain"):
                os.link(folder / name, folder / "new", follow_symlinks=False)
                (folder / "new").replace(folder / "ward/film")

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(2_000):
            try:
                with open_regular(str(folder / "ward/film"), within=str(folder)) as file:
                    assert file.read() == b"film"
            except LeadsElsewhereError:
                pass
    finally:
        done.set()
        swapping.join()
