"""Which population of the training films a film belongs to, found from what the network makes of it.

Films of different people and hospitals differ in more than pneumonia, so that the same log-odds mean different
probabilities. A linear classifier on the network's pooled features tells them apart; ``training/calibrate.py`` fits it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cxrscan.scanner.errors import BundleError
from cxrscan.scanner.model_bundle import ModelSpec
from cxrscan.scanner.packed_arrays import FloatArray, pack, unpack
from cxrscan.scanner.records import Predictions


@dataclass(frozen=True, eq=False)
class PopulationFinder:
    """Content of ``calibration.finder`` in ``model.json``."""

    populations: tuple[str, ...]
    weights: FloatArray
    """shape (number of populations, C + 1), the last column is the bias."""

    @classmethod
    def from_document(cls, populations: Sequence[str], document: Mapping[str, Any]) -> PopulationFinder:
        """Make the record from a ``model.json`` that fits the schema.

        Raises
        ------
        BundleError
            ``bundle-invalid``: the array does not fit the populations, or holds what is no finite number.
        """
        weights = unpack("population finder", document["weights"])
        if weights.ndim != 2 or len(weights) != len(populations) or not np.isfinite(weights).all():
            raise BundleError("bundle-invalid", "The population finder does not fit the populations.")
        return cls(tuple(populations), weights)

    def to_document(self) -> dict[str, Any]:
        """Make the JSON-ready form."""
        return {"weights": pack(self.weights)}

    def find(self, embedding: FloatArray) -> str:
        """Name the population that a film most probably belongs to.

        Parameters
        ----------
        embedding
            shape (C,), the network's pooled features.

        Raises
        ------
        BundleError
            ``bundle-invalid``: the network has another number of features.
        """
        if embedding.size != self.weights.shape[1] - 1:
            raise BundleError(
                "bundle-invalid",
                f"The network has {embedding.size} features, the population finder knows {self.weights.shape[1] - 1}.",
            )
        scores = self.weights[:, :-1] @ root(embedding) + self.weights[:, -1]
        return self.populations[int(scores.argmax())]


def open_finder(spec: ModelSpec) -> PopulationFinder | None:
    """What tells a bundle's populations apart; None where it tells none.

    Raises
    ------
    BundleError
        ``bundle-invalid``: see ``PopulationFinder.from_document``.
    """
    return None if spec.finder is None else PopulationFinder.from_document(tuple(spec.calibrations), spec.finder)


def probabilities(spec: ModelSpec, said: Predictions) -> list[float]:
    """Calibrated probability of each film, from all that the network says of the films."""
    both = zip(said.logits, find_populations(spec, said), strict=True)
    return [spec.probability(float(logit), name) for logit, name in both]


def find_populations(spec: ModelSpec, said: Predictions) -> list[str]:
    """Population of each film, a key of ``spec.calibrations``."""
    finder, only = open_finder(spec), next(iter(spec.calibrations))
    return [finder.find(embedding) if finder else only for embedding in said.embeddings]


def root(embeddings: FloatArray) -> FloatArray:
    """Square roots of pooled features, which are never negative but for rounding."""
    return np.asarray(np.sqrt(np.maximum(embeddings, 0.0)), dtype=np.float32)
