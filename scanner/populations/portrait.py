"""A run's journal -> the portrait of its films: what of them is compared with others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt

from cxrscan.scanner.calibration import root
from cxrscan.scanner.evaluation.drift import HEADER_FIELDS, PICTURE_FIGURES, Portrait
from cxrscan.scanner.evaluation.evaluate import age_band
from cxrscan.scanner.evaluation.patients import whose
from cxrscan.scanner.gate import evidence
from cxrscan.scanner.gate.statistics import GateStatistics
from cxrscan.scanner.metrics import FloatArray
from cxrscan.scanner.model_bundle import ModelSpec
from cxrscan.scanner.preprocess import resize
from cxrscan.scanner.records import POSITIVE, Film, ScanResult

MAX_FILMS = 1000
"""Films of a run that are compared; more would show changes that matter to nobody."""
_SIDE_PX = 224
_WHITE, _BLACK = 0.99, 0.01


def portray(
    films: Callable[[], Iterable[Film]],
    model: ModelSpec,
    name: str,
    *,
    max_films: int = MAX_FILMS,
    patients: Mapping[str, str] = MappingProxyType({}),
) -> Portrait:
    """Describe the scored films of a run, one of each patient, drawn by lot from their names.

    Parameters
    ----------
    films
        Gives the films as often as it is called.
    max_films
        Patients at most.
    patients
        File name -> patient, where there is a table of them.
    """
    chosen, n_films, n_without_patient = _draw(films(), max_films, patients)
    results: list[ScanResult] = []
    truths: list[str | None] = []
    pictures: list[FloatArray] = []
    for film in films():
        if film.result.name in chosen:
            results.append(film.result)
            truths.append(film.truth)
            figures = picture_figures(film.result.thumbnail)
            pictures += [] if figures is None else [figures]
    features = embedded_features(results, model)
    headers = tuple(_header(result) for result in results)
    states = any(value for row in headers for value in row[:-1])
    gaps = [
        *(["Embeddings are not compared: the run keeps none."] if features is None else []),
        *(
            ["Pictures are not compared: the run does not keep a thumbnail of each film."]
            if len(pictures) < len(results)
            else []
        ),
    ]
    return Portrait(
        name=name,
        log_odds=as_kept([model.log_odds(result.prob_pneumonia or 0.0, result.population) for result in results]),
        truth=np.array([-1 if truth is None else truth == POSITIVE for truth in truths], dtype=np.int8),
        features=features,
        pictures=as_kept(pictures) if pictures and len(pictures) == len(results) else None,
        headers=headers if states else None,
        n_films=n_films,
        n_without_patient=n_without_patient,
        weights_sha256=model.weights_sha256,
        coordinates_sha256=coordinates_id(model),
        gaps=tuple(gaps),
    )


def _draw(films: Iterable[Film], max_films: int, patients: Mapping[str, str]) -> tuple[set[str], int, int]:
    """Names of the films chosen, scored films, and those chosen of which nothing says the patient."""
    best: dict[str, tuple[str, str, bool]] = {}
    n_films = 0
    for film in films:
        if film.result.prob_pneumonia is None:
            continue
        n_films += 1
        name, patient = film.result.name, whose(film.result, patients)
        lot = hashlib.sha256(name.encode()).hexdigest()
        key = f"patient {patient}" if patient else f"film {name}"
        best[key] = min(best.get(key, ("g", "", False)), (lot, name, not patient))
    chosen = sorted(best.values())[:max_films]
    return {name for _, name, _ in chosen}, n_films, sum(unknown for _, _, unknown in chosen)


def picture_figures(thumbnail: bytes) -> FloatArray | None:
    """Measure a thumbnail by PICTURE_FIGURES: float array, shape (7,); None where it is no picture."""
    data = np.frombuffer(thumbnail, dtype=np.uint8)
    stored = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
    if stored is None:
        return None
    height, width = stored.shape
    picture = resize(stored.astype(np.float32) / np.float32(255), _SIDE_PX, _SIDE_PX)
    small = resize(picture, evidence.SMALL_PX, evidence.SMALL_PX)
    figures = {
        "brightness": small.mean(),
        "contrast": small.std(),
        "sharpness": evidence.sharpness(picture),
        "black_share": (small <= _BLACK).mean(),
        "white_share": (small >= _WHITE).mean(),
        "border_share": evidence.border_share(evidence.content_box(small)),
        "aspect_ratio": width / height,
    }
    return np.array([figures[name] for name in PICTURE_FIGURES], dtype=np.float64)


def embedded_features(results: Sequence[ScanResult], model: ModelSpec) -> FloatArray | None:
    """Embeddings in the coordinates of the gate, and their distance from what these span; roots without a gate."""
    if not results or not all(result.embedding for result in results):
        return None
    rows = np.stack([np.frombuffer(result.embedding, dtype="<f2").astype(np.float32) for result in results])
    if model.gate is None:
        return as_kept(root(rows))
    gate = GateStatistics.from_document(model.gate)
    inside = (root(rows) - gate.feature_mean) @ gate.feature_basis.T
    return as_kept(np.column_stack([inside, [gate.features(row) for row in rows]]))


def coordinates_id(model: ModelSpec) -> str:
    """What tells the coordinates of a bundle's features from others: a hash of the gate's arrays that make them."""
    arrays = {} if model.gate is None else model.gate["arrays"]
    parts = [arrays[name]["float16"] for name in ("feature_mean", "feature_basis") if name in arrays]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def as_kept(values: npt.ArrayLike) -> FloatArray:
    """Values as precise as a bundle keeps them: what rounding alone makes different would pass for a change."""
    return np.asarray(values, dtype=np.float16).astype(np.float64)


def _header(result: ScanResult) -> tuple[str, ...]:
    said = result.attributes
    age = age_band(said.patient_age_years)
    fields: Iterator[str] = iter(
        (
            *(said.view_position, said.patient_sex, age, said.manufacturer, said.modality, said.body_part),
            *(said.presentation_intent, result.kind or ""),
        )
    )
    return tuple(value for _, value in zip(HEADER_FIELDS, fields, strict=True))
