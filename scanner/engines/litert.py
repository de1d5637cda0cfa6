"""The default engine: LiteRT, TensorFlow's runtime for exported graphs.

It opens in milliseconds, and one single-threaded interpreter per core is faster than one with many threads.
"""

from __future__ import annotations

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from cxrscan.scanner.errors import BundleError
from cxrscan.scanner.model_bundle import ModelSpec, verify_weights
from cxrscan.scanner.records import FloatImage, Predictions, heat_side
from cxrscan.scanner.system.quiet import silent_stderr

_SIGNATURE = "serving_default"
_OUTPUTS = ("logit", "embedding", "grad_cam")
_FILMS_PER_PASS = 2  # the intermediate results of more do not fit into a core's cache; docs/speed.md has the figures


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
            with silent_stderr:
                interpreter = Interpreter(model_content=weights, num_threads=n_threads)
                interpreter.allocate_tensors()
            self._run = interpreter.get_signature_runner(_SIGNATURE)
            outputs = self._run.get_output_details()
        except (RuntimeError, ValueError) as error:
            raise BundleError("bundle-invalid", f"{spec.weights_path} cannot be opened: {error}.") from error
        self._path = spec.weights_path
        self._n_cells = heat_side(spec.input_px)
        inputs = self._run.get_input_details()
        taken = {name: tuple(details["shape_signature"][1:]) for name, details in inputs.items()}
        if list(taken.values()) != [(spec.input_px, spec.input_px, 1)]:
            raise BundleError("bundle-invalid", f"{self._path} takes {taken}, {spec.input_px} pixels are promised.")
        (self._input,) = inputs
        if not set(_OUTPUTS) <= outputs.keys():
            raise BundleError("bundle-invalid", f"{spec.weights_path} lacks one of the outputs {', '.join(_OUTPUTS)}.")

    def predict(self, films: FloatImage) -> Predictions:
        """Score a batch; see ``Engine.predict``.

        Raises
        ------
        BundleError
            ``bundle-invalid``: the graph cannot be run, or its outputs are not those of ``Predictions``.
        """
        try:
            parts = [
                self._run(**{self._input: films[i : i + _FILMS_PER_PASS]})
                for i in range(0, len(films), _FILMS_PER_PASS)
            ]
        except (RuntimeError, ValueError) as error:
            raise BundleError("bundle-invalid", f"{self._path} cannot be run: {error}.") from error
        logit, embedding, grad_cam = (np.concatenate([part[name] for part in parts]) for name in _OUTPUTS)
        answer = Predictions(np.ravel(logit), embedding, grad_cam)
        shapes = (answer.logits.shape, answer.embeddings.shape[:1], answer.heat_maps.shape)
        if shapes != ((len(films),), (len(films),), (len(films), self._n_cells, self._n_cells)):
            raise BundleError("bundle-invalid", f"{self._path} gives outputs of other shapes: {shapes}.")
        return answer
