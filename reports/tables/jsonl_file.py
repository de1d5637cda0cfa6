"""The table as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from reports.tables.columns import Column
from scanner.model_bundle import ModelSpec
from scanner.records import Film, RunInfo
from scanner.system.whole_files import replacing_text


def write_table(path: Path, films: Iterable[Film], columns: Sequence[Column], info: RunInfo, model: ModelSpec) -> None:
    """Write the table as JSON Lines: one object per file, numbers rounded as in ``results.csv``, null for empty.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    with replacing_text(path) as stream:
        for film in films:
            row = {column.name: column.value(film, info, model) for column in columns}
            stream.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
