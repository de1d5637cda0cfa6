"""The files that the table of films is written to; the command line has an option for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cxrscan.scanner.errors import CxrscanError

if TYPE_CHECKING:  # the command line imports this for its options
    from cxrscan.reports.tables.columns import Column
    from cxrscan.scanner.run_record import Run


@dataclass(frozen=True, slots=True)
class TableFormat:
    """One form of the table."""

    name: str
    """Ending of the file, and of the option that asks for it."""
    module: str
    """Holds ``write_table``; imported when a table is written."""
    always: bool = False
    """Whether it is written without being asked for; there is no option then."""
    library: str = ""
    """Import name of a library that it needs and a plain install lacks."""
    extra: str = ""
    """The extra that brings the library."""

    def refuse_if_unable(self) -> None:
        """Say before a long scan, not after it, that a library is missing.

        Raises
        ------
        CxrscanError
            ``extra-missing``.
        """
        if self.library and find_spec(self.library) is None:
            raise CxrscanError(
                "extra-missing", f"{self.name.capitalize()} files need {self.library}, from the extra `{self.extra}`."
            )

    def write(self, path: Path, columns: Sequence[Column], run: Run) -> None:
        """Write a table; it appears as a whole or not at all.

        Raises
        ------
        CxrscanError
            ``extra-missing`` or ``output-unwritable``.
        """
        self.refuse_if_unable()
        import_module(self.module).write_table(path, columns, run)


TABLES = (
    TableFormat("csv", "cxrscan.reports.tables.csv_file", always=True),
    TableFormat("parquet", "cxrscan.reports.tables.parquet_file", library="pyarrow", extra="parquet"),
    TableFormat("jsonl", "cxrscan.reports.tables.jsonl_file"),
)
"""In the order in which they are written."""
