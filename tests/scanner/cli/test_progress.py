"""What a scan says in a log: a line at the start, one every minute, and what went wrong."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable

from cxrscan.scanner.cli.progress import Log, Progress
from cxrscan.scanner.records import Failure, ScanResult, Skip
from cxrscan.scanner.run import Start

GOOD = ScanResult("a.jpg", "jpeg", 9, 9)
BROKEN = ScanResult("b\n.jpg", None, 0, 5, failure=Failure("read", "empty-file", "The file is empty."))
REJECTED = ScanResult("c.jpg", "jpeg", 9, 9, gate="reject", gate_reasons=("not-a-chest-film",))
STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  "


def wait_for(said: Callable[[], str], pattern: str) -> str:
    """What was said, once it holds the pattern; a loaded machine may take its time."""
    end = time.monotonic() + 60
    while not re.search(pattern, said()) and time.monotonic() < end:
        time.sleep(0.01)
    return said()


def test_a_log_says_what_begins_what_was_there_and_how_far_it_is() -> None:
    stream = io.StringIO()
    log = Log(stream, "scanning films into out", verbose=False, every_s=0.05)
    log.start(Start(n_first=32, n_there=1648, model="net 1.0"))
    log.n_total = 9634
    for outcome in (None, GOOD, BROKEN):
        log.file(outcome)
    said = wait_for(stream.getvalue, "3 of 9,634 files")
    log.close()
    lines = said.splitlines()
    assert re.fullmatch(STAMP + r"cxrscan \S+, net 1\.0: scanning films into out", lines[0])
    assert re.fullmatch(STAMP + "continuing: 1,648 results are there", lines[1])
    assert re.search(STAMP + r"3 of 9,634 files, 1 failed, \d+\.\d a second", said)


def test_a_closed_log_says_no_more() -> None:
    stream = io.StringIO()
    log = Log(stream, "", verbose=False, every_s=0.02)
    log.start(Start(1, 0, "net"))
    log.close()
    before = wait_for(stream.getvalue, "net")
    time.sleep(0.2)
    assert stream.getvalue().count("\n") - before.count("\n") <= 1  # one may have been on its way


def test_details_name_failed_rejected_and_skipped_files_only() -> None:
    stream = io.StringIO()
    told = Progress(stream, verbose=True)
    for outcome in (None, GOOD, BROKEN, REJECTED, Skip("d.txt", "no picture")):
        told.file(outcome)
    assert stream.getvalue().splitlines() == [
        r"failed   b\x0a.jpg: The file is empty. [empty-file]",
        "rejected c.jpg: not-a-chest-film",
        "skipped  d.txt: no picture",
    ]
