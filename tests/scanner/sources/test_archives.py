"""Archives: named themselves they are read, and what is wrong with them is said at once."""

from __future__ import annotations

import csv
import struct
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cxrscan.scanner.cli.main import cxrscan
from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.sources.remote import RemotePath
from tests.builders import write_film


@pytest.fixture
def films(tmp_path: Path) -> Path:
    for number in range(2):
        write_film(tmp_path / "films" / "NORMAL" / f"{number}.png", number, height=300, width=300)
    return tmp_path / "films"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(seconds: float) -> None:
        raise AssertionError("waited for what stays as it is")

    monkeypatch.setattr(time, "sleep", sleep)


def zipped(folder: Path, archive: Path, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(archive, "w", compression) as file:
        for path in sorted(folder.rglob("*.png")):
            file.write(path, path.relative_to(folder))
    return archive


def scan(place: object, out: Path) -> Result:
    return CliRunner().invoke(cxrscan, ["run", str(place), "-o", str(out), "-q"], catch_exceptions=False)


def rows(out: Path) -> list[tuple[str, str]]:
    with (out / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        return [(row["path"], row["sha256"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("name", ["films.zip", "films.tar", "films.tar.gz", "films.tgz", "without ending", "films.ZIP"])
def test_an_archive_named_as_an_argument_is_read_as_its_folder(name: str, films: Path, tmp_path: Path) -> None:
    archive = tmp_path / name
    if ".tar" in name or ".tgz" in name:
        with tarfile.open(archive, "w:gz" if "gz" in name else "w") as file:
            file.add(films, ".")
    else:
        zipped(films, archive)
    for place, out in ((films, "a"), (archive, "b")):
        scan(place, tmp_path / out)
    assert rows(tmp_path / "a") == rows(tmp_path / "b") != []


def with_flags(archive: Path, offset_in_header: int, value: int) -> Path:
    """Set a number in every header of the archive's files."""
    data = bytearray(archive.read_bytes())
    for signature, shift in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
        at = data.find(signature)
        while at >= 0:
            struct.pack_into("<H", data, at + offset_in_header + shift, value)
            at = data.find(signature, at + 4)
    archive.write_bytes(data)
    return archive


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("offset", "value", "said"), [(6, 1, "encrypted"), (8, 97, "compressed in a way"), (14, 1, "damaged or cut short")]
)
def test_what_is_wrong_inside_an_archive_is_said_at_once(
    offset: int, value: int, said: str, films: Path, tmp_path: Path
) -> None:
    archive = with_flags(zipped(films, tmp_path / "films.zip"), offset, value)
    with pytest.raises(OSError, match=said):
        RemotePath(f"zip://NORMAL/0.png::{archive}").read_bytes()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kept", [0.3, 0.9])
@pytest.mark.parametrize("ending", ["zip", "tar.gz"])
def test_a_cut_archive_is_told_at_once(kept: float, ending: str, films: Path, tmp_path: Path) -> None:
    archive = tmp_path / f"films.{ending}"
    if ending == "zip":
        zipped(films, archive)
    else:
        with tarfile.open(archive, "w:gz") as file:
            file.add(films, ".")
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * kept)])
    with pytest.raises(CxrscanError, match="damaged or cut short") as caught:
        RemotePath(f"{ending[:3]}://{archive}").is_dir()
    assert caught.value.code == "place-unreadable"


def test_an_encrypted_archive_gives_a_row_for_each_film_in_words(films: Path, tmp_path: Path) -> None:
    archive = with_flags(zipped(films, tmp_path / "films.zip"), 6, 1)
    scan(archive, tmp_path / "out")
    with (tmp_path / "out" / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        said = {row["error_message"] for row in csv.DictReader(file)}
    assert said == {"The file cannot be read: the archive is encrypted."}


def test_what_was_passed_over_is_told_where_nothing_else_was_found(films: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "a.png").symlink_to(films / "NORMAL" / "0.png")
    (tmp_path / "links" / "folder").symlink_to(films)
    with pytest.raises(CxrscanError, match="--follow-links"):
        scan(tmp_path / "links", tmp_path / "out")
    (tmp_path / "archives").mkdir()
    zipped(films, tmp_path / "archives" / "films.zip")
    with pytest.raises(CxrscanError, match="archive; one that is named itself is read"):
        scan(tmp_path / "archives", tmp_path / "out")
