from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf

from cxrscan.scanner.errors import TrainingError
from cxrscan.scanner.network.network import BACKBONE, STEM, build_network, explain
from cxrscan.scanner.network.restore import restore_network
from cxrscan.training.config import TrainConfig
from cxrscan.training.export import export_graph, round_to_float16, run_graph
from cxrscan.training.fit import predict_logits
from cxrscan.training.heat_loss import guide_heat
from tests.builders import film_pixels
from tests.training.films import TINY

SMALL = replace(TINY, input_px=96, train_from="")


def films(n: int) -> np.ndarray:
    return np.stack([film_pixels(i, height=96, width=96) for i in range(n)])[..., np.newaxis].astype(np.float32) / 255


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return trained_network(SMALL)


def trained_network(config: TrainConfig) -> keras.Model:
    """A small network whose batch norms are away from the identity, as after training."""
    keras.utils.set_random_seed(0)
    network = build_network(config)
    rng = np.random.default_rng(0)
    for layer in [*network.get_layer(BACKBONE).layers, network.get_layer("head_norm")]:
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.gamma.shape
            layer.gamma.assign(rng.uniform(0.5, 1.5, size))
            layer.beta.assign(rng.normal(0.2, 0.3, size))
            layer.moving_mean.assign(rng.normal(0, 0.1, size))
            layer.moving_variance.assign(rng.uniform(0.3, 1.0, size))
    return network


def test_the_closed_form_equals_grad_cam_by_differentiation(network: keras.Model) -> None:
    """The reference is Selvaraju et al. 2017 word by word, on the last feature map of the backbone."""
    batch = tf.constant(films(4))
    to_features = keras.Sequential(network.layers[: network.layers.index(network.get_layer(BACKBONE)) + 1])
    with tf.GradientTape() as tape:
        features = to_features(batch, training=False)
        tape.watch(features)
        x = features
        for name in ("embedding", "head_norm", "hidden", "logit"):
            x = network.get_layer(name)(x, training=False) if name == "head_norm" else network.get_layer(name)(x)
    gradients = tape.gradient(x, features)
    weights = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
    wanted = tf.nn.relu(tf.reduce_sum(weights * features, axis=-1)).numpy()
    found = explain(network)(batch)
    assert wanted.max() > 0
    np.testing.assert_allclose(found["grad_cam"], wanted, rtol=1e-4, atol=1e-6 * wanted.max())
    np.testing.assert_allclose(found["logit"], x, rtol=1e-4, atol=1e-5)


def lit_network() -> keras.Model:
    """A network whose every feature speaks for pneumonia, so that there is heat; its largest value is 1."""
    keras.utils.set_random_seed(0)
    network = build_network(replace(SMALL, train_from="block_16"))
    hidden, logit = (network.get_layer(name).kernel for name in ("hidden", "logit"))
    hidden.assign(keras.ops.abs(hidden))
    logit.assign(keras.ops.abs(logit))
    logit.assign(logit / keras.ops.max(explain(network)(films(6))["grad_cam"]))
    return network


def outer_share(heat: np.ndarray) -> np.ndarray:
    return 1 - heat[:, 1, 1] / heat.sum(axis=(1, 2))  # of 3 x 3 cells one lies inside


def test_what_is_wrong_with_heat_adds_to_the_loss() -> None:
    network, batch = lit_network(), films(6)
    ill = np.random.default_rng(0).random((6, 3, 3), dtype=np.float32)
    points = np.array([[1], [0]] * 3, dtype=np.float32)
    said = {name: np.asarray(value) for name, value in explain(network)(batch).items()}
    heat, logits = said["grad_cam"], said["logit"][:, 0]
    chances = np.exp(heat / 0.5) / np.exp(heat / 0.5).sum(axis=(1, 2), keepdims=True)  # no contribution is negative
    hits = (chances * ill).sum(axis=(1, 2))
    total, prob = heat.sum(axis=(1, 2)), 1 / (1 + np.exp(-logits))
    wanted = {
        (("stray_heat", 2.0),): 2.0 * (heat * (1 - ill)).sum(axis=(1, 2)) / (total + 1),
        (("outer_heat", 2.0), ("outer_heat_free", 0.1)): prob * 2.0 * (outer_share(heat) - 0.1),
        (("point_heat", 2.0), ("point_temperature", 0.5)): -2.0 * points[:, 0] * np.log(hits),
        (("missing_heat", 3.0),): prob * 3.0 * np.maximum(0, 1 - total / np.maximum(logits, 1)),
    }
    for settings, cost in wanted.items():
        model = guide_heat(network, replace(SMALL, **dict(settings)))
        np.testing.assert_allclose(np.asarray(model([batch, ill, points]))[:, 0], logits, rtol=1e-4, atol=1e-5)
        (loss,) = model.losses
        assert float(loss) == pytest.approx(np.mean(cost), rel=0.01, abs=1e-6), settings


