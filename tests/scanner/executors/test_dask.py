"""A Dask cluster gives the rows of a local run, and outlives what happens to clusters."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import pytest
from distributed import Client, Worker

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.executors.base import Chunk
from cxrscan.scanner.executors.dask import DaskExecutor, JobQueue, LocalWorkers, Scheduler
from cxrscan.scanner.records import ImageSource, ScanResult, Skip
from cxrscan.scanner.run import RunRequest, run
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources.walk import find_images
from tests.builders import write_film
from tests.dask_cluster import Cluster, started
from tests.faults.harness import COMMAND, finish, give_many_names, wait_for

N_FILMS = 24


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for seed in range(N_FILMS):
        write_film(folder / f"{seed:02}.png", seed, height=210, width=210)
    (folder / "broken.jpg").touch()
    return folder


@pytest.fixture(scope="module")
def many_films(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same films under 250 names."""
    return give_many_names(films, tmp_path_factory.mktemp("many"), 250)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with started(tmp_path_factory.mktemp("cluster"), 2) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def local_rows(films: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    return rows(run_on(None, films, tmp_path_factory.mktemp("local")))


def run_on(executor: DaskExecutor | None, films: Path, out: Path) -> Path:
    request = RunRequest((films,), out, ScanSettings(batch_size=4), n_workers=2, executor=executor)
    return run(request, write_outputs).outputs.csv


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8-sig", newline="") as file:
        return [{**row, "duration_ms": ""} for row in csv.DictReader(file)]


def sources(folder: Path) -> list[ImageSource]:
    return list(find_images([folder]))


def chunks(films: list[ImageSource], size: int) -> Iterator[Chunk]:
    yield from (films[start : start + size] for start in range(0, len(films), size))


def command(films: Path, out: Path, *options: str) -> list[str]:
    return [*COMMAND, str(films), "-o", str(out), "--batch-size", "4", *options]


def start(films: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(command(films, out, *options), stderr=subprocess.PIPE, text=True)


def test_local_worker_processes_give_the_rows_of_a_local_run(
    films: Path, local_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    assert rows(run_on(DaskExecutor(LocalWorkers(2)), films, tmp_path)) == local_rows


def test_a_cluster_started_by_hand_gives_the_rows_of_a_local_run(
    cluster: Cluster, films: Path, local_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    process = start(films, tmp_path / "out", "--executor", "dask", "--scheduler", cluster.address)
    code, said = finish(process)
    assert code == 3, said  # one film is broken
    assert rows(tmp_path / "out/results.csv") == local_rows


def listening(pids: Sequence[int]) -> list[tuple[str, int]]:
    """Address, in hexadecimal, and port of every TCP socket that processes listen on."""
    sockets = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            cells = line.split()
            if cells[3] == "0A":
                sockets[f"socket:[{cells[9]}]"] = cells[1]
    found = set()
    for pid in pids:
        for number in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(sockets.get(str(number.readlink()), ""))
    return [(place.split(":")[0], int(place.split(":")[1], 16)) for place in found - {""}]


GET_IN = """
import sys
from distributed import Client, Worker
for security in (None, Security.temporary()):
    try:
        client = Client(f"{'tls' if security else 'tcp'}://127.0.0.1:{sys.argv[1]}", security=security, timeout=2)
    except (OSError, ValueError):
        continue
    print("in:", client.run_on_scheduler(lambda: 42))
"""


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="no Linux")
def test_ports_on_this_machine_answer_nobody_without_the_runs_key() -> None:
    with LocalWorkers(1).connect() as client:
        client.wait_for_workers(1)
        ports = listening([os.getpid(), *client.run(os.getpid).values()])
        assert len(ports) >= 2  # scheduler and worker
        assert {address for address, _ in ports} == {"0100007F"}
        for _, port in ports:
            tried = subprocess.run(
                [sys.executable, "-c", GET_IN, str(port)], capture_output=True, text=True, check=False
            )
            assert "in:" not in tried.stdout
            for path in ("/", "/info/main/workers.html", "/json/identity.json", "/metrics", "/health"):
                with pytest.raises((OSError, HTTPException)):
                    urlopen(f"http://127.0.0.1:{port}{path}", timeout=5)
        (folder,) = client.run(where).values()
        assert Path(folder).parents[1].stat().st_mode & 0o077 == 0
    assert not Path(folder).exists()


def where(dask_worker: Worker) -> str:
    return str(dask_worker.local_directory)


def tell_of_model(chunk: Chunk, settings: ScanSettings) -> list[ScanResult | Skip]:
    time.sleep(0.05)
    digest = str(sorted(path.name for path in settings.model.iterdir()))
    return [ScanResult(film.name, None, 0, 0, pixel_path=f"{settings.model} {digest} {os.getpid()}") for film in chunk]


def test_the_bundle_travels_once_per_worker_and_is_removed_in_the_end(cluster: Cluster, films: Path) -> None:
    executor = DaskExecutor(Scheduler(cluster.address), scan=tell_of_model)
    found = [outcome for done in executor.run(chunks(sources(films), 1), ScanSettings()) for outcome in done]
    places = {outcome.pixel_path for outcome in found if isinstance(outcome, ScanResult)}
    assert len(places) == 2  # one folder in each of two processes
    assert all("['model.json', 'model.tflite']" in place for place in places)
    assert not any(Path(place.split()[0]).exists() for place in places)


def test_chunks_are_submitted_only_as_workers_get_free(cluster: Cluster, films: Path) -> None:
    taken = 0

    def stream() -> Iterator[Chunk]:
        nonlocal taken
        for chunk in chunks(sources(films) * 10, 1):
            taken += 1
            yield chunk

    results = DaskExecutor(Scheduler(cluster.address), scan=tell_of_model).run(stream(), ScanSettings())
    for n_done in range(1, 20):
        next(results)
        assert taken <= n_done + 4
    results.close()  # type: ignore[attr-defined]


def poison(chunk: Chunk, settings: ScanSettings) -> list[ScanResult | Skip]:
    for film in chunk:
        if film.name == "03.png":
            os.kill(os.getpid(), signal.SIGSEGV)
        if film.name == "17.png":
            time.sleep(1000)
    return [ScanResult(film.name, film.kind, film.size_bytes, film.mtime_ns) for film in chunk]


def test_a_crash_and_a_hang_cost_one_film_each(films: Path, tmp_path: Path) -> None:
    with started(tmp_path, 2, {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}) as cluster:
        executor = DaskExecutor(Scheduler(cluster.address), timeout_s=2.0, scan=poison)
        found = [outcome for done in executor.run(chunks(sources(films), 4), ScanSettings()) for outcome in done]
    failed = {film.name: film.failure.code for film in found if isinstance(film, ScanResult) and film.failure}
    assert failed == {"03.png": "worker-died", "17.png": "timed-out"}
    assert sorted(film.name for film in found) == sorted(film.name for film in sources(films))


def test_a_worker_killed_in_the_middle_costs_nothing(
    films: Path, local_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    with started(tmp_path, 2) as cluster:
        victim = cluster.worker_pids()[0]
        request = RunRequest(
            (films,),
            tmp_path / "out",
            ScanSettings(batch_size=2),
            n_workers=2,
            executor=DaskExecutor(Scheduler(cluster.address)),
        )
        n_seen = 0

        def kill_after_some(outcome: object) -> None:
            nonlocal n_seen
            n_seen += 1
            if n_seen == 5:
                os.kill(victim, signal.SIGKILL)

        tally = run(request, write_outputs, on_file=kill_after_some)
        assert victim not in cluster.worker_pids()
    assert rows(tally.outputs.csv) == local_rows


def test_a_lost_scheduler_leaves_a_run_that_can_be_continued(
    films: Path, local_rows: list[dict[str, str]], many_films: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with started(tmp_path, 1) as cluster:
        process = start(many_films, out, "--executor", "dask", "--scheduler", cluster.address)
        wait_for(out / "journal.sqlite-wal", size_bytes=500_000)  # some films are recorded
        cluster.scheduler.kill()
        code, said = finish(process)
    assert code == 1
    assert "[cluster-lost]" in said
    assert "Traceback" not in said
    code, said = finish(start(many_films, out))
    assert code == 0, said
    found = rows(out / "results.csv")
    assert len(found) == 250
    assert {row["prob_pneumonia"] for row in found} == {row["prob_pneumonia"] for row in local_rows} - {""}


def test_ctrl_c_leaves_a_partial_report_and_nothing_on_the_cluster(
    cluster: Cluster, many_films: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = start(many_films, out, "--executor", "dask", "--scheduler", cluster.address)
    wait_for(out / "journal.sqlite-wal", size_bytes=500_000)
    process.send_signal(signal.SIGINT)
    code, said = finish(process)
    assert code == 130, said
    assert "Traceback" not in said
    assert 0 < len(rows(out / "results.partial.csv")) < 250
    with Client(cluster.address) as client:
        deadline = time.monotonic() + 10
        while client.run_on_scheduler(n_tasks):
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no terminals that hang up")
def test_a_closed_terminal_leaves_a_partial_report_though_it_ends_the_workers_too(
    many_films: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(
        command(many_films, out, "--executor", "dask", "--workers", "1"),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(out / "journal.sqlite-wal", size_bytes=700_000)
    os.killpg(process.pid, signal.SIGHUP)
    code, said = finish(process)
    assert code == 143, said
    assert "Traceback" not in said
    assert len(rows(out / "results.partial.csv")) > 0


def n_tasks(dask_scheduler: object) -> int:
    return len(dask_scheduler.tasks)  # type: ignore[attr-defined]


def refusal(cluster: Cluster, films: Path) -> CxrscanError:
    with pytest.raises(CxrscanError) as caught:
        list(DaskExecutor(Scheduler(cluster.address)).run(chunks(sources(films), 4), ScanSettings()))
    return caught.value


def test_workers_that_would_answer_otherwise_are_refused(films: Path, tmp_path: Path) -> None:
    other = tmp_path / "other/cxrscan-0.0.9.dist-info/METADATA"
    other.parent.mkdir(parents=True)
    other.write_text("Metadata-Version: 2.1\nName: cxrscan\nVersion: 0.0.9\n")
    with started(tmp_path, 0) as cluster:
        cluster.add_workers(1, "--nthreads", "2")
        error = refusal(cluster, films)
        assert error.code == "workers-unfit"
        assert "2 threads" in error.message
        cluster.add_workers(1, "--nthreads", "1", environment={"PYTHONPATH": str(tmp_path / "other")})
        error = refusal(cluster, films)
        assert error.code == "workers-unfit"
        assert "runs cxrscan 0.0.9" in error.message


WITHOUT_CXRSCAN = """
import sys
from importlib import metadata

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "cxrscan":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

def distribution(name, real=metadata.distribution):
    if name == "cxrscan":
        raise metadata.PackageNotFoundError(name)
    return real(name)

sys.meta_path.insert(0, Missing())
metadata.distribution = distribution
"""


def test_a_worker_without_cxrscan_is_refused(films: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_CXRSCAN)
    with started(tmp_path, 0) as cluster:
        cluster.add_workers(1, "--nthreads", "1", environment={"PYTHONPATH": str(tmp_path)})
        error = refusal(cluster, films)
    assert error.code == "workers-unfit"
    assert "has no cxrscan" in error.message


def slowly(chunk: Chunk, settings: ScanSettings) -> list[ScanResult | Skip]:
    time.sleep(0.5)
    return [ScanResult(film.name, film.kind, film.size_bytes, film.mtime_ns) for film in chunk]


def test_an_unfit_worker_that_joins_later_ends_the_run_with_a_sentence(films: Path, tmp_path: Path) -> None:
    with started(tmp_path, 1) as cluster:
        executor = DaskExecutor(Scheduler(cluster.address), scan=slowly)
        results = executor.run(chunks(sources(films) * 10, 1), ScanSettings())
        next(results)
        cluster.add_workers(1, "--nthreads", "2")
        with pytest.raises(CxrscanError) as caught:
            list(results)
    assert caught.value.code == "workers-unfit"


def test_a_missing_scheduler_is_told(films: Path) -> None:
    with pytest.raises(CxrscanError) as caught:
        list(DaskExecutor(Scheduler("tcp://127.0.0.1:9", 1.0)).run(chunks(sources(films), 4), ScanSettings()))
    assert caught.value.code == "cluster-lost"


def test_a_model_that_cannot_be_used_ends_the_run(films: Path, tmp_path: Path) -> None:
    with pytest.raises(CxrscanError) as caught:
        list(DaskExecutor(LocalWorkers(1)).run(chunks(sources(films), 4), ScanSettings(model=tmp_path)))
    assert caught.value.code == "bundle-missing"


SBATCH = """#!/bin/sh
# Stands in for SLURM's: keeps a copy of the job script, which the caller deletes, and runs it in the background.
job=$(mktemp "$(dirname "$0")/job.XXXXXX")
cp "$1" "$job"
setsid sh "$job" >"$job.log" 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
kill -- "-$1"
"""


def test_jobs_of_a_queueing_system_give_the_rows_of_a_local_run(
    films: Path, local_rows: list[dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, script in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    description = tmp_path / "slurm.yaml"
    description.write_text(
        "cluster: slurm\njobs: 2\noptions:\n"
        f"  {{cores: 1, processes: 1, memory: 2GB, walltime: '00:10:00', queue: short, python: {sys.executable}}}\n"
    )
    assert rows(run_on(DaskExecutor(JobQueue(description)), films, tmp_path / "out")) == local_rows


@pytest.mark.parametrize("text", ["", "cluster: slurm", "cluster: abacus\njobs: 2", "a: ["])
def test_a_cluster_file_that_says_too_little_is_refused(text: str, films: Path, tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(text)
    with pytest.raises(CxrscanError) as caught:
        list(DaskExecutor(JobQueue(tmp_path / "cluster.yaml")).run(chunks(sources(films), 4), ScanSettings()))
    assert caught.value.code == "cluster-invalid"
