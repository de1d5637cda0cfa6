"""How many films an hour can one client take? A stub scans, so that only the client's own work is left.

    python -m tests.bench.client_rate [--films 1000000] [--thumbnail-bytes 10000] [--dask 2] [--render]

A list of films goes through the run as it is: list -> chunks -> executor -> journal. Says records/s of wall time, and
per second of this process's CPU, which other load on the machine does not change. With --dask, the stub runs on that
many local Dask workers, so that the way through the scheduler is in it. --render writes the outputs too.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.executors.base import Chunk
from cxrscan.scanner.records import Counts, HeatMap, Outputs, ScanResult, Skip
from cxrscan.scanner.run import RunRequest, run
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources.lists import FileList

_PICTURE = os.urandom(1 << 20)


def stub_scan(chunk: Chunk, settings: ScanSettings) -> list[ScanResult | Skip]:
    """Results as large as real ones."""
    return [
        ScanResult(
            film.name,
            "png",
            film.size_bytes,
            film.mtime_ns,
            sha256="0" * 64,
            width_px=2000,
            height_px=2000,
            pixel_path="png>8bit",
            prob_pneumonia=0.25,
            heat_map=HeatMap(_PICTURE[:98], 7),
            thumbnail=_PICTURE[: settings.thumbnail_px],
            embedding=bytes(2560),
            gate="ok",
            duration_ms=40.0,
        )
        for film in chunk
    ]


class StubExecutor:
    """Scans at once, in this process."""

    def run(self, chunks: Iterable[Chunk], settings: ScanSettings) -> Iterator[list[ScanResult | Skip]]:
        """See ``Executor.run``."""
        for chunk in chunks:
            yield stub_scan(chunk, settings)


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=1_000_000)
    parser.add_argument("--thumbnail-bytes", type=int, default=10_000)
    parser.add_argument("--render", action="store_true")
    parser.add_argument("--dask", type=int, default=0, metavar="WORKERS")
    options = parser.parse_args()
    executor: object = StubExecutor()
    if options.dask:
        from cxrscan.scanner.executors.dask import DaskExecutor, LocalWorkers

        executor = DaskExecutor(LocalWorkers(options.dask), scan=stub_scan)
    with tempfile.TemporaryDirectory() as folder:
        films = Path(folder) / "films.txt"
        with films.open("w") as out:
            out.writelines(f"stub://archive/{number // 1000:05}/{number:08}.png\n" for number in range(options.films))
        first = last = cpu_first = cpu_last = 0.0
        n_seen = 0

        def on_file(outcome: object) -> None:
            nonlocal first, last, cpu_first, cpu_last, n_seen
            n_seen += 1
            if n_seen == 1:
                first, cpu_first = time.perf_counter(), time.process_time()
            elif n_seen == options.films:
                last, cpu_last = time.perf_counter(), time.process_time()

        request = RunRequest(
            (FileList(str(films)),),
            Path(folder) / "out",
            ScanSettings(thumbnail_px=options.thumbnail_bytes),  # the stub's pictures have that many bytes
            n_workers=1,
            executor=executor,  # type: ignore[arg-type]
        )
        run(request, write_outputs if options.render else no_outputs, on_file=on_file)
        rendered = time.perf_counter()
        assert n_seen == options.films
        measured = {
            "records": n_seen,
            "records_per_s": round(n_seen / (last - first)),
            "records_per_cpu_s": round(n_seen / (cpu_last - cpu_first)),
            "rendering_s": round(rendered - last, 1) if options.render else None,
            "journal_MB": round((Path(folder) / "out/journal.sqlite").stat().st_size / 1e6),
            "peak_memory_MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
            "dask_workers": options.dask,
        }
        sys.stdout.write(json.dumps(measured) + "\n")


def no_outputs(folder: Path, run: object) -> Outputs:
    """Render nothing."""
    return Outputs(folder, folder, folder, Counts(0, 0, 0, 0, 0, 0))


if __name__ == "__main__":
    main()
