"""Do the regions of a bundle lie where radiologists saw an opacity, and which thresholds draw them best?

    python -m tests.bench.regions BUNDLE DATA [--outline X] [--peak-share X] [--floor X] [--choose]

DATA is a folder with `films.csv` (columns of the adults in docs/training-data.md) and its films. Films of the split
`val` that radiologists read are measured, with 95 % intervals from resampled patients:

- pointing game: the hottest place lies in a box;
- sensitivity: boxes that hold the hottest place of a region, where regions below a strength are left out until so many
  false ones remain for each film, boxes or not;
- IoU: overlap of all regions with all boxes of a film.

The baseline draws the usual box in the middle of each lung, as strong as the film is probable. `--choose` tries
thresholds: the tightest outline whose IoU is within 0.01 of the best, likewise the largest share of the peak, and the
lowest floor with at most half a false region a film. They stand in `scanner/regions.py`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import cv2
import numpy as np

from cxrscan.scanner.engines.litert import LiteRTEngine
from cxrscan.scanner.lungs import USUAL_LUNGS, Box, Lungs, find_lungs
from cxrscan.scanner.metrics import FloatArray
from cxrscan.scanner.model_bundle import ModelSpec, load_bundle
from cxrscan.scanner.preprocess import to_model_input
from cxrscan.scanner.readers import ReadOptions, read_film
from cxrscan.scanner.records import FloatImage, Predictions, Region
from cxrscan.scanner.regions import FLOOR, OUTLINE, PEAK_SHARE, find_regions, smooth_heat

SIDE_PX = 448
"""Films are measured as if they had so many pixels a side."""
N_RESAMPLES = 1_000
_LIMITS = (0.5, 1.0)
_SAME_IOU = 0.01  # of outlines that are as good, the tightest is taken
_OUTLINES, _PEAK_SHARES, _FLOORS = (
    (0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2),
    (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5),
    (0.05, 0.08, 0.1, 0.12, 0.14, 0.16, 0.2, 0.25),
)


@dataclass(frozen=True)
class Read:
    """A film that a radiologist read."""

    patient: str
    boxes: tuple[tuple[float, float, float, float], ...]
    """Left, top, right and bottom, in SIDE_PX."""
    picture: FloatImage
    """The network's input, shape (S, S)."""


@dataclass(frozen=True)
class Found:
    """A region as it is measured."""

    strength: float
    place: tuple[float, float]
    """Hottest place, x before y."""
    mask: FloatImage
    """shape (SIDE_PX, SIDE_PX), 1 inside."""


def read_films(folder: Path, spec: ModelSpec, split: str = "val") -> list[Read]:
    """Read the films of a split that a radiologist looked at."""
    with (folder / "films.csv").open(newline="", encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table) if row["split"] == split and row["radiologist"]]
    options = ReadOptions.for_model(spec)
    films = []
    for row in rows:
        pixels = read_film((folder / row["file"]).read_bytes(), options)[0].pixels
        across, down = (SIDE_PX / int(row[side]) for side in ("width_px", "height_px"))
        boxes = json.loads(row["boxes_px"] or "[]")
        scaled = ((x * across, y * down, (x + w) * across, (y + h) * down) for x, y, w, h in boxes)
        films.append(Read(row["patient"], tuple(scaled), to_model_input(pixels, spec.input_px)[..., 0]))
    return films


def mask_of(boxes: Sequence[tuple[float, float, float, float]]) -> FloatImage:
    """1 inside of boxes, shape (SIDE_PX, SIDE_PX)."""
    mask = np.zeros((SIDE_PX, SIDE_PX), dtype=np.float32)
    for left, top, right, bottom in boxes:
        mask[round(top) : round(bottom), round(left) : round(right)] = 1
    return mask


def found_of(region: Region) -> Found:
    """A region of a film of SIDE_PX."""
    mask = np.zeros((SIDE_PX, SIDE_PX), dtype=np.float32)
    cv2.fillPoly(mask, [np.array(region.polygon_px, dtype=np.int32)], (1.0,))
    return Found(region.strength, (region.hottest_px[0], region.hottest_px[1]), mask)


