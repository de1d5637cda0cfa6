"""Scan one chunk of files: read, prepare, judge, classify.

The one place where an exception becomes a record, so that no file can stop a run or vanish from it.
"""

from __future__ import annotations

import errno
import hashlib
import math
import os
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from cxrscan.scanner.calibration import PopulationFinder, open_finder
from cxrscan.scanner.engines import open_engine
from cxrscan.scanner.engines.base import Engine
from cxrscan.scanner.errors import CxrscanError, FilmError, NotAFilmError
from cxrscan.scanner.gate import GateDecision, judge, judge_answer, judge_lungs
from cxrscan.scanner.gate.statistics import GateStatistics, Look
from cxrscan.scanner.gate.verdict import REJECTING
from cxrscan.scanner.lungs import USUAL_LUNGS, Lungs, find_lungs
from cxrscan.scanner.model_bundle import ModelSpec, load_bundle
from cxrscan.scanner.preprocess import to_model_input
from cxrscan.scanner.readers import HEAD_BYTES, ReadOptions, read_film, sniff_kind
from cxrscan.scanner.records import (
    Failure,
    FloatImage,
    HeatMap,
    ImageSource,
    Radiograph,
    Region,
    ScanResult,
    Skip,
    Stage,
)
from cxrscan.scanner.regions import find_regions
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.system.beneath import LeadsElsewhereError, open_regular
from cxrscan.scanner.system.stopwatch import Stopwatch
from cxrscan.scanner.system.text import printable
from cxrscan.scanner.thumbnail import make_thumbnail

_MAX_BYTES_PER_PIXEL = 16  # of a file, generously: uncompressed colour takes 6, and headers little
_WITHOUT_LUNGS = frozenset({"rotated", "inverted", *REJECTING})
_CHANGED = "The file changed while the folder was scanned."


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
    _work_alone()
    spec, engine = open_model(settings)
    statistics = None if settings.gate == "off" else _open_gate(settings)
    outcomes = [outcome for source in _at_hand(sources) for outcome in _prepare(source, spec, statistics, settings)]
    waiting = [film for film in outcomes if isinstance(film, _Prepared) and film.model_input is not None]
    scored = iter(_classify(waiting, engine, statistics, settings))
    return [
        outcome if isinstance(outcome, Skip) else outcome.result if outcome.model_input is None else next(scored)
        for outcome in outcomes
    ]


@lru_cache(maxsize=1)
def _work_alone() -> None:
    """Keep libraries from starting threads: the cores are already shared out among the workers."""
    cv2.setNumThreads(1)
    threadpool_limits(1, user_api="blas")


@lru_cache(maxsize=1)
def open_model(settings: ScanSettings) -> tuple[ModelSpec, Engine]:
    """Open a bundle once per process."""
    if settings.model_files is not None:
        spec = settings.model_files.spec(settings.model, check=not settings.model_is_checked)
    else:
        spec = load_bundle(settings.model, check=not settings.model_is_checked, known_sha256=settings.model_sha256)
    return spec, open_engine(settings.engine, spec, settings.n_threads)


@lru_cache(maxsize=1)
def _open_gate(settings: ScanSettings) -> GateStatistics | None:
    spec, _ = open_model(settings)
    return GateStatistics.from_document(spec.gate) if spec.gate is not None else None


@lru_cache(maxsize=1)
def _open_finder(settings: ScanSettings) -> PopulationFinder | None:
    return open_finder(open_model(settings)[0])


def _prepare(
    source: ImageSource, spec: ModelSpec, statistics: GateStatistics | None, settings: ScanSettings
) -> list[_Prepared | Skip]:
    """Everything that happens to a file before its batch is full; one item, or one for each frame."""
    watch = Stopwatch()
    result = ScanResult.of(source)
    try:
        with watch.measure("read"):
            data = _read_bytes(source, settings.max_megapixels)
            result = replace(result, sha256=hashlib.sha256(data).hexdigest(), kind=sniff_kind(data[:HEAD_BYTES]))
        with watch.measure("decode"):
            films = _decode(data, spec, settings)
    except NotAFilmError as error:
        if source.is_listed:
            return [_Prepared(_timed(replace(result, failure=_failure("read", error)), watch), None)]
        return [Skip(source.name, printable(error.message), error.code)]
    except Exception as error:
        return [_Prepared(_timed(replace(result, failure=_failure("read", error)), watch), None)]
    results = [result, *(replace(result, name=f"{result.name}#{number}") for number in range(2, len(films) + 1))]
    read_s = {stage: seconds / len(films) for stage, seconds in watch.seconds.items()}
    return [
        _prepare_film(result, film, Stopwatch(read_s), spec, statistics, settings)
        for result, film in zip(results, films, strict=True)
    ]


