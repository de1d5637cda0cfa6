"""What Dask costs: local workers against the local executor on the same cores, side by side.

    python -m tests.bench.dask_overhead FILMS [--rounds 3] [--workers 2] [--films 400]

The two take turns, so that other load on the machine meets both. Starting the workers is left out: the clock runs from
the first recorded film to the last. Prints each round's films/s and the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from scanner.executors.base import Chunk, Executor
from scanner.executors.dask import DaskExecutor, LocalWorkers
from scanner.executors.processes import ProcessExecutor
from scanner.records import ImageSource
from scanner.settings import ScanSettings
from scanner.walk import find_images

_WARM_UP = 4


def chunks(films: list[ImageSource], size: int) -> Iterator[Chunk]:
    """Films in chunks as a run makes them."""
    rest = iter(films)
    while chunk := list(islice(rest, size)):
        yield chunk


def rate(executor: Executor, films: list[ImageSource]) -> float:
    """Films per second, once every worker has opened its model."""
    settings = ScanSettings()
    results = executor.run(chunks(films, settings.batch_size), settings)
    for _ in range(_WARM_UP):
        next(results)
    start = time.perf_counter()
    n_films = sum(map(len, results))
    return n_films / (time.perf_counter() - start)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--films", type=int, default=400)
    options = parser.parse_args()
    films = list(islice(find_images([options.folder]), options.films))
    ratios = []
    for number in range(options.rounds):
        pair = [("local", ProcessExecutor(options.workers)), ("dask", DaskExecutor(LocalWorkers(options.workers)))]
        rates = {name: rate(executor, films) for name, executor in pair[:: -1 if number % 2 else 1]}
        ratios.append(rates["dask"] / rates["local"])
        sys.stdout.write(f"local {rates['local']:.1f}  dask {rates['dask']:.1f} films/s  ratio {ratios[-1]:.2f}\n")
        sys.stdout.flush()
    sys.stdout.write(f"median ratio {statistics.median(ratios):.2f}\n")


if __name__ == "__main__":
    main()
