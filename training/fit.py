"""The training loop: epochs that follow from the seed alone, so that a resumed run equals an uninterrupted one."""

from __future__ import annotations

import json
import math
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf

from cxrscan.scanner.errors import TrainingError
from cxrscan.scanner.metrics import BoolArray, FloatArray, auc_delong
from cxrscan.scanner.records import FloatImage, heat_side
from cxrscan.scanner.system.whole_files import replacing
from cxrscan.training.augment import augment_with_mask, mix
from cxrscan.training.calibrate import cross_entropy, sigmoid
from cxrscan.training.config import TrainConfig
from cxrscan.training.films import LoadedFilms
from cxrscan.training.findings_loss import UNKNOWN
from cxrscan.training.folded import training_form
from cxrscan.training.heat_loss import guide_heat
from cxrscan.training.restyle import Styles, restyle
from cxrscan.training.sampling import draw_films, films_per_epoch, loss_weights, shares_of
from cxrscan.training.splits import IndexArray
from cxrscan.training.taught_loss import teacher_networks

_N_AHEAD = 4
_MAX_TEXT_BYTES = 4 << 20  # of the settings and the log in a checkpoint
_PREDICT_BATCH = 32


@dataclass(frozen=True, slots=True)
class EpochLog:
    """What one epoch brought; a row of ``log.csv``."""

    epoch: int
    """Counted from 1."""
    learning_rate: float
    """At the end of the epoch."""
    loss: float
    """Weighted cross-entropy on varied training films, and what the configuration adds to it."""
    auc: float
    accuracy: float
    val_loss: float
    """Cross-entropy on unvaried validation films, with the averaged weights."""
    val_auc: float
    val_accuracy: float
    images_per_s: float
    """Training speed, validation left out."""


Progress = Callable[[int, int, int, dict[str, float]], None]
"""Told the epoch (from 1), the films seen in it so far, all films of it, and the running ``loss`` and ``auc``."""


def fit(
    network: keras.Model,
    loaded: LoadedFilms,
    train: IndexArray,
    validation: IndexArray,
    config: TrainConfig,
    *,
    checkpoint: Path,
    resume: bool = False,
    progress: Progress = lambda epoch, n_seen, n_films, metrics: None,
    on_epoch: Callable[[list[EpochLog]], None] = lambda logs: None,
) -> list[EpochLog]:
    """Train a network in place; in the end it holds the averaged weights.

    Parameters
    ----------
    checkpoint
        File that holds the state after each epoch; replaced in one step, so that it is always whole.
    resume
        Go on from the checkpoint, if there is one.
    on_epoch
        Told the log so far after each epoch.

    Raises
    ------
    TrainingError
        ``config-invalid`` when the checkpoint is of another run, ``output-unwritable`` when it cannot be written.
    """
    n_findings = len(loaded.findings) if config.findings else 0
    trained = (
        guide_heat(network, config, n_findings, teacher_networks(config))
        if _is_guided(loaded, config)
        else training_form(network)
    )
    trained.compile(
        keras.optimizers.Adam(config.learning_rate),
        keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=config.label_smoothing),
        weighted_metrics=[keras.metrics.AUC(from_logits=True, name="auc")],
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")],
        jit_compile=False,  # XLA is ten times slower than oneDNN for depthwise convolutions on CPUs
    )
    trained.optimizer.build(trained.trainable_variables)
    state = _State(network, trained, config)
    logs = state.restore(checkpoint) if resume and checkpoint.is_file() else []
    n_films, shares = films_per_epoch(len(train), config), shares_of(loaded, train, config)
    truth = loaded.truth[validation]
    films = loaded.pixels[[loaded.rows[i][0] for i in validation]]
    for epoch in range(len(logs), config.epochs):
        if config.settle_epochs and epoch == config.epochs - config.settle_epochs:
            state.begin_average()
        follow = _Follow(state, epoch, n_films, config, progress)
        started = time.perf_counter()
        keras.utils.set_random_seed(config.seed * 1000 + epoch)
        history = trained.fit(
            _dataset(loaded, train, shares, config, epoch), epochs=1, callbacks=[follow], verbose=0, shuffle=False
        ).history
        duration_s = time.perf_counter() - started
        with state.averaged():
            logits = predict_logits(network, films)
        logs.append(
            EpochLog(
                epoch=epoch + 1,
                learning_rate=learning_rate_at(epoch + 1.0, config),
                loss=history["loss"][0],
                auc=history["auc"][0],
                accuracy=history["accuracy"][0],
                val_loss=cross_entropy(truth, logits),
                val_auc=float(auc_delong(truth, sigmoid(logits)).value or 0.0),
                val_accuracy=float(np.mean((logits >= 0) == truth)),
                images_per_s=n_films / duration_s,
            )
        )
        state.save(checkpoint, logs)
        on_epoch(logs)
    state.keep_average()
    return logs


def predict_logits(network: keras.Model, films: FloatImage) -> np.ndarray:
    """Log-odds of pneumonia, float64, shape (N,)."""
    return np.asarray(network.predict(films, batch_size=_PREDICT_BATCH, verbose=0), dtype=np.float64)[:, 0]


