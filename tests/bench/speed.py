"""Films per second: cxrscan, two Keras scripts and the limits of the processor, in one run; then DICOM beside JPEG.

    make bench FILMS=FOLDER        or        python -m tests.bench.speed FOLDER

FOLDER holds JPEG films at their original size; they are repeated through links. All contenders run in every round, in
an order that alternates, and the table shows the medians. CPU time per film says what a contender costs even on
a machine that is busy with other things; wall time is what a user waits for.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import click

from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE
from tests.bench.films import find_jpegs, link_films
from tests.bench.machine import describe_machine, measure, tell_machine
from tests.bench.syntaxes import print_table, syntax_table

Figures = dict[str, float]
_CXRSCAN = "from cxrscan.scanner.cli.main import main; main()"
STEADY = "cxrscan, steady state"


@click.command()
@click.argument("films", type=click.Path(exists=True, file_okay=False, path_type=Path), envvar="FILMS")
@click.option("--bundle", type=click.Path(path_type=Path), default=DEFAULT_BUNDLE)
@click.option("--rounds", default=3, show_default=True)
@click.option("--films", "n_films", default=800, show_default=True, help="Films of the whole-process runs.")
@click.option("--steady", "n_steady", default=1600, show_default=True, help="Further films of the steady state.")
@click.option("--dicom", "n_dicom", default=480, show_default=True, help="DICOM films of each syntax; 0 for none.")
@click.option("--script", "n_script", default=40, show_default=True, help="Films of the one-by-one Keras script.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures here.")
def main(
    films: Path,
    bundle: Path,
    rounds: int,
    n_films: int,
    n_steady: int,
    n_dicom: int,
    n_script: int,
    json_path: Path | None,
) -> None:
    """Measure all contenders on the JPEG films below FOLDER."""
    machine = describe_machine()
    tell_machine(machine)
    found = find_jpegs(films)
    if not found:
        raise click.UsageError(f"{films} holds no JPEG films.")
    with tempfile.TemporaryDirectory(prefix="cxrscan-bench-") as scratch:
        contenders = _contenders(Path(scratch), found, bundle, n_films, n_steady, n_script)
        rows = _run_rounds(contenders, rounds)
    _add_steady_state(rows, n_films, n_steady)
    table = {name: {key: median(values) for key, values in figures.items()} for name, figures in rows.items()}
    _print_contenders(table)
    ratios = _ratios(table)
    for name, value in ratios.items():
        click.echo(f"{name:66}{value:8.2f}")
    syntaxes = syntax_table(found, bundle, n_dicom, rounds) if n_dicom else []
    print_table(syntaxes)
    if json_path is not None:
        figures = {"machine": machine, "rounds": rounds, "median": table, "ratios": ratios, "all": rows}
        document = {**figures, "syntaxes": syntaxes}
        json_path.write_text(json.dumps(document, indent=2) + "\n")


def _contenders(
    scratch: Path, found: Sequence[Path], bundle: Path, n_films: int, n_steady: int, n_script: int
) -> dict[str, Callable[[], Figures]]:
    """Name -> what measures it once."""
    usual = link_films(found, n_films, scratch / "usual")
    large = link_films(found, n_films + n_steady, scratch / "large")
    few = link_films(found, n_script, scratch / "few")
    network = scratch / "model.keras"
    measure([sys.executable, "-m", "tests.bench.contenders.write_network", str(bundle), str(network)])

    def process(n: int, *command: str) -> Figures:
        out = scratch / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        cost, _ = measure([sys.executable, *command, str(out)])
        return {
            "films_per_s": n / cost.wall_s,
            "wall_s": cost.wall_s,
            "cpu_ms": 1e3 * cost.cpu_s / n,
            "parent_mb": cost.parent_mb,
            "worker_mb": cost.worker_mb,
        }

    def cxrscan(n: int, folder: Path) -> Callable[[], Figures]:
        command = ("-c", _CXRSCAN, "run", str(folder), "-q", "--model", str(bundle), "-o")
        return lambda: process(n, *command)

    def keras(name: str, n: int, folder: Path) -> Callable[[], Figures]:
        return lambda: process(n, "-m", f"tests.bench.contenders.{name}", str(network), str(folder))

    def limit(what: str) -> Callable[[], Figures]:
        command = [sys.executable, "-m", "tests.bench.contenders.limits", what, str(bundle), str(usual)]
        return lambda: dict(json.loads(measure(command)[1]))

    return {
        f"Keras one by one, {n_script} films": keras("keras_script", n_script, few),
        f"Keras in batches of 32, {n_films} films": keras("keras_batched", n_films, usual),
        f"cxrscan, {n_films} films": cxrscan(n_films, usual),
        f"cxrscan, {n_films + n_steady} films": cxrscan(n_films + n_steady, large),
        "limit: decode, resize, network": limit("loop"),
        "limit: network alone": limit("engine"),
        "limit: decode alone": limit("decode"),
        "limit: walk alone": limit("walk"),
        "cxrscan, one film": cxrscan(1, link_films(found, 1, scratch / "one")),
    }


def _run_rounds(contenders: dict[str, Callable[[], Figures]], rounds: int) -> dict[str, dict[str, list[float]]]:
    rows: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in contenders}
    for i in range(rounds):
        for name, run in list(contenders.items())[:: 1 if i % 2 == 0 else -1]:
            click.echo(f"round {i + 1}: {name}", err=True)
            for key, value in run().items():
                rows[name][key].append(value)
    return rows


def _add_steady_state(rows: dict[str, dict[str, list[float]]], n_films: int, n_steady: int) -> None:
    """Add the rate at which a run over more films takes longer: start and end cancel out."""
    usual, large = (rows[f"cxrscan, {n} films"] for n in (n_films, n_films + n_steady))
    steady: dict[str, list[float]] = defaultdict(list)
    for i in range(len(usual["wall_s"])):
        steady["films_per_s"].append(n_steady / max(1e-3, large["wall_s"][i] - usual["wall_s"][i]))
        more_cpu_ms = large["cpu_ms"][i] * (n_films + n_steady) - usual["cpu_ms"][i] * n_films
        steady["cpu_ms"].append(more_cpu_ms / n_steady)
    rows[STEADY] = steady


def _ratios(table: dict[str, Figures]) -> dict[str, float]:
    """The goals: each by wall time and by CPU time."""
    whole = next(table[name] for name in table if name.startswith("cxrscan, ") and name.endswith(" films"))
    script = next(table[name] for name in table if name.startswith("Keras one"))
    batched = next(table[name] for name in table if name.startswith("Keras in batches"))
    loop, steady = table["limit: decode, resize, network"], table[STEADY]
    pairs = {
        "steady state against the limit (goal 0.85)": (steady, loop),
        "whole process against the limit (goal 0.75)": (whole, loop),
        "whole process against Keras one by one (goal 80)": (whole, script),
        "whole process against Keras in batches (goal 3.5)": (whole, batched),
    }
    by_wall = {f"{name}, wall": ours["films_per_s"] / other["films_per_s"] for name, (ours, other) in pairs.items()}
    by_cpu = {f"{name}, CPU": other["cpu_ms"] / ours["cpu_ms"] for name, (ours, other) in pairs.items()}
    return {**by_wall, **by_cpu}


def _print_contenders(table: dict[str, Figures]) -> None:
    columns: dict[str, Any] = {
        "films_per_s": ("films/s", "10.1f"),
        "cpu_ms": ("CPU ms/film", "13.2f"),
        "wall_s": ("wall s", "10.2f"),
        "parent_mb": ("parent MB", "11.0f"),
        "worker_mb": ("worker MB", "11.0f"),
    }
    head = "".join(f"{title:>{form.split('.')[0]}}" for title, form in columns.values())
    click.echo(f"\n{'':40}{head}")
    for name, figures in table.items():
        cells = (
            f"{figures[key]:{form}}" if key in figures else " " * int(form.split(".")[0])
            for key, (_, form) in columns.items()
        )
        click.echo(f"{name:40}{''.join(cells)}")
    click.echo("")


if __name__ == "__main__":
    main()
