"""A bundle that costs next to nothing, for ``tests.bench.scale``: python -m tests.bench.scale_bundle FOLDER.

Its graph has the signature of a real one and averages the film instead of looking at it.
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

import tensorflow as tf

from scanner.model_bundle import DEFAULT_BUNDLE, SPEC_NAME, WEIGHTS_NAME, read_document

_INPUT_PX, _GRID = 224, 7


class Averager(tf.Module):
    """Brightness as log-odds, a coarse film as heat map."""

    @tf.function(input_signature=[tf.TensorSpec((None, _INPUT_PX, _INPUT_PX, 1), tf.float32, name="film")])
    def score(self, film: tf.Tensor) -> dict[str, tf.Tensor]:
        heat = tf.nn.avg_pool2d(film, _INPUT_PX // _GRID, _INPUT_PX // _GRID, "VALID")[..., 0]
        mean = tf.reduce_mean(heat, axis=(1, 2))[:, tf.newaxis]
        return {"logit": 10.0 * (mean - 0.4), "embedding": mean * tf.ones((1, 1280)), "grad_cam": heat}


def main(folder: str) -> None:
    averager = Averager()
    with tempfile.TemporaryDirectory() as saved:
        tf.saved_model.save(averager, saved, signatures={"serving_default": averager.score})
        graph = tf.lite.TFLiteConverter.from_saved_model(saved, signature_keys=["serving_default"]).convert()
    document = {
        **read_document(DEFAULT_BUNDLE),
        "name": "averager",
        "input_px": _INPUT_PX,
        "weights_sha256": hashlib.sha256(graph).hexdigest(),
        "gate": None,
    }
    Path(folder).mkdir(parents=True)
    Path(folder, WEIGHTS_NAME).write_bytes(graph)
    Path(folder, SPEC_NAME).write_text(json.dumps(document))


if __name__ == "__main__":
    main(*sys.argv[1:])