def lungs_centre(lungs: Lungs, side: float, strength: float) -> list[Found]:
    """The baseline: a square of the usual size in the middle of each lung."""

    def middle(box: Box) -> Found:
        x, y = (box.left + box.right) / 2 * SIDE_PX, (box.top + box.bottom) / 2 * SIDE_PX
        return Found(strength, (x, y), mask_of([(x - side / 2, y - side / 2, x + side / 2, y + side / 2)]))

    return [middle(lungs.right), middle(lungs.left)]


@dataclass(frozen=True)
class Scores:
    """What is counted of one film."""

    n_boxes: int
    hits: tuple[tuple[float, frozenset[int]], ...]
    """Strength of each region, and the boxes that hold its hottest place."""
    iou: float
    """NaN without boxes."""
    pointed: float
    """Whether the hottest place of the film lies in a box; NaN without boxes."""


def score(film: Read, found: Sequence[Found], hottest: tuple[float, float] | None) -> Scores:
    """Hold the regions of a film against its boxes."""
    iou = pointed = float("nan")
    if film.boxes:
        truth, drawn = mask_of(film.boxes), np.zeros((SIDE_PX, SIDE_PX), dtype=np.float32)
        for each in found:
            drawn = np.maximum(drawn, each.mask)
        iou = float(np.minimum(truth, drawn).sum() / np.maximum(truth, drawn).sum())
        pointed = float(hottest is not None and bool(_boxes_at(film, hottest)))
    return Scores(len(film.boxes), tuple((each.strength, _boxes_at(film, each.place)) for each in found), iou, pointed)


def _boxes_at(film: Read, place: tuple[float, float]) -> frozenset[int]:
    x, y = place
    return frozenset(
        i for i, (left, top, right, bottom) in enumerate(film.boxes) if left <= x <= right and top <= y <= bottom
    )


def sensitivity(films: Sequence[Scores], max_false: float) -> float:
    """Share of boxes found while at most so many false regions a film are drawn."""
    regions = sorted(
        ((strength, i, boxes) for i, film in enumerate(films) for strength, boxes in film.hits),
        key=lambda each: -each[0],
    )
    found: set[tuple[int, int]] = set()
    n_false = 0
    for _, i, boxes in regions:
        n_false += not boxes
        if n_false > max_false * len(films):
            break
        found |= {(i, box) for box in boxes}
    return len(found) / max(1, sum(film.n_boxes for film in films))


def false_regions(films: Sequence[Scores]) -> float:
    """False regions a film, of all that are drawn."""
    return sum(not boxes for film in films for _, boxes in film.hits) / len(films)


def figures_of(films: Sequence[Scores]) -> dict[str, float]:
    """All figures of films."""
    with_boxes = [film for film in films if film.n_boxes]
    return {
        "pointing game": float(np.mean([film.pointed for film in with_boxes])),
        **{f"sensitivity at {limit:g} false regions a film": sensitivity(films, limit) for limit in _LIMITS},
        "IoU": float(np.mean([film.iou for film in with_boxes])),
        "sensitivity of all drawn": sensitivity(films, np.inf),
        "false regions a film, of all drawn": false_regions(films),
    }


def intervals_of(patients: Sequence[str], films: Sequence[Scores]) -> dict[str, FloatArray]:
    """Lower and upper ends of 95 % intervals, from resampled patients."""
    by_patient: dict[str, list[Scores]] = {}
    for patient, film in zip(patients, films, strict=True):
        by_patient.setdefault(patient, []).append(film)
    groups, rng = list(by_patient.values()), np.random.default_rng(0)
    drawn = [
        figures_of([film for i in rng.integers(len(groups), size=len(groups)) for film in groups[i]])
        for _ in range(N_RESAMPLES)
    ]
    return {name: np.quantile([each[name] for each in drawn], [0.025, 0.975]) for name in drawn[0]}


def hottest_place(heat_map: FloatImage, heat_scale: float) -> tuple[float, float] | None:
    """Hottest place of a film; None without heat."""
    smooth = smooth_heat(heat_map, heat_scale)
    row, column = np.unravel_index(int(smooth.argmax()), smooth.shape)
    step = SIDE_PX / len(smooth)
    return ((int(column) + 0.5) * step, (int(row) + 0.5) * step) if smooth.max() > 0 else None


@dataclass(frozen=True)
class Thresholds:
    """As ``find_regions`` takes them."""

    outline: float
    peak_share: float
    floor: float


