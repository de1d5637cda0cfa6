"""Scan one chunk of files: read, prepare, judge, classify.

The one place where an exception becomes a record, so that no file can stop a run or vanish from it.
"""

from __future__ import annotations

import hashlib
import math
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from scanner.engines.base import Engine
from scanner.errors import CxrscanError, FilmError, NotAFilmError
from scanner.gate import GateDecision, judge, judge_answer
from scanner.gate.statistics import GateStatistics, Look
from scanner.model_bundle import ModelSpec, load_bundle
from scanner.preprocess import to_model_input
from scanner.readers.raster import read_raster
from scanner.readers.sniff import HEAD_BYTES, is_gzip, sniff_kind
from scanner.records import Failure, FloatImage, ImageSource, Radiograph, ScanResult, Skip, Stage
from scanner.settings import ScanSettings
from scanner.thumbnail import make_thumbnail


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A film that waits for its batch."""

    result: ScanResult
    model_input: FloatImage | None
    """None when the film failed, or the gate rejects it by what it needs no network for."""
    look: Look | None = None
    """What the gate saw in it; None without statistics of the training films."""


def scan_chunk(sources: Sequence[ImageSource], settings: ScanSettings) -> list[ScanResult | Skip]:
    """Scan files and say of each what was found; never raises because of a file.

    Raises
    ------
    BundleError
        The model itself cannot be used.
    """
    cv2.setNumThreads(1)  # the cores are already shared out among the workers
    spec, engine = open_model(settings.model, settings.n_threads)
    statistics = None if settings.gate == "off" else _open_gate(settings.model, settings.n_threads)
    outcomes = [outcome for source in _at_hand(sources) for outcome in _prepare(source, spec, statistics, settings)]
    waiting = [film for film in outcomes if isinstance(film, _Prepared) and film.model_input is not None]
    scored = iter(_classify(waiting, spec, engine, statistics, settings))
    return [
        outcome if isinstance(outcome, Skip) else outcome.result if outcome.model_input is None else next(scored)
        for outcome in outcomes
    ]


@lru_cache(maxsize=1)
def open_model(folder: Path, n_threads: int) -> tuple[ModelSpec, Engine]:
    """Open a bundle once per process."""
    from scanner.engines.litert import LiteRTEngine

    spec = load_bundle(folder)
    return spec, LiteRTEngine(spec, n_threads=n_threads)


@lru_cache(maxsize=1)
def _open_gate(folder: Path, n_threads: int) -> GateStatistics | None:
    spec, _ = open_model(folder, n_threads)
    return GateStatistics.from_document(spec.gate) if spec.gate is not None else None


def _prepare(
    source: ImageSource, spec: ModelSpec, statistics: GateStatistics | None, settings: ScanSettings
) -> list[_Prepared | Skip]:
    """Everything that happens to a file before its batch is full; one item, or one for each frame."""
    start = time.perf_counter()
    result = ScanResult(source.name, source.kind, source.size_bytes, source.mtime_ns)
    try:
        data = _read_bytes(source)
        result = replace(result, sha256=hashlib.sha256(data).hexdigest(), kind=sniff_kind(data[:HEAD_BYTES]))
        films = _decode(data, spec, settings)
    except NotAFilmError as error:
        return [Skip(source.name, error.message, error.code)]
    except Exception as error:
        return [_Prepared(replace(result, failure=_failure("read", error), duration_ms=_ms_since(start)), None)]
    results = [result, *(replace(result, name=f"{result.name}#{number}") for number in range(2, len(films) + 1))]
    read_ms = _ms_since(start) / len(films)
    return [
        _prepare_film(result, film, read_ms, spec, statistics, settings)
        for result, film in zip(results, films, strict=True)
    ]


def _prepare_film(
    result: ScanResult,
    film: Radiograph,
    read_ms: float,
    spec: ModelSpec,
    statistics: GateStatistics | None,
    settings: ScanSettings,
) -> _Prepared:
    """Thumbnail, the network's input, and the gate's verdict so far."""
    start = time.perf_counter()
    stage: Stage = "prepare"
    model_input = look = None
    try:
        result = replace(
            result,
            width_px=film.width_px,
            height_px=film.height_px,
            pixel_path=film.pixel_path,
            attributes=film.attributes,
            thumbnail=make_thumbnail(film.pixels, settings.thumbnail_px),
        )
        prepared = to_model_input(film.pixels, spec.input_px)
        stage = "gate"
        result = _with_verdict(result, judge(film) if settings.gate != "off" else GateDecision("ok"), settings)
        if result.status != "rejected":
            model_input = prepared
            if statistics is not None:
                look = statistics.look_at(prepared[..., 0])
    except Exception as error:
        result = replace(result, failure=_failure(stage, error))
    return _Prepared(replace(result, duration_ms=read_ms + _ms_since(start)), model_input, look)


def _with_verdict(result: ScanResult, decision: GateDecision, settings: ScanSettings) -> ScanResult:
    """Note what the gate says; ``--gate warn`` scores what it would reject."""
    softened = settings.gate == "warn" and decision.verdict == "reject"
    return replace(result, gate="warn" if softened else decision.verdict, gate_reasons=decision.reasons)


def _failure(stage: Stage, error: Exception) -> Failure:
    if isinstance(error, CxrscanError):
        return Failure(stage, error.code, error.message)
    # A bug of ours or of a decoder; the run must go on. The exception's text may quote the file, so it stays out.
    place = traceback.extract_tb(error.__traceback__)[-1]
    return Failure(stage, "internal-error", f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}.")


def _at_hand(sources: Sequence[ImageSource]) -> Iterable[ImageSource]:
    """The films, those that lie elsewhere read ahead."""
    if all(isinstance(source.path, Path) for source in sources):
        return sources
    from scanner.remote import read_ahead

    return read_ahead(sources)


def _read_bytes(source: ImageSource) -> bytes:
    try:
        data = source.path.read_bytes() if source.data is None else source.data
    except OSError as error:
        raise FilmError("unreadable", f"The file cannot be read: {error.strerror}.") from error
    if not data:
        raise FilmError("empty-file", "The file is empty.")
    return data


def _decode(data: bytes, spec: ModelSpec, settings: ScanSettings) -> list[Radiograph]:
    kind = sniff_kind(data[:HEAD_BYTES])
    if kind is None:
        if is_gzip(data):
            raise FilmError("gzipped", "The file is compressed with gzip.")
        raise FilmError("not-an-image", "The content is not a picture in any known format.")
    if kind == "dicom":
        from scanner.readers.dicom import read_dicom  # pydicom is slow to import

        return read_dicom(
            data,
            max_megapixels=settings.max_megapixels,
            frames="all" if settings.all_frames else "first",
            window=settings.window,
            ids=settings.dicom_ids,
        )
    return [read_raster(data, min_side_px=spec.input_px, max_megapixels=settings.max_megapixels)]


def _classify(
    films: Sequence[_Prepared],
    spec: ModelSpec,
    engine: Engine,
    statistics: GateStatistics | None,
    settings: ScanSettings,
) -> list[ScanResult]:
    """Run the network over the films of a chunk, let the gate complete its verdicts, and complete the results."""
    if not films:
        return []
    start = time.perf_counter()
    given = [film.model_input for film in films if film.model_input is not None]
    upright = {i: film.look.upright for i, film in enumerate(films) if film.look and film.look.upright is not None}
    said = engine.predict(np.stack([*given, *(picture[..., np.newaxis] for picture in upright.values())]))
    seen_in = dict(zip(upright, range(len(films), len(said.embeddings)), strict=True))
    results = []
    for i, film in enumerate(films):
        result = film.result
        if statistics is not None and film.look is not None:
            embedding = said.embeddings[seen_in.get(i, i)]
            decision = judge_answer(result.gate_reasons, film.look, embedding, said.heat_maps[i], statistics)
            result = _with_verdict(result, decision, settings)
        results.append(_complete(result, float(said.logits[i]), said.heat_maps[i], spec))
    share_ms = _ms_since(start) / len(films)
    return [replace(result, duration_ms=result.duration_ms + share_ms) for result in results]


def _complete(result: ScanResult, logit: float, heat_map: FloatImage, spec: ModelSpec) -> ScanResult:
    """Add what the network said of a film."""
    if not (math.isfinite(logit) and np.isfinite(heat_map).all()):
        return replace(result, failure=Failure("classify", "no-number", "The network's answer is not a number."))
    if result.status == "rejected":
        return result
    return replace(result, prob_pneumonia=spec.probability(logit), heat_map=np.asarray(heat_map, dtype="<f2").tobytes())


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1e3
