"""How often the gate rejects and warns, group by group; run from the repository's root.

    python -m tests.bench.gate_rates [NAME=]DATA... --also OTHER_VERSIONS --adults FOLDER [--sheet missed.png]
        [--model BUNDLE]

DATA holds the films that the bundle was trained on; only its validation films are scanned. What shows no chest comes
from packages' sample files (extra ``bench``) and from code, see ``no_chest``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
import cv2
import numpy as np

from cxrscan.scanner.metrics import wilson_interval
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, load_bundle, read_document
from cxrscan.scanner.preprocess import to_model_input
from cxrscan.scanner.readers import ReadOptions, read_film
from cxrscan.scanner.records import GATE_REASONS, FloatImage, ImageSource, ScanResult
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources.walk import find_images
from cxrscan.scanner.worker import scan_chunk
from cxrscan.training.augment import shifted_copy
from cxrscan.training.dataset import find_all_films, load_films, parse_data_set
from cxrscan.training.films import LoadedFilms
from cxrscan.training.splits import split_again
from tests.bench import no_chest
from tests.bench.thorax import FRONTAL_DEG, LATERAL_DEG, draw_film
from tests.builders import encode

_BATCH = 16
_SHIFT_SEED = 77  # not the one that any threshold was chosen with
_N_SHIFTED_ADULTS = 40  # copies of each
_N_DRAWN_SIDES = 60  # films of drawn bodies, from each side
_CELL_PX = 120

NO_CHEST = (
    no_chest.photos,
    no_chest.documents,
    no_chest.drawings,
    no_chest.noise,
    no_chest.slices,
    no_chest.angiograms,
    no_chest.other_films,
)

CHANGES: dict[str, Callable[[FloatImage], FloatImage]] = {
    "inverted": lambda film: 1 - film,
    "rotated by 90": lambda film: np.rot90(film),
    "rotated by 180": lambda film: np.rot90(film, 2),
    "rotated by 270": lambda film: np.rot90(film, 3),
    "mirrored": lambda film: film[:, ::-1],
    "mirrored and rotated by 90": lambda film: np.rot90(film[:, ::-1]),
    "upside down": lambda film: film[::-1],
    "in a black frame": lambda film: np.pad(film, len(film) // 6),
    "in a white frame": lambda film: np.pad(film, len(film) // 6, constant_values=1.0),
}

#: Drawn bodies as seen from the back, from both sides, and in between.
SIDES = {
    "frontal films of drawn bodies": FRONTAL_DEG,
    "lateral films of drawn bodies": LATERAL_DEG,
    "lateral films of drawn bodies, other side": -LATERAL_DEG,
    "oblique films of drawn bodies": LATERAL_DEG / 2,
}

#: Reasons that follow from the header alone.
FROM_HEADER = frozenset({"adult", "age-unknown", "other-view", "view-unknown", "for-processing", "multi-frame"})


@dataclass
class Group:
    """What the gate said of one kind of picture."""

    name: str
    results: list[ScanResult] = field(default_factory=list)

    def share(self, holds: Callable[[ScanResult], bool]) -> str:
        """Count, and share with its 95 % interval."""
        n, of = sum(map(holds, self.results)), len(self.results)
        low, high = wilson_interval(n, of)
        return f"{n} = {100 * n / of:.1f} % ({100 * low:.1f}-{100 * high:.1f})"

    def row(self) -> str:
        """One line of the table."""
        counts = {code: sum(code in r.gate_reasons for r in self.results) for code in GATE_REASONS}
        told = ", ".join(f"{code} {n}" for code, n in sorted(counts.items(), key=lambda item: -item[1]) if n)
        rejected = self.share(lambda r: r.gate == "reject")
        warned = self.share(lambda r: r.gate == "warn" and not set(r.gate_reasons) <= FROM_HEADER)
        return f"| {self.name} | {len(self.results)} | {rejected} | {warned} | {self.distances()} | {told} |"

    def distances(self) -> str:
        """Least, median and greatest gate distance."""
        found = [r.gate_distance for r in self.results if r.gate_distance is not None]
        return " ".join(f"{value:.2f}" for value in np.quantile(found, [0, 0.5, 1])) if found else ""


def scan(named: Iterable[tuple[str, bytes]], settings: ScanSettings) -> list[ScanResult]:
    """Scan files that lie in memory, as a run would."""
    sources = [ImageSource(Path(name), name, None, len(data), 0, data) for name, data in named]
    chunks = (sources[i : i + _BATCH] for i in range(0, len(sources), _BATCH))
    return [r for chunk in chunks for r in scan_chunk(chunk, settings) if isinstance(r, ScanResult) and not r.failure]


def pictures(draw: Callable[[], Iterator[no_chest.Picture]]) -> Iterator[tuple[str, bytes]]:
    """Pictures as PNG files; those that look the same at a thumbnail's size count once."""
    seen = set()
    for name, picture in draw():
        look = (cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA) // 16).tobytes()
        if look not in seen or "flat" in name:
            seen.add(look)
            yield name, encode(picture, "PNG")


def adult_films() -> list[Path]:
    """The adult chest film among pydicom-data's files."""
    return no_chest.package_files("pydicom-data", ("RG1_UNCR.dcm",))


