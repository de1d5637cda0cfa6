"""A bundle that costs next to nothing, for ``tests.bench.scale``: python -m tests.bench.scale_bundle FOLDER.

Its graph has the signature of a real one and averages the film instead of looking at it.
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

import tensorflow as tf

from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, SPEC_NAME, WEIGHTS_NAME, read_document
from cxrscan.scanner.records import heat_side


def averager(input_px: int) -> bytes:
    """Graph that gives a film's brightness as log-odds, and the film itself, coarse, as heat map."""
    network = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((None, input_px, input_px, 1), tf.float32, name="film")])
    def score(film: tf.Tensor) -> dict[str, tf.Tensor]:
        heat = tf.image.resize(film, [heat_side(input_px)] * 2)[..., 0]
        mean = tf.reduce_mean(heat, axis=(1, 2))[:, tf.newaxis]
        return {"logit": 10.0 * (mean - 0.4), "embedding": mean * tf.ones((1, 1280)), "grad_cam": heat}

    with tempfile.TemporaryDirectory() as saved:
        tf.saved_model.save(network, saved, signatures={"serving_default": score})
        converter = tf.lite.TFLiteConverter.from_saved_model(saved, signature_keys=["serving_default"])
        return bytes(converter.convert())


def write_averager(folder: Path, input_px: int = 224) -> Path:
    """Write a valid bundle around the averager."""
    graph = averager(input_px)
    document = {
        **read_document(DEFAULT_BUNDLE),
        "name": "averager",
        "input_px": input_px,
        "weights_sha256": hashlib.sha256(graph).hexdigest(),
        "gate": None,
        "heat_scale": 1.0,
    }
    folder.mkdir(parents=True)
    (folder / WEIGHTS_NAME).write_bytes(graph)
    (folder / SPEC_NAME).write_text(json.dumps(document))
    return folder


if __name__ == "__main__":
    write_averager(Path(sys.argv[1]))
