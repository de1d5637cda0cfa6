"""A model bundle: a folder with ``model.tflite`` and ``model.json``.

The JSON says everything that the scanner must know to use the weights and that a reader must know to trust
them. It is checked against ``models/model.schema.json``; the weights are checked against their SHA-256.
Loading a bundle runs no code from it. One that does not come with cxrscan is opened by ``cxrscan.scanner.trial`` first.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cxrscan.scanner.errors import BundleError
from cxrscan.scanner.records import Estimate
from cxrscan.scanner.system.bounded import read_open
from cxrscan.scanner.system.text import printable

DEFAULT_BUNDLE = Path(__file__).parent / "models"
WEIGHTS_NAME = "model.tflite"
SPEC_NAME = "model.json"
CARD_NAME = "MODEL_CARD.md"
_SCHEMA = DEFAULT_BUNDLE / "model.schema.json"
_FLATBUFFER_ID = b"TFL3"

# What a description may hold; the schema says more of the fields that it names.
MAX_DESCRIPTION_BYTES = 8 << 20  # the gate's arrays take most of the shipped one's 150 KB
MAX_WEIGHTS_BYTES = 256 << 20
_MAX_ITEMS = 20_000
_MAX_DEPTH = 16
_MAX_CHARACTERS = 2_000
_MAX_NUMBER = 1e12
_ARRAY_KEY = "float16"  # base64, as long as its array


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A probability threshold with the way it was chosen and what it does on the validation films."""

    name: str
    threshold: float
    rule: str
    data: str
    sensitivity: Estimate
    specificity: Estimate


def log_odds(probability: float) -> float:
    """Log-odds of a probability in [0, 1]; those of 0 and 1 are finite, as floats are."""
    inside = min(max(probability, sys.float_info.min), 1.0 - sys.float_info.epsilon / 2)
    return math.log(inside) - math.log1p(-inside)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Log-odds of pneumonia = scale * log-odds of the network + offset (Platt 1999)."""

    scale: float
    offset: float = 0.0

    def probability(self, logit: float) -> float:
        """Calibrated probability of pneumonia in [0, 1] from the network's log-odds."""
        scaled = self.scale * logit + self.offset
        if scaled >= 0:
            return 1.0 / (1.0 + math.exp(-scaled))
        return math.exp(scaled) / (1.0 + math.exp(scaled))


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """Whose films a model was trained on, in words that DICOM headers use too."""

    views: tuple[str, ...] = ("AP",)
    below_years: float | None = 18.0
    """Age that nobody had reached; None: there were children and adults."""


@dataclass(frozen=True, slots=True)
class Descent:
    """How a bundle came of another; an entry of ``lineage``."""

    parent: str
    """Name and version."""
    parent_sha256: str
    """Of its weights."""
    site: str
    """Where the films come from that it was adapted to."""
    date: str
    """ISO 8601."""
    rung: str
    """What was adapted: ``share``, ``threshold``, ``recalibration``, ``head`` or ``fine-tuning``."""
    n_films: int
    forced: bool
    """Whether it was written although nothing was gained for certain."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The content of ``model.json``; field by field as the schema describes."""

    name: str
    version: str
    weights_sha256: str
    input_px: int
    calibrations: dict[str, Calibration]
    """Population -> its calibration; a single one, without a name, where no populations are told apart."""
    heat_scale: float
    """Grad-CAM value, in logit units, at the top of the colour scale."""
    operating_points: dict[str, OperatingPoint]
    default_operating_point: str
    gate: dict[str, Any] | None
    training: dict[str, Any]
    validation: dict[str, dict[str, Estimate]]
    export: dict[str, Any]
    intended_use: str
    limits: tuple[str, ...]
    licence: str
    initial_weights: str
    trained_on: TrainedOn = TrainedOn()
    prior: float = 0.5
    """Share of films with pneumonia that the probabilities assume, in (0, 1)."""
    finder: dict[str, Any] | None = None
    """What tells the populations apart; see ``cxrscan.scanner.calibration``."""
    reference: dict[str, Any] | None = field(default=None, repr=False)
    """What its validation films look like, for ``cxrscan drift``; None: the bundle does not say."""
    lineage: tuple[Descent, ...] = ()
    """The oldest ancestor first; empty for one that was trained from initial weights."""
    folder: Path = field(default=DEFAULT_BUNDLE, compare=False)
    """Where the bundle lies."""
    description_sha256: str = field(default="", compare=False)
    """SHA-256 of ``model.json``; with the hash in it, it stands for the whole bundle."""
    weights: bytes | None = field(default=None, compare=False, repr=False)
    """The flatbuffer, where it is at hand already."""

    @property
    def label(self) -> str:
        """Name and version, as the CSV column ``model`` shows them."""
        return f"{self.name} {self.version}"

    @property
    def alpha(self) -> float:
        """MobileNetV2's width multiplier."""
        return float(self.training.get("config", {}).get("alpha", 1.0))

    @property
    def weights_path(self) -> Path:
        """The LiteRT flatbuffer."""
        return self.folder / WEIGHTS_NAME

    def probability(self, logit: float, population: str = "") -> float:
        """Calibrated probability of pneumonia in [0, 1] from the network's log-odds for a film of a population."""
        return self._calibration(population).probability(logit)

    @property
    def calibration(self) -> Calibration:
        """The only calibration, or the first."""
        return next(iter(self.calibrations.values()))

    def of_population(self, population: str) -> ModelSpec:
        """The same model as if all films were of one population."""
        return replace(self, calibrations={"": self._calibration(population)}, finder=None)

    def _calibration(self, population: str) -> Calibration:
        """That of a population; the first one for a population that the model does not know."""
        return self.calibrations.get(population, self.calibration)

    @property
    def calibration_text(self) -> str:
        """The calibration in words: ``log-odds x 1.20 + 0.00``, population by population."""
        texts = [
            f"{name and f'{name}: '}log-odds x {each.scale:.3g} {'+' if each.offset >= 0 else '-'} "
            f"{abs(each.offset):.3g}"
            for name, each in self.calibrations.items()
        ]
        return "; ".join(texts)

    def log_odds(self, probability: float, population: str = "") -> float:
        """The network's log-odds behind a film's calibrated probability; those of 0 and 1 are finite, as floats are."""
        calibration = self._calibration(population)
        return (log_odds(probability) - calibration.offset) / calibration.scale

    def threshold(self, wanted: str | None) -> tuple[str, float]:
        """Name and probability of an operating point, from its name, a number in [0, 1], or None for the default.

        Raises
        ------
        BundleError
            ``unknown-operating-point``.
        """
        name = wanted or self.default_operating_point
        if name in self.operating_points:
            return name, self.operating_points[name].threshold
        try:
            value = float(name)
        except ValueError:
            value = math.nan
        if not 0.0 <= value <= 1.0:
            names = ", ".join(self.operating_points)
            raise BundleError(
                "unknown-operating-point", f"{name!r} is neither a number from 0 to 1 nor one of {names}."
            )
        return "custom", value


