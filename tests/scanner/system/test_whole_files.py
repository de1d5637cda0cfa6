"""Files appear whole or not at all, and through no link that somebody has put there before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.system import whole_files
from cxrscan.scanner.system.whole_files import followed, replacing, replacing_text, write_whole


@pytest.fixture(params=["by descriptor", "by name"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As POSIX systems can, and as Windows must."""
    monkeypatch.setattr(whole_files, "_BY_DESCRIPTOR", request.param == "by descriptor")


def test_a_file_appears_with_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "file", b"whole")
    finally:
        os.umask(before)
    assert (tmp_path / "file").read_bytes() == b"whole"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_what_breaks_off_leaves_the_earlier_file_and_no_half(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"earlier")

    def break_off() -> None:
        with replacing_text(tmp_path / "file") as stream:
            stream.write("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"earlier"}


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("the user's own")
    (tmp_path / "run").mkdir()
    for target in ("../own", "nowhere", "table.csv", "/dev/full"):
        (tmp_path / "run/table.csv").unlink(missing_ok=True)
        (tmp_path / "run/table.csv").symlink_to(target)
        write_whole(tmp_path / "run/table.csv", b"table")
        assert not (tmp_path / "run/table.csv").is_symlink()
    assert (tmp_path / "own").read_text() == "the user's own"


def test_a_folder_that_is_a_link_is_not_written_to_unless_the_user_named_it(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "thumbnails").symlink_to("own")
    with pytest.raises(RunFolderError) as caught:
        write_whole(tmp_path / "thumbnails/picture.jpg", b"picture")
    assert caught.value.code == "output-unwritable"
    assert list((tmp_path / "own").iterdir()) == []
    write_whole(followed(tmp_path / "thumbnails") / "picture.jpg", b"picture")
    assert (tmp_path / "own/picture.jpg").read_bytes() == b"picture"


def test_no_name_that_could_be_foreseen_is_written_to(tmp_path: Path) -> None:
    with replacing(tmp_path / "file") as first, replacing(tmp_path / "file") as second:
        names = {path.name for path in tmp_path.iterdir()}
        first.write(b"1")
        second.write(b"2")
    assert len(names) == 2
    assert all(whole_files.HALF_NAME.fullmatch(name) for name in names)
    assert (tmp_path / "file").read_bytes() == b"1"  # moved last


def test_a_place_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "none/file"):
        with pytest.raises(RunFolderError) as caught:
            write_whole(path, b"")
        assert caught.value.code == "output-unwritable"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
