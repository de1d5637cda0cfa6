"""The table as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from cxrscan.reports.tables.columns import Column
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.system.whole_files import replacing_text


def write_table(path: Path, columns: Sequence[Column], run: Run) -> None:
    """Write the table as JSON Lines: one object per file, numbers rounded as in ``results.csv``, null for empty.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    with replacing_text(path) as stream:
        for film in run.films():
            row = {column.name: column.value(film, run) for column in columns}
            stream.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
