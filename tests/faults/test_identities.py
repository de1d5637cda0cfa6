"""Who is on a film stays out of what a run leaves; so do the secrets of addresses."""

from __future__ import annotations

import csv
import sqlite3
import stat
import subprocess
import sys
import warnings
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import fsspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid

from cxrscan.scanner.cli.main import cxrscan
from cxrscan.scanner.records import ImageSource, ScanResult
from cxrscan.scanner.runs.id_keys import keys_folder
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.worker import scan_chunk
from tests.builders import dicom_film, film_pixels, write_film
from tests.faults.harness import run

FILM = film_pixels(3, height=300, width=320)
SECRET = "S3CRETsig"
PERSON = "Mueller_Hans_1931"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user of its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A folder that names its patient, with a film whose header says that its pixels do too."""
    folder = tmp_path / "films" / PERSON
    folder.mkdir(parents=True)
    film = dicom_film(FILM, PatientAge="095Y", BurnedInAnnotation="YES", ViewPosition="AP")
    (folder / "1.dcm").write_bytes(film)
    (folder / "copy.dcm").write_bytes(film)
    (folder / "cut.dcm").write_bytes(film[:3000])
    return tmp_path / "films"


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def outputs(out: Path) -> str:
    """All that is meant to be shared."""
    return "".join(path.read_text() for path in out.iterdir() if path.suffix in {".csv", ".html", ".json", ".jsonl"})


def test_the_key_of_hashed_identifiers_lies_in_a_place_of_the_users_own(
    films: Path, home: Path, tmp_path: Path
) -> None:
    options = ("--include-dicom-ids", "--jsonl")
    code, said = run(films, tmp_path / "out", *options)
    assert code == 3, said
    (key,) = keys_folder().iterdir()
    assert home in key.parents
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with closing(sqlite3.connect(tmp_path / "out/journal.sqlite")) as db:
        dump = "\n".join(db.iterdump())
    for form in (key.read_bytes().hex(), repr(key.read_bytes())):
        assert form not in dump + outputs(tmp_path / "out")
    before = rows(tmp_path / "out")
    assert before[0]["patient_id_hash"]
    code, said = run(films, tmp_path / "out", *options)
    assert [row["patient_id_hash"] for row in rows(tmp_path / "out")] == [row["patient_id_hash"] for row in before]
    key.unlink()  # the hashes are final now: a further session scans again, with a key of its own
    code, said = run(films, tmp_path / "out", *options)
    after = rows(tmp_path / "out")
    assert len({row["patient_id_hash"] for row in after} - {""}) == 1
    assert after[0]["patient_id_hash"] != before[0]["patient_id_hash"]


def test_with_hashed_identifiers_outputs_name_neither_folders_nor_files(
    films: Path, home: Path, tmp_path: Path
) -> None:
    code, said = run(films, tmp_path / "out", "--include-dicom-ids", "--jsonl")
    assert code == 3, said
    assert PERSON not in outputs(tmp_path / "out")
    assert str(tmp_path) not in outputs(tmp_path / "out")
    names = [row["path"] for row in rows(tmp_path / "out")]
    assert len(set(names)) == 3
    assert names[1] == f"{names[0]}#2"  # a copy
    assert rows(tmp_path / "out")[0]["sha256"].startswith(names[0])
    code, said = run(films, tmp_path / "plain", "--include-dicom-ids", "--film-names", "plain")
    assert f"{PERSON}/1.dcm" in {row["path"] for row in rows(tmp_path / "plain")}


def test_old_people_are_told_as_one_group_and_burned_in_text_is_told(films: Path, tmp_path: Path) -> None:
    run(films, tmp_path / "out")
    row = rows(tmp_path / "out")[0]
    assert row["patient_age_years"] == "89.0"
    assert "burned-in-text" in row["gate_reasons"]


def test_without_thumbnails_no_picture_is_in_journal_or_outputs(films: Path, tmp_path: Path) -> None:
    code, said = run(films, tmp_path / "out", "--no-thumbnails", "--embed", "none")
    assert code == 3, said
    with closing(sqlite3.connect(tmp_path / "out/journal.sqlite")) as db:
        assert db.execute("SELECT max(length(thumbnail)), max(length(heat_map)) FROM films").fetchone() == (0, 98)
    assert not (tmp_path / "out/thumbnails").exists()
    assert "/9j/" not in outputs(tmp_path / "out")  # how a JPEG begins in base64
    assert CliRunner().invoke(cxrscan, ["report", str(tmp_path / "out")]).exit_code in (0, 3)


def test_without_embeddings_the_journal_holds_none(films: Path, tmp_path: Path) -> None:
    for options, n_bytes in (((), 2560), (("--no-embeddings",), 0)):
        out = tmp_path / f"out-{n_bytes}"
        code, said = run(films, out, *options)
        assert code == 3, said
        with closing(sqlite3.connect(out / "journal.sqlite")) as db:
            assert db.execute("SELECT max(length(embedding)) FROM films").fetchone() == (n_bytes,)


def test_upload_copies_what_the_run_wrote_and_nothing_else(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write_film(project / "films/1.png", 1, height=210, width=210)
    (tmp_path / "secret").write_text(SECRET)
    for name in (".env", "patients.xlsx", "results.xlsx", "report.html.bak", "thumbnails/0123456789abcdef.png"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(SECRET)
    (project / "results.jsonl").symlink_to(tmp_path / "secret")
    (project / "link").symlink_to(tmp_path)
    arguments = ["run", str(project / "films"), "-o", str(project), "--embed", "none", "--upload", "memory://shared"]
    result = CliRunner().invoke(cxrscan, arguments)
    assert result.exit_code == 0, result.output
    store = fsspec.filesystem("memory")
    copied = {path.rpartition("/")[2]: store.cat_file(path) for path in store.find("/shared")}
    assert "results.csv" in copied
    (picture,) = [name for name in copied if name.endswith(".jpg")]
    assert set(copied) <= {"results.csv", "report.html", "run.json", "results.jsonl", picture}
    assert not any(SECRET.encode() in content for content in copied.values())


#: Attributes whose values may stand in an output: numbers of pixels' places, and the manufacturer, which is asked for.
_TEXTS = sorted({"Modality", "BodyPartExamined", "ViewPosition", "PresentationIntentType", "PatientSex", "PatientAge"})
_NUMBERS = ["WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "NumberOfFrames", "PixelAspectRatio"]
_CODES = [
    *("PhotometricInterpretation", "VOILUTFunction", "PresentationLUTShape", "BurnedInAnnotation"),
    *("ShutterShape", "CollimatorShape"),
]


@settings(max_examples=40, deadline=None)
@given(
    keyword=st.sampled_from([*_TEXTS, *_NUMBERS, *_CODES, "SOPClassUID", "TransferSyntaxUID", "SpecificCharacterSet"]),
    cut=st.sampled_from([None, 300, 500, 2_000]),
    syntax=st.sampled_from([uid.ExplicitVRLittleEndian, uid.JPEG2000Lossless, uid.RLELossless]),
)
def test_no_value_of_a_header_stands_in_a_result(keyword: str, cut: int | None, syntax: str) -> None:
    wanted = b"1.2.3.987654321" if keyword.endswith("UID") else b"QUIRRELL PLANTED"
    film = dicom_film(FILM, syntax=syntax, Manufacturer="")
    if keyword == "TransferSyntaxUID":
        film = film.replace(syntax.encode(), wanted[: len(syntax)].ljust(len(syntax), b"1"))
        wanted = b"987654321"
    elif keyword == "SOPClassUID":
        known = uid.DigitalXRayImageStorageForPresentation.encode()
        film = film.replace(known, wanted.ljust(len(known), b"1"))
        wanted = b"987654321"
    else:
        placed = {keyword: "1" * 16 if keyword in _NUMBERS else "X" * 16}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's, of values that do not fit
            film = dicom_film(FILM, syntax=syntax, Manufacturer="", **placed)  # type: ignore[arg-type]
        film = film.replace(b"1" * 16 if keyword in _NUMBERS else b"X" * 16, wanted)
    data = film[:cut]
    outcomes = scan_chunk([ImageSource(Path("f.dcm"), "f.dcm", None, data=data)], ScanSettings(gate="warn"))
    said = repr([asdict(outcome) if isinstance(outcome, ScanResult) else outcome for outcome in outcomes])
    assert wanted.decode().split()[0] not in said
    assert "PLANTED" not in said


def test_no_process_leaves_a_core_file() -> None:
    said = "atexit.register(lambda: print(resource.getrlimit(resource.RLIMIT_CORE)))"
    code = f"import atexit, resource; {said}; from cxrscan.scanner.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("(0, 0)\n")
