"""What comes out of a journal, held against what can have gone into it.

Run folders travel between people, so a journal is as little trusted as a film. Here, and only here, its values become
records: of the right types, finite, within their ranges, with names that are safe to show and pictures that are small.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass, replace
from datetime import datetime
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from cxrscan.scanner.errors import HINTS
from cxrscan.scanner.readers import FORMATS
from cxrscan.scanner.records import (
    GATE_REASONS,
    MAX_REGIONS,
    NEGATIVE,
    POSITIVE,
    Failure,
    Film,
    FilmAttributes,
    GateVerdict,
    HeatMap,
    Reading,
    Region,
    RunInfo,
    ScanResult,
    Side,
    Stage,
    Zone,
)
from cxrscan.scanner.system.text import is_printable, printable

#: Columns of the table of films that a row's hash covers, in its order.
HASHED = (
    *("name", "size_bytes", "mtime_ns", "etag", "result_key", "prob_pneumonia", "kind", "sha256", "width_px"),
    *("height_px", "pixel_path", "attributes", "regions", "gate", "gate_reasons", "gate_distance", "population"),
    *("failure_stage", "failure_code", "failure_message", "duration_ms", "heat_map", "thumbnail", "embedding"),
)
_TEXTS = ("etag", "result_key", "pixel_path", "population")
N_TEXTS = len(HASHED) - 3
"""Of HASHED; the rest are bytes."""
HASH_BYTES = 16
#: What ``film_of`` takes: the columns of the hash, the hash, and the truth, which changes with the labels.
COLUMNS = (*HASHED, "row_hash", "truth")
_MAX_NAME, _MAX_TEXT, _MAX_ATTRIBUTES = 65_536, 4_096, 65_536
_MAX_PX = 1_000_000
_MAX_REGIONS_TEXT = 65_536
_MAX_AGE_YEARS = 1_000.0
_MAX_SPACING_MM = 1_000.0
_MAX_REAL = 1e15  # larger ones cannot be written with decimals
_MAX_THUMBNAIL_BYTES, _MAX_THUMBNAIL_PX = 1 << 20, 4_096
_MAX_HEAT_SIDE = 64
_MAX_EMBEDDING = 4_096
#: Upper bytes of the float16 values that are infinite or no number: all bits of the exponent are set.
_NOT_FINITE = bytes(byte for byte in range(256) if byte & 0x7C == 0x7C)
_MAX_N = 1 << 63
_MODULUS = 1 << 62
_KINDS = frozenset({None, *(each.kind for each in FORMATS)})
_OF_REGION = tuple(field.name for field in fields(Region))
_SIDES, _ZONES = get_args(Side), get_args(Zone)
_STAGES, _GATES = frozenset(get_args(Stage)), frozenset({None, *get_args(GateVerdict)})
_ID = re.compile(r"(patient_id|study_uid|sop_uid)(_hash)?|acquired_at(_shifted)?")
_SHARD = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,8})")
_SHA256 = re.compile(r"(?:[0-9a-f]{64})?")
#: Markers of a JPEG's frame header (ITU T.81, table B.1).
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})

_T = TypeVar("_T")


class UnfitError(ValueError):
    """A value that cannot have been stored by this version."""


def _require(holds: object, what: str) -> None:
    if not holds:
        raise UnfitError(what)


# -- rows of films


def values_of(result: ScanResult, result_key: str) -> tuple[Any, ...]:
    """Values of HASHED for a film."""
    failure = result.failure
    return (
        result.name,
        result.size_bytes,
        result.mtime_ns,
        result.etag,
        result_key,
        _real(result.prob_pneumonia),
        result.kind,
        result.sha256,
        result.width_px,
        result.height_px,
        result.pixel_path,
        _attributes_text(result.attributes),
        _regions_text(result.regions),
        result.gate,
        " ".join(result.gate_reasons),
        _real(result.gate_distance),
        result.population,
        failure and failure.stage,
        failure and failure.code,
        failure and failure.message,
        float(result.duration_ms),
        result.heat_map.values if result.heat_map else b"",
        result.thumbnail,
        result.embedding,
    )


@lru_cache(maxsize=256)  # those of raster films are all the same
def _attributes_text(attributes: FilmAttributes) -> str:
    return json.dumps(asdict(attributes), ensure_ascii=False)


def _regions_text(regions: tuple[Region, ...]) -> str:
    return json.dumps([{name: getattr(one, name) for name in _OF_REGION} for one in regions]) if regions else ""


def _real(value: float | None) -> float | None:
    return None if value is None else float(value) + 0.0  # SQLite keeps no negative zero


def hash_of(values: tuple[Any, ...]) -> bytes:
    """Digest of the values of HASHED: it tells damage, not forgery."""
    digest = hashlib.blake2b(json.dumps(values[:N_TEXTS]).encode(), digest_size=HASH_BYTES)
    for picture in values[N_TEXTS:]:
        digest.update(b"%d;" % len(picture))
        digest.update(picture)
    return digest.digest()


def film_of(row: tuple[Any, ...]) -> Film:
    """Make a film of the values of COLUMNS.

    Raises
    ------
    UnfitError
        One of them cannot have been stored by this version.
    """
    *values, row_hash, truth = row
    _require(row_hash == _hash_again(tuple(values)), "hash of a row")
    said = dict(zip(HASHED, values, strict=True))
    _require_fitting(said)
    _require(truth in (None, POSITIVE, NEGATIVE), "truth")
    result = ScanResult(
        name=said["name"],
        kind=said["kind"],
        size_bytes=said["size_bytes"],
        mtime_ns=said["mtime_ns"],
        etag=said["etag"],
        sha256=said["sha256"],
        width_px=said["width_px"],
        height_px=said["height_px"],
        pixel_path=said["pixel_path"],
        attributes=_attributes(said["attributes"]),
        prob_pneumonia=said["prob_pneumonia"],
        population=said["population"],
        heat_map=_heat_map(said["heat_map"]),
        regions=_regions(said["regions"], said["width_px"], said["height_px"]),
        thumbnail=_small_jpeg(said["thumbnail"]),
        embedding=_embedding(said["embedding"]),
        gate=said["gate"],
        gate_reasons=tuple(said["gate_reasons"].split()),
        gate_distance=said["gate_distance"],
        failure=_failure(said["failure_stage"], said["failure_code"], said["failure_message"]),
        duration_ms=said["duration_ms"],
    )
    _require((result.prob_pneumonia is not None) == (result.status == "scored"), "probability")
    _require(not result.embedding or result.status == "scored", "embedding")
    return Film(result, truth)


def _hash_again(values: tuple[Any, ...]) -> bytes:
    _require(all(type(value) is bytes for value in values[N_TEXTS:]), "picture")
    try:
        return hash_of(values)
    except TypeError:  # bytes where there is text
        raise UnfitError("text") from None


def _require_fitting(said: Mapping[str, Any]) -> None:
    """Hold the simple values of a row against their types and ranges."""
    _require(_is_text(said["name"], _MAX_NAME) and said["name"], "name")
    _require(all(_is_text(said[each], _MAX_TEXT) for each in _TEXTS), "text")
    _require(said["mtime_ns"] is None or type(said["mtime_ns"]) is int, "time of a file")
    _require(_is_count(said["size_bytes"], _MAX_N), "size of a file")
    _require(_is_count(said["width_px"], _MAX_PX) and _is_count(said["height_px"], _MAX_PX), "size of a picture")
    _require(said["kind"] in _KINDS and type(said["sha256"]) is str and _SHA256.fullmatch(said["sha256"]), "kind")
    _require(_is_real(said["prob_pneumonia"], 0.0, 1.0), "probability")
    _require(_is_real(said["gate_distance"], -_MAX_REAL, _MAX_REAL), "distance")
    _require(said["duration_ms"] is not None and _is_real(said["duration_ms"], 0.0, _MAX_REAL), "duration")
    reasons = said["gate_reasons"]
    _require(said["gate"] in _GATES and type(reasons) is str and GATE_REASONS.keys() >= {*reasons.split()}, "gate")


def _failure(stage: Any, code: Any, message: Any) -> Failure | None:
    if stage is None and code is None and message is None:
        return None
    _require(stage in _STAGES and code in HINTS and _is_text(message, _MAX_TEXT), "failure")
    return Failure(stage, code, message)


def _is_text(value: Any, max_characters: int) -> bool:
    return type(value) is str and len(value) <= max_characters and is_printable(value)


def _is_count(value: Any, end: int) -> bool:
    return value is None or (type(value) is int and 0 <= value < end)


def _is_real(value: Any, low: float, high: float) -> bool:
    return value is None or (type(value) is float and low <= value <= high)  # false for NaN too


@lru_cache(maxsize=256)  # those of raster films are all the same
def _attributes(text: Any) -> FilmAttributes:
    _require(type(text) is str and len(text) <= _MAX_ATTRIBUTES, "attributes")
    attributes = record_of(FilmAttributes, _parse(text))
    age = attributes.patient_age_years
    _require(age is None or 0.0 <= age <= _MAX_AGE_YEARS, "age")
    spacing = attributes.pixel_spacing_mm
    _require(spacing is None or all(0.0 < each <= _MAX_SPACING_MM for each in spacing), "spacing")
    columns = [column for column, _ in attributes.ids]
    _require(all(map(_ID.fullmatch, columns)) and len(set(columns)) == len(columns), "identifier")
    return attributes


def _regions(text: Any, width_px: int | None, height_px: int | None) -> tuple[Region, ...]:
    """Regions of a film, which lie on it."""
    _require(type(text) is str and len(text) <= _MAX_REGIONS_TEXT, "regions")
    if not text:
        return ()
    documents = _parse(text)
    _require(type(documents) is list and len(documents) <= MAX_REGIONS, "regions")
    return tuple(_region(document, width_px or 0, height_px or 0) for document in documents)


def _region(document: Any, width_px: int, height_px: int) -> Region:
    """As ``record_of`` would make it, at a tenth of the time: a film has a hundred corners, and is read often."""
    _require(type(document) is dict and document.keys() == set(_OF_REGION), "region")
    share, strength = document["share_of_heat"], document["strength"]
    _require(type(share) is float and 0.0 <= share <= 1.0, "share of the heat")
    _require(type(strength) is float and 0.0 <= strength <= _MAX_REAL, "strength")
    _require(document["side"] in _SIDES and document["zone"] in _ZONES, "place")
    polygon = _points(document["polygon_px"], width_px, height_px)
    (hottest,) = _points([document["hottest_px"]], width_px, height_px)
    _require(polygon, "polygon")
    return Region(polygon, hottest, share, strength, document["side"], document["zone"])


def _points(said: Any, width_px: int, height_px: int) -> tuple[tuple[int, int], ...]:
    """Points that lie on the film."""
    _require(type(said) is list and all(type(point) is list and len(point) == 2 for point in said), "points")
    _require(
        all(type(x) is int and type(y) is int and 0 <= x < width_px and 0 <= y < height_px for x, y in said), "point"
    )
    return tuple((x, y) for x, y in said)


def _heat_map(values: bytes) -> HeatMap | None:
    if not values:
        return None
    try:
        heat_map = HeatMap.of_square(values)
    except ValueError as error:
        raise UnfitError(str(error)) from error
    _require(heat_map.side <= _MAX_HEAT_SIDE, "heat map")
    _require(all(map(math.isfinite, struct.unpack(f"<{heat_map.side**2}e", values))), "heat map")
    return heat_map


def _embedding(values: bytes) -> bytes:
    """Finite float16 values, as many as a network of this kind gives."""
    _require(len(values) % 2 == 0 and len(values) <= 2 * _MAX_EMBEDDING, "embedding")
    upper = values[1::2]
    _require(len(upper.translate(None, _NOT_FINITE)) == len(upper), "embedding")
    return values


def _small_jpeg(data: bytes) -> bytes:
    """A thumbnail: nothing, or a whole JPEG of bearable size by its headers."""
    if not data:
        return data
    _require(len(data) <= _MAX_THUMBNAIL_BYTES and data[:3] == b"\xff\xd8\xff" and data[-2:] == b"\xff\xd9", "picture")
    at = 2
    while data[at : at + 1] == b"\xff" and data[at + 1] not in _FRAME_HEADERS:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    height, width = (int.from_bytes(data[at + start : at + start + 2], "big") for start in (5, 7))
    _require(data[at : at + 1] == b"\xff" and 0 < max(height, width) <= _MAX_THUMBNAIL_PX, "picture")
    return data


# -- what is true of the run as a whole


def meta_hash(key: str, value: str) -> bytes:
    """Digest of a value stored under a name."""
    return hashlib.blake2b(f"{key}\0{value}".encode(), digest_size=HASH_BYTES).digest()


@dataclass(frozen=True, slots=True)
class Seal:
    """What a journal says of its rows, so that lost ones are noticed: their number, and sums of their hashes."""

    n_films: int = 0
    films: int = 0
    meta: int = 0

    def with_film(self, row_hash: Any, times: int = 1) -> Seal:
        """Count a film's row; ``times`` -1 takes it back."""
        return replace(self, n_films=self.n_films + times, films=(self.films + times * _summand(row_hash)) % _MODULUS)

    def with_meta(self, row_hash: Any, times: int = 1) -> Seal:
        """Count a value stored under a name; ``times`` as in ``with_film``."""
        return replace(self, meta=(self.meta + times * _summand(row_hash)) % _MODULUS)


