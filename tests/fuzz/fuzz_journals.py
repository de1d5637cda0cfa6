"""Feed damaged and made-up journals to what reads run folders, guided by the code that they reach: ``make fuzz``.

An input is a list of small changes to the journal of a finished run: bytes of the file, or values of rows and of the
run, which then get the right hashes. It is a finding when reading lets another exception than CxrscanError through,
hangs, swells, or gives other films than before although nothing was forged.

    python -m tests.fuzz.fuzz_journals 600              ten minutes
    python -m tests.fuzz.fuzz_journals 0 .fuzz/journal-crash-…  one input again
"""

from __future__ import annotations

import json
import resource
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import atheris

# before anything else imports them
with atheris.instrument_imports(include=["cxrscan.scanner.runs", "cxrscan.scanner.model_bundle"]):
    from cxrscan.scanner.errors import CxrscanError
    from cxrscan.scanner.runs import stored
    from cxrscan.scanner.runs.journal import Journal, stored_info, stored_model
    from cxrscan.scanner.runs.layout import JOURNAL_NAME
    from cxrscan.scanner.runs.merge import merge_runs

from cxrscan.reports.page.view import build_view
from cxrscan.reports.tables.columns import columns_of
from cxrscan.reports.tables.csv_file import write_table
from cxrscan.scanner.evaluation.survey import survey_films
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, read_document
from cxrscan.scanner.records import Film
from tests.reports.films import INFO, failed, rejected, scored

FOLDER = Path(".fuzz")
_MEMORY = "/dev/shm"  # a disk would be waited for with each input
WORK = Path(tempfile.mkdtemp(prefix="cxrscan-fuzz-", dir=_MEMORY if Path(_MEMORY).is_dir() else None))
WHOLE, TRIAL, MERGED = WORK / "whole", WORK / "trial", WORK / "merged"
FILMS = [
    scored("NORMAL/a.jpg", 0.2, "NORMAL"),
    scored("PNEUMONIA/b.jpg", 0.9, "PNEUMONIA", warns=("rotated",)),
    rejected("c.png", "not-a-chest-film"),
    failed("d.dcm"),
]
_TEXTS = ("", "{", "[]", "null", "NaN", "<b>", "\x1b[31m", "a/../b", "1/99999999999", "x" * 9_000, "[" * 9_000)
_SECONDS_PER_INPUT = 60
_RSS_MIB = 1_500


def write_whole_run() -> None:
    """The run that inputs change."""
    with Journal(WHOLE, create=True) as journal:
        journal.put("model", read_document(DEFAULT_BUNDLE))
        journal.put("run", asdict(replace(INFO, threshold_name="custom")))
        journal.put("shaping", {"gate": "1"})
        journal.start_session("key")
        journal.add_films(FILMS)


def fuzz(data: bytes) -> None:
    """One input; atheris records what it raises."""
    said = atheris.FuzzedDataProvider(data)
    shutil.rmtree(TRIAL, ignore_errors=True)
    shutil.copytree(WHOLE, TRIAL)
    is_forged = said.ConsumeBool()
    if is_forged:
        forge(said)
    else:
        damage(said)
    try:
        films = read(TRIAL)
    except CxrscanError:
        return
    if not is_forged:
        assert {film.result.name: film for film in films} == {film.result.name: film for film in FILMS}