def _prepare_film(
    result: ScanResult,
    film: Radiograph,
    watch: Stopwatch,
    spec: ModelSpec,
    statistics: GateStatistics | None,
    settings: ScanSettings,
) -> _Prepared:
    """Thumbnail, the network's input, and the gate's verdict so far."""
    stage: Stage = "prepare"
    model_input = look = None
    try:
        with watch.measure("thumbnail"):
            thumbnail = make_thumbnail(film.pixels, settings.thumbnail_px) if settings.thumbnail_px else b""
        result = replace(
            result,
            width_px=film.width_px,
            height_px=film.height_px,
            pixel_path=film.pixel_path,
            attributes=film.attributes,
            thumbnail=thumbnail,
        )
        with watch.measure("prepare"):
            prepared = to_model_input(film.pixels, spec.input_px)
        stage = "gate"
        with watch.measure("gate"):
            decision = judge(film, spec.trained_on) if settings.gate != "off" else GateDecision("ok")
            result = _with_verdict(result, decision, settings)
            if result.status != "rejected":
                model_input = prepared
                if statistics is not None:
                    look = statistics.look_at(prepared[..., 0])
    except Exception as error:
        result = replace(result, failure=_failure(stage, error))
    return _Prepared(_timed(result, watch), model_input, look)


def _timed(result: ScanResult, watch: Stopwatch) -> ScanResult:
    """Add what a stopwatch measured to a film's time."""
    total = Stopwatch(result.stage_s)
    total.add(watch.seconds)
    return replace(result, stage_s=dict(total.seconds), duration_ms=sum(total.seconds.values()) * 1e3)


def _with_verdict(result: ScanResult, decision: GateDecision, settings: ScanSettings) -> ScanResult:
    """Note what the gate says; ``--gate warn`` scores what it would reject."""
    softened = settings.gate == "warn" and decision.verdict == "reject"
    return replace(
        result,
        gate="warn" if softened else decision.verdict,
        gate_reasons=decision.reasons,
        gate_distance=decision.distance,
    )


def _failure(stage: Stage, error: Exception) -> Failure:
    if isinstance(error, CxrscanError):
        return Failure(stage, error.code, printable(error.message))
    if isinstance(error, MemoryError):
        return Failure(stage, "out-of-memory", "The film needs more memory than there is, or than --max-memory allows.")
    # A bug of ours or of a decoder; the run must go on. The exception's text may quote the file, so it stays out.
    place = traceback.extract_tb(error.__traceback__)[-1]
    return Failure(stage, "internal-error", f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}.")


def _at_hand(sources: Sequence[ImageSource]) -> Iterable[ImageSource]:
    """The films, those that lie elsewhere read ahead."""
    if all(isinstance(source.path, Path) for source in sources):
        return sources
    from cxrscan.scanner.sources.remote import read_ahead

    return read_ahead(sources)


def _read_bytes(source: ImageSource, max_megapixels: float) -> bytes:
    data = _read_file(source, max_megapixels) if source.data is None else source.data
    if not data:
        raise FilmError("empty-file", "The file is empty.")
    return data


def _read_file(source: ImageSource, max_megapixels: float) -> bytes:
    try:
        if not isinstance(source.path, Path):
            return source.path.read_bytes()
        with open_regular(str(source.path), within=source.within) as file:
            size = os.fstat(file.fileno()).st_size
            limit = int(max_megapixels * 1e6 * _MAX_BYTES_PER_PIXEL)
            if size > limit:
                raise FilmError("too-large", f"The file holds {size / 1e9:.1f} GB.")
            data = file.read(size + 1)  # reading takes memory for all that is asked for; a file that grows has changed
            status = os.fstat(file.fileno())
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise FilmError("too-large", "The file is larger than any film.") from error
        if isinstance(error, LeadsElsewhereError) and source.is_known:  # the walk has met a file there
            raise FilmError("changed", _CHANGED) from error
        raise FilmError("unreadable", f"The file cannot be read: {error.strerror}.") from error
    if not _is_what_was_walked(status, source):
        raise FilmError("changed", _CHANGED)
    return data


def _is_what_was_walked(status: os.stat_result, source: ImageSource) -> bool:
    """Whether an open file is the one that the walk met, by all that is known of that."""
    found = (status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)
    walked = (source.size_bytes, source.mtime_ns, source.inode, source.device)
    return all(then is None or then == now for then, now in zip(walked, found, strict=True))


def _decode(data: bytes, spec: ModelSpec, settings: ScanSettings) -> list[Radiograph]:
    options = ReadOptions.for_model(
        spec,
        max_megapixels=settings.max_megapixels,
        frames="all" if settings.all_frames else "first",
        window=settings.window,
        ids=settings.dicom_ids,
    )
    return read_film(data, options)


