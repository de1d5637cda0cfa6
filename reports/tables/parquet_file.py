"""The table as Parquet, for those who load it into something larger than a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pyarrow as arrow
from pyarrow.parquet import ParquetWriter

from cxrscan.reports.tables.columns import Column
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.system.whole_files import replacing

_TYPES = {"text": "string", "integer": "int64", "decimal": "float64", "json": "string"}
_ROWS_PER_GROUP = 10_000


def arrow_schema(columns: Sequence[Column]) -> arrow.Schema:
    """Names and types of the columns."""
    return arrow.schema([(column.name, arrow.type_for_alias(_TYPES[column.kind])) for column in columns])


def write_table(path: Path, columns: Sequence[Column], run: Run) -> None:
    """Write the table with the types of its columns, numbers rounded as in ``results.csv``, null for empty.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    schema = arrow_schema(columns)
    rows = ({column.name: column.plain(film, run) for column in columns} for film in run.films())
    with replacing(path) as part, ParquetWriter(part, schema) as writer:
        while group := list(islice(rows, _ROWS_PER_GROUP)):
            writer.write_table(arrow.Table.from_pylist(group, schema=schema))
