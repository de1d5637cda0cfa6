"""Turn a trained network into the LiteRT graph that the scanner runs, and hold the two against each other.

The graph has one signature, ``serving_default``: input ``film`` (N, input_px, input_px, 1), float32 in [0, 1]; outputs
``logit`` (N, 1), ``embedding`` (N, C) and ``grad_cam`` (N, h, w). N is free:
``Interpreter.get_signature_runner("serving_default")(film=batch)`` resizes by itself and gives the outputs by name.
Weights are stored as float16 and widened once, when the interpreter prepares the graph.
"""

from __future__ import annotations

import tempfile

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from cxrscan.scanner.network.network import BACKBONE, STEM, explain
from cxrscan.scanner.records import FloatImage, Predictions
from cxrscan.scanner.system.quiet import silent_stderr

Float64Array = npt.NDArray[np.float64]

_SIGNATURE = "serving_default"
_BATCH = 32


def round_to_float16(network: keras.Model) -> None:
    """Move the weights to values that float16 can hold once batch normalisation is folded into them.

    The converter folds first and rounds then. Depthwise filters are differences of large values, so that this
    moves the log-odds by up to 0.2. Rounded here, in place and before anything is measured, Keras and the exported
    graph stay one and the same function.
    """
    convolution = network.get_layer(STEM)
    for layer in network.get_layer(BACKBONE).layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
            convolution = layer
        elif isinstance(layer, keras.layers.BatchNormalization):
            _round_convolution(convolution, layer)
    _round_head(network)


def _round_convolution(convolution: keras.Layer, norm: keras.layers.BatchNormalization) -> None:
    """Round a convolution and the norm behind it; the norm's share of the kernel is its scale."""
    scale, shift = _affine(norm)
    per_filter = scale[:, np.newaxis] if isinstance(convolution, keras.layers.DepthwiseConv2D) else scale
    convolution.kernel.assign(_round_product(_values(convolution.kernel), per_filter))
    norm.beta.assign(np.float16(shift) + _values(norm.moving_mean) * scale)


def _round_head(network: keras.Model) -> None:
    """Round the dense layers; the norm in front of the first is folded into its kernel and its bias."""
    scale, shift = _affine(network.get_layer("head_norm"))
    hidden, logit = network.get_layer("hidden"), network.get_layer("logit")
    kernel = _round_product(_values(hidden.kernel), scale[:, np.newaxis])
    hidden.kernel.assign(kernel)
    hidden.bias.assign(np.float16(_values(hidden.bias) + shift @ kernel) - shift @ kernel)
    for variable in logit.weights:
        variable.assign(np.float16(_values(variable)))


def _affine(norm: keras.layers.BatchNormalization) -> tuple[Float64Array, Float64Array]:
    """Scale and shift that a norm amounts to when it does not learn."""
    scale = _values(norm.gamma) / np.sqrt(_values(norm.moving_variance) + norm.epsilon)
    return scale, _values(norm.beta) - _values(norm.moving_mean) * scale


def _round_product(kernel: Float64Array, scale: Float64Array) -> Float64Array:
    """Kernel nearby whose product with the scale fits into float16; where the scale is 0, the kernel itself."""
    is_zero = scale == 0
    return np.where(is_zero, kernel, np.float16(kernel * scale) / np.where(is_zero, 1.0, scale))


def _values(variable: keras.Variable) -> Float64Array:
    return np.asarray(variable.numpy(), dtype=np.float64)


def export_graph(network: keras.Model) -> bytes:
    """Make the LiteRT flatbuffer of a network of ``build_network``, together with its explanation."""
    with tempfile.TemporaryDirectory() as folder:
        explain(network).export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[_SIGNATURE])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        with silent_stderr:  # the converter tells its steps
            return bytes(converter.convert())


def run_graph(graph: bytes, films: FloatImage, *, n_threads: int = 2) -> Predictions:
    """Run an exported graph over films.

    Parameters
    ----------
    films
        float32 array, shape (N, S, S, 1), values in [0, 1].
    """
    with silent_stderr:  # it tells which kernels it takes
        interpreter = Interpreter(model_content=graph, num_threads=n_threads)
        interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner(_SIGNATURE)
    batches = [runner(film=films[i : i + _BATCH]) for i in range(0, len(films), _BATCH)]
    return Predictions(
        np.concatenate([batch["logit"] for batch in batches])[:, 0],
        np.concatenate([batch["embedding"] for batch in batches]),
        np.concatenate([batch["grad_cam"] for batch in batches]),
    )
