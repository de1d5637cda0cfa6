"""Scan on a Dask cluster: processes on this machine, workers at a scheduler, or jobs of a queueing system.

The engine is Dask's; what is ours is the rule that a poison film costs one film, that the bundle travels once per
worker, and that workers which would answer differently are refused.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
import uuid
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from threading import Thread, Timer
from typing import Any

import dask.config
import yaml
from distributed import (
    Client,
    Future,
    KilledWorker,
    LocalCluster,
    Security,
    Worker,
    WorkerPlugin,
    as_completed,
    get_worker,
)

from cxrscan.scanner.errors import CxrscanError, WorkerError
from cxrscan.scanner.executors.base import Chunk
from cxrscan.scanner.executors.processes import signals_held_back
from cxrscan.scanner.model_bundle import (
    SPEC_NAME,
    WEIGHTS_NAME,
    BundleFiles,
    load_bundle,
    read_description,
    verify_weights,
)
from cxrscan.scanner.records import Failure, ImageSource, ScanResult, Skip
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.system.addresses import shown_address
from cxrscan.scanner.system.bounded import read_bounded
from cxrscan.scanner.system.clock import LOOK_EVERY_S, WorkingClock
from cxrscan.scanner.system.surroundings import safe_path
from cxrscan.scanner.worker import scan_chunk
from cxrscan.version import __version__

Scan = Callable[[Chunk, ScanSettings], list[ScanResult | Skip]]
Outcomes = list[ScanResult | Skip]
#: Chunks under way for each worker thread: one that is scanned, one that waits beside it.
_AHEAD = 2
#: Workers come and go; their number is asked for this often.
_COUNT_EVERY_S = 2.0
#: A worker that holds a hanging film lives on for so long, to tell of it.
_FAREWELL_S = 2.0
#: Nobody looks at the profile of workers that end with the run; taking it costs them some per cent. Dask's own
#: environment holds a MALLOC_TRIM_THRESHOLD_ too: memory goes back to the system with each film's arrays, at a quarter
#: of the rate.
_LEAN = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1},
}
#: Dask's processes answer HTTP too, whoever asks; here they have nothing to say.
_SILENT_HTTP: dict[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
_MAX_CLUSTER_BYTES = 1 << 16
#: Queueing systems that dask-jobqueue knows, by the name in a cluster file.
_QUEUES = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "lsf": "LSFCluster",
    "sge": "SGECluster",
    "oar": "OARCluster",
    "htcondor": "HTCondorCluster",
}

# A lost scheduler is told in a sentence; distributed would log its tracebacks beside it.
for _name in ("distributed", "distributed.client"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class LocalWorkers:
    """Worker processes on this machine."""

    n_workers: int

    @contextmanager
    def connect(self) -> Iterator[Client]:
        """Start the workers, and stop them in the end."""
        with safe_path(), signals_held_back():
            pass  # multiprocessing's helper process is there now, and outlives a terminal that is closed
        with (
            dask.config.set({**_LEAN, **_SILENT_HTTP}),
            safe_path(),
            TemporaryDirectory(prefix="cxrscan-", ignore_cleanup_errors=True) as folder,
            LocalCluster(
                n_workers=self.n_workers,
                threads_per_worker=1,
                host="127.0.0.1",
                scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
                local_directory=folder,
                security=_throw_away_key(),
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Workers that somebody has started at a scheduler."""

    address: str
    """For example ``tcp://10.0.0.1:8786``."""
    patience_s: float = 10.0
    """How long to wait for the scheduler to answer, and again for its first worker."""

    @contextmanager
    def connect(self) -> Iterator[Client]:
        """Connect, and leave the cluster as it is in the end."""
        try:
            client = Client(self.address, timeout=self.patience_s)
        except (OSError, ValueError):
            raise WorkerError("cluster-lost", f"No Dask scheduler answers at {shown_address(self.address)}.") from None
        with client:
            try:
                client.wait_for_workers(1, timeout=self.patience_s)
            except TimeoutError as error:
                raise WorkerError(
                    "cluster-lost", f"The scheduler at {shown_address(self.address)} has no workers."
                ) from error
            yield client


