"""The table of films in memory: for pandas, and as Arrow for everything else that reads columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cxrscan.reports.tables.columns import Column, columns_of
from cxrscan.reports.tables.formats import TABLES
from cxrscan.scanner.run_record import Run

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as arrow

_DTYPES = {"text": "string", "integer": "Int64", "decimal": "float64", "json": "string"}


def data_frame(run: Run) -> pd.DataFrame:
    """One row a film, with the columns of ``results.csv``; empty cells are missing values."""
    import pandas as pd

    columns = _columns(run)
    frame = pd.DataFrame.from_records(list(_rows(columns, run)), columns=[column.name for column in columns])
    return frame.astype({column.name: _DTYPES[column.kind] for column in columns})


def arrow_table(run: Run) -> arrow.Table:
    """The same as an Arrow table.

    Raises
    ------
    CxrscanError
        ``extra-missing``: pyarrow is not installed.
    """
    next(table for table in TABLES if table.name == "parquet").refuse_if_unable()
    import pyarrow as arrow

    from cxrscan.reports.tables.parquet_file import arrow_schema

    columns = _columns(run)
    return arrow.Table.from_pylist(list(_rows(columns, run)), schema=arrow_schema(columns))


def _columns(run: Run) -> tuple[Column, ...]:
    ids = dict.fromkeys(name for film in run.films() for name, _ in film.result.attributes.ids)
    return columns_of(ids, run.info)


def _rows(columns: Sequence[Column], run: Run) -> Iterator[dict[str, str | int | float | None]]:
    return ({column.name: column.plain(film, run) for column in columns} for film in run.films())