def load_bundle(folder: Path, *, check: bool = True, known_sha256: str = "") -> ModelSpec:
    """Read and check ``model.json``; does not read the weights.

    Parameters
    ----------
    check
        Hold it against the schema; for processes that are handed a bundle which another has checked, loading what
        does so takes longer than opening the network.
    known_sha256
        SHA-256 of the ``model.json`` that is wanted; empty for any.

    Raises
    ------
    BundleError
        ``bundle-missing``, ``bundle-invalid``, or ``bundle-changed`` where another is found than the wanted one.
    """
    if not (folder / WEIGHTS_NAME).is_file():
        raise BundleError("bundle-missing", f"{folder} holds no {WEIGHTS_NAME}.")
    spec = BundleFiles(read_description(folder)).spec(folder, check=check)
    if known_sha256 and spec.description_sha256 != known_sha256:
        raise BundleError("bundle-changed", f"{folder / SPEC_NAME} is no longer what it was when the command began.")
    return spec


@dataclass(frozen=True, slots=True)
class BundleFiles:
    """The bytes of a bundle, each file read once."""

    description: bytes = field(repr=False)
    """``model.json``"""
    weights: bytes | None = field(default=None, repr=False)
    """``model.tflite``; None where it is to be read when it is needed."""

    def spec(self, folder: Path, *, check: bool = True) -> ModelSpec:
        """Make the record; parameters and errors as of ``load_bundle``."""
        spec = spec_from_document(parse_description(self.description, folder, check=check), folder)
        return replace(spec, weights=self.weights, description_sha256=hashlib.sha256(self.description).hexdigest())


def read_document(folder: Path) -> dict[str, Any]:
    """Read and check a bundle's ``model.json``; errors of ``load_bundle``."""
    return parse_description(read_description(folder), folder)


def read_description(folder: Path) -> bytes:
    """Read the bytes of a bundle's ``model.json``.

    Raises
    ------
    BundleError
        ``bundle-missing`` or ``bundle-invalid``.
    """
    return _read(folder / SPEC_NAME, MAX_DESCRIPTION_BYTES)


def read_weights(folder: Path) -> bytes:
    """Read the bytes of a bundle's ``model.tflite``; errors as of ``read_description``."""
    return _read(folder / WEIGHTS_NAME, MAX_WEIGHTS_BYTES)


def _read(path: Path, max_bytes: int) -> bytes:
    """Read a file of a bundle, no further than it may reach."""
    if not path.is_file():
        raise BundleError("bundle-missing", f"{path.parent} holds no {path.name}.")
    try:
        with path.open("rb") as file:
            return read_open(file, max_bytes)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise BundleError("bundle-invalid", f"{path} is larger than {max_bytes >> 20} MiB.") from error
        raise BundleError("bundle-missing", f"{path} cannot be read: {error.strerror}.") from error


