"""A reader's verdicts on the films of a run: ``verdicts.csv``, in the format that the report exports and imports."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from cxrscan.reports.tables.columns import COLUMNS
from cxrscan.reports.tables.csv_file import csv_cell, neutralised
from cxrscan.reports.wording import AGREEMENTS, VERDICT_COLUMNS, VERDICTS
from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.evaluation.agreement import Opinion
from cxrscan.scanner.records import Film
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.system.bounded import read_bounded
from cxrscan.scanner.system.locks import alone_in
from cxrscan.scanner.system.whole_files import replacing_text

FILE_NAME = "verdicts.csv"
_OF_READER = "verdicts-{}.csv"
READER_NAME = re.compile(r"\w[\w-]{0,63}")
"""What a reader with a sheet of their own may be called: it becomes part of a file's name."""
_MAX_BYTES, _MAX_COLUMNS = 64 << 20, 64


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reader says about a film."""

    verdict: str = ""
    """Key of VERDICTS, or empty for a comment alone."""
    comment: str = ""
    reader: str = ""
    reviewed_at: str = ""
    """ISO 8601, UTC, whole seconds, ending in ``Z``."""
    blind: bool = False
    """Given before call, label and heat map were shown."""
    called: str = field(default="", compare=False)
    """The call beside which it was given; empty where nobody noted it."""
    threshold: str = field(default="", compare=False)
    """Threshold of that call, as in the sheet."""
    model: str = field(default="", compare=False)
    """Name and version of the model that made that call."""


Row = dict[str, str]


def read_verdicts(path: Path, films: Iterable[Film]) -> dict[str, Verdict]:
    """Read a sheet of verdicts: film's name -> verdict; empty when there is no file.

    Rows of other films, of another content or with an unknown verdict are left out, as the report does. An older
    sheet's agreement is with the call beside it.

    Raises
    ------
    RunFolderError
        ``verdicts-unreadable``.
    """
    results = {neutralised(film.result.name): film.result for film in films}
    found: dict[str, Verdict] = {}
    for row in read_rows(path):
        result, said = results.get(row["path"]), _said(row)
        if result is not None and said is not None and row.get("sha256", "") in ("", result.sha256):
            found[result.name] = _verdict(row, said)
    return found


def sheet_name(reader: str) -> str:
    """File name of a reader's sheet; that of everybody's without a reader."""
    return _OF_READER.format(reader) if reader else FILE_NAME


def _sheets_in(folder: Path) -> list[Path]:
    """Where a run folder's sheets of verdicts are, or may be."""
    return [folder / FILE_NAME, *sorted(folder.glob(_OF_READER.format("*")))]


def _sheets_of(folder: Path) -> list[Path]:
    sheets = [path for path in _sheets_in(folder) if path.is_file()]
    if not sheets:
        raise RunFolderError("verdicts-none", f"{folder} holds no sheet of verdicts.")
    return sheets


def films_read(folder: Path) -> frozenset[str]:
    """Names of the films that any sheet in a run folder has a verdict on.

    Raises
    ------
    RunFolderError
        ``verdicts-unreadable``.
    """
    return frozenset(_original(row["path"]) for sheet in _sheets_in(folder) for row in read_rows(sheet) if _said(row))


def read_opinions(path: Path) -> list[Opinion]:
    """Read what a sheet's readers say of its films, and what the model said beside them, whatever run it is of.

    A reader without a name is called like the file.

    Raises
    ------
    RunFolderError
        ``verdicts-unreadable``.
    """
    opinions = []
    for row in read_rows(path):
        film, content = _original(row["path"]), row.get("sha256", "")
        if said := _said(row):
            opinions.append(Opinion(film, content, _original(row.get("reader")) or path.stem, said))
        if called := AGREEMENTS["agree"].get(row.get("prediction", "")):
            model = f"{row.get('model') or 'model'} at {row.get('threshold') or 'its threshold'}"
            opinions.append(Opinion(film, content, model, called, is_reader=False))
    return opinions


def read_sheets(places: Iterable[Path]) -> tuple[Opinion, ...]:
    """Read the opinions of several sheets; of a run folder all its sheets are taken.

    A person who has two sheets counts as two, so that a second reading can be held against a first.

    Raises
    ------
    RunFolderError
        ``verdicts-unreadable``; ``verdicts-none``: no reader says anything.
    """
    sheets = [sheet for place in places for sheet in (_sheets_of(place) if place.is_dir() else [place])]
    opinions = [read_opinions(sheet) for sheet in sheets]
    n_sheets: dict[str, int] = {}
    for each in opinions:
        for who in {opinion.who for opinion in each if opinion.is_reader}:
            n_sheets[who] = n_sheets.get(who, 0) + 1
    if not n_sheets:
        raise RunFolderError("verdicts-none", f"{', '.join(map(str, sheets))}: no verdict on a film.")
    return tuple(
        replace(opinion, who=f"{opinion.who} ({sheet})") if n_sheets.get(opinion.who, 0) > 1 else opinion
        for sheet, each in zip(sheets, opinions, strict=True)
        for opinion in each
    )


