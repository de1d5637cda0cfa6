"""The network: MobileNetV2, a small head, and the form of it that explains itself.

Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks".
"""

from __future__ import annotations

import os
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from cxrscan.scanner.errors import TrainingError
from cxrscan.scanner.network.config import NetworkConfig
from cxrscan.scanner.system.beneath import open_regular

BACKBONE = "backbone"
STEM = "stem"
HEAD_ONLY = "head"
WHOLE_NETWORK = ".keras"
"""Ending of files that hold the head too."""
_MAX_WEIGHTS_BYTES = 512 << 20
_LAYER_NAME = re.compile(r"name=([\w.]+)")


def build_network(config: NetworkConfig) -> keras.Model:
    """Build the network with its initial weights.

    Input is a float batch (N, input_px, input_px, 1) with values in [0, 1]; the scaling to [-1, 1] that the
    ImageNet weights expect happens inside. Output is the log-odds of pneumonia, float32, shape (N, 1).

    MobileNetV2's first convolution is made for three equal channels here, so that its kernel is added up over them; a
    binomial filter of ``blur_taps`` taps before it (against aliasing: Zhang 2019, "Making convolutional networks
    shift-invariant again") is part of the same kernel. This takes less time than the first layers otherwise would.

    Raises
    ------
    TrainingError
        ``weights-invalid`` or ``config-invalid``.
    """
    mobilenet = build_mobilenet(config)
    _freeze(mobilenet, config)
    first = mobilenet.get_layer("Conv1")
    backbone = keras.Model(first.output, mobilenet.output, name=BACKBONE)
    radius = config.blur_taps // 2
    frame = (radius + config.input_px % 2, radius + 1)
    film = keras.Input((config.input_px, config.input_px, 1), name="film")
    x = layers.Rescaling(2.0, offset=-1.0, name="to_minus_one_one")(film)
    x = layers.ZeroPadding2D((frame, frame), name="frame")(x)  # zero is mid-grey
    size = 2 * radius + first.kernel.shape[0]
    stem = layers.Conv2D(first.filters, size, strides=2, use_bias=False, trainable=first.trainable, name=STEM)
    x = backbone(stem(x))
    stem.kernel.assign(blurred(np.asarray(first.kernel), config.blur_taps))
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    x = layers.BatchNormalization(momentum=0.95, name="head_norm")(x)
    x = layers.Dense(config.hidden_units, activation="relu", name="hidden")(x)
    x = layers.Dropout(config.dropout, seed=config.seed, name="dropout")(x)
    logit = layers.Dense(1, dtype="float32", name="logit")(x)
    network = keras.Model(film, logit, name="cxrscan")
    if config.weights.endswith(WHOLE_NETWORK):
        _load_weights(network, Path(config.weights))
    return network


def explain(network: keras.Model) -> keras.Model:
    """Give the network three outputs from one forward pass: logit, embedding and Grad-CAM.

    Grad-CAM (Selvaraju et al. 2017) weighs each channel k of the last feature map A by the mean gradient of
    the logit. Behind A come only pooling, batch normalisation (scale s), Dense (W1), ReLU and Dense (W2), so
    that gradient has a closed form, the same at each of the P positions:

        alpha_k = 1/P * s_k * sum_j W1[k, j] * [h_j > 0] * W2[j]

    and the map is ReLU(sum_k alpha_k A_k), in units of the logit.

    Returns
    -------
    Model with the outputs ``logit`` (N, 1), ``embedding`` (N, C) and ``grad_cam`` (N, h, w).
    """
    features = last_features(network, training=False)
    embedding = network.get_layer("embedding")(features)
    hidden = network.get_layer("hidden")(network.get_layer("head_norm")(embedding, training=False))
    logit = network.get_layer("logit")(hidden)
    grad_cam = _GradCam(network, name="grad_cam")([features, hidden])
    outputs = {"logit": logit, "embedding": embedding, "grad_cam": grad_cam}
    return keras.Model(network.input, outputs, name="cxrscan_explained")


