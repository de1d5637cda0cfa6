from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from cxrscan.training.findings_loss import UNKNOWN, FindingsLoss


def test_known_findings_cost_their_cross_entropy_and_the_logit_is_handed_on() -> None:
    layer = FindingsLoss(2, weight=3.0)
    rng = np.random.default_rng(0)
    embedding, logit = rng.normal(size=(3, 4)).astype(np.float32), rng.normal(size=(3, 1)).astype(np.float32)
    findings = np.array([[1, 0], [UNKNOWN, UNKNOWN], [1, 1]], np.float32)
    np.testing.assert_array_equal(layer([tf.constant(each) for each in (embedding, logit, findings)]), logit)
    kernel, bias = layer.get_weights()
    prob = 1 / (1 + np.exp(-(embedding @ kernel + bias)))
    losses = -np.where(findings == 1, np.log(prob), np.log(1 - prob))[[0, 2]]
    assert float(layer.losses[0]) == pytest.approx(3.0 * losses.sum() / 6, rel=1e-5)
