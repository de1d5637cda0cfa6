"""What reports find, as a second task while the network learns.

Text-mined findings are too often wrong to be labels. All together they still teach what lungs look like, and they come
from many patients and machines (Caruana 1997, "Multitask learning").
"""

from __future__ import annotations

from typing import Any

from keras import layers, ops

UNKNOWN = -1.0
"""Stands for all findings of a film without a report."""


class FindingsLoss(layers.Layer):  # type: ignore[misc]
    """Hands on the logit, and adds the cross-entropy of the findings that a linear layer reads off the embedding.

    Takes the embedding (N, C), the logit (N, 1), and the findings (N, F): 1 found, 0 not found, or ``UNKNOWN``. The
    linear layer is not part of the network, and is forgotten after training.
    """

    def __init__(self, n_findings: int, weight: float, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self._reader = layers.Dense(n_findings, dtype="float32", name="findings")
        self._weight = weight

    def call(self, inputs: list[Any]) -> Any:
        """Return the logit."""
        embedding, logit, findings = inputs
        said = self._reader(embedding)
        is_known = ops.cast(findings >= 0, said.dtype)
        losses = ops.relu(said) - said * findings + ops.log1p(ops.exp(-ops.abs(said)))
        self.add_loss(self._weight * ops.mean(is_known * losses))
        return logit