class _GradCam(layers.Layer):  # type: ignore[misc]
    """The closed form of Grad-CAM for the head of ``build_network``."""

    def __init__(self, network: keras.Model, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pull_back = pull_back(network)

    def call(self, inputs: list[Any]) -> Any:
        features, hidden = inputs
        return ops.relu(contributions(features, hidden, self._pull_back))


def pull_back(network: keras.Model) -> Any:
    """What one active hidden unit adds to the gradient of each pooled channel; shape (hidden, C)."""
    norm = network.get_layer("head_norm")
    scale = norm.gamma / ops.sqrt(norm.moving_variance + norm.epsilon)
    return ops.transpose(network.get_layer("hidden").kernel * scale[:, None]) * network.get_layer("logit").kernel


def contributions(features: Any, hidden: Any, pull_back: Any) -> Any:
    """What each position adds to the logit, to first order; Grad-CAM before its ReLU; shape (N, h, w)."""
    n_positions = features.shape[1] * features.shape[2]
    weights = ops.matmul(ops.cast(hidden > 0, hidden.dtype), pull_back / n_positions)
    return ops.sum(features * weights[:, None, None, :], axis=-1)


def last_features(network: keras.Model, training: bool | None = None) -> Any:
    """The last feature map, made from the network's input."""
    x = network.get_layer("frame")(network.get_layer("to_minus_one_one")(network.input))
    return network.get_layer(BACKBONE)(network.get_layer(STEM)(x), training=training)


def blurred(kernel: np.ndarray, taps: int) -> np.ndarray:
    """The kernel, shape (h, w, channels, filters), for one channel and with a binomial filter before it."""
    grey: np.ndarray = kernel.sum(axis=2, keepdims=True)
    filter_1d = (np.poly1d([0.5, 0.5]) ** (taps - 1)).coeffs
    height, width, _, n_filters = grey.shape
    blurred = np.zeros((height + taps - 1, width + taps - 1, 1, n_filters), grey.dtype)
    for i, j in np.ndindex(taps, taps):
        blurred[i : i + height, j : j + width] += filter_1d[i] * filter_1d[j] * grey
    return blurred


def build_mobilenet(config: NetworkConfig) -> keras.Model:
    """Build MobileNetV2 without top, as Keras Applications does: three channels with values in [-1, 1].

    Raises
    ------
    TrainingError
        ``weights-invalid`` or ``config-invalid``.
    """
    weights = "imagenet" if config.weights == "imagenet" else None
    shape = (config.input_px, config.input_px, 3)
    try:
        mobilenet = keras.applications.MobileNetV2(
            input_shape=shape, alpha=config.alpha, include_top=False, weights=weights
        )
    except ValueError as error:
        raise TrainingError("config-invalid", f"MobileNetV2 cannot be built: {error}.") from error
    except Exception as error:  # Keras raises no narrower one when a download fails
        if "URL fetch failure" not in str(error):
            raise
        raise TrainingError("weights-offline", "The ImageNet weights cannot be downloaded.") from error
    if config.weights not in {"imagenet", "none"} and not config.weights.endswith(WHOLE_NETWORK):
        _load_weights(mobilenet, Path(config.weights))
    return mobilenet


def _refuse_bombs(path: Path) -> None:
    """Refuse weights that are larger than any such network's, also once they are unpacked."""
    with open_regular(str(path)) as file:
        n_bytes = os.fstat(file.fileno()).st_size
        if file.read(2) == b"PK":
            file.seek(0)
            with zipfile.ZipFile(file) as archive:
                n_bytes = sum(entry.file_size for entry in archive.infolist())
    if n_bytes > _MAX_WEIGHTS_BYTES:
        raise ValueError("it is too large")


def _load_weights(model: keras.Model, path: Path) -> None:
    try:
        _refuse_bombs(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns once for each layer of a wrong file, and then raises
            model.load_weights(path)
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        layer = _LAYER_NAME.search(str(error))
        where = f" (first at layer {layer[1]})" if layer else ""
        reason = next((line for line in str(error).splitlines() if line), type(error).__name__)
        raise TrainingError("weights-invalid", f"{path} does not fit the network{where}: {reason[:200]}") from error


def _freeze(mobilenet: keras.Model, config: NetworkConfig) -> None:
    """Make the layers before the first whose name starts with ``train_from`` untrainable, and batch norm if wanted."""
    if config.train_from == HEAD_ONLY:
        mobilenet.trainable = False
        return
    names = [layer.name for layer in mobilenet.layers]
    first = next((i for i, name in enumerate(names) if name.startswith(config.train_from)), None)
    if first is None:
        raise TrainingError("config-invalid", f"MobileNetV2 has no layer called {config.train_from!r}; see train_from.")
    freeze_norms = config.freeze_batch_norm and config.weights != "none"
    for i, layer in enumerate(mobilenet.layers):
        is_norm = isinstance(layer, layers.BatchNormalization)
        # An untrainable norm uses its moving statistics; calling it with training=False would not last, because
        # Keras hands its own training flag down to every layer of a functional model.
        layer.trainable = i >= first and not (is_norm and freeze_norms)