def learning_rate_at(epoch: float, config: TrainConfig) -> float:
    """Learning rate after so many epochs: linear warm-up, then constant or half a cosine down to zero, then even."""
    n_before = config.epochs - config.settle_epochs
    if config.settle_epochs and epoch > n_before:
        return config.settle_learning_rate * min((epoch - n_before) / max(config.warmup_epochs, 1e-9), 1.0)
    if epoch < config.warmup_epochs:
        return config.learning_rate * epoch / config.warmup_epochs
    if not config.cosine:
        return config.learning_rate
    done = (epoch - config.warmup_epochs) / max(n_before - config.warmup_epochs, 1e-9)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def _dataset(
    loaded: LoadedFilms, train: IndexArray, shares: FloatArray, config: TrainConfig, epoch: int
) -> tf.data.Dataset:
    """The batches of one epoch, made ahead in a background thread."""
    px = config.input_px
    films: Any = tf.TensorSpec((None, px, px, 1), tf.float32)
    if _is_guided(loaded, config):
        shapes = [(None, *_cells(px)), (None, 1)]
        shapes += [(None, len(loaded.findings))] if config.findings and loaded.findings else []
        films = (films, *(tf.TensorSpec(shape, tf.float32) for shape in shapes))
    signature = films, tf.TensorSpec((None, 1), tf.float32), tf.TensorSpec((None,), tf.float32)
    batches = tf.data.Dataset.from_generator(
        lambda: _batches(loaded, train, shares, config, epoch), output_signature=signature
    )
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    n_batches = math.ceil(films_per_epoch(len(train), config) / config.batch_size)
    return batches.apply(tf.data.experimental.assert_cardinality(n_batches)).prefetch(_N_AHEAD).with_options(options)


def _is_guided(loaded: LoadedFilms, config: TrainConfig) -> bool:
    """Whether more is told of a film than its label."""
    return config.guides_heat or config.is_taught or bool(config.findings and loaded.findings)


def _batches(
    loaded: LoadedFilms, train: IndexArray, shares: FloatArray, config: TrainConfig, epoch: int
) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
    """Films, truths and weights of one epoch, in an order and with variations that follow from seed and epoch."""
    weight = dict(zip(train.tolist(), loss_weights([loaded.films[i] for i in train], config), strict=True))
    styles = Styles(loaded, train) if config.augment.restyle else None
    is_guided, truth = _is_guided(loaded, config), loaded.truth
    names = loaded.findings if config.findings else ()
    order = draw_films(train, shares, config, epoch)
    for start in range(0, len(order), config.batch_size):
        rng = np.random.default_rng([config.seed, epoch, start])
        batch = order[start : start + config.batch_size]
        varied = [_vary(loaded, int(i), rng, config, styles) for i in batch]
        films, ill = (np.stack(pictures) for pictures in zip(*varied, strict=True))
        films, other, part = mix(films, rng, config.mix)
        ill += part * (ill[other] - ill)
        labels = truth[batch].astype(np.float32)
        weights = np.array([weight[i] for i in batch]) * (1 - config.taught)
        weights[labels != labels[other]] = 0  # whether the ill part is in sight is not known
        inputs = [films[..., np.newaxis]]
        if is_guided:
            inputs += [_shares_of_cells(ill, config.input_px), _points(loaded, batch, other)]
        if names:
            inputs.append(_findings(loaded, names, batch, is_mixed=other != np.arange(len(batch))))
        yield tuple(inputs) if len(inputs) > 1 else inputs[0], labels[:, np.newaxis], weights


def _shares_of_cells(ill: FloatImage, input_px: int) -> FloatImage:
    """Share of each cell of the last feature map that may show pneumonia; shape (N, h, w)."""
    return np.stack([cv2.resize(each, _cells(input_px), interpolation=cv2.INTER_AREA) for each in ill])


def _points(loaded: LoadedFilms, batch: IndexArray, other: IndexArray) -> FloatImage:
    """1 for films of which boxes tell where the opacity lies, or a part of which is such a film; shape (N, 1)."""
    is_boxed = np.array([i in loaded.boxes for i in batch])
    is_known = is_boxed | ~loaded.truth[batch]
    told = is_known & is_known[other] & (is_boxed | is_boxed[other])
    return np.asarray(told[:, np.newaxis], dtype=np.float32)


def _findings(loaded: LoadedFilms, names: Sequence[str], batch: IndexArray, is_mixed: BoolArray) -> FloatImage:
    """1 for what a report finds and 0 for what not; ``UNKNOWN`` for mixed films and without report; shape (N, F)."""
    told = np.full((len(batch), len(names)), UNKNOWN, dtype=np.float32)
    for row, i in enumerate(batch):
        found = loaded.films[i].findings
        if found is not None and not is_mixed[row]:
            told[row] = [name in found for name in names]
    return told


