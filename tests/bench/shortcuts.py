"""What decoding at a reduced scale changes: every film in full and reduced, as JPEG and as JPEG 2000 in DICOM.

    python -m tests.bench.shortcuts FOLDER [--bundle BUNDLE]

FOLDER holds JPEG films at their original size. Printed are the largest change of the probability and the films whose
call flips although they are farther from the threshold than ``--close``.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
import cv2
import numpy as np
from pydicom import uid

from cxrscan.scanner.calibration import probabilities
from cxrscan.scanner.engines import open_engine
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, load_bundle
from cxrscan.scanner.preprocess import to_model_input
from cxrscan.scanner.readers import ReadOptions, read_film
from cxrscan.scanner.records import Radiograph
from tests.bench.films import find_jpegs
from tests.builders import dicom_film

_FULL = 10**6


def as_jpeg(path: Path) -> bytes:
    """The file itself."""
    return path.read_bytes()


def as_jpeg_2000(path: Path) -> bytes:
    """A lossless 12-bit DICOM copy."""
    deep = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.uint16) * 16
    return dicom_film(deep, syntax=uid.JPEG2000Lossless, bits_stored=12, WindowCenter=2048, WindowWidth=4096)


def read(data: bytes, min_side_px: int) -> Radiograph:
    return read_film(data, ReadOptions(min_side_px=min_side_px, min_jpeg_2000_px=min_side_px))[0]


@click.command()
@click.argument("films", type=click.Path(exists=True, file_okay=False, path_type=Path), envvar="FILMS")
@click.option("--bundle", type=click.Path(path_type=Path), default=DEFAULT_BUNDLE)
@click.option(
    "--sides", default=3, show_default=True, help="Inputs that a side keeps; a scan's are 3 and, of JPEG 2000, 1."
)
@click.option("--close", default=0.02, show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures here.")
def main(films: Path, bundle: Path, sides: int, close: float, json_path: Path | None) -> None:
    """Compare full and reduced decoding over the JPEG films below FOLDER."""
    spec = load_bundle(bundle)
    engine = open_engine("litert", spec, 1)
    _, threshold = spec.threshold(None)

    def probability(film: Radiograph) -> float:
        batch = to_model_input(film.pixels, spec.input_px)[np.newaxis]
        return probabilities(spec, engine.predict(batch))[0]

    rows = []
    for name, encode in (("JPEG", as_jpeg), ("JPEG 2000", as_jpeg_2000)):
        changes, n_reduced, flips, full_s, reduced_s = [], 0, [], 0.0, 0.0
        for path in find_jpegs(films):
            data = encode(path)
            start = time.process_time()
            full = read(data, _FULL)
            between = time.process_time()
            reduced = read(data, sides * spec.input_px)
            full_s, reduced_s = full_s + between - start, reduced_s + time.process_time() - between
            before, after = probability(full), probability(reduced)
            changes.append(abs(before - after))
            n_reduced += "1/" in reduced.pixel_path
            if (before >= threshold) != (after >= threshold) and abs(before - threshold) > close:
                flips.append(path.name)
        rows.append(
            {
                "films": name,
                "n": len(changes),
                "n_reduced": n_reduced,
                "max_change": max(changes),
                "mean_change": float(np.mean(changes)),
                "flips": flips,
                "full_cpu_ms": 1e3 * full_s / len(changes),
                "reduced_cpu_ms": 1e3 * reduced_s / len(changes),
            }
        )
        click.echo(json.dumps(rows[-1]))
    if json_path is not None:
        json_path.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
