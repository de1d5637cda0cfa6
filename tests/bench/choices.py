"""What each choice for speed is worth: the same films scanned with it and without, in turn.

    python -m tests.bench.choices FOLDER [--films 400] [--rounds 3]

FOLDER holds JPEG films at their original size. Every variant is a whole scan (walk, worker processes, journal) without
the report; counted is the time from every worker's first chunk to the last, so that starting is left out. Few
--films make too few of the largest chunks to count.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import click

from cxrscan.scanner import preprocess, worker
from cxrscan.scanner.engines import litert
from cxrscan.scanner.executors.base import Chunk
from cxrscan.scanner.executors.processes import ProcessExecutor
from cxrscan.scanner.records import FloatImage, Radiograph, ScanResult, Skip
from cxrscan.scanner.run import RunRequest, run
from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.system.cores import available_cores
from cxrscan.scanner.thumbnail import make_thumbnail
from tests.bench.client_rate import no_outputs
from tests.bench.films import find_jpegs, link_films
from tests.bench.machine import describe_machine, tell_machine

_ADD = Journal.add


@dataclass(frozen=True, slots=True)
class Variant:
    """One choice undone, or taken another way."""

    in_worker: Callable[[], None] = lambda: None
    """Changes the worker before its first film."""
    settings: ScanSettings = field(default_factory=ScanSettings)
    n_workers: int = field(default_factory=available_cores)
    journal_add: Callable[[Journal, Iterable[ScanResult]], None] = _ADD


def _films_per_pass(n: int) -> Callable[[], None]:
    return lambda: setattr(litert, "_FILMS_PER_PASS", n)


def _threads_as_they_come() -> None:
    worker._work_alone = lambda: None


def _area_by_opencv() -> None:
    preprocess._MUCH_SMALLER = math.inf


def _full_decoding() -> None:
    worker._REDUCED_SIDES = 1000


def _decoding_again() -> None:
    decode = worker._decode

    def twice(*arguments: Any) -> list[Radiograph]:
        decode(*arguments)
        return decode(*arguments)

    worker._decode = twice


def _thumbnail_in_one_step() -> None:
    def in_one_step(pixels: FloatImage, long_side_px: int) -> bytes:
        scale = min(1.0, long_side_px / max(pixels.shape))
        height, width = (round(scale * side) for side in pixels.shape)
        return make_thumbnail(preprocess.resize(pixels, width, height), long_side_px)

    worker.make_thumbnail = in_one_step


def _add_one_by_one(journal: Journal, results: Iterable[ScanResult]) -> None:
    for result in results:
        _ADD(journal, [result])


VARIANTS = {
    "as it is": Variant(),
    **{f"{n} films per forward pass": Variant(_films_per_pass(n)) for n in (1, 4, 16)},
    "one worker, one thread per core": Variant(settings=ScanSettings(n_threads=available_cores()), n_workers=1),
    "two threads per worker": Variant(settings=ScanSettings(n_threads=2)),
    "OpenCV and BLAS with threads of their own": Variant(_threads_as_they_come),
    "area resize by OpenCV": Variant(_area_by_opencv),
    "JPEG decoded in full": Variant(_full_decoding),
    "JPEG decoded again for the thumbnail": Variant(_decoding_again),
    "thumbnail in one step": Variant(_thumbnail_in_one_step),
    **{f"chunks of {n} films": Variant(settings=ScanSettings(batch_size=n)) for n in (1, 4, 64)},
    "one journal transaction per film": Variant(journal_add=_add_one_by_one),
}


def scan_variant(name: str, chunk: Chunk, settings: ScanSettings) -> list[ScanResult | Skip]:
    """What the workers do."""
    _change_worker(name)
    return worker.scan_chunk(chunk, settings)


@cache
def _change_worker(name: str) -> None:
    VARIANTS[name].in_worker()


def films_per_s(name: str, folder: Path) -> float:
    """Scan a folder with a variant."""
    variant, times = VARIANTS[name], []
    with tempfile.TemporaryDirectory() as out, mock.patch.object(Journal, "add", variant.journal_add):
        executor = ProcessExecutor(variant.n_workers, scan=partial(scan_variant, name))
        request = RunRequest((folder,), Path(out), variant.settings, variant.n_workers, executor)
        run(request, no_outputs, on_file=lambda outcome: times.append(time.perf_counter()))
    n_first = variant.n_workers * variant.settings.batch_size
    return (len(times) - n_first) / (times[-1] - times[n_first - 1])


@click.command()
@click.argument("films", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--films", "n_films", default=400, show_default=True)
@click.option("--rounds", default=3, show_default=True)
def main(films: Path, n_films: int, rounds: int) -> None:
    """Scan the JPEG films below FOLDER with every variant in turn."""
    tell_machine(describe_machine())
    rates: dict[str, list[float]] = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory(prefix="cxrscan-bench-") as scratch:
        folder = link_films(find_jpegs(films), n_films, Path(scratch, "films"))
        for i in range(rounds):
            for name in list(VARIANTS)[:: 1 if i % 2 == 0 else -1]:
                click.echo(f"round {i + 1}: {name}", err=True)
                rates[name].append(films_per_s(name, folder))
    usual = median(rates["as it is"])
    click.echo(f"{'':44}films/s   share")
    for name, values in rates.items():
        click.echo(f"{name:44}{median(values):7.1f}{median(values) / usual:8.2f}")


if __name__ == "__main__":
    main()
