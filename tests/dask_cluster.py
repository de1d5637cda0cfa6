"""A Dask cluster started by hand, as its users start one: ``dask scheduler`` and ``dask worker``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from distributed import Client

ROOT = Path(__file__).parent.parent


@dataclass
class Cluster:
    """A scheduler and its workers, each a process of its own."""

    folder: Path
    scheduler: subprocess.Popen[bytes]
    address: str
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add_workers(self, number: int, *options: str, environment: Mapping[str, str] | None = None) -> None:
        """Start worker processes with their nannies, and wait until they have joined."""
        with Client(self.address) as client:
            n_before = len(client.scheduler_info()["workers"])
            where = ["--no-dashboard", "--local-directory", str(self.folder)]
            arguments = ["worker", self.address, *where, "--nworkers", str(number), *options]
            self.workers.append(dask(*arguments, log=self.folder / "workers.log", environment=environment))
            client.wait_for_workers(n_before + number, timeout=60)

    def worker_pids(self) -> list[int]:
        """The processes that scan."""
        with Client(self.address) as client:
            return list(client.run(os.getpid).values())


@contextmanager
def started(folder: Path, n_workers: int, environment: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """Start a cluster, and kill it in the end."""
    place = folder / "scheduler.json"
    scheduler = dask(
        *["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"],
        *["--scheduler-file", str(place)],
        log=folder / "scheduler.log",
        environment=environment,
    )
    cluster = Cluster(folder, scheduler, "")
    try:
        deadline = time.monotonic() + 60
        while not place.exists() or not place.read_text().endswith("}"):
            assert time.monotonic() < deadline, (folder / "scheduler.log").read_text()
            time.sleep(0.05)

        cluster.address = json.loads(place.read_text())["address"]
        if n_workers:
            cluster.add_workers(n_workers, "--nthreads", "1")
        yield cluster
    finally:
        for process in (*cluster.workers, scheduler):
            os.killpg(process.pid, signal.SIGKILL)  # with the processes that it has started
            process.wait()


def dask(*arguments: str, log: Path, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start ``dask ...`` in the background."""
    paths = os.pathsep.join(filter(None, [(environment or {}).get("PYTHONPATH"), str(ROOT)]))
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            env={**os.environ, **(environment or {}), "PYTHONPATH": paths},
            cwd=log.parent,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
