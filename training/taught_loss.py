"""What other networks say of the same varied films, as a target while the network learns.

The mean of several networks is better than each of them, and one network can learn much of it when it sees the films
exactly as they do (Hinton et al. 2015, "Distilling the knowledge in a neural network"; Beyer et al. 2022, "Knowledge
distillation: a good teacher is patient and consistent").
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
from keras import layers, ops

from cxrscan.scanner.errors import TrainingError
from cxrscan.scanner.model_bundle import ModelSpec, load_bundle, verify_weights
from cxrscan.scanner.network.network import contributions, pull_back
from cxrscan.scanner.network.restore import restore_network
from cxrscan.training.config import TrainConfig
from cxrscan.training.folded import training_features

_SMALL = 0.1  # difference of heat, in units of the logit, from which on it counts linearly


def teacher_bundles(config: TrainConfig) -> list[ModelSpec]:
    """What teaches, described.

    Raises
    ------
    TrainingError
        ``config-invalid``: there is no teacher for a network that is to be taught, none to be taught, or one whose
        films have another size.
    BundleError
        A bundle is missing or cannot be used.
    """
    if config.is_taught != bool(config.teachers):
        raise TrainingError("config-invalid", "Teachers and the settings taught or taught_heat need each other.")
    specs = [load_bundle(Path(each)) for each in config.teachers]
    for spec in specs:
        if spec.input_px != config.input_px:
            raise TrainingError("config-invalid", f"{spec.folder} takes films of {spec.input_px} pixels a side.")
    return specs


def teacher_networks(config: TrainConfig) -> list[keras.Model]:
    """The networks of the teachers, taken out of the graphs of their bundles; errors as of ``teacher_bundles``."""
    return [_restored(spec) for spec in teacher_bundles(config)]


def _restored(spec: ModelSpec) -> keras.Model:
    try:
        network = restore_network(verify_weights(spec), input_px=spec.input_px, alpha=spec.alpha)
    except ValueError as error:
        raise TrainingError("config-invalid", f"{spec.folder} cannot teach: {error}.") from error
    network.trainable = False
    return network


class TaughtLoss(layers.Layer):  # type: ignore[misc]
    """Hands on the logit, and adds what sets it and its heat apart from the mean of the teachers.

    Takes the film, the last feature map (N, h, w, C), the hidden units (N, H) and the logit (N, 1).
    """

    def __init__(
        self, network: keras.Model, teachers: Sequence[keras.Model], taught: float, heat: float, **kwargs: Any
    ) -> None:
        super().__init__(dtype="float32", **kwargs)
        self._taught = taught
        self._heat = heat
        self._pull_back = partial(pull_back, network)  # anew at each step, for the head learns too
        self._ask = partial(_ask, tuple(map(_told, teachers)))  # hidden from Keras: teachers do not learn

    def call(self, inputs: list[Any]) -> Any:
        """Return the logit."""
        film, features, hidden, logit = inputs
        wanted, wanted_heat = map(ops.stop_gradient, self._ask(film))
        unsure = ops.softplus(logit) - logit * ops.sigmoid(wanted)
        apart = ops.abs(contributions(features, hidden, self._pull_back()) - wanted_heat)
        costs = ops.where(apart < _SMALL, apart**2 / (2 * _SMALL), apart - _SMALL / 2)
        self.add_loss(self._taught * ops.mean(unsure) + self._heat * ops.mean(costs))
        return logit


def _told(teacher: keras.Model) -> keras.Model:
    """Logit and contributions of the cells, as the network says them when it does not learn."""
    features = training_features(teacher)
    embedding = teacher.get_layer("head_norm")(teacher.get_layer("embedding")(features), training=False)
    hidden = teacher.get_layer("hidden")(embedding)
    return keras.Model(teacher.input, [teacher.get_layer("logit")(hidden), _Contributions(teacher)([features, hidden])])


class _Contributions(layers.Layer):  # type: ignore[misc]
    """What each position of a teacher adds to its logit."""

    def __init__(self, teacher: keras.Model) -> None:
        super().__init__(dtype="float32")
        self._pull_back = pull_back(teacher)

    def call(self, inputs: list[Any]) -> Any:
        features, hidden = inputs
        return contributions(features, hidden, self._pull_back)


def _ask(teachers: Sequence[keras.Model], film: Any) -> tuple[Any, Any]:
    """Mean logit and mean contributions of the teachers."""
    said = [teacher(film, training=False) for teacher in teachers]
    logits, heats = zip(*said, strict=True)
    return sum(logits) / len(said), sum(heats) / len(said)
