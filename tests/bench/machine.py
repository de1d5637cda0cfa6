"""The machine that figures come from, and what a process costs on it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from cxrscan.scanner.system.cores import available_cores

_LIBRARIES = ("ai-edge-litert", "tensorflow", "keras", "numpy", "pillow", "opencv-python-headless", "imagecodecs")


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory, load and versions, JSON-ready."""
    model, memory = platform.processor(), ""
    if Path("/proc/cpuinfo").exists():
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        model = found[1] if found else model
        found = re.search(r"MemTotal:\s*(\d+) kB", Path("/proc/meminfo").read_text())
        memory = f"{int(found[1]) / 2**20:.0f} GiB" if found else ""
    return {
        "processor": model,
        "cores": available_cores(),
        "memory": memory,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 1),
        "versions": {name: version(name) for name in _LIBRARIES},
    }


def tell_machine(machine: dict[str, Any]) -> None:
    """Print it, with a warning when something else is running."""
    for name, value in machine.items():
        click.echo(f"{name:13}{value}")
    if machine["load_average"] > 0.5:
        click.echo("The machine is not idle: wall times are too long; compare CPU times and what ran in turn.")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took, with all that it started and waited for."""

    wall_s: float
    cpu_s: float
    """User and system time."""
    parent_mb: float
    """Largest resident memory of the process itself."""
    worker_mb: float
    """Largest resident memory of one that it started; 0 without any."""


def measure(command: Sequence[str]) -> tuple[Cost, str]:
    """Run a command; its cost and its standard output.

    Modules are compiled once and kept, as those of an installed program are.

    Raises
    ------
    subprocess.CalledProcessError
        It failed.
    """
    start = time.perf_counter()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watch = _MemoryWatch(process.pid)
    watch.start()
    said, errors = [""], [""]
    reader = threading.Thread(target=lambda: errors.__setitem__(0, process.stderr.read()))  # type: ignore[union-attr]
    reader.start()
    said[0] = process.stdout.read()  # type: ignore[union-attr]
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    watch.stop()
    reader.join()
    process.stdout.close()  # type: ignore[union-attr]
    process.stderr.close()  # type: ignore[union-attr]
    if process.returncode:
        sys.stderr.write(errors[0])
        raise subprocess.CalledProcessError(process.returncode, command, said[0], errors[0])
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, watch.parent_mb, watch.worker_mb), said[0]


class _MemoryWatch(threading.Thread):
    """Looks at the largest resident memory of a process and its children (Linux) until it is stopped."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._end = threading.Event()
        self.parent_mb = self.worker_mb = 0.0

    def run(self) -> None:
        while not self._end.wait(0.1):
            self.parent_mb = max(self.parent_mb, _peak_mb(self._pid))
            children = Path(f"/proc/{self._pid}/task/{self._pid}/children")
            try:
                pids = [int(pid) for pid in children.read_text().split()]
            except OSError:
                continue
            self.worker_mb = max(self.worker_mb, *map(_peak_mb, pids), 0.0)

    def stop(self) -> None:
        self._end.set()
        self.join()


def _peak_mb(pid: int) -> float:
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0