def _summand(row_hash: Any) -> int:
    _require(type(row_hash) is bytes and len(row_hash) == HASH_BYTES, "hash of a row")
    return int.from_bytes(row_hash[:8], "big")


def value_of(key: str, value: Any, row_hash: Any) -> Any:
    """Read a JSON value stored under a name; raises ``UnfitError``."""
    _require(type(value) is str and row_hash == meta_hash(key, value), key)
    return _parse(value)


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise UnfitError("JSON") from None


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def run_of(document: Any) -> RunInfo:
    """Make the record of a run; raises ``UnfitError``."""
    info = record_of(RunInfo, document, raw=frozenset({"roots", "arguments"}))
    _require(0.0 <= info.threshold <= 1.0, "threshold")
    _require(info.refer is None or 0.0 <= info.refer[0] <= info.refer[1] <= 1.0, "refer")
    _require(info.duration_s >= 0.0 and all(second >= 0.0 for second in info.profile_s.values()), "duration")
    _require(all(n >= 0 for n in info.n_skipped.values()), "count")
    for moment in (info.started_at, info.finished_at):
        try:
            datetime.fromisoformat(moment)
        except ValueError:
            raise UnfitError("date") from None
    _require(isinstance(info.arguments.get("from_file"), (str, NoneType)), "from_file")
    shard = _SHARD.fullmatch(info.shard)
    _require(not info.shard or (shard and int(shard[1]) <= int(shard[2])), "shard")
    return info