@dataclass(frozen=True, slots=True)
class JobQueue:
    """Workers in jobs of a queueing system, described in a YAML file.

    The file names the system (``cluster: slurm``, pbs, lsf, sge, oar, htcondor), the number of jobs (``jobs: 10``) and,
    under ``options``, what the class of dask-jobqueue takes.
    """

    file: Path

    @contextmanager
    def connect(self) -> Iterator[Client]:
        """Submit the jobs and wait for the first; cancel them in the end."""
        cluster_class, n_jobs, options = self._read()
        # The key lies in the home folder: readable for this user alone, and on every machine of most clusters.
        with dask.config.set(_SILENT_HTTP), TemporaryDirectory(prefix=".cxrscan-", dir=Path.home()) as folder:
            try:
                cluster = cluster_class(**_guarded(options, Path(folder)))
            except (TypeError, ValueError) as error:
                raise WorkerError("cluster-invalid", f"{self.file}: {error}.") from error
            with cluster, Client(cluster) as client:
                cluster.scale(jobs=n_jobs)
                client.wait_for_workers(1)  # a queue may take hours; Ctrl-C ends it
                yield client

    def _read(self) -> tuple[type[Any], int, dict[str, Any]]:
        try:
            document = _read_yaml(self.file)
            name, n_jobs, options = document["cluster"], int(document["jobs"]), dict(document.get("options") or {})
        except OSError as error:
            raise WorkerError("cluster-invalid", f"{self.file} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError, RecursionError, yaml.YAMLError) as error:
            raise WorkerError("cluster-invalid", f"{self.file} is no cluster file ({type(error).__name__}).") from error
        if name not in _QUEUES:
            raise WorkerError("cluster-invalid", f"{self.file}: {name!r} is none of {', '.join(_QUEUES)}.")
        import dask_jobqueue

        return getattr(dask_jobqueue, _QUEUES[name]), n_jobs, options


def _read_yaml(file: Path) -> Any:
    """Content of a small YAML file; aliases are refused, because a few of them make a file swell without end."""
    text = read_bounded(file, _MAX_CLUSTER_BYTES).decode("utf-8")
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
        raise ValueError("aliases")
    return yaml.safe_load(text)


def _guarded(options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Options of a cluster of jobs with what the file leaves open: a key for its ports, nothing told by HTTP."""
    prologue = ["export PYTHONSAFEPATH=1", "export DASK_DISTRIBUTED__WORKER__HTTP__ROUTES='[]'"]
    return {
        "security": _in_files(_throw_away_key(), folder),
        "protocol": "tls://",
        "scheduler_options": {"dashboard": False, "dashboard_address": ":0"},
        **options,
        "job_script_prologue": [*prologue, *options.get("job_script_prologue", [])],
    }


class DaskExecutor:
    """Scans chunks on a Dask cluster.

    A lost worker costs nothing: Dask gives its chunks to others. The films of a chunk that killed several workers, or
    took too long, are tried again, one at a time at the end, so that the blame is certain; the film that does it
    again fails with ``worker-died`` or ``timed-out``.

    Parameters
    ----------
    cluster
        Where the workers come from.
    timeout_s
        Longest time for a chunk, and for a film tried alone, in seconds.
    scan
        What the workers do; a function at the top level of a module.
    """

    def __init__(
        self, cluster: LocalWorkers | Scheduler | JobQueue, *, timeout_s: float = 60.0, scan: Scan = scan_chunk
    ) -> None:
        self.cluster = cluster
        self.timeout_s = timeout_s
        self.scan = scan

    def run(self, chunks: Iterable[Chunk], settings: ScanSettings) -> Iterator[Outcomes]:
        """See ``Executor.run``.

        Raises
        ------
        CxrscanError
            What a worker raised (the model cannot be used), or WorkerError: ``workers-unfit``, ``cluster-lost`` or
            ``cluster-invalid``.
        """
        bundle = Bundle.read(settings)
        settings = replace(settings, model_files=None)  # it travels once to each worker, not with each chunk
        # Other machines number files and devices in their own way; path, size and time are the same everywhere.
        chunks = ([replace(film, inode=None, device=None) for film in chunk] for chunk in chunks)
        with self.cluster.connect() as client:
            _refuse_other_versions(client)
            try:
                client.register_plugin(bundle)
                suspects: list[ImageSource] = []
                for chunk, outcome in self._stream(client, chunks, settings, bundle.name):
                    if isinstance(outcome, Failure):
                        suspects += chunk
                    else:
                        yield outcome
                for suspect in suspects:
                    for _, outcome in self._stream(client, [[suspect]], settings, bundle.name):
                        yield [_failed(suspect, outcome)] if isinstance(outcome, Failure) else outcome
            finally:
                if client.status == "running":  # else the cluster is gone
                    with suppress(OSError):  # or is just going: a closed terminal tells its processes too
                        client.unregister_worker_plugin(bundle.name)

    def _stream(
        self, client: Client, chunks: Iterable[Chunk], settings: ScanSettings, bundle: str
    ) -> Iterator[tuple[Chunk, Outcomes | Failure]]:
        """Keep every worker busy and never submit far ahead."""
        todo = iter(chunks)
        under_way: dict[Future[Outcomes], Chunk] = {}
        done = as_completed(loop=client.loop)
        room, counted_at = 0, -_COUNT_EVERY_S
        while True:
            if time.monotonic() - counted_at >= _COUNT_EVERY_S:
                room, counted_at = _AHEAD * max(1, _n_threads(client)), time.monotonic()
            while len(under_way) < room and (chunk := next(todo, None)):
                future = client.submit(scan_there, self.scan, chunk, settings, bundle, self.timeout_s, pure=False)
                under_way[future] = chunk
                done.add(future)
            if not under_way:
                return
            batch = done.next_batch()
            for future, outcome in zip(batch, _outcomes(client, batch), strict=True):
                yield under_way.pop(future), outcome


def scan_there(scan: Scan, chunk: Chunk, settings: ScanSettings, bundle: str, timeout_s: float) -> Outcomes:
    """Scan a chunk on a Dask worker, with the bundle that has been brought there.

    Raises
    ------
    CxrscanError
        The worker is unfit, or the model cannot be used.
    _TimedOutError
        The chunk took too long. The worker process, whose thread cannot be stopped, ends soon after.
    """
    there: Bundle = get_worker().plugins[bundle]  # type: ignore[assignment]
    if there.refusal is not None:
        raise there.refusal
    settings = replace(settings, model=there.folder, n_threads=1)
    said: list[Outcomes | BaseException] = []

    def work() -> None:
        try:
            said.append(scan(chunk, settings))
        except BaseException as error:  # raised below, in the thread that Dask listens to
            said.append(error)

    thread = Thread(target=work, daemon=True)
    thread.start()
    clock = WorkingClock()
    while thread.is_alive() and clock.now_s() < timeout_s:
        thread.join(LOOK_EVERY_S)
    if not said:
        ending = Timer(_FAREWELL_S, os._exit, [1])
        ending.daemon = True
        ending.start()
        raise _TimedOutError
    if isinstance(said[0], BaseException):
        raise said[0]
    return said[0]


class Bundle(WorkerPlugin):
    """A model bundle on its way: Dask brings it once to every worker, also to one that joins later."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.name = f"cxrscan-{uuid.uuid4().hex}"
        self.version = __version__
        self.files = files
        self.folder = Path()
        """Where the bundle lies on the worker."""
        self.refusal: WorkerError | None = None
        """Why the worker must not scan."""

    @classmethod
    def read(cls, settings: ScanSettings) -> Bundle:
        """Read the bundle that a run began with.

        Raises
        ------
        BundleError
            It is none, or another.
        """
        files = settings.model_files
        if files is None:
            check = not settings.model_is_checked
            spec = load_bundle(settings.model, check=check, known_sha256=settings.model_sha256)
            files = BundleFiles(read_description(settings.model), verify_weights(spec))
        return cls({WEIGHTS_NAME: files.weights or b"", SPEC_NAME: files.description})

    def setup(self, worker: Worker) -> None:
        """Unpack the bundle on a worker.

        Raises
        ------
        WorkerError
            ``workers-unfit``. Dask passes it on from workers that are there; one that joins later raises it with its
            first chunk.
        """
        try:
            if self.version != __version__:
                raise _other_version(worker.address, __version__)
            if worker.state.nthreads > 1:
                message = (
                    f"Worker {worker.address} runs {worker.state.nthreads} threads; cxrscan needs one in each process."
                )
                raise WorkerError("workers-unfit", message)
            try:
                self.folder = Path(mkdtemp(prefix="cxrscan-", dir=worker.local_directory))
                for name, data in self.files.items():
                    (self.folder / name).write_bytes(data)
            except OSError as error:
                message = f"Worker {worker.address} cannot store the model bundle: {error.strerror}."
                raise WorkerError("workers-unfit", message) from error
        except WorkerError as error:
            self.refusal = error
            raise
        self.files = {}

    def teardown(self, worker: Worker) -> None:
        """Remove the bundle."""
        if self.folder != Path():
            shutil.rmtree(self.folder, ignore_errors=True)


class _TimedOutError(Exception):
    """A chunk took longer than the time allowed."""


def _throw_away_key() -> Security:
    """TLS with a key of this run alone: without it, whoever reaches the ports could run code as the user who scans.

    Raises
    ------
    CxrscanError
        ``extra-missing``.
    """
    try:
        key: Security = Security.temporary()
    except ImportError as error:
        raise CxrscanError("extra-missing", "Dask's ports need cryptography, from the extra `dask`.") from error
    return key


def _in_files(key: Security, folder: Path) -> Security:
    """Write a key down where jobs on other machines can read it."""
    paths = {}
    for role in ("client", "scheduler", "worker"):
        for part, text in key.get_tls_config_for_role(role).items():
            name = f"tls_{part}" if part == "ca_file" else f"tls_{role}_{part}"
            if text is not None and part in ("ca_file", "cert", "key"):
                paths[name] = folder / name
                paths[name].touch(mode=0o600)
                paths[name].write_text(text)
    return Security(require_encryption=True, **{name: str(path) for name, path in paths.items()})


def _refuse_other_versions(client: Client) -> None:
    """Compare versions before anything of ours is sent: a worker without cxrscan could not even unpack it."""
    versions: Any = client.get_versions(packages=["cxrscan"])
    for address, said in versions["workers"].items():
        found = said["packages"]["cxrscan"]
        if found != __version__:
            raise _other_version(address, found)


def _other_version(address: str, found: str | None) -> WorkerError:
    what = f"runs cxrscan {found}" if found else "has no cxrscan"
    return WorkerError("workers-unfit", f"Worker {address} {what}; this is cxrscan {__version__}.")


def _n_threads(client: Client) -> int:
    return int(client.scheduler_info(n_workers=0)["total_threads"])


def _outcomes(client: Client, batch: Sequence[Future[Outcomes]]) -> list[Outcomes | Failure]:
    """What became of chunks: results, or why there are none."""
    try:
        finished = [future for future in batch if future.status == "finished"]
        results = dict(zip(finished, client.gather(finished), strict=True))
        return [results[future] if future in results else _failure(future) for future in batch]
    except (OSError, CancelledError) as error:  # how Dask says that the connection is gone
        raise WorkerError("cluster-lost", "The connection to the Dask scheduler was lost.") from error


def _failure(future: Future[Outcomes]) -> Failure:
    """Why a chunk has no results, where that is its films' fault."""
    error = future.exception()
    if isinstance(error, KilledWorker):
        return Failure("read", "worker-died", "The processes that worked on this film died.")
    if isinstance(error, _TimedOutError):
        return Failure("read", "timed-out", "The film took longer than the time allowed.")
    if isinstance(error, CxrscanError):
        raise error
    raise WorkerError("workers-unfit", f"A worker cannot scan: {type(error).__name__}: {error}.") from error


def _failed(source: ImageSource, failure: Failure) -> ScanResult:
    return ScanResult.of(source, failure)
