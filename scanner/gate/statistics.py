"""The training films as the gate remembers them, and how far a picture lies from them.

Two measures tell a chest film from anything else, together, and the first together with half of the features below:

- anatomy: linear classifiers on the layout of edges and on the network's pooled features, after a square root (the
  Hellinger distance's), which keeps single strong features from ruling. Each was taught chest films against one family
  of pictures without a frontal chest that were made of the same films or drawn: see ``training/counterexamples.py``.
  The one that says most decides.
- edges: what of the layout of edges lies outside the training films' principal components.

Three tell a chest film like those of training from another: edges again, and

- features: what of the network's features lies outside the training films' principal components.
- brightness: distance of the brightness layout from the training films' mean.

Each is 0 for the median validation film and 1 for the strangest in 200, and those of a question are added.
``training/gate_statistics.py`` fits them; docs/gate.md holds them against other evidence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np

from cxrscan.scanner.calibration import root
from cxrscan.scanner.errors import BundleError
from cxrscan.scanner.gate import evidence
from cxrscan.scanner.gate.evidence import (
    GREY_PX,
    MIRRORED,
    N_EDGES,
    N_TURNS,
    NEGATIVE,
    SMALL_PX,
    TURNS_OF_GREY,
    FloatArray,
)
from cxrscan.scanner.packed_arrays import pack, unpack
from cxrscan.scanner.preprocess import resize
from cxrscan.scanner.records import FloatImage

_TINY = 1e-6
_Values = TypeVar("_Values", float, FloatArray)


@dataclass(frozen=True, slots=True)
class Scale:
    """Makes a measure comparable with others."""

    median: float
    """Value of the median validation film."""
    high: float
    """Value that 1 validation film in 200 exceeds."""

    def __call__(self, value: _Values) -> _Values:
        """0 for the median validation film, 1 for one of the strangest."""
        return self.part(value - self.median)

    def part(self, value: _Values) -> _Values:
        """What a part of a measure adds to it."""
        return value / (self.high - self.median)


@dataclass(frozen=True, slots=True)
class Scales:
    """One for each measure."""

    anatomy: Scale
    features: Scale
    brightness: Scale
    edges: Scale


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the gate speaks up; quantiles over validation films."""

    misfit: float
    """Anatomy and half of features: beyond it, a picture is no chest film."""
    strangeness: float
    """Features, brightness and edges together: beyond it, a film is unlike the training films."""
    turned: float
    """Lead of another orientation over the film's own."""
    mirrored: float
    """Lead of the mirrored orientation."""
    border_share: float
    clipped_share: float
    contrast: float
    """Smallest standard deviation of the pixels."""
    sharpness: float
    """Smallest ``evidence.sharpness``."""
    outer_heat_lead: float
    """Lead of the outermost cells' heat, in logit units."""
    misfit_with_edges: float | None = None
    """Anatomy and edges together, as ``misfit``; None in bundles of versions that knew no such limit. Smooth
    pictures have few edges that could be unusual."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen of a picture before the network has."""

    reasons: tuple[str, ...]
    """Keys of ``records.GATE_REASONS`` that warn."""
    upright: FloatImage | None
    """The picture without its border, upright and positive, for the network; None when it is so already."""
    anatomy: FloatArray
    """shape (c,): what edges say of it, classifier by classifier; this and the measures below: scaled."""
    brightness: float
    edges: float


class Distances(NamedTuple):
    """How far a film lies from those of training; what each is made of and limited to stands in ``Limits``."""

    misfit: float
    misfit_with_edges: float
    strangeness: float


