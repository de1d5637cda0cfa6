"""Services as their users start them: the commands in processes of their own, and what they leave behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cxrscan.scanner.runs.journal import Journal
from tests.orthanc import free_port
from tests.scanner.dicom_results.validators import program_or_skip

PROGRAM = [sys.executable, "-c", "from cxrscan.scanner.cli.main import main; main()"]
PATIENCE_S = 240.0
"""The machine may have much else to do."""


class RunningService:
    """A service and its folder; as a context, it is killed at the end if it still runs."""

    def __init__(self, command: str, folder: Path, *options: object) -> None:
        self.folder = folder
        usual = ["-o", folder, "--status-port", 0, "--workers", 1]
        self._arguments = [command, *map(str, [*usual, *options])]  # the last of an option counts
        self.start()

    def start(self) -> None:
        """Start, and wait until it works."""
        self.process = subprocess.Popen(
            [*PROGRAM, *self._arguments], stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stderr is not None
        self.told = self.process.stderr.readline()
        assert self.told.startswith(("Listening", "Watching")), self.told + self.process.stderr.read()

    def kill(self) -> None:
        """Kill it as a power failure would."""
        self.process.kill()
        self._end()

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._end()

    def _end(self) -> int:
        with self.process:
            self.process.communicate(timeout=PATIENCE_S)
        wait_until(lambda: not _group_lives(self.process.pid), "its workers to end")
        return self.process.returncode

    def status(self) -> dict[str, Any]:
        """What it says of itself."""
        path = self.folder / "service.json"
        found: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
        return found

    def counts(self, what: str) -> int:
        """How often something has happened."""
        return int(self.status().get("counts", {}).get(what, 0))

    def wait_for(self, what: str, n: int) -> None:
        """Wait until something has happened so often."""
        wait_until(lambda: self.counts(what) >= n, f"{n} x {what}, but {self.status()}")

    def names(self) -> list[str]:
        """Films in the journal, as it stands."""
        with Journal(self.folder, read_only=True) as journal:
            return list(journal.names())


class Receiver(RunningService):
    """``cxrscan serve`` on a free port."""

    def __init__(self, folder: Path, *options: object) -> None:
        self.port = free_port()
        super().__init__("serve", folder, "--port", self.port, *options)

    def send(
        self, *paths: Path, aec: str = "CXRSCAN", aet: str = "MODALITY", options: Sequence[object] = ()
    ) -> subprocess.Popen[str]:
        """Begin to send files with DCMTK's storescu, over one association."""
        storescu = program_or_skip("storescu")
        who = ["-v", "-aet", aet, "-aec", aec, *map(str, options)]
        return subprocess.Popen(
            [storescu, *who, "127.0.0.1", str(self.port), *map(str, paths)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def finish(sending: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code of a program, and what it said."""
    with sending:
        said, _ = sending.communicate(timeout=PATIENCE_S)
    return sending.returncode, said


@contextmanager
def receiving(folder: Path, *options: object) -> Iterator[Receiver]:
    """Run ``cxrscan serve``."""
    program_or_skip("storescu")
    service = Receiver(folder, *options)
    try:
        yield service
    finally:
        end(service)


@contextmanager
def watching(films: Path, folder: Path, *options: object) -> Iterator[RunningService]:
    """Run ``cxrscan watch``."""
    service = RunningService("watch", folder, films, "--look-every", "0.2", *options)
    try:
        yield service
    finally:
        end(service)


def end(service: RunningService) -> None:
    """Kill a service that a test has left."""
    if service.process.poll() is None:
        service.kill()


def cxrscan(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command."""
    return subprocess.run([*PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait until a function returns something true."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def write_all(folder: Path, films: Sequence[bytes]) -> list[Path]:
    """Write films into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:05}.dcm" for number in range(len(films))]
    for path, data in zip(paths, films, strict=True):
        path.write_bytes(data)
    return paths


def _group_lives(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


def resident_mb(pid: int) -> float:
    """Memory of a process (Linux)."""
    return _memory_mb(pid, "VmRSS")


def peak_mb(pid: int) -> float:
    """Most memory that a process has had (Linux)."""
    return _memory_mb(pid, "VmHWM")


def _memory_mb(pid: int, what: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1e3
