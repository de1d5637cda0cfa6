"""The last blocks of a network, trained on what the frozen ones before them make of varied films.

The frozen blocks work at high resolution and take most of the time. So they see each version of a film once, and all
epochs, and all parts of the films that are trained on, share what they made of it.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import numpy.typing as npt

from cxrscan.scanner.metrics import BoolArray
from cxrscan.scanner.network.network import BACKBONE, STEM
from cxrscan.scanner.network.restore import restore_network
from cxrscan.scanner.records import FloatImage
from cxrscan.training.adaptation.bundle import Parent
from cxrscan.training.adaptation.local_films import IndexArray
from cxrscan.training.augment import augment
from cxrscan.training.config import TrainConfig
from cxrscan.training.folded import fold, folded_stem
from cxrscan.training.heat_loss import guide_features

Halves = npt.NDArray[np.float16]
_BATCH = 32
_N_THREADS = 2


def restore(parent: Parent, config: TrainConfig) -> keras.Model:
    """Restore a bundle's network, of which the blocks from ``train_from`` on and the head can learn."""
    network = restore_network(parent.weights, input_px=parent.spec.input_px, alpha=parent.spec.alpha)
    backbone = network.get_layer(BACKBONE)
    first = _first(backbone, config)
    network.get_layer(STEM).trainable = False
    for i, layer in enumerate(backbone.layers):
        layer.trainable = i >= first and not isinstance(layer, keras.layers.BatchNormalization)
    network.get_layer("head_norm").trainable = False
    return network


def _first(backbone: keras.Model, config: TrainConfig) -> int:
    return [layer.name.startswith(config.train_from) for layer in backbone.layers].index(True)


def _parts(network: keras.Model, config: TrainConfig) -> tuple[keras.Model, keras.Model]:
    """The backbone behind the stem in two: what stays as it is, and what learns; both share the network's weights."""
    backbone = network.get_layer(BACKBONE)
    whole = fold(backbone)
    boundary = whole.layers[_first(backbone, config)].input
    return keras.Model(whole.input, boundary), keras.Model(boundary, whole.output)


def frozen_features(network: keras.Model, films: FloatImage, n_versions: int, config: TrainConfig) -> Halves:
    """What the frozen blocks make of varied films.

    Parameters
    ----------
    films
        shape (N, S, S, 1), values in [0, 1].

    Returns
    -------
    shape (n_versions, N, h, w, c).
    """
    frozen, _ = _parts(network, config)
    trunk = keras.Model(network.input, frozen(folded_stem(network)))
    made = np.empty((n_versions, len(films), *frozen.output.shape[1:]), dtype=np.float16)
    with ThreadPoolExecutor(_N_THREADS) as pool:

        def vary(version: int, i: int) -> FloatImage:
            return augment(films[i, ..., 0], np.random.default_rng([config.seed, version, i]), config.augment)

        for version in range(n_versions):
            varied = np.stack(list(pool.map(vary, [version] * len(films), range(len(films)))))
            made[version] = trunk.predict(varied[..., np.newaxis], batch_size=_BATCH, verbose=0)
    return made


def train_last_blocks(
    network: keras.Model, features: Halves, truth: BoolArray, fitted: IndexArray, config: TrainConfig
) -> None:
    """Train a network of ``restore`` in place; in the end it holds the averaged weights.

    Parameters
    ----------
    features
        shape (V, N, h, w, c), from ``frozen_features``; each epoch takes another version.
    truth
        shape (N,).
    fitted
        Films to train on.
    """
    keras.utils.set_random_seed(config.seed)
    _, blocks = _parts(network, config)
    source = keras.Input(features.shape[2:], name="frozen_features")
    trained = guide_features(network, source, blocks(source), config)
    batches = _Batches(features, truth, fitted, config, cells=blocks.output.shape[1:3])
    rate = keras.optimizers.schedules.CosineDecay(
        config.learning_rate / 100,
        config.epochs * len(batches),
        warmup_target=config.learning_rate,
        warmup_steps=math.ceil(config.warmup_epochs * len(batches)),
    )
    trained.compile(
        keras.optimizers.Adam(rate, use_ema=True, ema_momentum=config.ema),
        keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=config.label_smoothing),
        jit_compile=False,  # XLA is ten times slower than oneDNN for depthwise convolutions on CPUs
    )
    trained.fit(batches, epochs=config.epochs, shuffle=False, verbose=0)


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Features, where pneumonia may show, truths and weights; drawn anew, and of another version, in each epoch."""

    def __init__(
        self, features: Halves, truth: BoolArray, fitted: IndexArray, config: TrainConfig, cells: tuple[int, int]
    ) -> None:
        super().__init__()
        self._features = features
        self._truth = truth
        self._order = fitted
        self._size = config.batch_size
        self._cells = cells
        self._rng = np.random.default_rng(config.seed)
        share = truth[fitted].mean()
        self._weight = np.where(truth, 0.5 / share, 0.5 / (1 - share)).astype(np.float32)
        self._epoch = 0
        self._shuffle()

    def _shuffle(self) -> None:
        self._order = self._rng.permutation(self._order)

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._size)

    def __getitem__(self, index: int) -> tuple[tuple[FloatImage, FloatImage, FloatImage], FloatImage, FloatImage]:
        batch = self._order[index * self._size : (index + 1) * self._size]
        # each film in a version of its own, so that an epoch does not see one kind of framing alone
        films = self._features[(batch + self._epoch) % len(self._features), batch].astype(np.float32)
        ill = self._truth[batch].astype(np.float32)
        where = np.broadcast_to(ill[:, np.newaxis, np.newaxis], (len(batch), *self._cells))
        return (films, where, np.zeros((len(batch), 1), np.float32)), ill[:, np.newaxis], self._weight[batch]

    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._shuffle()