def _vary(
    loaded: LoadedFilms, i: int, rng: np.random.Generator, config: TrainConfig, styles: Styles | None
) -> tuple[FloatImage, FloatImage]:
    """A version of a film, varied, and where it may show pneumonia; both of shape (S, S)."""
    film = loaded.pixels[int(rng.choice(loaded.rows[i])), ..., 0]
    if styles is not None and rng.random() < config.augment.restyle:
        film = restyle(film, styles.of_another_group(i, rng), rng)
    return augment_with_mask(film, loaded.ill(i), rng, config.augment)


def _cells(input_px: int) -> tuple[int, int]:
    """Height and width of the last feature map."""
    return (heat_side(input_px),) * 2


class _State:
    """Everything that training changes: weights, optimiser, running average; saved and restored as one."""

    def __init__(self, network: keras.Model, trained: keras.Model, config: TrainConfig) -> None:
        self._network = network
        self._trained = trained
        self._config = config
        self._average: list[np.ndarray] = network.get_weights() if config.ema else []
        self._n_steps = 0

    def begin_average(self) -> None:
        """Forget the weights that were passed so far."""
        self._n_steps = 0  # the first steps then count for nearly all of the average

    def update_average(self) -> None:
        """Take the weights of one more step into the average."""
        if not self._average:
            return
        # A young average follows faster, so that it does not remember the initial weights.
        self._n_steps += 1
        keep = min(self._config.ema, self._n_steps / (self._n_steps + 9))
        for average, weight in zip(self._average, self._network.get_weights(), strict=True):
            average += np.float32(1 - keep) * (weight - average)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the network hold the averaged weights for a while."""
        own = self._network.get_weights()
        self.keep_average()
        try:
            yield
        finally:
            self._network.set_weights(own)

    def keep_average(self) -> None:
        """Give the network the averaged weights."""
        if self._average:
            self._network.set_weights(self._average)

    def _variables(self) -> list[keras.Variable]:
        return [*self._trained.variables, *self._trained.optimizer.variables]

    def save(self, path: Path, logs: list[EpochLog]) -> None:
        """Write the checkpoint beside the old one, then put it in its place."""
        header = {"config": asdict(self._config), "n_steps": self._n_steps, "logs": [asdict(log) for log in logs]}
        arrays: dict[str, Any] = {f"variable{i}": v.numpy() for i, v in enumerate(self._variables())}
        arrays |= {f"average{i}": average for i, average in enumerate(self._average)}
        with replacing(path) as file:
            np.savez(file, header=np.array(json.dumps(header)), **arrays)

    def restore(self, path: Path) -> list[EpochLog]:
        """Read a checkpoint; the log so far.

        Raises
        ------
        TrainingError
            ``config-invalid``: it is damaged, or of another run.
        """
        variables = self._variables()
        shapes = {f"variable{i}": (v.shape, str(v.dtype)) for i, v in enumerate(variables)}
        shapes |= {f"average{i}": (v.shape, str(v.dtype)) for i, v in enumerate(self._average)}
        try:
            with zipfile.ZipFile(path) as saved:
                header = json.loads(str(_read_array(saved, "header", None)))
                if header["config"] != json.loads(json.dumps(asdict(self._config))):
                    raise TrainingError("config-invalid", f"{path} is of other settings; --fresh starts over.")
                n_steps, logs = int(header["n_steps"]), [EpochLog(**log) for log in header["logs"]]
                arrays = {name: _read_array(saved, name, expected) for name, expected in shapes.items()}
        except (
            *(OSError, ValueError, KeyError, TypeError, EOFError, RecursionError, NotImplementedError),
            *(zipfile.BadZipFile, zlib.error),
        ) as error:
            raise TrainingError("config-invalid", f"{path} is no checkpoint of this run: it is damaged.") from error
        for i, variable in enumerate(variables):
            variable.assign(arrays[f"variable{i}"])
        self._average = [arrays[f"average{i}"] for i in range(len(self._average))]
        self._n_steps = n_steps
        return logs


def _read_array(saved: zipfile.ZipFile, name: str, expected: tuple[tuple[int, ...], str] | None) -> Any:
    """An array of a checkpoint, after its header has been held against what is expected; None: a short text."""
    with saved.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
        is_text = shape == () and dtype.kind == "U" and dtype.itemsize < _MAX_TEXT_BYTES
        if not ((shape, str(dtype)) == expected if expected else is_text):
            raise ValueError("not as expected")
    with saved.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


class _Follow(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets the learning rate, updates the average and tells the progress, step by step."""

    def __init__(self, state: _State, epoch: int, n_films: int, config: TrainConfig, progress: Progress) -> None:
        super().__init__()
        self._state = state
        self._epoch = epoch
        self._n_films = n_films
        self._train_config = config
        self._progress = progress

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        epochs_done = self._epoch + self._n_seen(batch) / self._n_films
        self.model.optimizer.learning_rate.assign(learning_rate_at(epochs_done, self._train_config))

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._state.update_average()
        self._progress(self._epoch + 1, self._n_seen(batch), self._n_films, dict(logs or {}))

    def _n_seen(self, batch: int) -> int:
        return min((batch + 1) * self._train_config.batch_size, self._n_films)
