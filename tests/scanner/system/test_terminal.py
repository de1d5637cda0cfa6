"""Messages that nobody takes stop nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TELLING = """
import os, sys
from cxrscan.scanner.system.terminal import let_telling_fail, _Log
let_telling_fail()
for number in range(20000):
    print("a line of a log that nobody reads", file=sys.stderr)
sys.stderr.buffer.write(b"and bytes")
sys.stderr.flush()
with open(sys.argv[1], "x") as file:
    file.write("done")
"""
CODE = [sys.executable, "-c", TELLING]


def test_a_reader_that_fell_asleep_stops_nobody_and_hears_the_beginning(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    done = subprocess.run([*CODE, str(tmp_path / "done")], stderr=writer, check=False, timeout=60)
    os.close(writer)
    assert (done.returncode, (tmp_path / "done").read_text()) == (0, "done")
    assert os.read(reader, 1000).startswith(b"a line of a log")
    os.close(reader)


def test_a_reader_that_went_away_a_full_disk_and_a_closed_stream_stop_nobody(tmp_path: Path) -> None:
    for number, redirection in enumerate(("2>/dev/full", "2>&-", "2> >(head -1 >/dev/null)", "2>&- >&- <&-")):
        there = tmp_path / str(number)
        words = " ".join(f"'{word}'" for word in [*CODE, str(there)])
        done = subprocess.run(["bash", "-c", f"{words} {redirection}"], check=False, timeout=60)
        assert (done.returncode, there.read_text()) == (0, "done"), redirection


def test_a_reader_hears_every_line(tmp_path: Path) -> None:
    done = subprocess.run([*CODE, str(tmp_path / "done")], capture_output=True, check=True, timeout=60)
    assert done.stderr.count(b"\n") == 20_000
    assert done.stderr.endswith(b"and bytes")
