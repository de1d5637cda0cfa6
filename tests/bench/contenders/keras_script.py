"""One film at a time, as tutorials do it: ``load_img``, ``predict``, Grad-CAM by GradientTape, an overlay file.

python -m tests.bench.contenders.keras_script MODEL.keras FOLDER OUT
"""

import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf


def main(model_path: str, folder: str, out: str) -> None:
    model = keras.models.load_model(model_path)
    side = model.input_shape[1]
    n_body = model.layers.index(model.get_layer("backbone")) + 1
    to_features, head = keras.Sequential(model.layers[:n_body]), model.layers[n_body:]
    lines = ["file,logit"]
    for path in sorted(Path(folder).rglob("*.jp*g")):
        film = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        batch = cv2.resize(film, (side, side), interpolation=cv2.INTER_AREA)[np.newaxis, ..., np.newaxis] / 255.0
        logit = model.predict(batch, verbose=0)[0, 0]
        with tf.GradientTape() as tape:
            features = to_features(batch, training=False)
            tape.watch(features)
            x = features
            for layer in head:
                x = layer(x, training=False)
        weights = tf.reduce_mean(tape.gradient(x, features), axis=(1, 2), keepdims=True)
        heat = tf.nn.relu(tf.reduce_sum(weights * features, axis=-1))[0].numpy()
        height, width = film.shape
        small = cv2.resize(film, (320 * width // max(height, width), 320 * height // max(height, width)))
        heat = cv2.resize(heat / max(heat.max(), 1e-6), small.shape[::-1])
        colours = cv2.applyColorMap(np.uint8(255 * heat), cv2.COLORMAP_JET)
        overlay = cv2.addWeighted(cv2.cvtColor(small, cv2.COLOR_GRAY2BGR), 0.6, colours, 0.4, 0)
        cv2.imwrite(f"{out}/{path.stem}.jpg", overlay)
        lines.append(f"{path.name},{logit:.6f}")
    Path(out, "results.csv").write_text("\n".join(lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
