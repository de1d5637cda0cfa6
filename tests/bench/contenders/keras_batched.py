"""A good practitioner's script: tf.data decodes in parallel, batches of 32, one compiled step with Grad-CAM.

python -m tests.bench.contenders.keras_batched MODEL.keras FOLDER OUT
"""

import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf

BATCH = 32
THUMBNAIL_PX = 320


def main(model_path: str, folder: str, out: str) -> None:
    model = keras.models.load_model(model_path)
    side = model.input_shape[1]
    at = model.layers.index(model.get_layer("backbone"))
    body, head = model.layers[1 : at + 1], model.layers[at + 1 :]

    @tf.function(input_signature=[tf.TensorSpec((None, side, side, 1), tf.float32)])
    def step(films: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x = films
        for layer in body:
            x = layer(x, training=False)
        features = x
        with tf.GradientTape() as tape:  # through the head only: nothing before it is needed
            tape.watch(features)
            x = features
            for layer in head:
                x = layer(x, training=False)
        weights = tf.reduce_mean(tape.gradient(x, features), axis=(1, 2), keepdims=True)
        return x, tf.nn.relu(tf.reduce_sum(weights * features, axis=-1))

    def load(path: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        film = tf.io.decode_jpeg(tf.io.read_file(path), channels=1, ratio=2, dct_method="INTEGER_FAST")
        film = tf.cast(film, tf.float32)
        small = tf.image.resize(film, (THUMBNAIL_PX, THUMBNAIL_PX), preserve_aspect_ratio=True)
        thumbnail = tf.io.encode_jpeg(tf.cast(small, tf.uint8), quality=80)
        return tf.image.resize(film, (side, side), method="area") / 255.0, thumbnail

    paths = [str(path) for path in sorted(Path(folder).rglob("*.jp*g"))]
    films = tf.data.Dataset.from_tensor_slices(paths).map(load, num_parallel_calls=tf.data.AUTOTUNE)
    lines = ["file,logit"]
    done = iter(paths)
    for batch, thumbnails in films.batch(BATCH).prefetch(tf.data.AUTOTUNE):
        logits, heat_maps = step(batch)
        for logit, heat, thumbnail in zip(logits.numpy()[:, 0], heat_maps.numpy(), thumbnails.numpy(), strict=True):
            path = Path(next(done))
            Path(out, f"{path.stem}.jpg").write_bytes(thumbnail)
            cv2.imwrite(f"{out}/{path.stem}.png", np.uint8(255 * heat / max(heat.max(), 1e-6)))
            lines.append(f"{path.name},{logit:.6f}")
    Path(out, "results.csv").write_text("\n".join(lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
