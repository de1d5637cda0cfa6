"""DICOM in every transfer syntax beside JPEG: films per second, the processor's limit, and what it does to answers.

    python -m tests.bench.syntaxes FOLDER

FOLDER holds JPEG films at their original size. They are written as DICOM of 12 bits (JPEG Baseline: 8) in each syntax
and scanned in whole runs, JPEG and the syntaxes in turn. The limit of a syntax is one thread per core that decodes,
resizes and runs the network. The change of the probability is that against the same films read at full size.
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

import click

from cxrscan.scanner.calibration import probabilities
from cxrscan.scanner.engines import open_engine
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, load_bundle
from cxrscan.scanner.preprocess import to_model_input
from cxrscan.scanner.readers import ReadOptions, read_film
from tests.bench.films import SYNTAXES, find_jpegs, link_films, write_dicom_copies
from tests.bench.machine import describe_machine, measure, tell_machine

JPEG = "JPEG files"
#: Share of the rate of JPEG files that each syntax is to reach.
GOALS = {
    "uncompressed": 1.0,
    "RLE": 0.7,
    "Deflated": 0.7,
    "JPEG Baseline": 0.9,
    "JPEG Lossless": 0.7,
    "JPEG-LS": 0.5,
    "JPEG 2000": 0.35,
    "HTJ2K": 0.35,
}
_CXRSCAN = "from cxrscan.scanner.cli.main import main; main()"

Rates = dict[str, list[float]]


def write_folders(found: Sequence[Path], n_films: int, scratch: Path, names: Sequence[str]) -> dict[str, Path]:
    """Name -> folder of ``n_films`` films: the JPEG files, and DICOM copies in each syntax."""
    folders = {JPEG: link_films(found, n_films, scratch / "jpeg")}
    for name in names:
        originals = write_dicom_copies(found, SYNTAXES[name], scratch / "originals")
        folders[name] = link_films(sorted(originals.iterdir()), n_films, scratch / name)
        shutil.rmtree(originals)
    return folders


def measure_rates(folders: dict[str, Path], n_films: int, bundle: Path, rounds: int) -> tuple[Rates, Rates]:
    """Films per second of whole runs and of the limits, round by round."""
    runs: Rates = defaultdict(list)
    limits: Rates = defaultdict(list)
    for i in range(rounds):
        for name, folder in list(folders.items())[:: 1 if i % 2 == 0 else -1]:
            click.echo(f"round {i + 1}: {name}", err=True)
            with tempfile.TemporaryDirectory() as out:
                command = [sys.executable, "-c", _CXRSCAN, "run", str(folder), "-q", "--model", str(bundle), "-o", out]
                runs[name].append(n_films / measure(command)[0].wall_s)
            command = [sys.executable, "-m", "tests.bench.contenders.limits", "loop", str(bundle), str(folder)]
            limits[name].append(json.loads(measure(command)[1])["films_per_s"])
    return runs, limits


def changes(folder: Path, bundle: Path, n_different: int, close: float) -> tuple[float, int]:
    """Largest change of the probability against films at full size, and calls that flip although they are not close."""
    spec = load_bundle(bundle)
    engine = open_engine("litert", spec, 1)
    _, threshold = spec.threshold(None)

    def probability(data: bytes, options: ReadOptions) -> float:
        (film,) = read_film(data, options)
        batch = to_model_input(film.pixels, spec.input_px)[None]
        return probabilities(spec, engine.predict(batch))[0]

    largest, n_flips = 0.0, 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file())[:n_different]:
        data = path.read_bytes()
        exact, scanned = probability(data, ReadOptions()), probability(data, ReadOptions.for_model(spec))
        largest = max(largest, abs(exact - scanned))
        n_flips += (exact >= threshold) != (scanned >= threshold) and abs(exact - threshold) > close
    return largest, n_flips


def syntax_table(
    found: Sequence[Path], bundle: Path, n_films: int, rounds: int, names: Sequence[str] = tuple(SYNTAXES)
) -> list[dict[str, object]]:
    """Measure, and tell row by row."""
    with tempfile.TemporaryDirectory(prefix="cxrscan-bench-") as scratch:
        folders = write_folders(found, n_films, Path(scratch), names)
        runs, limits = measure_rates(folders, n_films, bundle, rounds)
        moved = {name: changes(folder, bundle, len(found), close=0.005) for name, folder in folders.items()}
    jpeg = median(runs[JPEG])
    return [
        {
            "films": name,
            "films_per_s": median(rates),
            "share_of_jpeg": median(rates) / jpeg,
            "goal": GOALS.get(name),
            "share_of_limit": median(rates) / median(limits[name]),
            "max_change": moved[name][0],
            "flips": moved[name][1],
            "all_films_per_s": rates,
            "all_limits": limits[name],
        }
        for name, rates in runs.items()
    ]


def print_table(rows: Sequence[dict[str, object]]) -> None:
    columns: dict[str, tuple[str, Callable[[object], str]]] = {
        "films_per_s": ("films/s", "{:.1f}".format),
        "share_of_jpeg": ("of JPEG", "{:.2f}".format),
        "goal": ("goal", lambda goal: "" if goal is None else f"{goal}"),
        "share_of_limit": ("of limit", "{:.2f}".format),
        "max_change": ("max |change|", "{:.5f}".format),
        "flips": ("flips", str),
    }
    click.echo(f"\n{'':16}" + "".join(f"{title:>14}" for title, _ in columns.values()))
    for row in rows:
        cells = (form(row[key]) for key, (_, form) in columns.items())
        click.echo(f"{row['films']:16}" + "".join(f"{cell:>14}" for cell in cells))


@click.command()
@click.argument("films", type=click.Path(exists=True, file_okay=False, path_type=Path), envvar="FILMS")
@click.option("--bundle", type=click.Path(path_type=Path), default=DEFAULT_BUNDLE)
@click.option("--rounds", default=3, show_default=True)
@click.option("--films", "n_films", default=480, show_default=True, help="Films of each run.")
@click.option("--syntax", "names", multiple=True, type=click.Choice(list(SYNTAXES)), default=list(SYNTAXES))
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures here.")
def main(films: Path, bundle: Path, rounds: int, n_films: int, names: tuple[str, ...], json_path: Path | None) -> None:
    """Measure every transfer syntax on the JPEG films below FOLDER."""
    machine = describe_machine()
    tell_machine(machine)
    rows = syntax_table(find_jpegs(films), bundle, n_films, rounds, names)
    print_table(rows)
    if json_path is not None:
        json_path.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
