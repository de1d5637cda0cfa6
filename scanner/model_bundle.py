"""A model bundle: a folder with ``model.tflite`` and ``model.json``.

The JSON says everything that the scanner must know to use the weights and that a reader must know to trust
them. It is checked against ``models/model.schema.json``; the weights are checked against their SHA-256.
Loading a bundle runs no code from it.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scanner.errors import BundleError
from scanner.records import Estimate

DEFAULT_BUNDLE = Path(__file__).parent / "models"
WEIGHTS_NAME = "model.tflite"
SPEC_NAME = "model.json"
_SCHEMA = DEFAULT_BUNDLE / "model.schema.json"
_FLATBUFFER_ID = b"TFL3"


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A probability threshold with the way it was chosen and what it does on the validation films."""

    name: str
    threshold: float
    rule: str
    data: str
    sensitivity: Estimate
    specificity: Estimate


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The content of ``model.json``; field by field as the schema describes."""

    name: str
    version: str
    weights_sha256: str
    input_px: int
    temperature: float
    """Probability = sigmoid(logit / temperature)."""
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
    folder: Path = field(default=DEFAULT_BUNDLE, compare=False)
    """Where the bundle lies."""

    @property
    def label(self) -> str:
        """Name and version, as the CSV column ``model`` shows them."""
        return f"{self.name} {self.version}"

    @property
    def weights_path(self) -> Path:
        """The LiteRT flatbuffer."""
        return self.folder / WEIGHTS_NAME

    def probability(self, logit: float) -> float:
        """Calibrated probability of pneumonia in [0, 1] from the network's log-odds."""
        scaled = logit / self.temperature
        if scaled >= 0:
            return 1.0 / (1.0 + math.exp(-scaled))
        return math.exp(scaled) / (1.0 + math.exp(scaled))

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


def load_bundle(folder: Path, *, check: bool = True) -> ModelSpec:
    """Read and check ``model.json``; does not read the weights.

    Parameters
    ----------
    check
        Hold it against the schema; for processes that are handed a bundle which another has checked, loading what
        does so takes longer than opening the network.

    Raises
    ------
    BundleError
        ``bundle-missing`` or ``bundle-invalid``.
    """
    if not (folder / WEIGHTS_NAME).is_file():
        raise BundleError("bundle-missing", f"{folder} holds no {WEIGHTS_NAME}.")
    return spec_from_document(read_document(folder, check=check), folder)


def read_document(folder: Path, *, check: bool = True) -> dict[str, Any]:
    """Read and check a bundle's ``model.json``; parameter and errors of ``load_bundle``."""
    path = folder / SPEC_NAME
    if not path.is_file():
        raise BundleError("bundle-missing", f"{folder} holds no {SPEC_NAME}.")
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError("bundle-invalid", f"{path} cannot be read: {error}.") from error
    if check:
        check_document(document, where=str(path))
    return document


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def check_document(document: Any, *, where: str) -> None:
    """Check the content of a ``model.json`` against the schema.

    Raises
    ------
    BundleError
        ``bundle-invalid``, naming the first field that does not fit.
    """
    import jsonschema  # heavy; a run with the shipped bundle does without

    schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    problem = next(jsonschema.Draft202012Validator(schema).iter_errors(document), None)
    if problem is not None:
        raise BundleError("bundle-invalid", f"{where}: {problem.json_path}: {problem.message[:200]}.")
    if document["default_operating_point"] not in document["operating_points"]:
        raise BundleError("bundle-invalid", f"{where}: the default operating point is not among the operating points.")


def verify_weights(spec: ModelSpec) -> bytes:
    """Read the weights and hold them against the hash in ``model.json``.

    Raises
    ------
    BundleError
        ``bundle-invalid`` for something else than a LiteRT flatbuffer, ``bundle-hash`` for other weights.
    """
    try:
        weights = spec.weights_path.read_bytes()
    except OSError as error:
        raise BundleError("bundle-missing", f"{spec.weights_path} cannot be read: {error}.") from error
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
            sensitivity=Estimate(**point["sensitivity"]),
            specificity=Estimate(**point["specificity"]),
        )
        for name, point in document["operating_points"].items()
    }
    fields["validation"] = {
        films: {metric: Estimate(**estimate) for metric, estimate in metrics.items()}
        for films, metrics in document["validation"].items()
    }
    fields["limits"] = tuple(document["limits"])
    return ModelSpec(**fields, folder=folder)