def reading_of(document: Any) -> Reading:
    """Make the record of how films were read; raises ``UnfitError``."""
    reading = record_of(Reading, document)
    _require(reading.max_megapixels > 0, "max_megapixels")
    _require(reading.window is None or reading.window >= 0, "window")
    return reading


def record_of(record: type[_T], document: Any, *, raw: frozenset[str] = frozenset()) -> _T:
    """Make a frozen dataclass of a JSON object, checked against the types of its fields.

    Parameters
    ----------
    raw
        Fields whose texts name places and stay as they are; all others are made safe to show.

    Raises
    ------
    UnfitError
        A field is missing, unknown, or of another type.
    """
    _require(type(document) is dict, record.__name__)
    kinds, needed = _kinds(record)  # type: ignore[arg-type]  # a class is hashable
    _require(needed <= document.keys() <= kinds.keys(), record.__name__)
    return record(**{name: _typed(kinds[name], value, name, name in raw) for name, value in document.items()})


@cache
def _kinds(record: type[Any]) -> tuple[Mapping[str, Any], frozenset[str]]:
    """Types of a record's fields, and the names of those that have no default."""
    needed = (field.name for field in fields(record) if field.default is field.default_factory is MISSING)
    return get_type_hints(record), frozenset(needed)


def _typed(kind: Any, value: Any, name: str, raw: bool) -> Any:
    """Hold a JSON value against a type: text, numbers, choices, tuples, mappings, records, or one of several."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is UnionType:
        fitting = [part for part in parts if part is not NoneType]
        return None if value is None and NoneType in parts else _typed(fitting[0], value, name, raw)
    if origin is tuple:
        _require(type(value) is list, name)
        kinds = [parts[0]] * len(value) if parts[1:] == (...,) else list(parts)
        _require(len(kinds) == len(value), name)
        return tuple(_typed(each, item, name, raw) for each, item in zip(kinds, value, strict=True))
    if origin is dict:
        _require(type(value) is dict, name)
        return {_typed(str, key, name, raw): _typed(parts[1], item, name, raw) for key, item in value.items()}
    if origin is Literal:
        _require(type(value) is str and value in parts, name)
        return value
    if kind is Any:
        return value
    if isinstance(kind, type) and is_dataclass(kind):
        return record_of(kind, value)
    return _SIMPLE[kind](value, name, raw)


def _text(value: Any, name: str, raw: bool) -> str:
    _require(type(value) is str and len(value) <= _MAX_NAME, name)
    return str(value) if raw else printable(value)


def _truth_value(value: Any, name: str, raw: bool) -> bool:
    _require(type(value) is bool, name)
    return bool(value)


def _integer(value: Any, name: str, raw: bool) -> int:
    _require(type(value) is int and abs(value) < _MAX_N, name)
    return int(value)


def _number(value: Any, name: str, raw: bool) -> float:
    _require(type(value) in (int, float) and abs(value) < _MAX_N and math.isfinite(value), name)
    return float(value)


_SIMPLE: Mapping[Any, Callable[[Any, str, bool], Any]] = {
    str: _text,
    bool: _truth_value,
    int: _integer,
    float: _number,
}
