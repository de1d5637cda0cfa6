"""Memory and rate as the number of files grows: 1,000, 10,000 and 100,000 small films.

    make bench-scale               or        python -m tests.bench.scale

The films are drawn and multiplied by hard links, and scored by a real bundle whose network is tiny, so that the
walk, the pipes, the journal and the outputs weigh more than they ever do, and 100,000 files take minutes.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import click

from tests.bench.films import write_tiny_films
from tests.bench.machine import describe_machine, measure, tell_machine

_CXRSCAN = "from cxrscan.scanner.cli.main import main; main()"


@click.command()
@click.option("--sizes", default="1000,10000,100000", show_default=True, help="Numbers of files.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures here.")
def main(sizes: str, json_path: Path | None) -> None:
    """Scan growing folders of small films."""
    machine = describe_machine()
    tell_machine(machine)
    rows = []
    with tempfile.TemporaryDirectory(prefix="cxrscan-bench-") as scratch:
        bundle = Path(scratch, "bundle")
        measure([sys.executable, "-m", "tests.bench.scale_bundle", str(bundle)])
        click.echo(f"{'files':>9}{'films/s':>10}{'CPU ms/film':>13}{'parent MB':>11}{'worker MB':>11}")
        for n in map(int, sizes.split(",")):
            films, out = write_tiny_films(n, Path(scratch, "films")), Path(scratch, "out")
            cost, _ = measure(
                [sys.executable, "-c", _CXRSCAN, "run", str(films), "-q", "--model", str(bundle), "-o", str(out)]
            )
            row = {
                "files": n,
                "films_per_s": n / cost.wall_s,
                "cpu_ms": 1e3 * cost.cpu_s / n,
                "parent_mb": cost.parent_mb,
                "worker_mb": cost.worker_mb,
                "stages_s": json.loads((out / "run.json").read_text())["profile_s"],
            }
            rows.append(row)
            click.echo(
                f"{n:9}{row['films_per_s']:10.1f}{row['cpu_ms']:13.2f}{row['parent_mb']:11.0f}{row['worker_mb']:11.0f}"
            )
            click.echo("           " + ", ".join(f"{stage} {s:.1f} s" for stage, s in row["stages_s"].items()))
            shutil.rmtree(films)
            shutil.rmtree(out)
    if json_path is not None:
        json_path.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
