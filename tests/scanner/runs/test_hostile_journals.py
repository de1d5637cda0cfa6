"""A journal that is damaged, or that somebody made up, ends in one sentence, and never in other results."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from cxrscan.scanner.errors import CxrscanError, RunFolderError
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, read_document
from cxrscan.scanner.records import Film, HeatMap
from cxrscan.scanner.runs.journal import Journal, stored_info, stored_model
from cxrscan.scanner.runs.layout import JOURNAL_NAME
from cxrscan.scanner.runs.merge import merge_runs
from cxrscan.scanner.runs.stored import COLUMNS, HASHED, Seal, hash_of, meta_hash
from cxrscan.scanner.system.text import is_printable
from tests.builders import encode, film_pixels
from tests.reports.films import INFO, REGIONS, failed, rejected, scored

FILMS = (
    scored("NORMAL/a.jpg", 0.2, "NORMAL"),
    scored("PNEUMONIA/b.jpg", 0.9, "PNEUMONIA", warns=("rotated",)),
    rejected("c.png", "not-a-chest-film"),
    failed("d.dcm"),
)


def _region(**changed: Any) -> str:
    """One region as JSON, with some of its values changed."""
    return json.dumps([asdict(REGIONS[0]) | changed])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("run")
    with Journal(folder, create=True) as journal:
        journal.put("model", read_document(DEFAULT_BUNDLE))
        journal.put("run", asdict(replace(INFO, threshold_name="custom")))
        journal.put("shaping", {"gate": "1"})
        journal.start_session("key")
        journal.add_films(FILMS)
    return folder


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "received"))


def read(folder: Path, *, read_only: bool = True) -> list[Film]:
    """Everything that a command would read."""
    with Journal(folder, read_only=read_only) as journal:
        stored_info(journal)
        stored_model(journal)
        list(journal.names())
        films = list(journal.films())
        for film in films:
            journal.thumbnail(film.result.name)
        return films


def refusal(folder: Path) -> str:
    """The sentence that reading ends in, whether the journal may be written or not; a merge leaves nothing behind."""
    for read_only in (True, False):
        with pytest.raises(RunFolderError) as caught:
            read(folder, read_only=read_only)
        assert caught.value.code == "journal-format"
    with pytest.raises(CxrscanError):
        merge_runs([folder], folder.parent / "merged")
    return caught.value.message


@contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(folder / JOURNAL_NAME, isolation_level=None)) as db:
        yield db


def forge(folder: Path, **changes: Any) -> None:
    """Change values of the first film, with all hashes as they should be."""
    with database(folder) as db:
        first = db.execute(f"SELECT {', '.join(COLUMNS)} FROM films ORDER BY name").fetchone()
        old = dict(zip(COLUMNS, first, strict=True))
        new = {**old, **changes}
        new["row_hash"] = hash_of(tuple(new[name] for name in HASHED))
        sets = ", ".join(f"{name} = :{name}" for name in COLUMNS)
        db.execute(f"UPDATE films SET {sets} WHERE name = :old_name", {**new, "old_name": old["name"]})
        seal_again(db)


def forge_value(folder: Path, key: str, value: Any, *, text: str | None = None) -> None:
    """Store another value under a name, with all hashes as they should be."""
    text = json.dumps(value) if text is None else text
    with database(folder) as db:
        db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (key, meta_hash(key, text), text))
        seal_again(db)


def seal_again(db: sqlite3.Connection) -> None:
    seal = Seal()
    for (row_hash,) in db.execute("SELECT row_hash FROM films"):
        seal = seal.with_film(row_hash)
    for (row_hash,) in db.execute("SELECT row_hash FROM meta WHERE key <> 'seal'"):
        seal = seal.with_meta(row_hash)
    text = json.dumps(asdict(seal))
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", ("seal", meta_hash("seal", text), text))


def test_a_whole_journal_is_read_and_so_is_a_forged_one_that_says_nothing_impossible(run: Path) -> None:
    assert {film.result.name: film for film in read(run)} == {film.result.name: film for film in FILMS}
    forge(run, prob_pneumonia=0.25)
    assert {film.result.prob_pneumonia for film in read(run)} == {0.25, 0.9, None}


IMPOSSIBLE: dict[str, list[Any]] = {
    "name": ["", 7, "a\0b", "\x1b[31m", "\u202egpj.exe", "x" * 70_000],
    "size_bytes": [-1, "many", 1.5],
    "mtime_ns": ["now", 1.5],
    "etag": [7, "\x1b]0;"],
    "truth": ["MAYBE", "<img src=x>", 1],
    "prob_pneumonia": [7.0, -0.1, 9e999, "high", None],
    "kind": ["exe", 1],
    "sha256": ["x", "AB" * 32, "ab" * 31],
    "width_px": [-1, 10**7, "wide"],
    "pixel_path": ["\r\n", "x" * 5_000],
    "attributes": ["{", "[]", "[" * 60_000, '{"ids": [], "x": 1}', '{"ids": [["path", "x"]]}', " " * 70_000],
    "regions": [
        *("{", "[1]", "[{}]", "[" * 60_000, " " * 70_000),
        _region(polygon_px=[]),
        _region(polygon_px=[[0, 0], [1200, 0]]),
        _region(hottest_px=[5, -1]),
        _region(share_of_heat=1.5),
        _region(strength="much"),
        _region(side="<b>"),
        _region()[:-1] + ", " + ", ".join([_region()[1:-1]] * 3) + "]",
    ],
    "heat_map": [b"12345", b"\0" * 97, b"\xff" * 98, b"\0\x7c" * 49, bytes(2 * 65**2)],
    "thumbnail": [b"<svg onload=alert(1)>", b"\xff\xd8\xff", b"\xff\xd8\xff\xd9"],
    "embedding": [b"123", b"\0\x7c" * 6, b"\0\xfc" * 6, b"\xff\x7f", bytes(2 * 4097)],
    "gate": ["x", 1],
    "gate_reasons": ["<b>", "rotated nonsense"],
    "gate_distance": [9e999, 1e300, "far"],
    "failure_stage": ["read"],
    "failure_code": ["truncated"],
    "failure_message": ["It failed."],
    "duration_ms": [-1.0, 9e999, 1e300, "long"],
}


@pytest.mark.parametrize(
    ("column", "value"), [(name, value) for name, values in IMPOSSIBLE.items() for value in values]
)
def test_a_forged_row_that_says_what_cannot_be_is_refused(run: Path, column: str, value: Any) -> None:
    forge(run, **{column: value})
    assert is_printable(refusal(run))


def test_pictures_are_whole_jpegs_of_bearable_size(run: Path) -> None:
    good = encode(film_pixels(height=30, width=20), "JPEG")
    forge(run, thumbnail=good)
    assert good in {film.result.thumbnail for film in read(run)}
    frame = good.index(b"\xff\xc0")
    huge = good[: frame + 5] + b"\xff\xff\xff\xff" + good[frame + 9 :]
    for bad in (
        good[:-2],
        good + b"<script>",
        huge,
        good[:4] + b"\0\0" + good[6:],
        good[:-2] + bytes(1 << 20) + b"\xff\xd9",
    ):
        forge(run, thumbnail=bad)
        refusal(run)


def test_a_row_of_hundreds_of_megabytes_is_refused_before_it_is_read(run: Path) -> None:
    with database(run) as db:
        db.execute("UPDATE films SET thumbnail = zeroblob(200000000) WHERE rowid = 1")
    refusal(run)


def with_field(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda document: {**document, **changes}


def without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda document: {key: value for key, value in document.items() if key != name}


RUNS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "list": lambda document: [],
    "text": lambda document: "run",
    "no roots": without("roots"),
    "another field": with_field(x=1),
    "roots": with_field(roots=[1]),
    "roots as text": with_field(roots="/films"),
    "threshold": with_field(threshold="x"),
    "threshold of 2": with_field(threshold=2),
    "threshold that is true": with_field(threshold=True),
    "threshold's name": with_field(threshold_name="nosuch"),
    "no date": with_field(started_at="x"),
    "empty date": with_field(finished_at=""),
    "exit reason": with_field(exit_reason="<b>"),
    "skipped": with_field(n_skipped=[1]),
    "skipped less than none": with_field(n_skipped={"hidden": -1}),
    "many skipped": with_field(n_skipped={"hidden": 10**30}),
    "duration": with_field(duration_s=-1),
    "refer": with_field(refer=[0.9, 0.1]),
    "refer of three": with_field(refer=[0.1, 0.2, 0.3]),
    "profile": with_field(profile_s={"read": "x"}),
    "versions": with_field(versions={"numpy": 2}),
    "shard": with_field(shard="5/3"),
    "many shards": with_field(shard="1/10000000000"),
    "notes": with_field(notes=[["deep"]]),
    "arguments": with_field(arguments=[]),
    "list of films": with_field(arguments={"from_file": ["x"]}),
}


@pytest.mark.parametrize("case", RUNS)
def test_a_forged_run_that_cannot_be_is_refused(run: Path, case: str) -> None:
    with Journal(run, read_only=True) as journal:
        document = journal.get("run")
    forge_value(run, "run", RUNS[case](document))
    refusal(run)


MODELS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "none": lambda document: None,
    "list": lambda document: [],
    "no points": without("operating_points"),
    "heat scale 0": with_field(heat_scale=0),
    "heat scale": with_field(heat_scale="x"),
    "name": with_field(name="\x1b[31m<img>"),
    "default point": with_field(default_operating_point="nosuch"),
    "another field": with_field(x=1),
}


@pytest.mark.parametrize("case", MODELS)
def test_a_forged_model_that_cannot_be_is_refused(run: Path, case: str) -> None:
    forge_value(run, "model", MODELS[case](read_document(DEFAULT_BUNDLE)))
    refusal(run)


@pytest.mark.parametrize("text", ["{", "NaN", "[" * 100_000, "1" * 10_000, '{"n_films": 1e999}'])
@pytest.mark.parametrize("key", ["run", "model", "seal"])
def test_a_value_that_is_no_bearable_json_is_refused(run: Path, key: str, text: str) -> None:
    if key == "seal":
        with database(run) as db:
            db.execute("UPDATE meta SET value = ?, row_hash = ? WHERE key = 'seal'", (text, meta_hash("seal", text)))
    else:
        forge_value(run, key, None, text=text)
    refusal(run)


COPY = "CREATE TABLE f2 AS SELECT * FROM films; DROP TABLE films;"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
SCRIPTS = {
    "no films": "DROP TABLE films",
    "no meta": "DROP TABLE meta",
    "no column": "ALTER TABLE films DROP COLUMN thumbnail",
    "another table": "CREATE TABLE x(y)",
    "an index": "CREATE INDEX x ON films(kind)",
    "an endless view": f"{COPY} CREATE VIEW films AS {ENDLESS} SELECT f2.*, i FROM n, f2",
    "a large view": f"{COPY} CREATE VIEW films AS SELECT *, randomblob(900000000) AS t FROM f2",
    "a trigger": f"CREATE TRIGGER t BEFORE INSERT ON meta BEGIN SELECT count(*) FROM ({ENDLESS} SELECT i FROM n); END",
    "a column of another type": f"{COPY} CREATE TABLE films AS SELECT * FROM f2; DROP TABLE f2",
    "bytes that are no text": "UPDATE films SET name = CAST(x'61ff62' AS TEXT) WHERE rowid = 1",
    "a film is missing": "DELETE FROM films WHERE rowid = 2",
    "all films are missing": "DELETE FROM films",
    "a value is missing": "DELETE FROM meta WHERE key = 'session'",
    "the seal is missing": "DELETE FROM meta WHERE key = 'seal'",
    "a value of the run was changed": "UPDATE meta SET value = replace(value, '0.5', '0.1') WHERE key = 'run'",
    "a probability was changed": "UPDATE films SET prob_pneumonia = 0.21 WHERE rowid = 1",
    "two rows changed places": "UPDATE films SET prob_pneumonia = 1 - prob_pneumonia WHERE prob_pneumonia IS NOT NULL",
    "a heat map is a text": "UPDATE films SET heat_map = 'text' WHERE rowid = 1",
    "a picture is a number": "UPDATE films SET thumbnail = 7 WHERE rowid = 1",
    "an embedding is a text": "UPDATE films SET embedding = 'text' WHERE rowid = 1",
    "an embedding was changed": "UPDATE films SET embedding = zeroblob(12) WHERE rowid = 1",
    "a film that failed has an embedding": "UPDATE films SET embedding = zeroblob(12) WHERE failure_code IS NOT NULL",
    "a name is bytes": "UPDATE films SET name = x'61' WHERE rowid = 1",
    "a message is bytes": "UPDATE films SET failure_message = x'61' WHERE rowid = 1",
    "the hash is no bytes": "UPDATE films SET row_hash = 7 WHERE rowid = 1",
}


@pytest.mark.parametrize("case", SCRIPTS)
def test_a_journal_that_was_changed_by_hand_is_refused(run: Path, case: str) -> None:
    with database(run) as db:
        db.executescript(SCRIPTS[case])
    refusal(run)


@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
def test_a_link_in_a_journals_place_is_not_followed(run: Path, end: str) -> None:
    own = run.parent / "own"
    own.mkdir()
    there = run / f"{JOURNAL_NAME}{end}"
    if there.exists():
        there.rename(own / "file")
    else:
        (own / "file").write_bytes(b"the user's own")
    before = (own / "file").read_bytes()
    there.symlink_to(own / "file")
    for create in (True, False):
        with pytest.raises(RunFolderError) as caught:
            Journal(run, create=create)
        assert caught.value.code == "journal-format"
    refusal(run)
    assert {path.name: path.read_bytes() for path in own.iterdir()} == {"file": before}


def test_a_rollback_journal_cannot_have_another_file_deleted(run: Path) -> None:
    """SQLite looks for the file that a rollback journal names, and deletes it when it thinks it is done with it."""
    own = run.parent / "own"
    own.write_bytes(b"the user's own")
    name = str(own).encode()
    head = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(20)
    tail = b"\x40\0\0\1" + name + len(name).to_bytes(4, "big") + sum(name).to_bytes(4, "big") + head[:8]
    (run / f"{JOURNAL_NAME}-journal").write_bytes(head.ljust(512, b"\0") + tail)
    refusal(run)
    assert own.read_bytes() == b"the user's own"


@pytest.mark.parametrize("killed", [False, True])
def test_flipped_bits_end_in_a_sentence_or_change_nothing(whole: Path, tmp_path: Path, *, killed: bool) -> None:
    source = whole
    if killed:  # everything still in the write-ahead log
        source = tmp_path / "killed"
        with Journal(source / "open", create=True) as journal:
            journal.put("model", read_document(DEFAULT_BUNDLE))
            journal.put("run", asdict(replace(INFO, threshold_name="custom")))
            journal.start_session("key")
            journal.add_films(FILMS)
            shutil.copytree(source / "open", tmp_path / "copy")
        source = tmp_path / "copy"
    names = [path.name for path in source.iterdir() if path.stat().st_size]
    before = sorted(read(source), key=lambda film: film.result.name)
    said = []
    for seed in range(60):
        chance = random.Random(seed)
        folder = Path(shutil.copytree(source, tmp_path / f"trial-{seed}"))
        path = folder / chance.choice(names)
        data = bytearray(path.read_bytes())
        for _ in range(chance.choice([1, 3, 30, 300])):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        try:
            found = read(folder)
            assert found == before
        except RunFolderError as error:
            said.append(error.code)
        shutil.rmtree(folder)
    assert set(said) <= {"journal-format", "not-a-run", "journal-unreadable"}
    assert len(said) > 10


def test_rows_that_were_lost_are_noticed_before_a_run_goes_on(run: Path) -> None:
    with database(run) as db:
        db.execute("DELETE FROM films WHERE rowid = 2")
    with Journal(run) as journal, pytest.raises(RunFolderError) as caught:
        journal.start_session("key")
    assert caught.value.code == "journal-format"


def test_a_seal_follows_what_is_written_replaced_and_forgotten(run: Path) -> None:
    with Journal(run) as journal:
        journal.start_session("other")
        journal.add([replace(FILMS[0].result, prob_pneumonia=0.3, heat_map=HeatMap(b"\1" * 98, 7))])
        journal.put("notes", [1, 2])
        journal.put("notes", None)
    assert len(read(run)) == len(FILMS)
    with Journal(run) as journal:
        journal.start_session("other")
        journal.add([FILMS[3].result])
        journal.forget_unmet()
        journal.set_truth({"d.dcm": "NORMAL"})
    assert [(film.result.name, film.truth) for film in read(run)] == [("d.dcm", "NORMAL")]
    with Journal(run) as journal:
        journal.clear()
        journal.put("run", None)
    with Journal(run) as journal:
        assert list(journal.films()) == []
