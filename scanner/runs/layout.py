"""What lies where in a run folder, and how one is recognised."""

from __future__ import annotations

import os

from cxrscan.scanner.system.beneath import open_regular

JOURNAL_NAME = "journal.sqlite"
"""The file that marks a run folder."""
RESULTS_NAME = "dicom-results"
"""Folder of a run's results for the archive; holds patients' identifiers, so nothing copies it elsewhere."""
RUN_PICTURES = frozenset({"thumbnails", "evaluation", RESULTS_NAME})
"""Folders of a run that hold pictures; the walk keeps out of them."""
RUN_FILES = (
    JOURNAL_NAME,
    "results.*",
    "report.html",
    "run.json",
    "studies.*",
    "changes.csv",
    "drift.json",
    "queue.csv",
    "worklist.*",
    "verdicts.csv",
    "verdicts-*.csv",
)
"""Patterns of a run's files."""
EARLIER_NAME = "earlier"
"""Folder for runs of other models over the same films, each in a numbered folder of its own."""
JOURNAL_ID = 0x43585253  # "CXRS"
"""Marks a journal among SQLite's files (``PRAGMA application_id``)."""
_SQLITE_MAGIC, _ID_AT = b"SQLite format 3\0", 68  # sqlite.org/fileformat2.html, section 1.3


def is_run(folder: str) -> bool:
    """Whether a folder holds a journal of ours, and not only a file of that name."""
    try:
        with open_regular(f"{folder}{os.sep}{JOURNAL_NAME}", within=folder) as file:
            return is_journal(file.read(_ID_AT + 4))
    except OSError:
        return False


def is_journal(head: bytes) -> bool:
    """Whether a file's first bytes are those of a journal."""
    return head.startswith(_SQLITE_MAGIC) and head[_ID_AT : _ID_AT + 4] == JOURNAL_ID.to_bytes(4, "big")
