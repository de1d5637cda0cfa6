from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from cxrscan.scanner.network.config import NetworkConfig
from cxrscan.scanner.network.network import BACKBONE, build_network
from cxrscan.training.folded import training_form
from tests.scanner.network.test_network import SMALL, films


def network_with_frozen_norms(train_from: str) -> keras.Model:
    network = build_network(NetworkConfig(input_px=96, alpha=0.35, weights="none", train_from=train_from, dropout=0.0))
    rng = np.random.default_rng(0)
    for layer in network.get_layer(BACKBONE).layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
            layer.gamma.assign(rng.uniform(0.5, 1.5, layer.gamma.shape))
            layer.moving_mean.assign(rng.normal(0, 0.1, layer.gamma.shape))
    return network


@pytest.mark.parametrize("train_from", ["", "block_14_"])
def test_folding_frozen_norms_changes_neither_answers_nor_gradients(train_from: str) -> None:
    network, batch = network_with_frozen_norms(train_from), tf.constant(films(3))
    fast = training_form(network)
    np.testing.assert_allclose(fast(batch), network(batch), rtol=1e-3, atol=1e-5)
    weights = network.trainable_variables
    assert {id(weight) for weight in fast.trainable_variables} == {id(weight) for weight in weights}
    wanted, found = (_gradients(model, batch, weights) for model in (network, fast))
    for name, gradient in wanted.items():
        np.testing.assert_allclose(found[name], gradient, rtol=0.01, atol=1e-3 * np.abs(gradient).max(), err_msg=name)


def _gradients(model: keras.Model, batch: tf.Tensor, weights: list[keras.Variable]) -> dict[str, np.ndarray]:
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(batch) ** 2)
    return {
        weight.path: gradient.numpy() for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True)
    }


def test_norms_that_learn_stay_norms() -> None:
    network = build_network(replace(SMALL, weights="none"))
    names = {layer.name for layer in training_form(network).layers}
    assert BACKBONE in names