def _drawn(
    films: Sequence[Read], said: Predictions, scale: float, lungs_of: Callable[[Read], Lungs], at: Thresholds
) -> list[Scores]:
    size = (SIDE_PX, SIDE_PX)
    return [
        score(
            film,
            [found_of(each) for each in find_regions(heat, scale, size, lungs_of(film), **asdict(at))],
            hottest_place(heat, scale),
        )
        for film, heat in zip(films, said.heat_maps, strict=True)
    ]


def _choose(draw: Callable[[Thresholds], list[Scores]]) -> Thresholds:
    """The thresholds that the module's text describes."""
    at = Thresholds(0.0, 0.0, FLOOR)
    for name, values in (("outline", _OUTLINES), ("peak_share", _PEAK_SHARES)):
        ious = {value: figures_of(draw(replace(at, **{name: value})))["IoU"] for value in values}
        best = max(value for value in ious if ious[value] >= max(ious.values()) - _SAME_IOU)
        at = replace(at, **{name: best})
        click.echo(f"IoU by {name}: {', '.join(f'{key:g}: {value:.3f}' for key, value in ious.items())}")
    false = {floor: false_regions(draw(replace(at, floor=floor))) for floor in _FLOORS if floor >= at.outline}
    click.echo(f"False regions a film by floor: {', '.join(f'{key:g}: {value:.3f}' for key, value in false.items())}")
    return replace(at, floor=next((floor for floor in false if false[floor] <= _LIMITS[0]), max(false)))


@click.command()
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--outline", default=OUTLINE, help="Share of the heat scale along which regions are outlined.")
@click.option("--peak-share", default=PEAK_SHARE, help="Share of the strongest heat in a lung, likewise.")
@click.option("--floor", default=FLOOR, help="Share of the scale that a region must reach.")
@click.option("--choose", is_flag=True, help="Choose all three by these films, and measure with them.")
def main(bundle: Path, data: Path, outline: float, peak_share: float, floor: float, choose: bool) -> None:
    """Print how far regions agree with boxes."""
    cv2.setNumThreads(1)
    spec = load_bundle(bundle)
    films = read_films(data, spec)
    said = LiteRTEngine(spec, n_threads=2).predict(np.stack([film.picture[..., np.newaxis] for film in films]))

    def draw(at: Thresholds) -> list[Scores]:
        return _drawn(films, said, spec.heat_scale, lambda film: find_lungs(film.picture), at)

    at = _choose(draw) if choose else Thresholds(outline, peak_share, floor)
    scores = draw(at)
    areas = [mask_of([box]).sum() for film in films for box in film.boxes]
    side = float(np.mean(areas)) ** 0.5
    usual = [lungs_centre(USUAL_LUNGS, side, float(logit)) for logit in said.logits]
    baseline = [score(film, found, found[0].place) for film, found in zip(films, usual, strict=True)]
    n_boxes, n_boxed = len(areas), sum(bool(film.boxes) for film in films)
    click.echo(f"{len(films)} films of {len({film.patient for film in films})} patients, {n_boxes} boxes on {n_boxed}")
    click.echo(f"{at}, heat scale {spec.heat_scale:.3f}")
    click.echo("\n| | regions | lungs' centre |\n|---|---|---|")
    patients = [film.patient for film in films]
    columns = [(figures_of(each), intervals_of(patients, each)) for each in (scores, baseline)]
    for name in columns[0][0]:
        cells = (f"{figures[name]:.3f} ({ends[name][0]:.3f}-{ends[name][1]:.3f})" for figures, ends in columns)
        click.echo(f"| {name} | {' | '.join(cells)} |")
    threshold = spec.operating_points[spec.default_operating_point].threshold
    probabilities = [spec.probability(float(logit), "adults") for logit in said.logits]
    called = [i for i, probability in enumerate(probabilities) if probability >= threshold]
    shown = [each if i in set(called) else score(films[i], [], None) for i, each in enumerate(scores)]
    click.echo(f"\nShown, that is, on the {len(called)} films called PNEUMONIA at {threshold:.4f}:")
    click.echo(f"sensitivity {sensitivity(shown, np.inf):.3f}, false regions a film {false_regions(shown):.3f}")
    for strength in (each for each in _FLOORS if each >= floor):
        hits = [bool(boxes) for each in scores for value, boxes in each.hits if value >= strength]
        click.echo(f"strength {strength:g} and more: {len(hits)} regions, {np.mean(hits):.3f} with a box")


if __name__ == "__main__":
    main()
