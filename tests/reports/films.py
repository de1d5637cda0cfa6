"""Runs made of records, for the tests of the outputs: what a scan would have left in the journal."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from cxrscan.scanner.model_bundle import Calibration, ModelSpec, OperatingPoint
from cxrscan.scanner.records import (
    Estimate,
    Failure,
    Film,
    FilmAttributes,
    GateVerdict,
    HeatMap,
    Outputs,
    Region,
    RunInfo,
    ScanResult,
)
from cxrscan.scanner.run_record import Run
from tests.builders import encode, film_pixels

HEAT_SCALE = 4.0

INFO = RunInfo(
    version="0.1.0",
    roots=("/data/films",),
    arguments={"labels": "folders", "workers": 2, "exclude": ["*.tmp"], "model": None},
    started_at="2026-01-02T03:04:05+00:00",
    finished_at="2026-01-02T03:05:06+00:00",
    exit_reason="finished",
    threshold=0.5,
    threshold_name="balanced",
    labels="folders",
    n_skipped={"no picture": 2, "hidden": 1},
    duration_s=61.0,
    versions={"python": "3.11.2", "numpy": "2.0.0"},
)

MODEL = ModelSpec(
    name="toy",
    version="1.0",
    weights_sha256="ab" * 32,
    input_px=224,
    calibrations={"": Calibration(2 / 3)},
    heat_scale=HEAT_SCALE,
    operating_points={
        "balanced": OperatingPoint(
            "balanced", 0.5, "largest Youden index", "90 films", Estimate(0.9, 0.8, 0.95), Estimate(0.85, 0.7, 0.9)
        ),
        "sensitive": OperatingPoint(
            "sensitive", 0.25, "sensitivity 0.98", "90 films", Estimate(0.98, 0.9, 0.99), Estimate(0.6, 0.5, 0.7)
        ),
    },
    default_operating_point="balanced",
    gate=None,
    training={"data": "drawn films", "n_films": 10},
    validation={"drawn films": {"auc": Estimate(0.99, 0.98, 1.0)}},
    export={"max_abs_prob_difference": 0.001, "n_films": 10},
    intended_use="Tests.",
    limits=("Knows drawn films only.",),
    licence="Apache-2.0",
    initial_weights="none",
    folder=Path("/nowhere"),
)

RUN = Run(INFO, MODEL)

REGIONS = (
    Region(((150, 500), (400, 520), (420, 800), (160, 780)), (300, 640), 0.6180, 0.75, side="right", zone="lower"),
    Region(((800, 300), (950, 300), (900, 420)), (880, 340), 0.25, 0.3, side="left", zone="mid"),
)
"""On a film of 1,200 x 1,000 pixels."""

HOSTILE_NAMES = (
    "<img src=x onerror=alert(1)>.jpg",
    "</script><script>alert(2)</script>.jpg",
    "{{7*7}}{% raw %}.jpg",
    "=HYPERLINK(1).jpg",
    "\N{ARABIC LETTER SAD}\N{ARABIC LETTER WAW}\N{ARABIC LETTER REH}\N{ARABIC LETTER TEH MARBUTA} 3.jpg",
    "\N{LUNGS} films \N{FACE WITH MEDICAL MASK}.jpg",
    "__proto__",
    "a/" + "long folder/" * 24 + "film.jpg",
    "line\nbreak.jpg",
)


def thumbnail(seed: int = 0) -> bytes:
    """A small JPEG of a drawn film."""
    return encode(film_pixels(seed, height=48, width=56), "JPEG")


def heat_map(top: float = 3.0) -> HeatMap:
    """A 7 x 7 heat map with one spot, in logit units."""
    y, x = np.mgrid[0:7, 0:7]
    return HeatMap((top * np.exp(-((x - 4) ** 2 + (y - 3) ** 2) / 2)).astype("<f2").tobytes(), 7)


def scored(
    name: str,
    prob: float,
    truth: str | None = None,
    *,
    warns: tuple[str, ...] = (),
    attributes: FilmAttributes | None = None,
    picture: bytes | None = None,
) -> Film:
    """A film with a probability."""
    gate: GateVerdict = "warn" if warns else "ok"
    result = ScanResult(
        name=name,
        kind="jpeg",
        size_bytes=1000,
        mtime_ns=1,
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        width_px=1200,
        height_px=1000,
        pixel_path="jpeg",
        attributes=attributes or FilmAttributes(),
        prob_pneumonia=prob,
        heat_map=heat_map(3 * prob),
        regions=REGIONS if prob > 0.3 else (),
        thumbnail=thumbnail() if picture is None else picture,
        embedding=(prob * np.arange(6)).astype("<f2").tobytes(),
        gate=gate,
        gate_reasons=warns,
        duration_ms=12.25,
    )
    return Film(result, truth)


def rejected(name: str, *reasons: str, truth: str | None = None) -> Film:
    """A file that the gate takes for no chest film."""
    result = ScanResult(
        name, "png", 500, 1, sha256="cd" * 32, gate="reject", gate_reasons=reasons, thumbnail=thumbnail(1)
    )
    return Film(result, truth)


def failed(
    name: str, code: str = "truncated", message: str = "The picture ends early.", truth: str | None = None
) -> Film:
    """A file that could not be read."""
    return Film(ScanResult(name, None, 10, 1, failure=Failure("read", code, message)), truth)


def small_run() -> list[Film]:
    """Twelve files of every outcome, labelled, in order of their paths."""
    return [
        scored("NORMAL/a.jpg", 0.02, "NORMAL"),
        scored("NORMAL/b.jpg", 0.11, "NORMAL"),
        scored("NORMAL/c.jpg", 0.31, "NORMAL", warns=("low-resolution",)),
        scored("NORMAL/d.jpg", 0.72, "NORMAL"),
        scored("NORMAL/e.jpg", 0.4999, "NORMAL"),
        scored("PNEUMONIA/f.jpg", 0.5, "PNEUMONIA"),
        scored("PNEUMONIA/g.jpg", 0.91, "PNEUMONIA"),
        scored("PNEUMONIA/h.jpg", 0.97, "PNEUMONIA", warns=("adult", "for-processing")),
        scored("PNEUMONIA/i.jpg", 0.33, "PNEUMONIA"),
        failed("PNEUMONIA/j.jpg", truth="PNEUMONIA"),
        rejected("drawing.png", "colour-picture"),
        failed("notes.jpg", "not-an-image", "The content is not a picture in any known format."),
    ]


def unlabelled(films: list[Film]) -> list[Film]:
    """The same films without their truth."""
    return [Film(film.result) for film in films]


def large_run(n: int) -> list[Film]:
    """Labelled films with spread-out probabilities."""
    rng = np.random.default_rng(0)
    picture = thumbnail()
    films = []
    for i in range(n):
        truth = "PNEUMONIA" if rng.random() < 0.6 else "NORMAL"
        prob = float(1 / (1 + np.exp(-rng.normal(2 if truth == "PNEUMONIA" else -2, 1.7))))
        films.append(scored(f"{truth}/film {i:05d}.jpg", prob, truth, picture=picture))
    return sorted(films, key=lambda film: film.result.name)


def studies_run(n_films: int, n_studies: int) -> list[Film]:
    """Labelled films of a run in so many studies; three of four patients have one study, the others up to four."""
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(n_studies), rng.choice([1, 2, 3, 4], n_studies, p=[0.75, 0.1, 0.1, 0.05]))
    films = []
    for i, film in enumerate(large_run(n_films)):
        study = i * n_studies // n_films
        day = f"20{10 + study % 14:02d}-{1 + study % 12:02d}-10T10:00:00"
        ids = (("patient_id_hash", _hash(int(patients[study]))), ("acquired_at_shifted", day))
        attributes = FilmAttributes(view_position=("PA", "AP", "")[i % 3], ids=ids)
        result = replace(film.result, attributes=attributes)
        films.append(replace(film, result=result, study=_hash(-1 - study), patient=ids[0][1]))
    return films


def _hash(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]


def run_of(films: list[Film], info: RunInfo = INFO) -> Run:
    """A run of these films."""
    return Run(info, MODEL, lambda: films)


def render(folder: Path, films: list[Film], **options: str) -> Outputs:
    """Write the outputs of a run."""
    from cxrscan.reports.outputs import write_outputs

    return write_outputs(folder, run_of(films), **options)  # type: ignore[arg-type]
