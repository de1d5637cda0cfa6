"""What an engine is: batches of prepared films in, what the network says of them out."""

from __future__ import annotations

from typing import Literal, Protocol

from cxrscan.scanner.records import FloatImage, Predictions

EngineName = Literal["litert", "keras"]


class Engine(Protocol):
    """Runs a bundle's network."""

    def predict(self, films: FloatImage) -> Predictions:
        """Score a batch.

        Parameters
        ----------
        films
            float32 array, shape (N, H, W, 1), values in [0, 1], from ``preprocess.to_model_input``.
        """
        ...
