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
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from scanner.records import FloatImage, Predictions
from training.network import BACKBONE, explain

_SIGNATURE = "serving_default"
_BATCH = 32


def round_to_float16(network: keras.Model) -> None:
    """Move the backbone's weights to values that float16 can hold once batch normalisation is folded into them.

    The converter folds first and rounds then. Depthwise filters are differences of large values, so that this
    moves the log-odds by up to 0.2. Rounded here, in place and before anything is measured, Keras and the exported
    graph stay one and the same function.
    """
    convolution = None
    for layer in network.get_layer(BACKBONE).layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
            convolution = layer
        elif isinstance(layer, keras.layers.BatchNormalization) and convolution is not None:
            _round_folded(convolution, layer)


def _round_folded(convolution: keras.Layer, norm: keras.layers.BatchNormalization) -> None:
    gamma, beta, mean, variance = (np.float64(v.numpy()) for v in norm.weights)
    scale = gamma / np.sqrt(variance + norm.epsilon)
    per_filter = scale[:, np.newaxis] if isinstance(convolution, keras.layers.DepthwiseConv2D) else scale
    kernel = np.float64(convolution.kernel.numpy())
    rounded = np.float16(kernel * per_filter) / np.where(per_filter == 0, 1.0, per_filter)
    convolution.kernel.assign(np.where(per_filter == 0, kernel, rounded))
    norm.beta.assign(np.float16(beta - mean * scale) + mean * scale)


def export_graph(network: keras.Model) -> bytes:
    """Make the LiteRT flatbuffer of a network of ``build_network``, together with its explanation."""
    with tempfile.TemporaryDirectory() as folder:
        explain(network).export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[_SIGNATURE])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        return bytes(converter.convert())


def run_graph(graph: bytes, films: FloatImage, *, n_threads: int = 2) -> Predictions:
    """Run an exported graph over films.

    Parameters
    ----------
    films
        float32 array, shape (N, S, S, 1), values in [0, 1].
    """
    runner = Interpreter(model_content=graph, num_threads=n_threads).get_signature_runner(_SIGNATURE)
    batches = [runner(film=films[i : i + _BATCH]) for i in range(0, len(films), _BATCH)]
    return Predictions(
        np.concatenate([batch["logit"] for batch in batches])[:, 0],
        np.concatenate([batch["embedding"] for batch in batches]),
        np.concatenate([batch["grad_cam"] for batch in batches]),
    )
