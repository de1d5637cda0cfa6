"""Does the heat of a bundle lie where radiologists saw an opacity?

    python -m tests.bench.heat BUNDLE adults=TABLE.csv [--splits splits.csv] [--sheet misses.png]

For films with boxes: how often the hottest point lies in a box (pointing game), and the share of the heat in boxes;
beside them a point that is always the same, the one in most boxes of other patients, and the boxes of another film.
For films without pneumonia: how many maps are dark, and the largest heat as a share of the colour scale.
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np

from cxrscan.scanner.engines.litert import LiteRTEngine
from cxrscan.scanner.metrics import wilson_interval
from cxrscan.scanner.model_bundle import load_bundle
from cxrscan.scanner.records import FloatImage
from cxrscan.training.dataset import find_all_films, load_films, parse_data_set
from cxrscan.training.films import LoadedFilms
from cxrscan.training.gate_statistics import _predict
from cxrscan.training.heat_figures import enlarge, hits, shares_inside
from cxrscan.training.splits import IndexArray, read_split

_SHEET_COLUMNS, _SHEET_CELL_PX = 8, 224


def tell(loaded: LoadedFilms, films: IndexArray, heat_maps: FloatImage, heat_scale: float) -> None:
    """Print the figures.

    Parameters
    ----------
    heat_maps
        shape (N, h, w), of these films.
    """
    boxed = [k for k, i in enumerate(films) if i in loaded.boxes]
    masks = [loaded.ill(films[k]) for k in boxed]
    click.echo(f"{len(boxed)} films with boxes, which cover {np.mean(masks):.3f} of them")
    click.echo("| | hottest point in a box | share of the heat in boxes |\n|---|---|---|")
    rows = {
        "bundle": (heat_maps[boxed], masks),
        "the place in most boxes of others": (_usual_places(masks), masks),
        "bundle, boxes of another film": (heat_maps[boxed], [*masks[1:], *masks[:1]]),
    }
    for name, (maps, places) in rows.items():
        hit = hits(maps, places)
        low, high = wilson_interval(int(hit.sum()), hit.size)
        click.echo(f"| {name} | {hit.mean():.3f} ({low:.3f}-{high:.3f}) | {shares_inside(maps, places).mean():.3f} |")
    click.echo("\n| films without pneumonia | n | maps without heat | largest heat, median | 90th percentile |")
    click.echo("|---|---|---|---|---|")
    for name in sorted({(loaded.films[i].population, loaded.films[i].finding) for i in films}):
        chosen = [k for k, i in enumerate(films) if not loaded.truth[i] and _kind(loaded, i) == name]
        if chosen:
            largest = heat_maps[chosen].max(axis=(1, 2)) / heat_scale
            click.echo(f"| {' '.join(name)} | {len(chosen)} | {np.mean(largest == 0):.3f} | {np.median(largest):.3f} | "
                       f"{np.quantile(largest, 0.9):.3f} |")  # fmt: skip


def _kind(loaded: LoadedFilms, i: int) -> tuple[str, str]:
    return loaded.films[i].population, loaded.films[i].finding


def _usual_places(masks: list[FloatImage]) -> FloatImage:
    """For each film the boxes of all others, laid over one another."""
    total = np.sum(masks, axis=0)
    return np.stack([cv2.GaussianBlur(total - mask, (0, 0), len(mask) / 50) for mask in masks])


def draw_sheet(path: Path, loaded: LoadedFilms, films: IndexArray, heat_maps: FloatImage) -> None:
    """Show the films whose hottest point lies in no box: boxes in white, heat in red."""
    boxed = [k for k, i in enumerate(films) if i in loaded.boxes]
    hit = hits(heat_maps[boxed], [loaded.ill(films[k]) for k in boxed])
    cells = [_cell(loaded, films[k], heat_maps[k]) for k, is_hit in zip(boxed, hit, strict=True) if not is_hit]
    cells += [np.zeros_like(cells[0])] * (-len(cells) % _SHEET_COLUMNS) if cells else []
    rows = [np.hstack(cells[start : start + _SHEET_COLUMNS]) for start in range(0, len(cells), _SHEET_COLUMNS)]
    if rows:
        cv2.imwrite(str(path), np.vstack(rows))


def _cell(loaded: LoadedFilms, i: int, heat_map: FloatImage) -> np.ndarray:
    film = cv2.resize(loaded.pixels[loaded.rows[i][0], ..., 0], (_SHEET_CELL_PX, _SHEET_CELL_PX))
    picture = np.repeat((film * 255).astype(np.uint8)[..., np.newaxis], 3, axis=2)
    heat = enlarge(heat_map / max(float(heat_map.max()), 1e-6), _SHEET_CELL_PX)
    picture[..., 2] = np.maximum(picture[..., 2], (heat * 255).astype(np.uint8))
    for box in loaded.boxes[i]:
        corners = np.array([box.left, box.top, box.left + box.width, box.top + box.height]) * _SHEET_CELL_PX
        left, top, right, bottom = corners.astype(int).tolist()
        cv2.rectangle(picture, (left, top), (right, bottom), (255, 255, 255))
    return picture


@click.command()
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.argument("data", nargs=-1, required=True)
@click.option("--splits", type=click.Path(exists=True, path_type=Path), help="splits.csv of the training run.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Picture of the films where the heat points elsewhere.")
def main(bundle: Path, data: tuple[str, ...], splits: Path | None, sheet: Path | None) -> None:
    """Print how far heat maps agree with boxes."""
    cv2.setNumThreads(1)
    spec = load_bundle(bundle)
    loaded = load_films(find_all_films([parse_data_set(name) for name in data]), spec)
    films = read_split(splits, loaded)[1] if splits else np.arange(len(loaded.films))
    heat_maps = _predict(LiteRTEngine(spec, n_threads=2), loaded.pixels, [loaded.rows[i][0] for i in films]).heat_maps
    tell(loaded, films, heat_maps, spec.heat_scale)
    if sheet is not None:
        draw_sheet(sheet, loaded, films, heat_maps)


if __name__ == "__main__":
    main()
