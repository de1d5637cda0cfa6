"""Are the lungs found, on drawn films whose lungs are known and on real ones?

    python -m tests.bench.lungs children=FOLDER adults=TABLE.csv [--sheet lungs.png]

Drawn films: the outline of the mean anatomy moves with the film's own warp, so that its lungs are known; the overlap
(Dice) of what is found. Real films held out for validation: how many carry a caveat of the lungs, how many do when a
sixth of the lungs is cut away at an edge, and how much of radiologists' boxes lies in the lungs with their margin.
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np

from cxrscan.scanner.engines.litert import LiteRTEngine
from cxrscan.scanner.gate import judge_lungs
from cxrscan.scanner.lungs import SMALL_PX, LungModel, find_lungs
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, load_bundle
from cxrscan.scanner.preprocess import resize, to_model_input
from cxrscan.scanner.records import FloatImage
from cxrscan.scanner.synthetic_films import CANVAS_PX, CLASSES, FilmModel, draw_film, enlarge, pixel_grid
from cxrscan.training.dataset import find_all_films, load_films, parse_data_set
from cxrscan.training.films import LoadedFilms
from cxrscan.training.lungs.atlas import Atlas
from cxrscan.training.lungs.fit import overlap
from cxrscan.training.splits import split_by_patient

_CUT_AWAY = 1 / 6
_N_DRAWN, _N_CUT, _SHEET_COLUMNS, _CELL_PX = 200, 200, 10, 160
_TURNS = {"top": 0, "right": 1, "bottom": 2, "left": 3}
"""Quarter turns that bring an edge to the top."""


def drawn_overlaps(atlas: Atlas, model: LungModel, side_px: int) -> list[float]:
    """Dice coefficients on drawn films.

    Parameters
    ----------
    atlas
        Carries the outlines to the mean anatomy.
    """
    films, found = FilmModel.load(), []
    for label in range(len(CLASSES)):
        anatomy = enlarge(films.means["smooth"][label], CANVAS_PX)
        masks = cv2.resize(atlas.carry(anatomy)[0], CANVAS_PX[::-1], interpolation=cv2.INTER_LINEAR)
        for seed in range(_N_DRAWN // 2):
            film = draw_film(films, label, np.random.default_rng(seed), 2 * side_px)
            warp = films.draw(label, np.random.default_rng(seed))["warp"]
            where = enlarge(warp, film.shape) + pixel_grid(*film.shape)
            truth = cv2.remap(masks, where[..., 0], where[..., 1], cv2.INTER_LINEAR)
            small = cv2.resize(truth, (SMALL_PX, SMALL_PX), interpolation=cv2.INTER_AREA)
            found.append(overlap(model.masks(to_model_input(film, side_px)[..., 0]), np.asarray(small)))
    return found


def cut(picture: FloatImage, mask: FloatImage, edge: str) -> FloatImage:
    """Cut a film at an edge so that a share of _CUT_AWAY of its lungs is lost, and make it square again."""
    turned, lungs = (np.rot90(each, _TURNS[edge]) for each in (picture, mask))
    lost = np.cumsum(lungs.sum(axis=1)) / max(float(lungs.sum()), 1.0)
    n_rows = int(np.searchsorted(lost, _CUT_AWAY)) + 1
    kept = turned[n_rows * len(picture) // len(mask) :]
    return np.ascontiguousarray(np.rot90(resize(np.ascontiguousarray(kept), *picture.shape), -_TURNS[edge]))


def tell(loaded: LoadedFilms, films: list[int], model: LungModel) -> None:
    """Print the rates of films of one population."""
    spec = load_bundle(DEFAULT_BUNDLE)
    pictures = [_picture(loaded, i) for i in films]
    heat = LiteRTEngine(spec, n_threads=2).predict(np.stack(pictures)[..., np.newaxis]).heat_maps
    lungs = [find_lungs(picture) for picture in pictures]
    caveats = [judge_lungs(each, heat[k], spec.heat_scale) for k, each in enumerate(lungs)]
    for code in ("lungs-cut-off", "heat-outside-lungs"):
        click.echo(f"  {code}: {np.mean([code in each for each in caveats]):.3f} of {len(films)}")
    for edge in _TURNS:
        masks = [(model.masks(picture) > 0.5).any(axis=-1).astype(np.float32) for picture in pictures[:_N_CUT]]
        cuts = [cut(picture, mask, edge) for picture, mask in zip(pictures, masks, strict=False)]
        click.echo(f"  a sixth cut away, {edge}: {np.mean([find_lungs(each).are_cut_off for each in cuts]):.3f}")
    inside = []
    for i, each in zip(films, lungs, strict=True):
        field = each.field
        for box in loaded.boxes.get(i, ()):
            across = min(box.left + box.width, field.right) - max(box.left, field.left)
            down = min(box.top + box.height, field.bottom) - max(box.top, field.top)
            inside.append(max(across, 0.0) * max(down, 0.0) / (box.width * box.height))
    if inside:
        click.echo(f"  of radiologists' boxes inside the lungs' field: {np.mean(inside):.3f} ({len(inside)} boxes)")


def draw_sheet(path: Path, pictures: list[FloatImage], model: LungModel) -> None:
    """Draw films with the outlines of what was found."""
    cells = []
    for picture in pictures:
        grey = np.rint(resize(picture, _CELL_PX, _CELL_PX) * 255).astype(np.uint8)
        cell, masks = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), model.masks(picture)
        for side, colour in enumerate(((0, 255, 255), (255, 255, 0))):
            large = cv2.resize(masks[..., side], (_CELL_PX, _CELL_PX), interpolation=cv2.INTER_CUBIC) > 0.5
            contours, _ = cv2.findContours(large.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(cell, contours, -1, colour)
        cells.append(cell)
    rows = [np.hstack(cells[i : i + _SHEET_COLUMNS]) for i in range(0, len(cells), _SHEET_COLUMNS)]
    cv2.imwrite(str(path), np.vstack(rows))


def _picture(loaded: LoadedFilms, i: int) -> FloatImage:
    picture: FloatImage = loaded.pixels[loaded.rows[i][0], ..., 0]
    return picture


@click.command()
@click.argument("data", nargs=-1, required=True)
@click.option("--sheet", type=click.Path(path_type=Path), help="Picture of 40 films of each population.")
def main(data: tuple[str, ...], sheet: Path | None) -> None:
    """Print how well the lungs are found."""
    cv2.setNumThreads(1)
    model, spec = LungModel.load(), load_bundle(DEFAULT_BUNDLE)
    loaded = load_films(find_all_films([parse_data_set(name) for name in data]), spec)
    validation = split_by_patient(loaded, 0.16, 0)[1].tolist()
    children = [i for i, film in enumerate(loaded.films) if film.population == "children"]
    if children:
        atlas = Atlas.of([_picture(loaded, i) for i in children[:600]], "children")
        low, middle = np.quantile(drawn_overlaps(atlas, model, spec.input_px), [0.05, 0.5])
        click.echo(f"{_N_DRAWN} drawn films: overlap {middle:.3f} in the median, {low:.3f} at 5 %")
    shown = []
    for population in loaded.populations:
        films = [i for i in validation if loaded.films[i].population == population]
        click.echo(f"{population}:")
        tell(loaded, films, model)
        shown += [_picture(loaded, i) for i in np.random.default_rng(0).choice(films, 40, replace=False).tolist()]
    if sheet is not None:
        draw_sheet(sheet, shown, model)


if __name__ == "__main__":
    main()
