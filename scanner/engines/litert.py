"""The default engine: LiteRT, TensorFlow's runtime for exported graphs.

It opens in milliseconds, and one single-threaded interpreter per core is faster than one with many threads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from scanner.errors import BundleError
from scanner.model_bundle import ModelSpec, verify_weights
from scanner.records import FloatImage, Predictions

_SIGNATURE = "serving_default"
_OUTPUTS = ("logit", "embedding", "grad_cam")


class LiteRTEngine:
    """Runs ``model.tflite``; checks the weights' hash first.

    Raises
    ------
    BundleError
        ``bundle-missing``, ``bundle-hash`` or ``bundle-invalid``.
    """

    def __init__(self, spec: ModelSpec, *, n_threads: int = 1) -> None:
        weights = verify_weights(spec)
        try:
            with _silent_stderr():
                interpreter = Interpreter(model_content=weights, num_threads=n_threads)
                interpreter.allocate_tensors()
            self._run = interpreter.get_signature_runner(_SIGNATURE)
            outputs = self._run.get_output_details()
        except (RuntimeError, ValueError) as error:
            raise BundleError("bundle-invalid", f"{spec.weights_path} cannot be opened: {error}.") from error
        self._path = spec.weights_path
        inputs = self._run.get_input_details()
        if len(inputs) != 1:
            raise BundleError("bundle-invalid", f"{self._path} takes {len(inputs)} inputs instead of one.")
        (self._input,) = inputs
        if not set(_OUTPUTS) <= outputs.keys():
            raise BundleError("bundle-invalid", f"{spec.weights_path} lacks one of the outputs {', '.join(_OUTPUTS)}.")

    def predict(self, films: FloatImage) -> Predictions:
        """Score a batch; see ``Engine.predict``."""
        try:
            out = self._run(**{self._input: films})
        except (RuntimeError, ValueError) as error:
            raise BundleError("bundle-invalid", f"{self._path} cannot be run: {error}.") from error
        answer = Predictions(np.ravel(out["logit"]), out["embedding"], out["grad_cam"])
        for name, array, n_axes in zip(
            _OUTPUTS, (answer.logits, answer.embeddings, answer.heat_maps), (1, 2, 3), strict=True
        ):
            if array.ndim != n_axes or len(array) != len(films):
                raise BundleError("bundle-invalid", f"{self._path} gives {name} of shape {array.shape}.")
        return answer


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep what the runtime's C++ code says on opening away from the user; it has no switch of its own."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
