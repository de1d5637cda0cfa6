"""Time that stood still is not counted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from cxrscan.scanner.system.clock import LOOK_EVERY_S

LOOKING = f"""
import time
from cxrscan.scanner.system.clock import WorkingClock
clock = WorkingClock()
print("started", flush=True)
while clock.now_s() < 1.0:
    time.sleep({LOOK_EVERY_S})
print(time.monotonic(), flush=True)
"""


def test_a_stopped_process_uses_no_time() -> None:
    process = subprocess.Popen([sys.executable, "-c", LOOKING], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(2)
    before = time.monotonic()
    os.kill(process.pid, signal.SIGCONT)
    ended = float(process.communicate()[0])
    assert ended > before + LOOK_EVERY_S  # the second of work was not over when the process went on
