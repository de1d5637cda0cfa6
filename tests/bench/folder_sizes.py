"""Where the time of small and large folders goes: runs of 1, 16, 100 and 1,000 films beside the steady rate.

    python -m tests.bench.folder_sizes FOLDER

The steady rate is that of the further films of a folder twice as large as the largest. What a run takes beyond it is
its start and end. Sizes take turns, and medians are printed.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from tests.bench.films import find_jpegs, link_films
from tests.bench.machine import describe_machine, measure, tell_machine

_CXRSCAN = "from cxrscan.scanner.cli.main import main; main()"


@dataclass(frozen=True, slots=True)
class _Run:
    """Seconds of one run."""

    whole: float
    scan: float
    """From the run's own start to its outputs, as ``run.json`` says."""
    render: float


def _run(films: Path, out: Path) -> _Run:
    cost, _ = measure([sys.executable, "-c", _CXRSCAN, "run", str(films), "-q", "-o", str(out)])
    told = json.loads((out / "run.json").read_text())
    shutil.rmtree(out)
    return _Run(cost.wall_s, told["duration_s"], told["profile_s"]["render"])


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--sizes", default="1,16,100,1000", show_default=True, help="Numbers of films.")
@click.option("--rounds", default=5, show_default=True)
def main(folder: Path, sizes: str, rounds: int) -> None:
    """Scan folders of several sizes."""
    tell_machine(describe_machine())
    wanted = [int(size) for size in sizes.split(",")]
    wanted.append(2 * max(wanted))
    runs: dict[int, list[_Run]] = {n: [] for n in wanted}
    with tempfile.TemporaryDirectory(prefix="cxrscan-bench-") as scratch:
        places = {n: link_films(find_jpegs(folder), n, Path(scratch, str(n))) for n in wanted}
        for _ in range(rounds):
            for n, films in places.items():
                runs[n].append(_run(films, Path(scratch, "out")))
    whole, scan, render = (
        {n: statistics.median(getattr(run, what) for run in runs[n]) for n in wanted}
        for what in ("whole", "scan", "render")
    )
    *shown, largest = wanted
    steady = (largest - shown[-1]) / (whole[largest] - whole[shown[-1]])
    click.echo(f"Steady rate: {steady:.1f} films/s\n")
    click.echo("| films | films/s | of the steady rate | whole, s | start of the program, s | films, s | report, s |")
    click.echo("|---|---|---|---|---|---|---|")
    for n in shown:
        start = whole[n] - scan[n]
        click.echo(
            f"| {n:,} | {n / whole[n]:.1f} | {n / whole[n] / steady:.2f} | {whole[n]:.2f} | {start:.2f} "
            f"| {scan[n] - render[n]:.2f} | {render[n]:.2f} |"
        )


if __name__ == "__main__":
    main()
