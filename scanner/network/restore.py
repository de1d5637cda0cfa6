"""The way back from an exported graph to a Keras network: the inverse of ``cxrscan.training.export``.

In the graph every batch normalisation is folded into the convolution or dense layer at its side. Here the folded
weights go into the convolutions and dense layers, and the norms only add the biases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from tensorflow.lite.python import schema_py_generated as schema

from cxrscan.scanner.network.config import NetworkConfig
from cxrscan.scanner.network.network import BACKBONE, STEM, blurred, build_network

_Weights = npt.NDArray[np.float32]
_FIRST_KERNEL = 3  # MobileNetV2's first convolution without a filter before it
_CONVOLUTIONS = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D)
_DTYPES: dict[int, np.dtype[Any]] = {
    schema.TensorType.FLOAT16: np.dtype("<f2"),
    schema.TensorType.FLOAT32: np.dtype("<f4"),
}


@dataclass(frozen=True, slots=True)
class _Step:
    """An operation of the graph that has weights."""

    operator: int
    kernel: _Weights
    """shape (out, H, W, in); (1, H, W, channels) of a depthwise convolution, (out, in) of a dense layer."""
    bias: _Weights | None
    """shape (out,)."""


def restore_network(graph: bytes, *, input_px: int, alpha: float, blur_taps: int | None = None) -> keras.Model:
    """Make the network whose ``export_graph`` a graph is; its outputs are the same but for rounding.

    Parameters
    ----------
    graph
        Content of ``model.tflite``.
    input_px
        Side of the square input.
    alpha
        MobileNetV2's width multiplier.
    blur_taps
        Of a longer filter in front of the network than the graph has, an odd number; None keeps the graph's.

    Raises
    ------
    ValueError
        The graph holds another network than ``build_network`` makes, or a longer filter.
    TrainingError
        ``config-invalid``: ``blur_taps`` is even.
    """
    steps = list(_steps_with_weights(graph))
    convolutions = [step for step in steps if step.operator in _CONVOLUTIONS]
    hidden, logit = _dense_steps(steps, n_features=convolutions[-1].kernel.shape[0] if convolutions else 0)
    own_taps = convolutions[0].kernel.shape[1] - _FIRST_KERNEL + 1
    if own_taps < 1 or own_taps % 2 == 0:
        raise ValueError("its first convolution is not that of a cxrscan network")
    blur_taps = own_taps if blur_taps is None else blur_taps
    if blur_taps < own_taps:
        raise ValueError(f"its filter has {own_taps} taps already")
    network = build_network(
        NetworkConfig(
            input_px=input_px,
            alpha=alpha,
            blur_taps=blur_taps,
            hidden_units=len(hidden.kernel),
            weights="none",
        )
    )
    layers = [network.get_layer(STEM), *network.get_layer(BACKBONE).layers]
    pairs = [
        (layer, layers[i + 1 :])
        for i, layer in enumerate(layers)
        if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D)
    ]
    if len(pairs) != len(convolutions):
        raise ValueError(f"{len(convolutions)} convolutions instead of {len(pairs)}")
    for (convolution, behind), step in zip(pairs, convolutions, strict=True):
        # Keras keeps the kernels of convolutions as (H, W, in, out), of depthwise ones as (H, W, channels, 1)
        kernel = step.kernel.transpose(1, 2, 3, 0)
        is_stem = convolution.name == STEM
        _assign(convolution.kernel, blurred(kernel, blur_taps - own_taps + 1) if is_stem else kernel)
        _make_shift(next(layer for layer in behind if isinstance(layer, keras.layers.BatchNormalization)), step.bias)
    _make_shift(network.get_layer("head_norm"), None)
    for name, step in (("hidden", hidden), ("logit", logit)):
        layer = network.get_layer(name)
        _assign(layer.kernel, step.kernel.T)
        _assign(layer.bias, np.zeros(len(step.kernel), np.float32) if step.bias is None else step.bias)
    return network


def _dense_steps(steps: Sequence[_Step], n_features: int) -> tuple[_Step, _Step]:
    """The hidden layer and the last one, told by their shapes from the product that makes the explanation."""
    dense = [step for step in steps if step.operator == schema.BuiltinOperator.FULLY_CONNECTED]
    hidden = [step for step in dense if step.kernel.shape[1] == n_features and step.kernel.shape[0] > 1]
    logit = [step for step in dense if hidden and step.kernel.shape == (1, len(hidden[0].kernel))]
    if len(hidden) != 1 or len(logit) != 1:
        raise ValueError("its last layers are not those of a cxrscan network")
    return hidden[0], logit[0]


def _make_shift(norm: keras.layers.BatchNormalization, bias: _Weights | None) -> None:
    """Let a norm add the bias and do nothing else."""
    size = norm.gamma.shape
    norm.gamma.assign(np.full(size, np.sqrt(1.0 + norm.epsilon), dtype=np.float32))
    norm.beta.assign(np.zeros(size, np.float32) if bias is None else bias)
    norm.moving_mean.assign(np.zeros(size, np.float32))
    norm.moving_variance.assign(np.ones(size, np.float32))


def _assign(variable: keras.Variable, values: _Weights) -> None:
    if tuple(variable.shape) != values.shape:
        raise ValueError(f"{variable.path} has shape {values.shape} instead of {tuple(variable.shape)}")
    variable.assign(values)


def _steps_with_weights(graph: bytes) -> Iterator[_Step]:
    """Convolutions and dense layers in the order in which they run."""
    model = schema.Model.GetRootAsModel(graph, 0)
    subgraph = model.Subgraphs(0)
    widened: dict[int, int] = {}  # tensor -> the float16 one that it is made of
    for i in range(subgraph.OperatorsLength()):
        operator = subgraph.Operators(i)
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        inputs = [int(tensor) for tensor in operator.InputsAsNumpy()]
        if kind == schema.BuiltinOperator.DEQUANTIZE:
            widened[int(operator.Outputs(0))] = inputs[0]
        elif kind in (*_CONVOLUTIONS, schema.BuiltinOperator.FULLY_CONNECTED):
            kernel, *bias = (_constant(model, widened.get(tensor, tensor)) for tensor in inputs[1:] if tensor >= 0)
            if kernel is None:
                raise ValueError("an operation has no constant weights")
            yield _Step(kind, kernel, bias[0] if bias else None)


def _constant(model: Any, index: int) -> _Weights | None:
    tensor = model.Subgraphs(0).Tensors(index)
    buffer = model.Buffers(tensor.Buffer())
    dtype = _DTYPES.get(tensor.Type())
    if dtype is None or not buffer.DataLength():
        return None
    values: npt.NDArray[Any] = np.frombuffer(buffer.DataAsNumpy().tobytes(), dtype=dtype)
    return np.asarray(values.reshape(tensor.ShapeAsNumpy()), dtype=np.float32)