def _classify(
    films: Sequence[_Prepared],
    engine: Engine,
    statistics: GateStatistics | None,
    settings: ScanSettings,
) -> list[ScanResult]:
    """Run the network over the films of a chunk, let the gate complete its verdicts, and complete the results."""
    if not films:
        return []
    spec, finder = open_model(settings)[0], _open_finder(settings)
    watch = Stopwatch()
    given = [film.model_input for film in films if film.model_input is not None]
    upright = {i: film.look.upright for i, film in enumerate(films) if film.look and film.look.upright is not None}
    with watch.measure("invoke"):
        said = engine.predict(np.stack([*given, *(picture[..., np.newaxis] for picture in upright.values())]))
    seen_in = dict(zip(upright, range(len(films), len(said.embeddings)), strict=True))
    results = []
    with watch.measure("gate"):  # step by step over all films: the weights of each step then stay in the core's cache
        judged = [
            _judged(film, said.embeddings[seen_in.get(i, i)], said.heat_maps[i], statistics, settings)
            for i, film in enumerate(films)
        ]
        lungs = [_lungs_on(picture[..., 0], result) for picture, result in zip(given, judged, strict=True)]
        for i, result in enumerate(judged):
            population = finder.find(said.embeddings[i]) if finder else next(iter(spec.calibrations))
            result = _complete(result, float(said.logits[i]), population, said.heat_maps[i], spec, lungs[i])
            if settings.gate != "off" and result.status == "scored" and lungs[i] is not USUAL_LUNGS:
                caveats = judge_lungs(lungs[i], said.heat_maps[i], spec.heat_scale)
                result = _with_caveats(result, caveats)
            kept = settings.embeddings and result.status == "scored"
            results.append(replace(result, embedding=_as_kept(said.embeddings[i])) if kept else result)
    share = Stopwatch({stage: seconds / len(films) for stage, seconds in watch.seconds.items()})
    return [_timed(result, share) for result in results]


def _judged(
    film: _Prepared,
    embedding: npt.NDArray[np.floating],
    heat_map: npt.NDArray[np.floating],
    statistics: GateStatistics | None,
    settings: ScanSettings,
) -> ScanResult:
    """Complete a film's verdict; ``embedding`` is that of the upright picture."""
    if statistics is None or film.look is None:
        return film.result
    decision = judge_answer(film.result.gate_reasons, film.look, embedding, heat_map, statistics)
    return _with_verdict(film.result, decision, settings)


def _complete(
    result: ScanResult,
    logit: float,
    population: str,
    heat_map: npt.NDArray[np.floating],
    spec: ModelSpec,
    lungs: Lungs,
) -> ScanResult:
    """Add what the network said of a film."""
    with np.errstate(over="ignore"):
        heat_map = np.asarray(heat_map, dtype="<f2")
    distance = 0.0 if result.gate_distance is None else result.gate_distance
    if not (math.isfinite(logit) and math.isfinite(distance) and np.isfinite(heat_map).all()):
        failure = Failure("classify", "no-number", "The model's answer is not a number.")
        return replace(result, gate_distance=None, failure=failure)
    if result.status == "rejected":
        return result
    return replace(
        result,
        prob_pneumonia=spec.probability(logit, population),
        population=population,
        heat_map=HeatMap(heat_map.tobytes(), len(heat_map)),
        regions=_regions(result, heat_map, spec.heat_scale, lungs),
    )


def _lungs_on(picture: FloatImage, result: ScanResult) -> Lungs:
    """Where the lungs lie; the usual place on what is no upright positive of a chest."""
    if not _WITHOUT_LUNGS.isdisjoint(result.gate_reasons):
        return USUAL_LUNGS
    return find_lungs(picture)


def _with_caveats(result: ScanResult, caveats: tuple[str, ...]) -> ScanResult:
    return replace(result, gate="warn", gate_reasons=(*result.gate_reasons, *caveats)) if caveats else result


def _regions(
    result: ScanResult, heat_map: npt.NDArray[np.floating], heat_scale: float, lungs: Lungs
) -> tuple[Region, ...]:
    """Where the heat lies; on a film that is turned, neither side nor zone is known."""
    size_px = (result.width_px or 0, result.height_px or 0)
    regions = find_regions(heat_map, heat_scale, size_px, lungs)
    if "rotated" in result.gate_reasons:
        return tuple(replace(region, side="", zone="") for region in regions)
    return regions


def _as_kept(embedding: npt.NDArray[np.floating]) -> bytes:
    """Bytes of an embedding; none where float16 cannot hold it, since the score does not need it."""
    with np.errstate(over="ignore"):
        halves = np.asarray(embedding, dtype="<f2")
    return halves.tobytes() if np.isfinite(halves).all() else b""
