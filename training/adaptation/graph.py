"""The head inside an exported graph: read, and replaced by one that also knows a linear answer, heat map included.

The graph of ``cxrscan.training.export`` ends in two dense layers and a product that makes Grad-CAM of their weights.
A linear answer takes one hidden unit: w . embedding + K with a K so large that the unit never sleeps, and a bias that
takes K away again. So the format of the graph, its way back to Keras and Grad-CAM's closed form stay what they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from cxrscan.scanner.errors import BundleError
from cxrscan.training.adaptation.head import LinearHead

Weights = npt.NDArray[np.float32]
_DTYPES: dict[int, np.dtype[Any]] = {
    schema.TensorType.FLOAT16: np.dtype("<f2"),
    schema.TensorType.FLOAT32: np.dtype("<f4"),
}


@dataclass(frozen=True, slots=True)
class GraphHead:
    """Dense, ReLU, dense: what a graph makes of an embedding of C channels in H hidden units."""

    hidden: Weights
    """shape (H, C)."""
    hidden_bias: Weights
    """shape (H,)."""
    out: Weights
    """shape (H,)."""
    out_bias: float

    def units(self, embeddings: Weights) -> Weights:
        """Activation of the hidden units, shape (N, H)."""
        return np.asarray(np.maximum(embeddings @ self.hidden.T + self.hidden_bias, 0.0))

    def log_odds(self, embeddings: Weights) -> npt.NDArray[np.float64]:
        """Log-odds of embeddings of shape (N, C); shape (N,)."""
        return np.asarray(self.units(embeddings) @ self.out + self.out_bias, dtype=np.float64)

    def net_heat(self, embeddings: Weights) -> npt.NDArray[np.float64]:
        """Sum of Grad-CAM over the film before its ReLU, in logit units; shape (N,)."""
        active = (self.units(embeddings) > 0) * self.out
        return np.asarray(np.einsum("nh,hc,nc->n", active, self.hidden, embeddings, optimize=True), dtype=np.float64)

    def extended(self, head: LinearHead, embeddings: Weights) -> GraphHead:
        """Answer as a linear head does; the hidden unit that says least of these embeddings gives way.

        Parameters
        ----------
        embeddings
            shape (N, C), of the films that the head was fitted on.
        """
        says = self.units(embeddings) * self.out
        least = int(says.std(axis=0).argmin())
        lift = 2.0 ** math.ceil(math.log2(4.0 * float(np.abs(embeddings @ head.weights).max()) + 1.0))
        hidden, hidden_bias, out = self.hidden.copy(), self.hidden_bias.copy(), self.out * np.float32(head.parent)
        hidden[least], hidden_bias[least], out[least] = head.weights, lift, 1.0
        lost = float(says[:, least].mean())
        bias = head.parent * (self.out_bias + lost) + head.bias - lift
        return GraphHead(hidden, hidden_bias, out, bias)


def read_head(graph: bytes) -> GraphHead:
    """Take the head out of the content of a ``model.tflite``.

    Raises
    ------
    BundleError
        ``bundle-invalid``: the graph is none of ``cxrscan.training.export``.
    """
    places = _Places(bytearray(graph))
    (bias,) = np.ravel(places.out_bias.values())
    return GraphHead(
        places.hidden.values(), np.ravel(places.hidden_bias.values()), np.ravel(places.out.values()), float(bias)
    )


def with_head(graph: bytes, head: GraphHead) -> bytes:
    """Put another head of the same size into a graph; what is read back is what float16 holds of it.

    Raises
    ------
    BundleError
        ``bundle-invalid``.
    """
    data = bytearray(graph)
    places = _Places(data)
    old_pull = places.hidden.values().T * np.ravel(places.out.values())
    pull_back = places.pull_back.values()
    n_positions = float((old_pull * old_pull).sum() / (old_pull * pull_back).sum())
    places.hidden.put(head.hidden)
    places.hidden_bias.put(head.hidden_bias)
    places.out.put(head.out)
    places.out_bias.put(np.float32(head.out_bias))
    places.pull_back.put(places.hidden.values().T * np.ravel(places.out.values()) / round(n_positions))
    return bytes(data)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a graph keeps an array."""

    data: npt.NDArray[np.uint8]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def values(self) -> Weights:
        return np.asarray(np.frombuffer(self.data.tobytes(), self.dtype).reshape(self.shape), dtype=np.float32)

    def put(self, values: Any) -> None:
        with np.errstate(over="ignore"):
            halves = np.ascontiguousarray(np.reshape(values, self.shape), self.dtype)
        if not np.isfinite(halves).all():
            raise BundleError("bundle-invalid", "The new head holds a number that the graph cannot keep.")
        self.data[:] = np.frombuffer(halves.tobytes(), np.uint8)


class _Places:
    """The arrays of the head in a graph, which is changed in place."""

    def __init__(self, data: bytearray) -> None:
        self._model = schema.Model.GetRootAsModel(data, 0)
        self._graph = self._model.Subgraphs(0)
        self._widened: dict[int, int] = {}  # tensor -> the float16 one that it is made of
        biased: list[tuple[_Place, _Place]] = []
        bare: list[_Place] = []
        for i in range(self._graph.OperatorsLength()):
            operator = self._graph.Operators(i)
            code = self._model.OperatorCodes(operator.OpcodeIndex())
            kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            inputs = [int(tensor) for tensor in operator.InputsAsNumpy()]
            if kind == schema.BuiltinOperator.DEQUANTIZE:
                self._widened[int(operator.Outputs(0))] = inputs[0]
            elif kind == schema.BuiltinOperator.FULLY_CONNECTED:
                places = [self._place(tensor) for tensor in inputs[1:] if tensor >= 0]
                if len(places) == 2:
                    biased.append((places[0], places[1]))
                else:
                    bare += places
        try:
            (self.hidden, self.hidden_bias), (self.out, self.out_bias) = biased
            (self.pull_back,) = bare
            n_hidden, n_channels = self.hidden.shape
        except ValueError as error:
            raise _foreign() from error
        if self.out.shape != (1, n_hidden) or self.pull_back.shape != (n_channels, n_hidden):
            raise _foreign()

    def _place(self, index: int) -> _Place:
        tensor = self._graph.Tensors(self._widened.get(index, index))
        buffer = self._model.Buffers(tensor.Buffer())
        dtype = _DTYPES.get(tensor.Type())
        if dtype is None or not buffer.DataLength():
            raise _foreign()
        return _Place(buffer.DataAsNumpy(), dtype, tuple(int(n) for n in tensor.ShapeAsNumpy()))


def _foreign() -> BundleError:
    return BundleError("bundle-invalid", "The graph does not end as those of cxrscan do; it cannot be adapted.")