def parse_description(data: bytes, folder: Path, *, check: bool = True) -> dict[str, Any]:
    """Make a document of the bytes of ``model.json``; ``check`` as in ``load_bundle``.

    Raises
    ------
    BundleError
        ``bundle-invalid``.
    """
    path = folder / SPEC_NAME
    try:
        document: dict[str, Any] = json.loads(
            data.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_number, parse_int=_number
        )
    except (ValueError, RecursionError) as error:
        raise BundleError("bundle-invalid", f"{path} is no JSON with numbers of a bearable size.") from error
    if check:
        check_document(document, where=str(path))
    return document


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _number(literal: str) -> int | float:
    value = int(literal) if literal.lstrip("-").isdecimal() else float(literal)
    if abs(value) > _MAX_NUMBER:  # infinite ones too
        raise ValueError("a number is too large")
    return value


def check_document(document: Any, *, where: str) -> None:
    """Check the content of a ``model.json`` against the schema, and what the schema leaves open against bounds.

    Raises
    ------
    BundleError
        ``bundle-invalid``, naming the first field that does not fit.
    """
    import jsonschema  # heavy; a run with the shipped bundle does without

    _check_bounds(document, where)
    schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    problem = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(document))
    if problem is not None:
        rule = f"{problem.validator}: {problem.validator_value}"  # of the schema's, not of the file's words
        raise BundleError("bundle-invalid", f"{where}: {printable(problem.json_path)[:100]} breaks {rule[:200]}.")
    if document["default_operating_point"] not in document["operating_points"]:
        raise BundleError("bundle-invalid", f"{where}: the default operating point is not among the operating points.")
    calibration = document.get("calibration")
    if calibration and len(calibration["populations"]) > 1 and "finder" not in calibration:
        raise BundleError("bundle-invalid", f"{where}: nothing tells the calibration's populations apart.")


def _check_bounds(document: Any, where: str) -> None:
    """Refuse text that is long or could drive a terminal, and more items than a description has."""
    waiting = [(document, 0)]
    n_items = 0
    while waiting:
        item, depth = waiting.pop()
        n_items += 1
        if n_items > _MAX_ITEMS or depth > _MAX_DEPTH:
            raise BundleError("bundle-invalid", f"{where} holds more than a description may.")
        if isinstance(item, str) and (len(item) > _MAX_CHARACTERS or printable(item) != item):
            raise BundleError("bundle-invalid", f"{where} holds a text that is long or has control characters.")
        if isinstance(item, dict):
            waiting += [(key, depth + 1) for key in item]
            waiting += [(value, depth + 1) for key, value in item.items() if key != _ARRAY_KEY]
        elif isinstance(item, list):
            waiting += [(value, depth + 1) for value in item]


def verify_weights(spec: ModelSpec) -> bytes:
    """Read the weights and hold them against the hash in ``model.json``.

    Raises
    ------
    BundleError
        ``bundle-invalid`` for something else than a LiteRT flatbuffer, ``bundle-hash`` for other weights.
    """
    weights = read_weights(spec.folder) if spec.weights is None else spec.weights
    if weights[4:8] != _FLATBUFFER_ID:
        raise BundleError("bundle-invalid", f"{spec.weights_path} is no LiteRT model.")
    found = hashlib.sha256(weights).hexdigest()
    if found != spec.weights_sha256:
        raise BundleError(
            "bundle-hash", f"{spec.weights_path} has SHA-256 {found[:12]}…, expected {spec.weights_sha256[:12]}…"
        )
    return weights


def spec_from_document(document: dict[str, Any], folder: Path) -> ModelSpec:
    """Make the record from the content of a checked ``model.json``."""
    fields = {key: value for key, value in document.items() if key in ModelSpec.__dataclass_fields__}
    fields["operating_points"] = {
        name: OperatingPoint(
            name=name,
            threshold=point["threshold"],
            rule=point["rule"],
            data=point["data"],
            sensitivity=_measured(point["sensitivity"]),
            specificity=_measured(point["specificity"]),
        )
        for name, point in document["operating_points"].items()
    }
    fields["validation"] = {
        films: {metric: Estimate(**estimate) for metric, estimate in metrics.items()}
        for films, metrics in document["validation"].items()
    }
    fields["limits"] = tuple(document["limits"])
    if "calibration" in document:
        said = document["calibration"]
        fields["calibrations"] = {name: Calibration(**each) for name, each in said["populations"].items()}
        fields["prior"] = said["prior"]
        fields["finder"] = said.get("finder") if len(said["populations"]) > 1 else None
    else:  # of versions that had a temperature only
        fields["calibrations"] = {"": Calibration(1.0 / document["temperature"])}
    if "trained_on" in document:
        said = document["trained_on"]
        fields["trained_on"] = TrainedOn(tuple(said["views"]), said["below_years"])
    fields["lineage"] = tuple(_descent(entry) for entry in document.get("lineage", ()))
    return ModelSpec(**fields, folder=folder)


def _measured(said: dict[str, Any]) -> Estimate:
    return Estimate(**said) if said else Estimate(None, reason="Nobody has measured it.")


def _descent(entry: dict[str, Any]) -> Descent:
    parent = entry["parent"]
    return Descent(
        parent=f"{parent['name']} {parent['version']}",
        parent_sha256=parent["weights_sha256"],
        site=entry["site"],
        date=entry["date"],
        rung=entry["rung"],
        n_films=entry["n_films"],
        forced=entry.get("forced", False),
    )