def damage(said: atheris.FuzzedDataProvider) -> None:
    """Change bytes of the file, mostly where its pages and tables are described."""
    path = TRIAL / JOURNAL_NAME
    content = bytearray(path.read_bytes())
    for _ in range(said.ConsumeIntInRange(1, 40)):
        page = said.ConsumeIntInRange(0, len(content) // 4096 - 1)
        within = said.ConsumeIntInRange(0, 127 if said.ConsumeBool() else 4095)
        content[page * 4096 + within] = said.ConsumeIntInRange(0, 255)
    path.write_bytes(content)


def forge(said: atheris.FuzzedDataProvider) -> None:
    """Change values, and give them the hashes that they should have."""
    with closing(sqlite3.connect(TRIAL / JOURNAL_NAME, isolation_level=None)) as db:
        if said.ConsumeBool():
            column = said.PickValueInList(list(stored.COLUMNS))
            db.execute(f"UPDATE OR IGNORE films SET {column} = ? WHERE rowid = 1", (value(said),))
            for row in db.execute(f"SELECT {', '.join(stored.COLUMNS)} FROM films").fetchall():
                hashed = row[: len(stored.HASHED)]
                texts, pictures = hashed[: stored.N_TEXTS], hashed[stored.N_TEXTS :]
                if all(isinstance(one, bytes) for one in pictures):
                    forged = stored.hash_of(tuple("" if isinstance(one, bytes) else one for one in texts) + pictures)
                    db.execute("UPDATE films SET row_hash = ? WHERE name IS ?", (forged, row[0]))
        else:
            key = said.PickValueInList(["run", "model", "shaping", "session", "seal"])
            text = changed(db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0], said)
            db.execute(
                "UPDATE meta SET value = ?, row_hash = ? WHERE key = ?", (text, stored.meta_hash(key, text), key)
            )
        seal_again(db)


def value(said: atheris.FuzzedDataProvider) -> Any:
    """Any value that SQLite stores."""
    return [
        lambda: None,
        lambda: said.ConsumeIntInRange(-(1 << 63), (1 << 63) - 1),
        said.ConsumeFloat,
        lambda: said.ConsumeUnicodeNoSurrogates(60),
        lambda: said.PickValueInList(list(_TEXTS)),
        lambda: said.ConsumeBytes(300),
    ][said.ConsumeIntInRange(0, 5)]()


def changed(text: str, said: atheris.FuzzedDataProvider) -> str:
    """A stored JSON text with one field replaced, or another text."""
    document = json.loads(text)
    if not isinstance(document, dict) or not document or said.ConsumeIntInRange(0, 9) == 0:
        return said.PickValueInList(list(_TEXTS))
    one = value(said)
    document[said.PickValueInList([*document, "another"])] = [one] if said.ConsumeBool() else one
    return json.dumps(document, default=repr)


def seal_again(db: sqlite3.Connection) -> None:
    """Make number and sum of the rows right again."""
    seal = stored.Seal()
    try:
        for (row_hash,) in db.execute("SELECT row_hash FROM films"):
            seal = seal.with_film(row_hash)
        for (row_hash,) in db.execute("SELECT row_hash FROM meta WHERE key <> 'seal'"):
            seal = seal.with_meta(row_hash)
    except stored.UnfitError:
        return
    text = json.dumps(asdict(seal))
    db.execute("UPDATE meta SET value = ?, row_hash = ? WHERE key = 'seal'", (text, stored.meta_hash("seal", text)))


def read(folder: Path) -> list[Film]:
    """What report, view, compare and merge do with a run folder; charts and pages apart, which take too long."""
    shutil.rmtree(MERGED, ignore_errors=True)
    with Journal(folder, read_only=True) as journal:
        info, model = stored_info(journal), stored_model(journal)
        films = list(journal.films())
        survey = survey_films(films, info.threshold, info.refer)
        columns = columns_of(survey.id_names, info)
        build_view(survey, None, info, model, columns)
        write_table(WORK / "results.csv", films, columns, info, model)
        for film in films:
            journal.thumbnail(film.result.name)
    merge_runs([folder], MERGED)
    with Journal(folder) as journal:
        journal.start_session("key")
        journal.clear()
    return films


def seeds() -> Iterator[bytes]:
    """Inputs to begin with."""
    yield from (bytes([n]) * 64 for n in range(0, 256, 5))


def main(seconds: str, *again: str) -> None:
    """Fuzz for a time, or give inputs again."""
    write_whole_run()
    corpus = FOLDER / "journal"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limits = [f"-max_total_time={seconds}", f"-timeout={_SECONDS_PER_INPUT}", f"-rss_limit_mb={_RSS_MIB}"]
    options = [*limits, "-max_len=512", f"-artifact_prefix={FOLDER}/journal-", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, *(again or [str(corpus)])], fuzz)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
