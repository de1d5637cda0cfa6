"""Make a table for ``cxrscan train`` from adults of NIH ChestX-ray14 with the readings of the RSNA challenge of 2018.

    python -m cxrscan.training.nih_films films.csv adults.csv

docs/training-data.md says what becomes of which reading. Wang et al. 2017, "ChestX-ray8"; Shih et al. 2019, "Augmenting
the NIH chest radiograph dataset with expert annotations of possible pneumonia".
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path

import click

from cxrscan.scanner.errors import TrainingError
from cxrscan.scanner.records import NEGATIVE, POSITIVE
from cxrscan.training.table import read_rows

COLUMNS = ("path", "label", "patient", "weight", "view", "sex", "finding", "findings", "split", "boxes")
_LABELS = {"opacity": POSITIVE, "normal": NEGATIVE, "other": NEGATIVE}
_NO_FINDING = "No Finding"
_LIKE_PNEUMONIA = {"Pneumonia", "Infiltration", "Consolidation", "Edema", "Effusion"}
_WEIGHT_OF_NO_FINDING, _WEIGHT_OF_OTHERS = 0.5, 0.25


def table_row(film: Path, row: Mapping[str, str]) -> tuple[str, ...] | None:
    """The row of one film, or none where nothing says well enough whether it shows pneumonia."""
    reading, report = row["radiologist"], row["nih_findings"]
    weight = 1.0 if reading else _WEIGHT_OF_NO_FINDING if report == _NO_FINDING else _WEIGHT_OF_OTHERS
    if not reading and _LIKE_PNEUMONIA & set(report.split("|")):
        return None
    label = _LABELS[reading] if reading else NEGATIVE
    boxes = row["boxes_px"] if label == POSITIVE else ""
    told = (row["patient"], str(weight), row["view"], row["sex"], reading, report, row["split"], boxes)
    return film.as_posix(), label, *told


@click.command()
@click.argument("films", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("table", type=click.Path(dir_okay=False, path_type=Path))
def main(films: Path, table: Path) -> None:
    """Read FILMS, and write TABLE for `cxrscan train`."""
    try:
        rows = [
            table_row(Path(os.path.relpath(films.parent / path, table.parent)), row)
            for _, path, row in read_rows(films, "radiologist")
        ]
    except KeyError as error:
        raise TrainingError(
            "data-unusable", f"{films} lacks a column, or has a reading unknown here: {error}."
        ) from error
    known = [row for row in rows if row is not None]
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *known])
    click.echo(f"{len(known)} films of {len(rows)} are in {table}.", err=True)


if __name__ == "__main__":
    main()
