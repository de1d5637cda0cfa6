"""Grad-CAM in the loss: an explanation that is known to be wrong costs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
from keras import layers, ops

from cxrscan.scanner.network.network import contributions, pull_back
from cxrscan.training.config import TrainConfig
from cxrscan.training.findings_loss import FindingsLoss
from cxrscan.training.folded import training_features, training_head
from cxrscan.training.taught_loss import TaughtLoss

_LITTLE_HEAT = 1e-3  # in units of the logit: less than that is nowhere
_LEAST_ILL = 1e-6  # share of a cell
_SOME_HEAT = 1.0  # likewise: as stray heat, this much counts half


def guide_heat(
    network: keras.Model, config: TrainConfig, n_findings: int = 0, teachers: Sequence[keras.Model] = ()
) -> keras.Model:
    """Build a model of the same weights and output whose loss also counts what is wrong with Grad-CAM.

    Pooling lets a network rest on letters, arms and borders, or on features that are the same everywhere: an
    explanation that is known to be wrong shall cost (Ross, Hughes and Doshi-Velez 2017, "Right for the right
    reasons"). For each film three things are added:

    - ``stray_heat``: the share of the heat that lies on normal film, 0 when the film has no heat;
    - ``outer_heat``: the share of the heat in the outer ring of cells, beyond ``outer_heat_free``;
    - ``missing_heat``: how much is missing for the map's sum to account for the log-odds, as a share of them;
      without it a network escapes the other two with maps that are empty.

    The last two count as much as the network thinks the film positive. A fourth counts for films with boxes only:

    - ``point_heat``: how improbable it is to hit a box when a cell is drawn by a softmax of Grad-CAM, its ReLU left
      out, over ``point_temperature``; a list-wise loss (Cao et al. 2007, "Learning to rank") that compares the cells
      of one film, so that those outside of boxes teach as much as those inside.

    Besides films the model takes the share of each cell, shape (N, h, w), that may show pneumonia: 0 for normal films
    and outside of boxes, 1 for other films with pneumonia; and whether that share is known from boxes, shape (N, 1).
    Where there are findings, it takes them too, as ``FindingsLoss`` does.
    """
    return guide_features(network, network.input, training_features(network), config, n_findings, teachers)


def guide_features(
    network: keras.Model,
    source: Any,
    features: Any,
    config: TrainConfig,
    n_findings: int = 0,
    teachers: Sequence[keras.Model] = (),
) -> keras.Model:
    """Build the model of ``guide_heat`` from last feature maps that are made of something else than the film.

    Parameters
    ----------
    source
        Input of the model.
    features
        The last feature map, made of it.
    teachers
        Networks that say of the same input what this one should say; see ``TaughtLoss``.
    """
    embedding, hidden, logit = training_head(network, features)
    ill = keras.Input(features.shape[1:3], name="ill")
    points = keras.Input((1,), name="points")
    guarded = _HeatLoss(network, config, name="heat_loss")([features, hidden, logit, ill, points])
    if teachers:
        taught = TaughtLoss(network, teachers, config.taught, config.taught_heat, name="taught_loss")
        guarded = taught([source, features, hidden, guarded])
    if not n_findings:
        return keras.Model([source, ill, points], guarded)
    findings = keras.Input((n_findings,), name="findings")
    asked = FindingsLoss(n_findings, config.findings, name="findings_loss")([embedding, guarded, findings])
    return keras.Model([source, ill, points, findings], asked)


class _HeatLoss(layers.Layer):  # type: ignore[misc]
    """Hands on the logit, and adds the loss of ``guide_heat``."""

    def __init__(self, network: keras.Model, config: TrainConfig, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self._config = config
        self._pull_back = partial(pull_back, network)  # anew at each step, for the head learns too

    def call(self, inputs: list[Any]) -> Any:
        features, hidden, logit, ill, points = inputs
        config, axes = self._config, (1, 2)
        added = contributions(features, hidden, self._pull_back())
        heat = ops.relu(added)
        total = ops.sum(heat, axis=axes)
        stray = ops.sum(heat * (1 - ill), axis=axes) / (total + _SOME_HEAT)
        outer = 1 - ops.sum(heat[:, 1:-1, 1:-1], axis=axes) / (total + _LITTLE_HEAT)
        wanted = ops.stop_gradient(ops.maximum(logit[:, 0], 1.0))
        missing = ops.relu(1 - ops.sum(added, axis=axes) / wanted)  # before the ReLU, so that it can recover
        prob = ops.stop_gradient(ops.sigmoid(logit[:, 0]))
        cost = config.outer_heat * ops.relu(outer - config.outer_heat_free) + config.missing_heat * missing
        missed = points[:, 0] * _improbability(added / config.point_temperature, ill)
        self.add_loss(ops.mean(config.stray_heat * stray + prob * cost + config.point_heat * missed))
        return logit


def _improbability(scores: Any, ill: Any) -> Any:
    """Negative logarithm of the chance that a cell drawn by the softmax of its score is ill; shape (N,)."""
    n_cells = scores.shape[1] * scores.shape[2]
    flat, ill = (ops.reshape(each, (-1, n_cells)) for each in (scores, ill))
    return ops.logsumexp(flat, axis=1) - ops.logsumexp(flat + ops.log(ill + _LEAST_ILL), axis=1)
