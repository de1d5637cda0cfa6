"""Lists as spreadsheets, shells and other systems write them: every name has a row."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, uid

from cxrscan.scanner.records import ScanResult
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources.lists import FileList, names_in
from cxrscan.scanner.sources.walk import find_images
from cxrscan.scanner.worker import scan_chunk
from tests.builders import dicom_file, write_film
from tests.faults.harness import COMMAND

NAMES = ["NORMAL/a.jpg", "Ärzte/b ö.jpg", "c d.dcm"]
UTF_8_MARK = b"\xef\xbb\xbf"


def names(content: bytes, chunk: int = 1 << 16) -> list[str]:
    return [name for name in names_in(io.BytesIO(content).read1 if chunk > 9 else _slowly(content, chunk)) if name]


def _slowly(content: bytes, chunk: int):  # type: ignore[no-untyped-def]
    parts = iter([content[i : i + chunk] for i in range(0, len(content), chunk)])
    return lambda: next(parts, b"")


LISTS = {
    "lines": "\n".join(NAMES).encode(),
    "lines to the end": "".join(f"{name}\n" for name in NAMES).encode(),
    "CR LF": "\r\n".join(NAMES).encode(),
    "UTF-8 with a mark": UTF_8_MARK + "\n".join(NAMES).encode(),
    "UTF-16, little end first": "\ufeff".encode("utf-16-le") + "\r\n".join(NAMES).encode("utf-16-le"),
    "UTF-16, big end first": "\ufeff".encode("utf-16-be") + "\r\n".join(NAMES).encode("utf-16-be"),
    "UTF-16 without a mark": "\n".join(NAMES).encode("utf-16-le"),
    "NUL": "\0".join(NAMES).encode() + b"\0",
}


@pytest.mark.parametrize("form", LISTS)
@pytest.mark.parametrize("chunk", [1, 3, 1 << 16])
def test_every_form_of_a_list_is_understood(form: str, chunk: int) -> None:
    assert names(LISTS[form], chunk) == NAMES


@given(
    listed=st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=4, max_size=20), min_size=1),
    end=st.sampled_from(["\n", "\r\n", "\0"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    chunk=st.integers(1, 40),
)
def test_names_of_any_characters_come_through(listed: list[str], end: str, encoding: str, chunk: int) -> None:
    wanted = [name.rstrip("\r") for name in listed]
    if encoding == "utf-16" and end == "\0":
        return
    content = "".join(f"{name}{end}" for name in listed).encode(encoding)
    assert list(filter(None, names_in(_slowly(content, chunk)))) == wanted


def test_names_that_are_no_text_come_through() -> None:
    assert names(b"film\xff.jpg\nb.jpg") == [os.fsdecode(b"film\xff.jpg"), "b.jpg"]


@pytest.mark.parametrize("quote", ['"', "'"])
def test_quotes_are_taken_off_unless_they_belong_to_the_name(quote: str, tmp_path: Path) -> None:
    plain, quoted = tmp_path / "my film.png", tmp_path / f"{quote}x{quote}"
    (tmp_path / "list").write_text(f"{quote}{plain}{quote}\n  {plain} \n{tmp_path}/{quote}x{quote}\n")
    write_film(plain)
    quoted.write_bytes(plain.read_bytes())
    assert list(FileList(str(tmp_path / "list")).lines()) == [str(plain), str(plain), str(quoted)]


def test_every_listed_name_has_a_row(tmp_path: Path) -> None:
    report = Dataset()
    report.SOPClassUID = uid.BasicTextSRStorage
    write_film(tmp_path / "film.png", height=300, width=300)
    (tmp_path / "IMG0001").write_text("no film")
    (tmp_path / "report").write_bytes(dicom_file(report))
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    wanted = {
        "film.png": None,
        "IMG0001": "not-an-image",
        "report": "non-image-object",
        "folder": "unreadable",
        "pipe": "unreadable",
        "gone/IMG0002": "unreadable",
        "x" * 300: "unreadable",
    }
    (tmp_path / "list").write_bytes(b"\0".join(str(tmp_path / name).encode() for name in wanted))
    outcomes = scan_chunk(list(find_images([FileList(str(tmp_path / "list"))])), ScanSettings())
    found = {}
    for outcome in outcomes:
        assert isinstance(outcome, ScanResult)
        found[outcome.name.removeprefix(f"{tmp_path}/")] = outcome.failure and outcome.failure.code
    assert found == wanted


def test_a_list_on_standard_input_ends_with_a_row_for_each_name(tmp_path: Path) -> None:
    write_film(tmp_path / "A.jpeg", height=300, width=300)
    listed = "A.jpeg\r\n/archive/IMG0001\r\n".encode("utf-16")
    command = [*COMMAND, "--from-file", "-", "-o", "out", "-q"]
    done = subprocess.run(command, input=listed, capture_output=True, cwd=tmp_path, check=False)
    assert done.returncode == 3, done.stderr
    with (tmp_path / "out" / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [(row["path"], row["status"], row["error_code"]) for row in csv.DictReader(file)]
    assert sorted(rows) == [("/archive/IMG0001", "failed", "unreadable"), ("A.jpeg", "scored", "")]
    assert sys.executable in command
