"""``results.csv``: one row per file, safe in spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from cxrscan.reports.tables.columns import Column, format_cell
from cxrscan.scanner.records import Film
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.system.whole_files import replacing_text

# What a spreadsheet takes for the start of a formula (OWASP, CSV Injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_table(path: Path, columns: Sequence[Column], run: Run) -> None:
    """Write the table; see ``columns.data_dictionary`` for the format.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    write_sheet(path, [column.name for column in columns], _rows(run.films(), columns, run))


def write_sheet(path: Path, heading: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a table that spreadsheets open: comma-separated, with a byte order mark, whole or not at all.

    Parameters
    ----------
    rows
        Cells; texts that are not ours went through ``neutralised``.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    with replacing_text(path, encoding="utf-8-sig") as stream:
        writer = csv.writer(stream)
        writer.writerow(heading)
        writer.writerows(rows)


def write_rows(stream: TextIO, films: Iterable[Film], columns: Sequence[Column], run: Run) -> None:
    """Write heading and rows to a stream that leaves line ends as they are."""
    writer = csv.writer(stream)
    writer.writerow(column.name for column in columns)
    writer.writerows(_rows(films, columns, run))


def _rows(films: Iterable[Film], columns: Sequence[Column], run: Run) -> Iterator[list[str]]:
    return ([csv_cell(column, film, run) for column in columns] for film in films)


def csv_cell(column: Column, film: Film, run: Run) -> str:
    """Write one cell, safe in spreadsheets."""
    text = format_cell(column, column.cell(film, run))
    return neutralised(text) if column.kind == "text" else text


def neutralised(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would take for a formula."""
    return "'" + text if text.startswith(_FORMULA_STARTS) else text
