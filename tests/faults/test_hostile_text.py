"""Names, headers and bundles cannot drive the terminal, the spreadsheet or the browser."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE
from tests.builders import dicom_film, film_pixels, write_film
from tests.faults.harness import run, table

ESCAPE, REORDER = "\x1b[31m", "\u202e"
HOSTILE = f"{ESCAPE}red{REORDER}gpj"
UNSAFE = {"\x1b", "\x9b", "\x07", "\u202e", "\u2066", "\u2028", "\r"}
NAMES = [
    f"{HOSTILE}.png",
    "\x9b31m.png",
    "\u2066\u2028.png",
    "=cmd|' /C calc'!A0.png",
    "@SUM(1).png",
    "\t=1+1.png",
    "</script><script>alert(1)</script>.png".replace("/", "\u2215"),
    '"><img src=x onerror=alert(1)>.png',
    "a\nb.png",
    "line\r\nend.png",
    "x" * 251 + ".png",
]


@pytest.fixture
def films(tmp_path: Path) -> Path:
    for seed, name in enumerate(NAMES):
        write_film(tmp_path / "films" / name, seed, height=210, width=210)
    (tmp_path / "films" / os.fsdecode(b"caf\xe9.png")).write_bytes((tmp_path / "films" / NAMES[0]).read_bytes())
    (tmp_path / "films" / f"{HOSTILE}.jpg").touch()  # fails
    (tmp_path / "films" / f"{HOSTILE}.txt").touch()  # is skipped
    return tmp_path / "films"


def test_no_output_holds_what_names_smuggle_in(films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, said = run(films, out, "-v", "--jsonl")
    assert code == 3, said
    assert "\\x1b[31mred\\u202egpj.jpg" in said
    assert "\\x1b[31mred\\u202egpj.txt" in said
    texts = {"terminal": said} | {
        name: (out / name).read_bytes().decode() for name in ("results.csv", "results.jsonl", "run.json", "report.html")
    }
    texts["results.csv"] = texts["results.csv"].replace("\r\n", "\n")  # RFC 4180's line ends
    assert {name: found for name, text in texts.items() if (found := UNSAFE & set(text))} == {}
    rows = table(out)
    assert len(rows) == len(NAMES) + 2
    assert len({row["path"] for row in rows}) == len(rows)
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "@", "\t", "+"))]
    assert "<img src=x" not in texts["report.html"]
    assert [json.loads(line)["path"] for line in texts["results.jsonl"].splitlines()]


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # on writing such headers
def test_headers_reach_no_output_unescaped(tmp_path: Path) -> None:
    hostile = {"SpecificCharacterSet": "ISO_IR 192", "Manufacturer": f"=1+1{HOSTILE}<script>"}
    hostile |= {"ViewPosition": f"{ESCAPE}AP", "PatientSex": "=1"}
    films = tmp_path / "films"
    films.mkdir()
    (films / "film.dcm").write_bytes(dicom_film(film_pixels(height=300, width=300), **hostile))
    syntax = dicom_film(film_pixels()).replace(
        b"1.2.840.10008.1.2.1\0", b"1.2\x1b[31m\xe2\x80\xae.999.1\0".ljust(20, b"\0")
    )
    (films / "syntax.dcm").write_bytes(syntax)
    code, said = run(films, tmp_path / "out", "-v")
    assert code == 3, said
    with (tmp_path / "out/results.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    for text in (said, *cells, (tmp_path / "out/report.html").read_text(encoding="utf-8")):
        assert not UNSAFE & set(text)
    assert not [cell for cell in cells if cell.startswith("=")]


def test_a_folder_whose_name_is_no_text_can_be_scanned(tmp_path: Path) -> None:
    films = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff films"))
    write_film(films / "1.png", height=210, width=210)
    write_film(films / "2.png", height=210, width=210)
    code, said = run(films, Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xfe out")), "--labels", "folders")
    assert code in (0, 1), said
    assert "Traceback" not in said
    code, said = run(films, Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xfe out")), "--fresh", "--json")
    assert code == 0, said
    assert "Traceback" not in said


def test_errors_and_bundles_cannot_drive_the_terminal(tmp_path: Path) -> None:
    document = json.loads((DEFAULT_BUNDLE / "model.json").read_text())
    document["name"] = document["licence"] = document["intended_use"] = HOSTILE
    bundle = tmp_path / HOSTILE
    bundle.mkdir()
    (bundle / "model.tflite").write_bytes((DEFAULT_BUNDLE / "model.tflite").read_bytes())
    (bundle / "model.json").write_text(json.dumps(document))
    write_film(tmp_path / "films/1.png")
    for command in (["model", "info"], ["model", "verify"], ["model", "verify", "--help"]):
        assert_harmless(*command, str(bundle))
    (bundle / "model.json").write_text(json.dumps({**document, HOSTILE: 1}))
    assert_harmless("model", "info", str(bundle))
    assert_harmless("run", str(tmp_path / "films"), "--model", str(bundle))
    assert_harmless("run", str(tmp_path / "films"), "--threshold", HOSTILE)


def assert_harmless(*arguments: str) -> None:
    command = [sys.executable, "-c", "from cxrscan.scanner.cli.main import main; main()", *arguments]
    done = subprocess.run(command, capture_output=True, check=False)
    said = (done.stdout + done.stderr).decode()
    assert said
    assert not UNSAFE & set(said), said
