"""The reference engine: the network in Keras, on a GPU where TensorFlow finds one.

It takes its weights out of the bundle's own graph, so that it works with every bundle and computes the same
function. Imported only when it is asked for, because TensorFlow takes seconds to import.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import tensorflow as tf

from cxrscan.scanner.errors import BundleError
from cxrscan.scanner.model_bundle import ModelSpec, verify_weights
from cxrscan.scanner.network.network import explain
from cxrscan.scanner.network.restore import restore_network
from cxrscan.scanner.records import FloatImage, Predictions


class KerasEngine:
    """Runs the network of ``model.tflite`` with TensorFlow; checks the weights' hash first.

    Raises
    ------
    BundleError
        ``bundle-missing``, ``bundle-hash`` or ``bundle-invalid``.
    """

    def __init__(self, spec: ModelSpec, *, n_threads: int = 1) -> None:
        graph = verify_weights(spec)
        with suppress(RuntimeError):  # TensorFlow has started already, with settings of its own
            tf.config.threading.set_intra_op_parallelism_threads(n_threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
            for gpu in tf.config.list_physical_devices("GPU"):
                tf.config.experimental.set_memory_growth(gpu, True)  # several workers share it
        try:
            network = restore_network(graph, input_px=spec.input_px, alpha=spec.alpha)
        except ValueError as error:
            raise BundleError("bundle-invalid", f"{spec.weights_path} holds another network: {error}.") from error
        shape = (None, spec.input_px, spec.input_px, 1)
        self._run = tf.function(explain(network), input_signature=[tf.TensorSpec(shape, tf.float32)])

    def predict(self, films: FloatImage) -> Predictions:
        """Score a batch; see ``Engine.predict``."""
        out = {name: np.asarray(values) for name, values in self._run(tf.constant(films)).items()}
        return Predictions(np.ravel(out["logit"]), out["embedding"], out["grad_cam"])
