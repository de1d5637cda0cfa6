from __future__ import annotations

import numpy as np
import pytest

from training.calibrate import Scored, choose_operating_points, cross_entropy, fit_calibration, sigmoid


def drawn_films(n: int = 4000, distance: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Truth, and log-odds that are right for two normal distributions of equal spread."""
    rng = np.random.default_rng(0)
    truth = rng.random(n) < 0.7
    score = rng.normal(np.where(truth, distance / 2, -distance / 2), 1.0)
    return truth, score * distance


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("offset", [-3.0, 0.0])
def test_calibration_undoes_exaggeration_and_offset_in_spite_of_unequal_classes(factor: float, offset: float) -> None:
    truth, logits = drawn_films()
    found = fit_calibration([Scored(truth, logits * factor - offset)])
    assert found[0] == pytest.approx(factor, rel=0.06)
    assert found[1] == pytest.approx(offset, abs=0.2 * factor)


def test_separable_films_give_a_finite_temperature() -> None:
    truth = np.array([False, False, True, True])
    temperature, offset = fit_calibration([Scored(truth, np.array([-2.0, -1.0, 1.0, 2.0]))])
    assert 0.05 <= temperature < 0.1
    assert abs(offset) < 0.9


def test_cross_entropy_counts_both_classes_the_same() -> None:
    truth = np.array([True, True, True, False])
    assert cross_entropy(truth, np.array([0.0, 0.0, 0.0, 0.0])) == pytest.approx(np.log(2))
    assert cross_entropy(truth, np.array([50.0, 50.0, 50.0, 2.0])) == pytest.approx(np.logaddexp(0, 2) / 2)


def test_the_operating_points_keep_their_promises() -> None:
    truth, logits = drawn_films()
    prob = sigmoid(logits)
    points = choose_operating_points([Scored(truth, prob)], "drawn films")
    assert set(points) == {"youden", "sens95", "spec95", "half"}
    assert points["half"].threshold == 0.5
    sens95, spec95, youden = points["sens95"], points["spec95"], points["youden"]
    assert np.mean(prob[truth] >= sens95.threshold) == sens95.sensitivity.value
    assert 0.95 <= sens95.sensitivity.value < 0.951
    assert np.mean(prob[~truth] < spec95.threshold) == spec95.specificity.value
    assert 0.95 <= spec95.specificity.value < 0.951
    best = youden.sensitivity.value + youden.specificity.value
    assert all(best >= p.sensitivity.value + p.specificity.value for p in points.values())
    assert all(p.sensitivity.low < p.sensitivity.value < p.sensitivity.high for p in points.values())


def test_separable_films_get_thresholds_in_the_gap() -> None:
    truth = np.array([False] * 30 + [True] * 30)
    prob = np.concatenate([np.linspace(0.01, 0.2, 30), np.linspace(0.9, 0.99, 30)])
    points = choose_operating_points([Scored(truth, prob)], "drawn films")
    assert 0.2 < points["youden"].threshold < 0.9
    assert points["youden"].sensitivity.value == points["youden"].specificity.value == 1.0


def test_useless_scores_still_give_points() -> None:
    truth = np.array([True, False] * 10)
    points = choose_operating_points([Scored(truth, np.full(20, 0.4))], "drawn films")
    assert points["sens95"].sensitivity.value == 1.0
    assert points["spec95"].specificity.value == 1.0


def test_a_point_holds_on_the_worse_of_two_copies() -> None:
    truth, logits = drawn_films()
    copies = [sigmoid(logits), sigmoid(logits - 2)]
    points = choose_operating_points([Scored(truth, copy) for copy in copies], "drawn films")
    sens95, spec95 = points["sens95"], points["spec95"]
    assert np.mean(copies[1][truth] >= sens95.threshold) == sens95.sensitivity.value
    assert np.mean(copies[0][~truth] < spec95.threshold) == spec95.specificity.value
    assert sens95.sensitivity.value >= 0.95
    assert spec95.specificity.value >= 0.95


def test_a_point_holds_for_the_worst_population_whatever_its_size() -> None:
    (truth, logits), (few_truth, few_logits) = drawn_films(), drawn_films(400, distance=1.5)
    populations = [Scored(truth, sigmoid(logits)), Scored(few_truth, sigmoid(few_logits))]
    points = choose_operating_points(populations, "drawn films")
    for copy in populations:
        assert np.mean(copy.scores[copy.truth] >= points["sens95"].threshold) >= points["sens95"].sensitivity.value
        assert np.mean(copy.scores[~copy.truth] < points["spec95"].threshold) >= points["spec95"].specificity.value
    assert points["sens95"].sensitivity.value >= 0.95


def test_populations_count_the_same_in_calibration() -> None:
    truth, logits = drawn_films()
    few = slice(0, 400)
    offset = fit_calibration([Scored(truth, logits), Scored(truth[few], logits[few] - 2)])[1]
    assert offset == pytest.approx(1, abs=0.3)