@dataclass(frozen=True, eq=False)
class GateStatistics:
    """Content of ``gate`` in ``model.json``."""

    anatomy_weights: FloatArray
    """shape (c, evidence.N_EDGES + 1), a row for each classifier, the last column is the bias."""
    grey_template: FloatArray
    """shape (GREY_PX, GREY_PX): its product with a film's brightness layout is largest when the film is upright."""
    grey_mean: FloatArray
    """shape (GREY_PX, GREY_PX), mean brightness layout."""
    edge_mean: FloatArray
    """shape (evidence.N_EDGES,), mean edge layout."""
    edge_basis: FloatArray
    """shape (j, evidence.N_EDGES), orthonormal rows."""
    feature_mean: FloatArray
    """shape (C,), mean of the embeddings' square roots."""
    feature_basis: FloatArray
    """shape (k, C), orthonormal rows."""
    scales: Scales
    limits: Limits
    embedding_weights: FloatArray | None = None
    """shape (c, C), of the embedding's square roots in the anatomy; None in bundles of versions that added the features
    instead."""

    @cached_property
    def is_blind(self) -> bool:
        """Whether an array holds something that is no finite number: with one, nothing is ever beyond a limit."""
        arrays = (getattr(self, field.name) for field in fields(self))
        return not all(np.isfinite(array).all() for array in arrays if isinstance(array, np.ndarray))

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> GateStatistics:
        """Make the record from the ``gate`` of a ``model.json`` that fits the schema.

        Raises
        ------
        BundleError
            ``bundle-invalid``: an array is not what its name promises.
        """
        arrays = {name: unpack(name, array) for name, array in document["arrays"].items()}
        for name in arrays.keys() & {"anatomy_weights", "embedding_weights"}:
            arrays[name] = np.atleast_2d(arrays[name])  # bundles of versions with one classifier have vectors
        shapes = {
            "anatomy_weights": (len(arrays["anatomy_weights"]), N_EDGES + 1),
            "grey_template": (GREY_PX, GREY_PX),
            "grey_mean": (GREY_PX, GREY_PX),
            "edge_mean": (N_EDGES,),
            "edge_basis": (len(arrays["edge_basis"]), N_EDGES),
            "feature_basis": (len(arrays["feature_basis"]), len(arrays["feature_mean"])),
        }
        if "embedding_weights" in arrays:
            shapes["embedding_weights"] = (len(arrays["anatomy_weights"]), *arrays["feature_mean"].shape)
        for name, shape in shapes.items():
            if arrays[name].shape != shape:
                raise BundleError("bundle-invalid", f"The gate's {name} has shape {arrays[name].shape}, not {shape}.")
        scales = Scales(**{name: Scale(**scale) for name, scale in document["scales"].items()})
        if any(
            scale.high - scale.median < _TINY for scale in (getattr(scales, field.name) for field in fields(scales))
        ):
            raise BundleError("bundle-invalid", "One of the gate's scales does not rise.")
        return cls(**arrays, scales=scales, limits=Limits(**document["limits"]))

    def to_document(self) -> dict[str, Any]:
        """Make the JSON-ready form; arrays become base64 of little-endian float16."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            "arrays": {name: pack(value) for name, value in values.items() if isinstance(value, np.ndarray)},
            "scales": asdict(self.scales),
            "limits": asdict(self.limits),
        }

    def look_at(self, picture: FloatImage) -> Look:
        """Judge what is to be seen without the network.

        Parameters
        ----------
        picture
            float32 array, shape (S, S), values in [0, 1], bright = dense: the network's input.

        Returns
        -------
        What is seen; measures that are no numbers where the gate is blind.
        """
        if self.is_blind:
            return Look((), None, anatomy=np.full(1, np.nan, np.float32), brightness=math.nan, edges=math.nan)
        small = resize(picture, SMALL_PX, SMALL_PX)
        reasons = self._faults(picture, small)
        upright = picture
        box = evidence.content_box(small)
        if evidence.border_share(box) > self.limits.border_share:
            reasons.append("large-border")
            upright = _crop(picture, box)
            small = resize(upright, SMALL_PX, SMALL_PX)
        grey, edges = evidence.grey_layout(small), evidence.edge_layout(small)
        turn = self._turn(grey)
        if turn % NEGATIVE:
            righted = evidence.edge_layout(evidence.turned(small, turn))
            if turn % NEGATIVE == MIRRORED or self.anatomy(righted).sum() < self.anatomy(edges).sum():
                edges = righted
            else:
                turn = 0  # the edges do not confirm it
        if turn:
            reasons += ["inverted"] if turn & NEGATIVE else []
            reasons += ["mirrored"] if turn % NEGATIVE == MIRRORED else ["rotated"] if turn % NEGATIVE else []
            upright, grey = evidence.turned(upright, turn), evidence.turned(grey, turn)
            if turn & NEGATIVE:
                upright, grey = 1.0 - upright, -grey
        return Look(
            tuple(reasons),
            None if upright is picture else np.ascontiguousarray(upright, dtype=np.float32),
            anatomy=self.scales.anatomy(self.anatomy(edges)),
            brightness=self.scales.brightness(self.brightness(grey)),
            edges=self.scales.edges(self.edges(edges)),
        )

    def look_deeper(self, look: Look, embedding: FloatArray) -> Distances:
        """Sum up what tells of a film, once the network has seen it (upright where the look says so).

        Parameters
        ----------
        embedding
            shape (C,), the network's pooled features.
        """
        features = math.nan if self.is_blind else self.scales.features(self.features(embedding))
        weights = self.embedding_weights
        if weights is None:  # of versions whose classifier saw edges alone
            misfit = anatomy = float(look.anatomy.max()) + features
        else:
            anatomy = float((look.anatomy + self.scales.anatomy.part(self.anatomy_in(embedding, weights))).max())
            misfit = anatomy + features / 2
        return Distances(
            misfit=misfit,
            misfit_with_edges=anatomy + look.edges,
            strangeness=features + look.edges + look.brightness,
        )

    def anatomy(self, edges: FloatArray) -> FloatArray:
        """What an edge layout says for a picture without a chest; shape (c,)."""
        return np.asarray(self.anatomy_weights[:, :-1] @ edges + self.anatomy_weights[:, -1])

    @staticmethod
    def anatomy_in(embedding: FloatArray, weights: FloatArray) -> FloatArray:
        """What the network's features say for a picture without a chest; shape (c,)."""
        with np.errstate(invalid="ignore"):  # of a gate that is blind
            return np.asarray(weights @ root(embedding))

    def brightness(self, grey: FloatImage) -> float:
        """Logarithm of the distance from the mean brightness layout."""
        return float(np.log(np.linalg.norm(grey - self.grey_mean) + _TINY))

    def edges(self, edges: FloatArray) -> float:
        """Logarithm of an edge layout's distance from the training films' principal components."""
        return _log_residual(edges - self.edge_mean, self.edge_basis)

    def features(self, embedding: FloatArray) -> float:
        """Logarithm of the features' distance from the training films' principal components.

        Raises
        ------
        BundleError
            ``bundle-invalid``: the network has other features than the gate knows.
        """
        if embedding.shape != self.feature_mean.shape:
            raise BundleError(
                "bundle-invalid",
                f"The network has {embedding.size} features, the gate knows {self.feature_mean.size}.",
            )
        return _log_residual(root(embedding) - self.feature_mean, self.feature_basis)

    def turn_leads(self, grey: FloatImage) -> FloatArray:
        """How much more each of the N_TURNS orientations looks like a training film than the film's own does."""
        scores = grey.ravel()[TURNS_OF_GREY] @ self.grey_template.ravel()
        return np.asarray(np.concatenate([scores, -scores]) - scores[0], dtype=np.float32)

    def _turn(self, grey: FloatImage) -> int:
        """The turn that makes a film upright; 0 unless another orientation leads clearly."""
        leads = self.turn_leads(grey)
        beyond = leads - np.where(np.arange(N_TURNS) == MIRRORED, self.limits.mirrored, self.limits.turned)
        beyond[0] = 0.0
        return int(beyond.argmax())

    def _faults(self, picture: FloatImage, small: FloatImage) -> list[str]:
        faults = []
        if (
            evidence.clipped_share(small) > self.limits.clipped_share
            or cv2.meanStdDev(small)[1].item() < self.limits.contrast
        ):
            faults.append("exposure")
        if evidence.sharpness(picture) < self.limits.sharpness:
            faults.append("blurred")
        return faults


def _log_residual(centred: FloatArray, basis: FloatArray) -> float:
    inside = basis @ centred
    return float(np.log(max(float(centred @ centred - inside @ inside), 0.0) ** 0.5 + _TINY))


def _crop(picture: FloatImage, box: tuple[slice, slice]) -> FloatImage:
    """Cut a box of the reduced picture out of the picture, and make it square again."""
    side = len(picture)
    rows, columns = (slice(part.start * side // SMALL_PX, part.stop * side // SMALL_PX) for part in box)
    return resize(picture[rows, columns], side, side)
