"""The backbone with its frozen batch norms folded into the convolutions before them: the same function, twice as fast.

A frozen norm multiplies and adds. Carried out by itself, forwards and backwards, it moves as much memory as a
convolution, and memory is what training on CPUs waits for. Its scale goes into the kernel at each step instead, so that
the weights that learn, and their gradients, stay those of the backbone itself.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from cxrscan.scanner.network.network import BACKBONE, STEM, last_features


def training_form(network: keras.Model) -> keras.Model:
    """Build a model of the same weights and output that takes less time to train."""
    return keras.Model(network.input, training_head(network, training_features(network))[-1])


def training_head(network: keras.Model, features: Any) -> tuple[Any, Any, Any]:
    """Normalised embedding, hidden units and logit, made from the last feature map."""
    embedding = network.get_layer("head_norm")(network.get_layer("embedding")(features))
    hidden = network.get_layer("hidden")(embedding)
    return embedding, hidden, network.get_layer("logit")(network.get_layer("dropout")(hidden))


def training_features(network: keras.Model) -> Any:
    """The last feature map of a network, made from its input in the fastest way that trains the same weights."""
    backbone = network.get_layer(BACKBONE)
    norms = [layer for layer in backbone.layers if isinstance(layer, layers.BatchNormalization)]
    if any(norm.trainable for norm in norms):
        return last_features(network)
    return fold(backbone)(folded_stem(network))


def folded_stem(network: keras.Model) -> Any:
    """What the first convolution and its norm make of a network's input."""
    framed = network.get_layer("frame")(network.get_layer("to_minus_one_one")(network.input))
    norms = (layer for layer in network.get_layer(BACKBONE).layers if isinstance(layer, layers.BatchNormalization))
    return _Folded(network.get_layer(STEM), next(norms))(framed)


def fold(backbone: keras.Model) -> keras.Model:
    """Fold the frozen norms of a backbone, or of a part of it; one before the first convolution is left out."""
    following: dict[str, layers.BatchNormalization] = {}  # name of a convolution -> the norm behind it
    last = ""
    for layer in backbone.layers:
        if _is_convolution(layer):
            last = layer.name
        elif isinstance(layer, layers.BatchNormalization) and last:
            following[last] = layer

    def folded(layer: keras.Layer) -> keras.Layer:
        if _is_convolution(layer):
            return _Folded(layer, following[layer.name])
        if isinstance(layer, layers.BatchNormalization):
            return layers.Identity(name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    # norms are called with a mask, of which the identity knows nothing
    return keras.models.clone_model(
        backbone, clone_function=folded, call_function=lambda layer, inputs, **_: layer(inputs)
    )


def _is_convolution(layer: keras.Layer) -> bool:
    return isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D)


class _Folded(layers.Layer):  # type: ignore[misc]
    """A convolution without bias and the frozen norm behind it; the weights stay theirs."""

    def __init__(self, convolution: keras.Layer, norm: layers.BatchNormalization) -> None:
        super().__init__(name=f"folded_{convolution.name}")
        self.convolution = convolution
        self.norm = norm

    def call(self, inputs: Any) -> Any:
        convolution, norm = self.convolution, self.norm
        scale = norm.gamma / ops.sqrt(norm.moving_variance + norm.epsilon)
        shift = ops.cast(norm.beta - norm.moving_mean * scale, inputs.dtype)
        is_depthwise = isinstance(convolution, layers.DepthwiseConv2D)
        kernel = ops.cast(convolution.kernel * (scale[:, None] if is_depthwise else scale), inputs.dtype)
        convolve = ops.depthwise_conv if is_depthwise else ops.conv
        return convolve(inputs, kernel, strides=convolution.strides, padding=convolution.padding) + shift
