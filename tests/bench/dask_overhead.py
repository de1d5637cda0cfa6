"""What Dask costs: local workers against the local executor on the same cores, side by side.

    python -m tests.bench.dask_overhead FILMS [--rounds 3] [--workers 2] [--films 400]

The two take turns, so that other load on the machine meets both. Starting the workers is left out: the clock runs from
the first chunks' results to the last's. Prints, for each round, films/s of wall time and CPU milliseconds for a film,
of all processes together, and the medians of the rounds' ratios. On a busy machine only the CPU figures mean something.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import psutil

from cxrscan.scanner.executors.base import Chunk, Executor
from cxrscan.scanner.executors.dask import DaskExecutor, LocalWorkers
from cxrscan.scanner.executors.processes import ProcessExecutor
from cxrscan.scanner.records import ImageSource
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources.walk import find_images

_WARM_UP = 4


def chunks(films: list[ImageSource], size: int) -> Iterator[Chunk]:
    """Films in chunks as a run makes them."""
    rest = iter(films)
    while chunk := list(islice(rest, size)):
        yield chunk


def measure(executor: Executor, films: list[ImageSource]) -> tuple[float, float]:
    """Films per second and CPU seconds per film, once every worker has opened its model."""
    settings = ScanSettings()
    todo = list(chunks(films, settings.batch_size))
    results = executor.run(todo, settings)
    for _ in range(_WARM_UP):
        next(results)
    start, cpu_start = time.perf_counter(), cpu_seconds()
    n_films = sum(len(next(results)) for _ in todo[_WARM_UP:])
    duration, cpu = time.perf_counter() - start, cpu_seconds() - cpu_start
    results.close()  # type: ignore[attr-defined]
    return n_films / duration, cpu / n_films


def cpu_seconds() -> float:
    """CPU time of this process and all that it has started."""
    here = psutil.Process()
    times = [process.cpu_times() for process in (here, *here.children(recursive=True))]
    return float(sum(spent.user + spent.system for spent in times))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--films", type=int, default=400)
    options = parser.parse_args()
    films = list(islice(find_images([options.folder]), options.films))
    rates, costs = [], []
    for number in range(options.rounds):
        pair = [("local", ProcessExecutor(options.workers)), ("dask", DaskExecutor(LocalWorkers(options.workers)))]
        found = {name: measure(executor, films) for name, executor in pair[:: -1 if number % 2 else 1]}
        for name, (rate, cpu) in found.items():
            sys.stdout.write(f"{name:5} {rate:6.1f} films/s {cpu * 1e3:6.1f} ms CPU per film\n")
        sys.stdout.flush()
        rates.append(found["dask"][0] / found["local"][0])
        costs.append(found["local"][1] / found["dask"][1])
    sys.stdout.write(f"ratio of rates {statistics.median(rates):.2f}, by CPU {statistics.median(costs):.2f}\n")


if __name__ == "__main__":
    main()