def read_inputs(paths: Iterable[Path], input_px: int) -> FloatImage:
    """Read DICOM films as the network's input."""
    pictures = [read_film(path.read_bytes(), ReadOptions())[0] for path in paths]
    return np.stack([to_model_input(film.pixels, input_px) for film in pictures])


def films(pixels: FloatImage, change: Callable[[FloatImage], FloatImage]) -> Iterator[tuple[str, bytes]]:
    """Network inputs, changed, as PNG files."""
    for i, film in enumerate(pixels):
        picture = np.ascontiguousarray(change(film[..., 0]))
        yield f"{i}.png", encode((picture * 255 + 0.5).astype(np.uint8), "PNG")


def drawn_bodies(angle_deg: float, n: int = _N_DRAWN_SIDES) -> Iterator[tuple[str, bytes]]:
    """Films of drawn bodies from one side, as PNG files."""
    for seed in range(n):
        film = draw_film(np.random.default_rng([seed, 90]), angle_deg)
        yield f"{angle_deg:.0f}-{seed}.png", encode((film * 255 + 0.5).astype(np.uint8), "PNG")


def measure(
    loaded: LoadedFilms, held_out: np.ndarray, adults: tuple[Path, ...], settings: ScanSettings
) -> Iterator[Group]:
    """Scan all groups, one after the other."""
    for draw in NO_CHEST:
        yield Group(draw.__name__.replace("_", " "), scan(pictures(draw), settings))
    for name, angle_deg in SIDES.items():
        yield Group(name, scan(drawn_bodies(angle_deg), settings))
    for population in loaded.populations:
        mine = [loaded.films[i].paths for i in held_out if loaded.films[i].population == population]
        name = f"validation films{population and f' of {population}'}"
        plain = [(path.name, path.read_bytes()) for paths in mine for path in paths[:1]]
        yield Group(f"{name}, as trained on", scan(plain, settings))
        other = [(path.name, path.read_bytes()) for paths in mine for path in paths[1:]]
        if other:
            yield Group(f"{name}, larger versions", scan(other, settings))
    pixels = loaded.pixels[[loaded.rows[i][0] for i in held_out]]
    shifted = shifted_copy(pixels, _SHIFT_SEED)
    yield Group("validation films, shifted", scan(films(shifted, lambda film: film), settings))
    for name, change in CHANGES.items():
        yield Group(f"validation films, {name}", scan(films(pixels[::4], change), settings))
    paths = [Path(str(source.path)) for source in find_images([*adults, *adult_films()])]
    yield Group("adult films", scan([(path.name, path.read_bytes()) for path in paths], settings))
    adult = read_inputs(paths, load_bundle(settings.model).input_px)
    copies = [shifted_copy(film[np.newaxis], seed) for film in adult for seed in range(_N_SHIFTED_ADULTS)]
    yield Group("adult films, shifted", scan(films(np.concatenate(copies), lambda film: film), settings))


@click.command()
@click.argument("data", nargs=-1, required=True, metavar="[NAME=]DATA...")
@click.option("--also", type=click.Path(exists=True, path_type=Path), multiple=True)
@click.option("--adults", type=click.Path(exists=True, path_type=Path), multiple=True)
@click.option("--model", type=click.Path(exists=True, path_type=Path), default=DEFAULT_BUNDLE)
@click.option("--every", default=1, help="Take every nth validation film only.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Picture of all that was not rejected and should be.")
def main(
    data: tuple[str, ...], also: tuple[Path, ...], adults: tuple[Path, ...], model: Path, every: int, sheet: Path | None
) -> None:
    """Print a table of the gate's rates."""
    loaded = load_films(find_all_films([parse_data_set(text) for text in data], also), load_bundle(model))
    _, held_out = split_again(read_document(model), loaded)
    tell(measure(loaded, held_out[::every], adults, ScanSettings(model=model, thumbnail_px=_CELL_PX)), sheet)


def tell(groups: Iterable[Group], sheet: Path | None) -> None:
    """Print the table, and show what was missed."""
    missed: list[ScanResult] = []
    total = Group("all that shows no chest")
    click.echo("| group | n | rejected | warned for the picture | distance | reasons |\n|---|---|---|---|---|---|")
    names = {draw.__name__.replace("_", " ") for draw in NO_CHEST}
    for group in groups:
        click.echo(group.row())
        sys.stdout.flush()
        if group.name in names:
            total.results += group.results
            missed += [replace(r, name=f"{group.name}/{r.name}") for r in group.results if r.gate != "reject"]
    click.echo(total.row())
    for result in missed:
        click.echo(f"not rejected: {result.name} {' '.join(result.gate_reasons)}", err=True)
    if sheet and missed:
        cells = [cv2.imdecode(np.frombuffer(r.thumbnail, np.uint8), cv2.IMREAD_GRAYSCALE) for r in missed]
        cells = [cv2.resize(cell, (_CELL_PX, _CELL_PX)) for cell in cells]
        cells += [np.zeros_like(cells[0])] * (-len(cells) % 10)
        cv2.imwrite(str(sheet), np.vstack([np.hstack(cells[i : i + 10]) for i in range(0, len(cells), 10)]))


if __name__ == "__main__":
    main()