def test_learning_moves_heat_from_the_rim_inside() -> None:
    network, batch = lit_network(), tf.constant(films(6))
    before = outer_share(np.asarray(explain(network)(batch)["grad_cam"])).mean()
    model = guide_heat(network, replace(SMALL, outer_heat=1.0))
    learning = network.get_layer(BACKBONE).trainable_variables
    with tf.GradientTape() as tape:
        model([batch, tf.ones((6, 3, 3)), tf.zeros((6, 1))])
        (loss,) = model.losses
    gradients = tape.gradient(loss, learning)
    step = 0.02 * loss / sum(tf.reduce_sum(gradient**2) for gradient in gradients)  # 2 % down, if it were a plane
    for variable, gradient in zip(learning, gradients, strict=True):
        variable.assign_sub(step * gradient)
    after = outer_share(np.asarray(explain(network)(batch)["grad_cam"])).mean()
    assert after == pytest.approx(0.98 * before, rel=0.01)


def test_the_exported_graph_agrees_with_keras_at_every_batch_size(network: keras.Model) -> None:
    round_to_float16(network)
    graph = export_graph(network)
    batch = films(33)  # one batch of run_graph, and a rest of one
    found = run_graph(graph, batch)
    wanted = explain(network).predict(batch, verbose=0)
    np.testing.assert_allclose(found.logits, predict_logits(network, batch), atol=2e-3)
    np.testing.assert_allclose(found.embeddings, wanted["embedding"], rtol=1e-2, atol=2e-3)
    np.testing.assert_allclose(found.heat_maps, wanted["grad_cam"], rtol=1e-2, atol=2e-3 * wanted["grad_cam"].max())
    assert found.embeddings.shape == (33, 1280)
    assert found.heat_maps.shape == (33, 3, 3)


def test_rounding_to_float16_moves_the_answers_little_and_only_once(network: keras.Model) -> None:
    batch = films(4)
    before = predict_logits(network, batch)
    round_to_float16(network)
    once = predict_logits(network, batch)
    np.testing.assert_allclose(once, before, atol=0.1)
    round_to_float16(network)
    np.testing.assert_allclose(predict_logits(network, batch), once, atol=1e-5)


def trainable(config_changes: dict[str, object]) -> list[str]:
    network = build_network(replace(SMALL, **config_changes))
    return [layer.name for layer in network.get_layer(BACKBONE).layers if layer.trainable_weights]


def test_blocks_before_train_from_stay_as_they_are() -> None:
    names = trainable({"train_from": "block_15"})
    assert names[0] == "block_15_expand"
    assert not any(name.startswith(("block_14", "Conv1")) for name in names)
    assert trainable({"train_from": "head"}) == []
    assert trainable({})[0] == "bn_Conv1"


def test_the_first_convolution_learns_only_when_all_do() -> None:
    assert build_network(SMALL).get_layer(STEM).trainable
    assert not build_network(replace(SMALL, train_from="block_2_")).get_layer(STEM).trainable


def test_a_block_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TrainingError, match="no layer called 'block_99'") as caught:
        build_network(replace(SMALL, train_from="block_99"))
    assert caught.value.code == "config-invalid"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    mobilenet(96).save_weights(path)
    return path


def mobilenet(px: int) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.applications.MobileNetV2((px, px, 3), alpha=SMALL.alpha, include_top=False, weights=None)


def features(network: keras.Model, batch: np.ndarray) -> np.ndarray:
    return keras.Model(network.input, network.get_layer("embedding").input).predict(batch, verbose=0)


@pytest.mark.parametrize("px", [96, 97])
@pytest.mark.parametrize("taps", [1, 5])
def test_the_network_is_mobilenet_v2_on_three_equal_channels_of_the_blurred_film(
    weights: Path, px: int, taps: int
) -> None:
    network = build_network(replace(SMALL, input_px=px, weights=str(weights), blur_taps=taps))
    batch = np.random.default_rng(0).random((2, px, px, 1), dtype=np.float32)
    batch[:, [*range(5), *range(px - 5, px)]] = 0.5  # what the filter finds outside the film
    batch[:, :, [*range(5), *range(px - 5, px)]] = 0.5
    row = np.array([1, 4, 6, 4, 1], np.float32) / 16
    blurred = [cv2.sepFilter2D(film[..., 0], -1, row, row) if taps > 1 else film[..., 0] for film in batch]
    wanted = mobilenet(px).predict(2 * np.stack([blurred] * 3, axis=-1) - 1, verbose=0)
    np.testing.assert_allclose(features(network, batch), wanted, rtol=1e-4, atol=1e-5 * wanted.max())


