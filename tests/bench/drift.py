"""How often ``cxrscan drift`` raises a false alarm, and how many films it takes to see and to name a true change.

    cxrscan run adults/films -o adults-run
    cxrscan run children -o children-run
    python -m tests.bench.drift adults-run adults children-run

The second folder holds ``films.csv`` with the columns file, patient, view, age_years, sex and radiologist, as the
films of adults that the model was trained on have it. Patients stay on one side. Shifted copies are made of its files.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click
import cv2
import numpy as np
import numpy.typing as npt

from cxrscan.scanner.evaluation.drift import Drift, Portrait, find_drift
from cxrscan.scanner.metrics import wilson_interval
from cxrscan.scanner.model_bundle import ModelSpec
from cxrscan.scanner.populations.portrait import portray
from cxrscan.scanner.records import NEGATIVE, POSITIVE, Film, FilmAttributes, ImageSource, ScanResult
from cxrscan.scanner.runs.journal import Journal, stored_model
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.worker import scan_chunk

Picture = npt.NDArray[np.float64]

N_REFERENCE = 400
"""Patients of the reference."""
SIZES = (25, 50, 100, 200)
N_SPLITS, N_DRAWS, N_SHIFTED = 200, 20, 250
SHIFTS: dict[str, Callable[[Picture], Picture]] = {
    "none, but written again": lambda film: film,
    "brightness + 5 %": lambda film: film + 12.75,
    "brightness + 10 %": lambda film: film + 25.5,
    "contrast x 0.8": lambda film: (film - film.mean()) * 0.8 + film.mean(),
    "blur, 1 px": lambda film: cv2.GaussianBlur(film, (0, 0), 1.0),
}


def films_of(run: Path, table: dict[str, dict[str, str]]) -> list[Film]:
    """Films of a run, each with the header and the label that a table gives it."""
    with Journal(run, read_only=True) as journal:
        return [_described(film, table.get(Path(film.result.name).name)) for film in journal.films()]


def _described(film: Film, row: dict[str, str] | None) -> Film:
    if row is None:
        return film
    attributes = FilmAttributes(
        view_position=row["view"],
        patient_sex=row["sex"],
        patient_age_years=float(row["age_years"]) if row["age_years"] else None,
        ids=(("patient_id", row["patient"]),),
    )
    truth = {"": None, "opacity": POSITIVE}.get(row["radiologist"], NEGATIVE)
    return Film(replace(film.result, attributes=attributes), truth)


def part(portrait: Portrait, chosen: Sequence[int] | npt.NDArray[np.intp]) -> Portrait:
    """Some films of a portrait."""
    assert portrait.features is not None
    assert portrait.pictures is not None
    rows = np.asarray(chosen)
    headers = None if portrait.headers is None else tuple(portrait.headers[i] for i in rows)
    return replace(
        portrait,
        log_odds=portrait.log_odds[rows],
        truth=portrait.truth[rows],
        features=portrait.features[rows],
        pictures=portrait.pictures[rows],
        headers=headers,
    )


def shifted(films: Sequence[Film], folder: Path, change: Callable[[Picture], Picture]) -> Iterator[Film]:
    """Scan changed copies of films."""
    for start in range(0, len(films), 16):
        some = films[start : start + 16]
        sources = []
        for film in some:
            pixels = cv2.imread(str(folder / film.result.name), cv2.IMREAD_GRAYSCALE)
            changed = np.clip(change(pixels.astype(np.float64)), 0, 255).round().astype(np.uint8)
            data = bytes(cv2.imencode(".jpg", changed, [cv2.IMWRITE_JPEG_QUALITY, 85])[1])
            sources.append(ImageSource(folder / film.result.name, film.result.name, "jpeg", len(data), data=data))
        for film, result in zip(some, scan_chunk(sources, ScanSettings(gate="warn", n_threads=2)), strict=True):
            assert isinstance(result, ScanResult)
            yield Film(replace(result, attributes=film.result.attributes), film.truth)


def told(drifts: Sequence[Drift]) -> str:
    """Share of comparisons that were alarms, and what they named."""
    found = [drift for drift in drifts if drift.is_found]
    low, high = wilson_interval(len(found), len(drifts))
    causes = ", ".join(f"{cause} {n}" for cause, n in Counter(drift.cause for drift in found).most_common())
    return f"{len(found)} of {len(drifts)} ({low:.0%} to {high:.0%})" + (f": {causes}" if causes else "")


def compare(reference: Portrait, current: Portrait, seed: int) -> Drift:
    """Find drift, without counting films: the sizes here do that."""
    return find_drift(reference, current, counts_films=False, seed=seed)


def false_alarms(everyone: Portrait) -> None:
    """Split one population in two, many times."""
    drifts = []
    for seed in range(N_SPLITS):
        order = np.random.default_rng(seed).permutation(everyone.n)
        drifts.append(compare(part(everyone, order[:N_REFERENCE]), part(everyone, order[N_REFERENCE:][:200]), seed))
    click.echo(f"\n{N_SPLITS} splits of one population, {N_REFERENCE} against 200: alarms {told(drifts)}")


def other_prevalence(read: Portrait) -> None:
    """Draw films of the same kind with another share of pneumonia."""
    for share in (0.05, 0.5, 0.8):
        for size in SIZES:
            drifts = []
            for seed in range(N_DRAWS):
                rng = np.random.default_rng(seed)
                order = rng.permutation(read.n)
                reference, rest = order[:N_REFERENCE], order[N_REFERENCE:]
                n_positive = round(share * size)
                ill, well = (rest[read.truth[rest] == label] for label in (1, 0))
                if n_positive > ill.size or size - n_positive > well.size:
                    break
                chosen = np.concatenate([ill[:n_positive], well[: size - n_positive]])
                drifts.append(compare(part(read, reference), part(read, chosen), seed))
            if drifts:
                prevalence = float((read.truth == 1).mean())
                click.echo(f"pneumonia {prevalence:.0%} -> {share:.0%}, {size} films: {told(drifts)}")


def other_films(reference: Portrait, others: Portrait, name: str, apart: Sequence[int] | None = None) -> None:
    """Draw from another population; ``apart`` are the films of the reference whose patients are not in it."""
    for size in SIZES:
        if size > others.n:
            break
        drifts = []
        for seed in range(N_DRAWS):
            rng = np.random.default_rng(seed)
            pool = np.arange(reference.n) if apart is None else np.asarray(apart)
            first = rng.choice(pool, min(N_REFERENCE, pool.size), replace=False)
            second = rng.choice(others.n, size, replace=False)
            drifts.append(compare(part(reference, first), part(others, second), seed))
        click.echo(f"{name}, {size} films: {told(drifts)}")


_folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("adults_run", type=_folder)
@click.argument("adults", type=_folder)
@click.argument("children_run", type=_folder, required=False)
def main(adults_run: Path, adults: Path, children_run: Path | None) -> None:
    """Print false alarms, and alarms among true changes."""
    with (adults / "films.csv").open(newline="", encoding="utf-8") as file:
        table = {Path(row["file"]).name: row for row in csv.DictReader(file)}
    films = films_of(adults_run, table)
    with Journal(adults_run, read_only=True) as journal:
        model: ModelSpec = stored_model(journal)
    everyone = portray(lambda: films, model, "adults", max_films=10_000)
    false_alarms(everyone)
    read = portray(lambda: [film for film in films if film.truth is not None], model, "adults", max_films=10_000)
    click.echo("\nAnother share of pneumonia among films of the same kind:")
    other_prevalence(read)
    by_patient = {dict(film.result.attributes.ids)["patient_id"]: film for film in films if film.truth is not None}
    patients = np.random.default_rng(0).permutation(sorted(by_patient)).tolist()  # their numbers rise with the years
    moved, kept = set(patients[:N_SHIFTED]), set(patients[N_SHIFTED:])
    reference = portray(lambda: [by_patient[patient] for patient in kept], model, "adults", max_films=10_000)
    click.echo("\nShifted copies of other patients' films:")
    for name, change in SHIFTS.items():
        copies = list(shifted([by_patient[patient] for patient in sorted(moved)], adults / "films", change))
        other_films(reference, portray(lambda copies=copies: copies, model, name), name)  # type: ignore[misc]
    if children_run is not None:
        children = films_of(children_run, {})
        click.echo("\nChildren where adults were:")
        other_films(reference, portray(lambda: children, model, "children"), "children")


if __name__ == "__main__":
    main()