def _said(row: Row) -> str | None:
    """What a row says about the film; None when nobody can know."""
    verdict = row["verdict"]
    if not verdict or verdict in VERDICTS:
        return verdict
    return AGREEMENTS.get(verdict, {}).get(row.get("prediction", ""))


def read_rows(
    path: Path, needed: frozenset[str] = frozenset({"path", "verdict"}), code: str = "verdicts-unreadable"
) -> list[Row]:
    """Read the rows of a sheet about films; none when there is no file.

    Raises
    ------
    RunFolderError
        ``code``: it cannot be read, or lacks one of the columns ``needed``.
    """
    try:
        text = read_bounded(path, _MAX_BYTES, within=str(path.parent)).decode("utf-8-sig")
        sheet = csv.DictReader(io.StringIO(text, newline=""), restval="")
        if len(sheet.fieldnames or ()) > _MAX_COLUMNS:
            raise ValueError("too many columns")
        rows = list(sheet)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, csv.Error) as error:
        raise RunFolderError(code, f"{path} cannot be read: {error}.") from error
    if rows and not needed <= rows[0].keys():
        raise RunFolderError(code, f"{path} has no columns {' and '.join(sorted(needed))}.")
    return [{name: text for name, text in row.items() if isinstance(name, str)} for row in rows]


def _verdict(row: Row, said: str) -> Verdict:
    return Verdict(
        said,
        _original(row.get("comment")),
        _original(row.get("reader")),
        row.get("reviewed_at", ""),
        row.get("blind") == "yes",
        *(row.get(name, "") for name in ("prediction", "threshold", "model")),
    )


def _original(text: str | None) -> str:
    """Take the apostrophe off that ``neutralised`` put on."""
    text = text or ""
    return text[1:] if text.startswith("'") and neutralised(text[1:]) == text else text


def change_verdict(
    path: Path,
    films: Sequence[Film],
    film: Film,
    known: Verdict | None,
    given: Verdict,
    run: Run,
) -> dict[str, Verdict]:
    """Put one film's verdict into the sheet; what others have written there meanwhile stays.

    Parameters
    ----------
    known
        The film's verdict as the reader saw it before; None for none.
    given
        The new one; one without verdict and comment takes the film's row out.
    run
        Its threshold is the one that the reader saw.

    Returns
    -------
    All verdicts of the sheet, as ``read_verdicts`` gives them.

    Raises
    ------
    RunFolderError
        ``verdict-taken``: another reader has judged this film meanwhile; ``verdicts-unreadable`` or
        ``output-unwritable``.
    """
    name = neutralised(film.result.name)
    with _alone(path.parent):
        rows = {row["path"]: row for row in read_rows(path)}
        there = rows.get(name)
        taken = None if there is None else _verdict(there, _said(there) or "")
        if taken is not None and taken not in (known, given) and taken.reader != given.reader:
            raise RunFolderError("verdict-taken", f"Another reader has judged {film.result.name} meanwhile.")
        # A comment that is added later leaves the verdict on what it was given on.
        same = there is not None and taken is not None and taken.verdict == given.verdict
        rows[name] = (there if same and there else {}) | _row(film, given, run, anew=not same)
        if not (given.verdict or given.comment):
            del rows[name]
        _write_rows(path, rows, [neutralised(film.result.name) for film in films])
    return read_verdicts(path, films)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other viewers from changing the sheet meanwhile, where the system can lock a folder."""
    with ExitStack() as stack:
        try:
            stack.enter_context(alone_in(folder))
        except OSError as error:
            raise RunFolderError("output-unwritable", f"{folder} cannot be opened: {error.strerror}.") from error
        yield


def _row(film: Film, verdict: Verdict, run: Run, *, anew: bool) -> Row:
    """Return the row's cells; without ``anew`` those that say what was read, not what it was given on."""
    known = {column.name: str(csv_cell(column, film, run)) for column in COLUMNS if column.name in VERDICT_COLUMNS}
    return (known if anew else {}) | {
        "verdict": verdict.verdict,
        "comment": neutralised(verdict.comment),
        "reader": neutralised(verdict.reader),
        "reviewed_at": verdict.reviewed_at,
        "blind": "yes" if verdict.blind else "no",
    }


def _write_rows(path: Path, rows: Mapping[str, Row], order: Iterable[str]) -> None:
    """Write the sheet in the order of the films; rows of films that are no longer there follow as they were."""
    ordered = dict.fromkeys([*(name for name in order if name in rows), *rows])
    further = dict.fromkeys(name for row in rows.values() for name in row if name not in VERDICT_COLUMNS)
    with replacing_text(path, encoding="utf-8-sig") as stream:
        writer = csv.DictWriter(stream, [*VERDICT_COLUMNS, *further], restval="")
        writer.writeheader()
        writer.writerows(rows[name] for name in ordered)