def test_given_weights_keep_their_batch_norm_still_in_training(weights: Path) -> None:
    network = build_network(replace(SMALL, weights=str(weights)))
    backbone = network.get_layer(BACKBONE)
    before = backbone.get_weights()
    inside = np.random.default_rng(0).normal(size=(4, 48, 48, backbone.input.shape[-1])).astype(np.float32)
    np.testing.assert_allclose(backbone(inside, training=True), backbone(inside, training=False), rtol=1e-5, atol=1e-6)
    network(films(4), training=True)
    for old, new in zip(before, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_a_whole_network_is_loaded_with_its_head(tmp_path: Path, network: keras.Model) -> None:
    network.save(tmp_path / "model.keras")
    again = build_network(replace(SMALL, weights=str(tmp_path / "model.keras")))
    np.testing.assert_allclose(predict_logits(again, films(2)), predict_logits(network, films(2)), rtol=1e-5)


def test_weights_of_another_width_name_the_layer_that_does_not_fit(weights: Path) -> None:
    with pytest.raises(TrainingError, match="first at layer Conv1") as caught:
        build_network(replace(SMALL, alpha=0.75, weights=str(weights)))
    assert caught.value.code == "weights-invalid"


@pytest.mark.parametrize("content", [None, b"no weights"])
def test_a_weight_file_that_is_none_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "some.weights.h5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"some\.weights\.h5 does not fit") as caught:
        build_network(replace(SMALL, weights=str(path)))
    assert caught.value.code == "weights-invalid"


@pytest.mark.parametrize("side", [2, 4])
def test_a_graph_of_another_first_convolution_is_refused(side: int) -> None:
    def other(layer: keras.layers.Layer) -> keras.layers.Layer:
        """The same layer, but for a first kernel one smaller or larger and a frame that fits it."""
        changed = {STEM: {"kernel_size": side}, "frame": {"padding": ((0, side - 2),) * 2}}.get(layer.name, {})
        return type(layer).from_config({**layer.get_config(), **changed})

    graph = export_graph(keras.models.clone_model(trained_network(SMALL), clone_function=other))
    with pytest.raises(ValueError, match="first convolution"):
        restore_network(graph, input_px=SMALL.input_px, alpha=SMALL.alpha)


@pytest.mark.parametrize("taps", [1, 5])
def test_a_network_is_restored_with_a_longer_filter(taps: int) -> None:
    graph = export_graph(trained_network(replace(SMALL, blur_taps=taps)))
    restored = restore_network(graph, input_px=SMALL.input_px, alpha=SMALL.alpha, blur_taps=taps + 2)
    inner = np.s_[:, 6:-6, 6:-6]  # the film's edge is filtered before the frame, or with it
    batch = films(2)
    padded = np.pad(batch, ((0, 0), (1, 1), (1, 1), (0, 0)))
    softer = sum(
        weight * padded[:, i : i + batch.shape[1], j : j + batch.shape[2]]
        for i, j, weight in ((i, j, (1, 2, 1)[i] * (1, 2, 1)[j] / 16) for i in range(3) for j in range(3))
    )
    wanted, found = (
        net.get_layer(STEM)(net.get_layer("frame")(net.get_layer("to_minus_one_one")(x)))
        for net, x in (
            (restore_network(graph, input_px=SMALL.input_px, alpha=SMALL.alpha), softer),
            (restored, batch),
        )
    )
    np.testing.assert_allclose(found[inner], wanted[inner], rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match=f"{taps + 2} taps"):
        restore_network(export_graph(restored), input_px=SMALL.input_px, alpha=SMALL.alpha, blur_taps=taps)


@pytest.mark.parametrize("taps", [1, 5])
def test_a_network_is_restored_from_its_graph(taps: int) -> None:
    network = trained_network(replace(SMALL, blur_taps=taps))
    round_to_float16(network)
    restored = restore_network(export_graph(network), input_px=SMALL.input_px, alpha=SMALL.alpha)
    batch = tf.constant(films(3))
    wanted, found = explain(network)(batch), explain(restored)(batch)
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], rtol=0.02, atol=0.02 * np.abs(wanted[name]).max())
