from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
from threading import Thread
from cxrscan.scanner.system.memory import keep_freed_memory

{call}

def step():
    for _ in range(10):
        bytearray(100_000_000)

step()  # what is kept is taken from the system once
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
thread = Thread(target=step)
thread.start()
thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(call: str) -> int:
    """Pages that the system had to clear for blocks that were freed before."""
    done = subprocess.run([sys.executable, "-c", FAULTS.format(call=call)], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_freed_memory_is_kept_in_all_threads() -> None:
    assert faults("") > 10_000
    assert faults("keep_freed_memory()") < 1_000
